/** The lanes of a call's timeline: states, words, vendors and marks, drawn on a chart's canvas. */

import { colour } from "./chart-style.js";

const WORD_PX = 38;
const PALE = 0.3;

/** Where each lane lies on the upright axis: its middle, and half its height. */
export const LANES = {
  Caller: [9.1, 0.85],
  Bot: [7.2, 0.85],
  State: [5.7, 0.32],
  "Caller says": [4.7, 0.36],
  "Bot says": [3.7, 0.36],
  Model: [2.7, 0.3],
  Voice: [1.8, 0.3],
  Marks: [0.8, 0.4],
};

/** Custom properties of the style sheet. */
export const STATE_COLOURS = {
  listening: "--line",
  user_speaking: "--user",
  thinking: "--wait",
  speaking: "--accent",
  paused: "--danger",
};

const VERDICTS = { cancel: ["--user", "stopped"], resume: ["--accent", "went on"], drained: ["--edge", "had finished"] };

/** What a moment leaves among the marks. */
function markOf({ kind, at_ms, decision, what, message }) {
  if (kind === "fault") return [{ at_ms, name: "--danger", text: what }];
  if (kind === "trouble") return [{ at_ms, name: "--wait", text: message }];
  if (kind !== "decision") return [];
  const [name, text] = VERDICTS[decision.verdict] ?? ["--edge", decision.verdict];
  return [decision.wrong ? { at_ms, name: "--danger", text: `${text}: was wrong` } : { at_ms, name, text }];
}

/** Draws on the chart's canvas, in its pixels. */
export class Lanes {
  #plot;
  #ctx;
  #ratio = devicePixelRatio;

  constructor(plot) {
    this.#plot = plot;
    this.#ctx = plot.ctx;
  }

  draw(record) {
    const { ctx: context, bbox } = this.#plot;
    context.save();
    context.beginPath();
    context.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    context.clip();
    context.font = `${12 * this.#ratio}px system-ui, sans-serif`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    for (const span of record.states()) this.#bar("State", span, colour(STATE_COLOURS[span.state] ?? "--edge"));
    for (const span of record.spans("hold")) this.#bar("State", span, colour("--edge"));
    this.#callersWords(record);
    const said = record.spans("said");
    said.forEach((span, index) => this.#botsWords(span, said[index + 1]));
    for (const span of record.spans("vendor")) this.#vendor(span);
    for (const span of record.spans("tools")) this.#bar("Model", span, colour("--wait"));
    const marks = record.moments().flatMap(markOf);
    marks.forEach((mark, index) => this.#mark(mark, marks[index + 1]?.at_ms ?? Infinity));
    context.restore();
  }

  #callersWords(record) {
    const speech = record.speech();
    speech.forEach((span, index) => {
      this.#bar("Caller says", span, colour("--user"), PALE);
      const next = speech.slice(index + 1).find(({ text }) => text);
      this.#label("Caller says", { at_ms: span.at_ms, until_ms: next?.at_ms ?? Infinity }, span.text);
    });
  }

  #botsWords(span, next) {
    this.#bar("Bot says", span, colour(span.error ? "--danger" : "--accent"), PALE);
    const apart = span.words.length > 1 ? this.#x(span.words[1][0]) - this.#x(span.words[0][0]) : 0;
    if (apart < WORD_PX * this.#ratio) {
      const room = { at_ms: span.at_ms, until_ms: next?.at_ms ?? Infinity };
      this.#label("Bot says", room, span.words.map(([, word]) => word.trim()).join(" "));
      return;
    }
    span.words.forEach(([at, word], index) => {
      this.#label("Bot says", { at_ms: at, until_ms: span.words[index + 1]?.[0] ?? span.until_ms }, word);
    });
  }

  #vendor(span) {
    const lane = span.role === "llm" ? "Model" : "Voice";
    const name = span.role === "llm" ? "--stage-llm" : "--stage-tts";
    const tone = span.error && !["interrupted", "superseded"].includes(span.error) ? "--danger" : name;
    // Paler until the first token or sample is there.
    this.#bar(lane, { ...span, until_ms: span.first_ms ?? span.until_ms }, colour(tone), 0.4);
    if (span.first_ms) this.#bar(lane, { at_ms: span.first_ms, until_ms: span.until_ms }, colour(tone));
  }

  #x(ms) {
    return this.#plot.valToPos(ms / 1000, "x", true);
  }

  #box(lane, { at_ms: at, until_ms: until }) {
    const [middle, half] = LANES[lane];
    const left = this.#x(at);
    const top = this.#plot.valToPos(middle + half, "y", true);
    const bottom = this.#plot.valToPos(middle - half, "y", true);
    const right = until === Infinity ? this.#plot.bbox.left + this.#plot.bbox.width : this.#x(until);
    return { left, top, width: Math.max(2 * this.#ratio, right - left), height: bottom - top };
  }

  #bar(lane, span, fill, alpha = 1) {
    const { left, top, width, height } = this.#box(lane, span);
    this.#ctx.globalAlpha = alpha;
    this.#ctx.fillStyle = fill;
    this.#ctx.beginPath();
    this.#ctx.roundRect(left, top, width, height, Math.min(3 * this.#ratio, width / 2));
    this.#ctx.fill();
    this.#ctx.globalAlpha = 1;
  }

  #label(lane, room, text) {
    const { left, top, width, height } = this.#box(lane, room);
    if (width < 24 * this.#ratio) return;
    this.#ctx.save();
    this.#ctx.beginPath();
    this.#ctx.rect(left, top, width - 3 * this.#ratio, height);
    this.#ctx.clip();
    this.#ctx.fillStyle = colour("--ink");
    this.#ctx.fillText(text, left + 4 * this.#ratio, top + height / 2 + this.#ratio);
    this.#ctx.restore();
  }

  #mark({ at_ms: at, name, text }, until) {
    const { left, top, width, height } = this.#box("Marks", { at_ms: at, until_ms: until });
    const half = height / 3;
    const middle = top + height / 2;
    this.#ctx.fillStyle = colour(name);
    this.#ctx.beginPath();
    this.#ctx.moveTo(left, middle - half);
    this.#ctx.lineTo(left + half, middle);
    this.#ctx.lineTo(left, middle + half);
    this.#ctx.lineTo(left - half, middle);
    this.#ctx.fill();
    const from = half + 4 * this.#ratio;
    if (from + this.#ctx.measureText(text).width < width - half) {
      this.#ctx.fillText(text, left + from, middle + this.#ratio);
    }
  }
}
