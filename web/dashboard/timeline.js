/** The timeline: levels of both voices, and lanes of what happened, on one axis of time; its zoom. */

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { colour, grid, onTheme, sized } from "./chart-style.js";
import { duration, moment } from "./format.js";
import { LANES, Lanes } from "./lanes.js";

const HEIGHT = 400;
const FOLLOW_SECS = { most: 60, least: 20, px: 16 };
const LOOK_SECS = 6;
const QUIETEST_DB = 60;

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
