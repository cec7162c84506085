/** What the gateway to the vendors tells: its queue, and what is left of each model's budgets. */

import { byId, cell, fill, make, row, set, style, text } from "./dom.js";
import { capital, count, duration, known, words } from "./format.js";

const CIRCUITS = { closed: "In use", open: "Resting after failures", half_open: "On trial after failures" };

/** @param {null | {queue?: object, cache?: object, models?: Record<string, object>, preemptive?: object, early_turns?: object}} gateway */
export function drawGateway(gateway) {
  byId("gateway").hidden = !gateway;
  if (!gateway) return;
  const { queue = {}, cache = {}, models = {}, preemptive, early_turns: early } = gateway;
  const waiting = queue.length ? `${count(queue.length)} requests wait` : "Nobody waits";
  const longest = queue.longest_wait_secs ? `the longest for ${duration(queue.longest_wait_secs)}` : "";
  const hits = known(cache.hits) ? `${count(cache.hits)} answers from the cache` : "";
  const ahead = preemptive?.asked
    ? `${count(preemptive.used)} of ${count(preemptive.asked)} prepared replies used, ` +
      `${count(preemptive.wasted_tokens + preemptive.unheard_tokens)} tokens unheard`
    : "";
  const ended = early ? Object.values(early).reduce((sum, turns) => sum + turns, 0) : 0;
  const changed = ended ? `${count(early.changed)} of ${count(ended)} turns ended early had other words` : "";
  text(byId("gateway-line"), [waiting, longest, hits, ahead, changed].filter(Boolean).join(" · "));
  fill(byId("models"), Object.entries(models), ([name]) => name, createModel, updateModel);
}

function createModel([name]) {
  return make(
    "article",
    { "data-testid": `model-${name}` },
    make("h3", {}, name, " ", make("span", { class: "mark" })),
    make("table", {}, make("caption", { class: "visually-hidden" }, `Budgets of ${name}`), make("tbody")),
  );
}

function updateModel(made, [, { circuit = "closed", budgets = {} }]) {
  const mark = made.querySelector(".mark");
  text(mark, CIRCUITS[circuit] ?? capital(words(circuit)));
  set(mark, "data-tone", circuit === "closed" ? null : circuit === "open" ? "bad" : "wait");
  fill(made.querySelector("tbody"), Object.entries(budgets), ([name]) => name, createBudget, updateBudget);
}

function createBudget([name]) {
  const made = row(["name", "left", "bar", "refill"]);
  cell(made, "name").append(capital(words(name)));
  cell(made, "bar").append(make("span", { class: "bar", "aria-hidden": "true" }, make("i")));
  set(cell(made, "left"), "class", "number");
  made.dataset.budget = name;
  return made;
}

function updateBudget(made, [, { left, limit, refill_secs: refillSecs }]) {
  const share = limit ? Math.max(0, Math.min(1, left / limit)) : 0;
  text(cell(made, "left"), known(limit) ? `${count(left)} of ${count(limit)} left` : `${count(left)} left`);
  const bar = cell(made, "bar").firstChild;
  style(bar.firstChild, "--share", share);
  set(bar, "data-tone", share < 0.1 ? "bad" : share < 0.3 ? "wait" : null);
  text(cell(made, "refill"), refillSecs > 0 ? `full in ${duration(Math.ceil(refillSecs))}` : "full");
}
