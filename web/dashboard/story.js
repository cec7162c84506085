/** What happened in a call, in words: what was said, answers and their times, verdicts, faults; on request all else. */

import { fill, make, style } from "./dom.js";
import { capital, known, millis, moment } from "./format.js";
import { outcomeName, stageName, stateName, verdictName } from "./names.js";

const DETAILS = new Set(["state", "speech", "vendor", "tools"]);
const NEAR_END_PX = 40;

export class Story {
  #list;
  #everything;
  #empty;
  #onTime;
  #record = null;

  /**
   * @param {HTMLElement} list
   * @param {HTMLInputElement} everything Whether details are wanted.
   * @param {HTMLElement} empty
   * @param {(ms: number) => void} onTime A moment's time was pressed.
   */
  constructor(list, everything, empty, onTime) {
    this.#list = list;
    this.#everything = everything;
    this.#empty = empty;
    this.#onTime = onTime;
    everything.addEventListener("change", () => this.draw(this.#record));
  }

  /** @param {import("./call-record.js").CallRecord} record */
  draw(record) {
    if (!record) return;
    this.#record = record;
    const list = this.#list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX;
    const moments = record
      .moments()
      .filter(({ kind }) => this.#everything.checked || !DETAILS.has(kind))
      .map((one) => ({ ...one, at_ms: toldAt(one) }))
      .sort((one, other) => one.at_ms - other.at_ms);
    this.#empty.hidden = moments.length > 0;
    this.#list.hidden = !moments.length;
    // A moment's key holds all of it: one that has changed is drawn anew.
    fill(list, moments, (one) => JSON.stringify(one), (one) => this.#entry(one));
    if (atEnd && !record.isOver) list.scrollTop = list.scrollHeight;
  }

  #entry(one) {
    const at = moment(one.at_ms);
    const time = make("button", { type: "button", class: "time", "aria-label": `${at}: show in the timeline` }, at);
    time.addEventListener("click", () => this.#onTime(one.at_ms));
    const [who, ...parts] = (TELLING[one.kind] ?? tellAnything)(one);
    return make(
      "li",
      { "data-kind": one.kind, "data-tone": toneOf(one) },
      time,
      make("span", { class: "who" }, who),
      make("div", { class: "what" }, ...parts),
    );
  }
}

/** An answer is told of when it began to be heard: after the words that it answers. */
const toldAt = ({ kind, at_ms: at, answer_ms: answerMs, until_ms: untilMs }) =>
  kind === "turn" ? (known(answerMs) ? at + answerMs : untilMs) : at;

function toneOf({ kind, error, decision, outcome }) {
  if (kind === "fault" || outcome === "failed" || decision?.wrong) return "bad";
  return error && !["interrupted", "superseded"].includes(error) ? "bad" : null;
}

const lasting = ({ at_ms: at, until_ms: until }) => (known(until) ? millis(until - at) : "still going on");

const TELLING = {
  words: ({ text, source }) => [source === "typed" ? "Caller types" : "Caller", text],
  said: ({ words, unheard, cut, error }) => [
    "Bot",
    words.map(([, word]) => word.trim()).join(" "),
    unheard ? make("span", { class: "visually-hidden" }, " Not heard:") : null,
    unheard ? make("span", { class: "unheard" }, ` ${unheard}`) : null,
    cut ? make("span", { class: "mark" }, "interrupted") : null,
    error ? make("p", { class: "fine" }, error) : null,
  ],
  turn: (turn) => [
    "Answer",
    [
      known(turn.answer_ms) && millis(turn.answer_ms),
      outcomeName(turn.outcome) + (turn.error ? `: ${turn.error}` : ""),
    ].filter(Boolean).join(" · "),
    stagesOf(turn.stages_ms),
  ],
  decision: ({ decision }) => [
    "Sound",
    [
      verdictName(decision.verdict),
      decision.text && `“${decision.text}”`,
      decision.reason,
      known(decision.verdict_ms) && `decided after ${millis(decision.verdict_ms)}`,
      known(decision.silence_ms) && `voice silent for ${millis(decision.silence_ms)}`,
    ].filter(Boolean).join(" · "),
    decision.wrong === null || decision.wrong === undefined ? null
      : make("span", { class: "mark" }, decision.wrong ? "was wrong" : "was right"),
  ],
  vendor: (call) => [
    call.role === "llm" ? "Model" : "Voice",
    [
      call.vendor,
      call.text && `“${call.text}”`,
      known(call.first_ms) && `first after ${millis(call.first_ms - call.at_ms)}`,
      `${lasting(call)}`,
      call.error,
    ].filter(Boolean).join(" · "),
  ],
  tools: (call) => ["Tools", `at most ${call.longest_secs} s · ${lasting(call)}`],
  state: ({ state }) => ["State", stateName(state)],
  hold: (hold) => ["On hold", lasting(hold)],
  speech: (speech) => ["Caller speaks", lasting(speech)],
  fault: ({ what }) => ["Fault", `Repaired: ${what}`],
  trouble: ({ message }) => ["Told", message],
  end: ({ reason }) => ["End", capital(reason)],
};

const tellAnything = ({ kind, ...rest }) => [capital(kind), JSON.stringify(rest)];

function stagesOf(stagesMs) {
  const stages = Object.entries(stagesMs);
  if (!stages.length) return null;
  const bar = make("div", { class: "stage-bar small", "aria-hidden": "true" });
  for (const [name, ms] of stages) {
    const part = make("i", { "data-stage": name });
    style(part, "flex-grow", Math.max(1, ms));
    bar.append(part);
  }
  const told = stages.map(([name, ms]) => `${stageName(name)} ${millis(ms)}`).join(" · ");
  return make("div", {}, bar, make("p", { class: "fine" }, told));
}
