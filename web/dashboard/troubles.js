/** How turns and calls ended, and what failed, by cause. */

import { byId, fill, make, style, text } from "./dom.js";
import { capital, count, words } from "./format.js";
import { outcomeName } from "./names.js";

const GROUPS = [
  { name: "outcomes", title: "Turns, by how they ended", reading: (name) => capital(outcomeName(name)) },
  { name: "failures", title: "Failures that a caller noticed, by cause", tone: "bad" },
  { name: "vendor_errors", title: "Failures of vendors, noticed or not", tone: "wait" },
  { name: "faults", title: "Faults that a deadline repaired", tone: "wait" },
  { name: "refused", title: "Calls refused, by why", reading: (name) => capital(words(name)), tone: "wait" },
  { name: "ends", title: "Calls, by how they ended", reading: capital },
];
const MOST = 8;

/** Failures stand under their own causes. */
const counted = ({ name }, counts) => Object.entries(counts).filter(([what]) => name !== "outcomes" || what !== "failed");

export function drawTroubles(snapshot) {
  const groups = GROUPS.filter((group) => counted(group, snapshot[group.name]).length);
  byId("no-causes").hidden = groups.length > 0;
  fill(
    byId("causes"),
    groups,
    (group) => group.name,
    (group) => make("div", { "data-testid": group.name, "data-tone": group.tone }, make("h3", {}, group.title), make("dl")),
    (made, group) => drawCounts(made.lastChild, counted(group, snapshot[group.name]), group.reading),
  );
}

function drawCounts(list, entries, reading = (name) => name) {
  const most = Math.max(...entries.map(([, number]) => number));
  fill(
    list,
    entries.slice(0, MOST),
    ([name]) => name,
    ([name]) => {
      const bar = make("i", { "aria-hidden": "true" });
      return make("div", { class: "count-row" }, make("dt", {}, reading(name)), make("dd"), bar);
    },
    (made, [, number]) => {
      text(made.children[1], count(number));
      style(made.children[2], "--share", number / most);
    },
  );
}
