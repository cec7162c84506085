/** Links between the dashboards of several processes behind one port. */

import { byId, fill, make, set } from "./dom.js";

/** @param {{index: number, count: number} | null | undefined} worker Whose dashboard this is; none: there is one. */
export function drawWorkers(worker) {
  const links = byId("workers");
  links.hidden = !worker;
  if (!worker) return;
  const root = /\/workers\/\d+\/dashboard$/.test(location.pathname) ? "../../" : "./";
  fill(
    links,
    [...Array(worker.count).keys()],
    (number) => number,
    (number) => make("a", { href: `${root}workers/${number}/dashboard` }, `Worker ${number}`),
    (link, number) => set(link, "aria-current", number === worker.index ? "page" : null),
  );
}
