/** The last answers: a dot each, over the time of day, with the targets as lines. */

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { colour, grid, onTheme, sized } from "./chart-style.js";
import { millis } from "./format.js";

const HEIGHT = 270;
const LEAST_SECS = 60;

export class AnswerChart {
  #box;
  #empty;
  #plot = null;
  #targets = [];
  #last = "";

  /** @param {HTMLElement} box @param {HTMLElement} empty Shown while there is nothing to draw. */
  constructor(box, empty) {
    this.#box = box;
    this.#empty = empty;
    onTheme(() => this.#plot?.redraw());
  }

  /** @param {{recent: [number, number][], targets: {name: string, percentile: number, most: number}[]}} snapshot */
  draw({ recent, targets }) {
    this.#empty.hidden = recent.length > 0;
    this.#box.hidden = !recent.length;
    const last = recent.length ? `${recent.length} ${recent.at(-1)}` : "";
    if (!recent.length || last === this.#last) return;
    this.#last = last;
    this.#targets = targets.filter(({ name }) => name === "voice_to_voice");
    const sorted = [...recent].sort((one, other) => one[0] - other[0]);
    const data = [sorted.map(([at]) => at), sorted.map(([, ms]) => ms)];
    this.#plot ??= this.#make(data);
    this.#plot.setData(data);
    const slowest = Math.max(...data[1]);
    const told = `Times of the last ${recent.length} answers; the slowest took ${millis(slowest)}.`;
    this.#box.setAttribute("aria-label", told);
  }

  #make(data) {
    const plot = new uPlot(
      {
        ...sized(this.#box, HEIGHT),
        legend: { show: false },
        cursor: { y: false, points: { size: 8 } },
        scales: {
          // A single answer has no span of time.
          x: { range: (_, min, max) => [Math.min(min, max - LEAST_SECS), max + Math.max(2, (max - min) / 50)] },
          y: { range: (_, __, max) => [0, 1.08 * Math.max(max ?? 0, ...this.#targets.map(({ most }) => most))] },
        },
        axes: [
          { ...grid(), values: "{HH}:{mm}:{ss}", space: 90 },
          { ...grid(), values: (_, ticks) => ticks.map((ms) => `${ms} ms`), size: 68 },
        ],
        series: [
          {},
          {
            label: "Answer",
            paths: () => null,
            points: { show: true, size: 6, width: 0, fill: () => colour("--accent"), stroke: () => colour("--accent") },
          },
        ],
        hooks: { draw: [(drawn) => this.#drawTargets(drawn)] },
      },
      data,
      this.#box,
    );
    new ResizeObserver(() => plot.setSize(sized(this.#box, HEIGHT))).observe(this.#box);
    return plot;
  }

  #drawTargets(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    ctx.textAlign = "right";
    ctx.textBaseline = "alphabetic";
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    for (const { percentile, most } of this.#targets) {
      const y = plot.valToPos(most, "y", true);
      ctx.strokeStyle = ctx.fillStyle = colour("--wait");
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      this.#label(ctx, `p${percentile} target`, bbox.left + bbox.width - 4 * devicePixelRatio, y);
    }
    ctx.restore();
  }

  /** On a plate of its own: there may be dots behind it. */
  #label(ctx, told, right, y) {
    const pad = 4 * devicePixelRatio;
    const width = ctx.measureText(told).width;
    const ink = ctx.fillStyle;
    ctx.fillStyle = colour("--surface");
    ctx.globalAlpha = 0.85;
    ctx.fillRect(right - width - pad, y - 18 * devicePixelRatio, width + 2 * pad, 16 * devicePixelRatio);
    ctx.globalAlpha = 1;
    ctx.fillStyle = ink;
    ctx.fillText(told, right, y - 5 * devicePixelRatio);
  }
}
