/** The timeline: levels of both voices, and lanes of what happened, on one axis of time. */

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { colour, grid, onTheme, sized } from "./chart-style.js";
import { duration, moment } from "./format.js";

const HEIGHT = 400;
const FOLLOW_SECS = { most: 60, least: 20, px: 16 };
const LOOK_SECS = 6;
const QUIETEST_DB = 60;
const WORD_PX = 38;
const PALE = 0.3;

/** Where each lane lies on the upright axis: its middle, and half its height. */
const LANES = {
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

export class Timeline {
  #box;
  #follow;
  #record = null;
  #plot = null;
  #following = false;
  /** Seconds that are shown; null: the whole call. */
  #view = null;

  /** @param {HTMLElement} box @param {HTMLElement} follow @param {HTMLElement} whole Buttons. */
  constructor(box, follow, whole) {
    this.#box = box;
    this.#follow = follow;
    follow.addEventListener("click", () => this.#setFollowing(!this.#following));
    whole.addEventListener("click", () => {
      this.#setFollowing(false);
      this.#show(null);
    });
    onTheme(() => this.#plot?.redraw(false));
  }

  /** @param {import("./call-record.js").CallRecord} record */
  draw(record) {
    const first = this.#record === null;
    this.#record = record;
    const data = levelSeries(record.levels);
    this.#plot ??= this.#make(data);
    this.#plot.setData(data, false);
    if (first) this.#setFollowing(!record.isOver);
    if (record.isOver && this.#following) {
      this.#setFollowing(false);
      this.#view = null;
    }
    this.#show(this.#view);
    const { id, secs, answers } = record.summary;
    this.#box.setAttribute("aria-label", `Timeline of call ${id}: ${duration(secs)}, ${answers} answers.`);
  }

  /** Look closely at a moment. */
  lookAt(ms) {
    this.#setFollowing(false);
    this.#show([ms / 1000 - LOOK_SECS / 3, ms / 1000 + LOOK_SECS]);
  }

  #setFollowing(following) {
    this.#following = following;
    this.#follow.setAttribute("aria-pressed", String(following));
    if (following) this.#show(null);
  }

  #show(view) {
    this.#view = view;
    if (!this.#plot) return;
    const end = this.#record.endMs / 1000;
    const followed = Math.max(FOLLOW_SECS.least, Math.min(FOLLOW_SECS.most, this.#box.clientWidth / FOLLOW_SECS.px));
    const [min, max] = this.#following ? [Math.max(0, end - followed), Math.max(end, 10)] : (view ?? [0, Math.max(end, 1)]);
    this.#plot.setScale("x", { min, max });
  }

  #make(data) {
    const level = (name) => ({ stroke: () => colour(name), width: 1, points: { show: false } });
    const plot = new uPlot(
      {
        ...sized(this.#box, HEIGHT),
        legend: { show: false },
        cursor: {
          y: false,
          points: { show: false },
          drag: { x: true, y: false, setScale: false },
          bind: { dblclick: () => () => this.#show(null) },
        },
        scales: { x: { time: false, range: (_, min, max) => [min, max] }, y: { range: () => [0.2, 10.1] } },
        axes: [
          { ...grid(), values: (_, ticks) => ticks.map((secs) => clock(secs, ticks)), space: 60, size: 34 },
          {
            ...grid(),
            grid: { show: false },
            splits: () => Object.values(LANES).map(([middle]) => middle),
            values: () => Object.keys(LANES),
            size: 84,
          },
        ],
        series: [{}, level("--user"), level("--user"), level("--accent"), level("--accent")],
        bands: [
          { series: [1, 2], fill: () => colour("--user") },
          { series: [3, 4], fill: () => colour("--accent") },
        ],
        hooks: {
          draw: [(drawn) => this.#record && new Lanes(drawn).draw(this.#record)],
          setSelect: [(chosen) => this.#zoom(chosen)],
        },
      },
      data,
      this.#box,
    );
    new ResizeObserver(() => plot.setSize(sized(this.#box, HEIGHT))).observe(this.#box);
    return plot;
  }

  #zoom(plot) {
    const { left, width } = plot.select;
    if (!width) return;
    this.#setFollowing(false);
    this.#show([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }
}

/** A tick's time, with tenths where the ticks are that close. */
function clock(secs, ticks) {
  const told = moment(secs * 1000);
  return ticks.every(Number.isInteger) ? told.slice(0, -2) : told;
}

/** Levels as two lines each, mirrored about their lane's middle: loud is wide. */
function levelSeries({ perSec, caller, bot }) {
  const count = Math.min(caller.length, bot.length);
  const xs = Array.from({ length: count }, (_, at) => at / perSec);
  const wide = (values, [middle, half], sign) =>
    xs.map((_, at) => middle + sign * half * Math.max(0, 1 - values[at] / QUIETEST_DB));
  return [
    xs,
    wide(caller, LANES.Caller, 1),
    wide(caller, LANES.Caller, -1),
    wide(bot, LANES.Bot, 1),
    wide(bot, LANES.Bot, -1),
  ];
}

const VERDICTS = { cancel: ["--user", "stopped"], resume: ["--accent", "went on"], drained: ["--edge", "had finished"] };

/** What a moment leaves among the marks. */
function markOf({ kind, at_ms, card, what, message }) {
  if (kind === "fault") return [{ at_ms, name: "--danger", text: what }];
  if (kind === "trouble") return [{ at_ms, name: "--wait", text: message }];
  if (kind !== "decision") return [];
  const [name, text] = VERDICTS[card.verdict] ?? ["--edge", card.verdict];
  return [card.regret ? { at_ms, name: "--danger", text: `${text}: regretted` } : { at_ms, name, text }];
}

/** Draws on the chart's canvas, in its pixels. */
class Lanes {
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
