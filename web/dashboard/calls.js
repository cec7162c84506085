/** The table of calls: those that go on, then the last that ended. */

import { cell, fill, make, row, set, text } from "./dom.js";
import { capital, count, duration, millis, NONE } from "./format.js";
import { lineQuality, shownState, stageName, stateName } from "./names.js";

const COLUMNS = ["call", "state", "lasts", "answer", "answers", "sounds", "connection"];
const LABELS = ["", "State", "Lasts", "Last answer", "Answers", "Sounds", "Connection"];

export class CallTable {
  #live;
  #ended;
  #empty;
  #announcer;
  #known = null;

  /** @param {HTMLElement} live @param {HTMLElement} ended @param {HTMLElement} empty @param {HTMLElement} announcer */
  constructor(live, ended, empty, announcer) {
    this.#live = live;
    this.#ended = ended;
    this.#empty = empty;
    this.#announcer = announcer;
  }

  draw({ calls, ended }) {
    const newestFirst = [...calls].reverse();
    fill(this.#live, newestFirst, (call) => call.id, createRow, updateRow);
    fill(this.#ended, ended, (call) => call.id, createRow, updateRow);
    this.#live.closest("table").hidden = !calls.length && !ended.length;
    this.#empty.hidden = calls.length > 0 || ended.length > 0;
    this.#announce(calls);
  }

  #announce(calls) {
    const now = new Set(calls.map((call) => call.id));
    if (this.#known !== null) {
      const said = [
        ...[...now].filter((id) => !this.#known.has(id)).map((id) => `Call ${id} began.`),
        ...[...this.#known].filter((id) => !now.has(id)).map((id) => `Call ${id} ended.`),
      ];
      if (said.length) this.#announcer.textContent = said.join(" ");
    }
    this.#known = now;
  }
}

function createRow(call) {
  const made = row(COLUMNS);
  COLUMNS.forEach((name, at) => set(cell(made, name), "data-label", LABELS[at]));
  made.dataset.testid = `call-${call.id}`;
  cell(made, "call").append(make("a", { href: `dashboard/calls/${encodeURIComponent(call.id)}` }, `Call ${call.id}`));
  cell(made, "state").append(make("span", { class: "state-pill" }), " ", make("span", { class: "since" }));
  cell(made, "connection").append(make("span", { class: "grade" }), " ", make("span", { class: "fine" }));
  return made;
}

function updateRow(made, call) {
  const state = cell(made, "state");
  const over = call.end_reason !== null;
  set(state.firstChild, "data-state", shownState(call));
  text(state.firstChild, stateName(shownState(call)));
  text(state.lastChild, over ? call.end_reason : duration(call.state_secs));
  text(cell(made, "lasts"), duration(call.secs));
  text(cell(made, "answer"), millis(call.answer_ms));
  const stages = Object.entries(call.stages_ms).map(([name, ms]) => `${stageName(name)} ${millis(ms)}`);
  set(cell(made, "answer"), "title", stages.join("\n") || null);
  text(cell(made, "answers"), answersOf(call));
  text(cell(made, "sounds"), soundsOf(call));
  const { grade, facts } = lineQuality(call.quality);
  const connection = cell(made, "connection");
  set(connection.firstChild, "data-grade", grade);
  text(connection.firstChild, grade === "unknown" ? NONE : capital(grade));
  text(connection.lastChild, facts);
}

function answersOf({ answers, failures }) {
  const failed = Object.values(failures).reduce((sum, number) => sum + number, 0);
  return failed ? `${count(answers)}, ${count(failed)} failed` : count(answers);
}

function soundsOf({ verdicts, wrong_verdicts }) {
  const told = [
    verdicts.cancel ? `${verdicts.cancel} interrupted` : "",
    verdicts.resume ? `${verdicts.resume} false` : "",
    wrong_verdicts ? `${wrong_verdicts} wrong` : "",
  ].filter(Boolean);
  return told.join(", ") || NONE;
}
