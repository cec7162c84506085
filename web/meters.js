/** How loud each side is, as a number that the eye can follow. */

const QUIET_DBFS = -60;
const LOUD_DBFS = -12;
/** Share of its height that a falling level keeps from one frame to the next. */
const FALL = 0.88;

/**
 * @param {number} rms Root mean square of samples from -1 to 1.
 * @returns {number} 0 (quiet) to 1 (loud), even to the ear because it is linear in decibels.
 */
export function loudness(rms) {
  const dbfs = 20 * Math.log10(Math.max(rms, 1e-6));
  return Math.min(1, Math.max(0, (dbfs - QUIET_DBFS) / (LOUD_DBFS - QUIET_DBFS)));
}

/** The level of one stream. It listens only; nothing is played. */
export class Meter {
  #source;
  #analyser;
  #samples;
  #level = 0;

  /** @param {AudioContext} context @param {MediaStream} stream */
  constructor(context, stream) {
    this.#source = context.createMediaStreamSource(stream);
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source.connect(this.#analyser);
  }

  /** @returns {number} 0 to 1: rises at once, falls slowly. */
  read() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    this.#level = Math.max(loudness(Math.sqrt(sum / this.#samples.length)), this.#level * FALL);
    return this.#level;
  }

  close() {
    this.#source.disconnect();
  }
}

/** Draws two meters on each frame of the screen, and only between `start` and `stop`. */
export class MeterLoop {
  #draw;
  #frame = 0;
  /** @type {{user: Meter | null, bot: Meter | null}} */
  meters = { user: null, bot: null };

  /** @param {(userLevel: number, botLevel: number) => void} draw */
  constructor(draw) {
    this.#draw = draw;
  }

  /** Watch another stream on one side. @param {"user" | "bot"} side @param {Meter | null} meter */
  watch(side, meter) {
    this.meters[side]?.close();
    this.meters[side] = meter;
  }

  start() {
    if (this.#frame) return;
    const step = () => {
      this.#draw(this.meters.user?.read() ?? 0, this.meters.bot?.read() ?? 0);
      this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.watch("user", null);
    this.watch("bot", null);
    this.#draw(0, 0);
  }
}
