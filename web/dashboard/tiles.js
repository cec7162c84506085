/** The six figures at the top. */

import { byId, style, text } from "./dom.js";
import { capital, count, dollars, duration, known, millis, NONE, percent } from "./format.js";

export function drawTiles(snapshot) {
  const { capacity, latency, targets, success, interruptions, replies, cost, process, up_secs: upSecs, gateway } = snapshot;
  drawCapacity(capacity, gateway?.capacity);
  drawAnswer(latency.voice_to_voice, targets);
  drawSuccess(success);
  drawVerdicts(interruptions, replies);
  drawTotal(cost, upSecs);
  text(byId("load-cpu"), known(process.cpu_percent) ? `${Math.round(process.cpu_percent)}\u00a0%` : NONE);
  text(
    byId("load-rest"),
    `event loop ${millis(process.lag_p99_ms)} late (p99, last minute) · ${count(process.resident_mb)} MB`,
  );
}

function drawCapacity({ live, max, left, cpu_room: room }, capacity) {
  text(byId("calls-live"), live);
  text(byId("calls-max"), `of ${max} lines`);
  style(byId("calls-bar"), "--share", live / max);
  const free = left === 0 ? "all lines are taken" : `${left} ${left === 1 ? "line is" : "lines are"} free`;
  const core = room === null ? "" : room < left ? ` · the core has room for about ${room} more` : "";
  text(byId("calls-room"), capital(free) + core);
  byId("calls-room").closest(".tile").title = capacity?.line ?? "";
  byId("calls-room").closest(".tile").dataset.tone = left === 0 ? "bad" : "";
}

function drawAnswer(figures, targets) {
  text(byId("answer-p50"), millis(figures?.p50));
  text(
    byId("answer-rest"),
    figures ? `p95 ${millis(figures.p95)} · p99 ${millis(figures.p99)} · of ${count(figures.n)}` : "No answer yet",
  );
  const missed = targets.some(({ name, met }) => name === "voice_to_voice" && met === false);
  byId("answer-p50").closest(".tile").dataset.tone = missed ? "bad" : "";
}

function drawSuccess({ answered, failed, share, least }) {
  text(byId("success-share"), percent(share));
  const told = `${count(failed)} of ${count(answered + failed)} failed · at least ${percent(least)}`;
  text(byId("success-rest"), share === null ? "No turn is over yet" : told);
  byId("success-share").closest(".tile").dataset.tone = share !== null && share < least ? "bad" : "";
}

function drawVerdicts(interruptions, { taken_back: takenBack, lost } = { taken_back: 0, lost: 0 }) {
  const sum = (name) => {
    const { open = 0, right = 0, wrong = 0 } = interruptions[name] ?? {};
    return open + right + wrong;
  };
  const all = Object.keys(interruptions);
  const wrong = all.reduce((total, name) => total + interruptions[name].wrong, 0);
  text(byId("sounds-count"), count(all.reduce((total, name) => total + sum(name), 0)));
  text(
    byId("sounds-rest"),
    `${count(sum("cancel"))} interrupted · ${count(sum("resume"))} false alarms · ${count(wrong)} wrong · ` +
      `${count(takenBack)} taken back · ${count(lost)} replies lost`,
  );
}

function drawTotal(cost, upSecs) {
  const total = cost === null ? null : Object.values(cost).reduce((sum, value) => sum + value, 0);
  text(byId("cost-total"), dollars(total));
  const paid = total !== null && Object.keys(cost).length;
  const since = `in the ${duration(upSecs)} since the start`;
  text(byId("cost-rest"), total === null ? "Not counted" : paid ? since : "Nothing here is paid for");
}
