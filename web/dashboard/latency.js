/** Percentiles: against the targets, and stage by stage. */

import { byId, cell, fill, make, row, set, style, text } from "./dom.js";
import { count, millis, NONE } from "./format.js";
import { figureName, stageName, stageNames } from "./names.js";

export function drawLatency({ targets, latency }) {
  fill(
    byId("targets"),
    targets,
    ({ name, percentile }) => `${name} ${percentile}`,
    ({ name, percentile }) => {
      const made = row(["name", "is", "most", "met"]);
      made.dataset.testid = `target-${name}-${percentile}`;
      cell(made, "name").append(figureName(name), " ", make("span", { class: "fine" }, `p${percentile}`));
      for (const number of ["is", "most"]) set(cell(made, number), "class", "number");
      return made;
    },
    (made, { value, most, met, n }) => {
      text(cell(made, "is"), millis(value));
      text(cell(made, "most"), millis(most));
      const mark = met === null ? NONE : met ? "Met" : "Missed";
      text(cell(made, "met"), mark);
      set(cell(made, "met"), "data-met", met === null ? "open" : String(met));
      set(made, "title", `of ${count(n)}`);
    },
  );
  const stages = stageNames.filter((name) => latency[name]);
  byId("no-stages").hidden = stages.length > 0;
  byId("stages").closest("table").hidden = !stages.length;
  byId("stage-bar").hidden = !stages.length;
  fill(
    byId("stages"),
    stages,
    (name) => name,
    (name) => {
      const made = row(["name", "mean", "p50", "p95", "p99"]);
      made.dataset.testid = `stage-${name}`;
      cell(made, "name").append(make("i", { class: "swatch", "data-stage": name, "aria-hidden": "true" }), stageName(name));
      for (const number of ["mean", "p50", "p95", "p99"]) set(cell(made, number), "class", "number");
      return made;
    },
    (made, name) => {
      for (const number of ["mean", "p50", "p95", "p99"]) text(cell(made, number), millis(latency[name][number]));
    },
  );
  // Means add up, and medians do not.
  fill(
    byId("stage-bar"),
    stages,
    (name) => name,
    (name) => make("i", { "data-stage": name }),
    (part, name) => style(part, "flex-grow", latency[name].mean),
  );
}
