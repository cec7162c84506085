/** What was used, and what it cost by list prices. */

import { byId, cell, fill, row, set, text } from "./dom.js";
import { count, dollars } from "./format.js";
import { usageName, usageNames } from "./names.js";

export function drawCost({ cost, usage, providers }) {
  drawRows(byId("cost"), Object.entries(cost ?? {}), (name) => name, (_, value) => dollars(value));
  const used = [...usageNames, ...Object.keys(usage).filter((name) => !usageNames.includes(name))]
    .filter((name) => name in usage)
    .map((name) => [name, usage[name]]);
  drawRows(
    byId("usage"),
    used,
    (name) => usageName(name)[0],
    (name, value) => `${count(Math.round(value))} ${usageName(name)[1]}`.trim(),
  );
  text(byId("unpriced"), noteOf(cost, used.length > 0, [...new Set(Object.values(providers))].join(", ")));
}

function noteOf(cost, isUsed, inUse) {
  if (cost === null) return "";
  if (!Object.keys(cost).length) {
    const named = inUse ? ` (${inUse})` : "";
    return `The price file lists none of what is in use${named}; what runs on your machine costs nothing here.`;
  }
  if (!isUsed) return "Use is counted from the first call on.";
  return "By list prices of observe/prices.toml; what runs on your machine is not listed.";
}

function drawRows(body, entries, nameOf, valueOf) {
  body.closest("table").hidden = !entries.length;
  fill(
    body,
    entries,
    ([name]) => name,
    ([name]) => {
      const made = row(["name", "value"]);
      made.dataset.testid = `${body.id}-${name}`;
      cell(made, "name").append(nameOf(name));
      set(cell(made, "value"), "class", "number");
      return made;
    },
    (made, [name, value]) => text(cell(made, "value"), valueOf(name, value)),
  );
}
