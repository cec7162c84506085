/**
 * Time to answer: from the end of the user's turn to the first of the bot's reply. Pure; the
 * server's own figure, where it gives one, counts more than what is measured here, because
 * messages take time to arrive.
 */
export class AnswerClock {
  #askedAt = null;
  #serverMeasures = false;
  #answersMs = [];

  /** The user's turn is over. @param {number} nowMs */
  asked(nowMs) {
    this.#askedAt = nowMs;
  }

  /** The user goes on. */
  resumed() {
    this.#askedAt = null;
  }

  /**
   * The bot is heard.
   *
   * @param {number} nowMs
   * @returns {number | null} Milliseconds that the user waited, if this was an answer to measure.
   */
  answered(nowMs) {
    if (this.#askedAt === null) return null;
    const ms = nowMs - this.#askedAt;
    this.#askedAt = null;
    if (this.#serverMeasures) return null;
    this.#answersMs.push(ms);
    return ms;
  }

  /** The server measured an answer. @param {number} ms */
  told(ms) {
    // What was measured here for the same answer gives way to it.
    if (!this.#serverMeasures) this.#answersMs.pop();
    this.#serverMeasures = true;
    this.#answersMs.push(ms);
  }

  /** @returns {{lastMs: number, medianMs: number} | null} */
  summary() {
    if (this.#answersMs.length === 0) return null;
    const sorted = this.#answersMs.toSorted((a, b) => a - b);
    const half = (sorted.length - 1) / 2;
    const medianMs = (sorted[Math.floor(half)] + sorted[Math.ceil(half)]) / 2;
    return { lastMs: this.#answersMs.at(-1), medianMs };
  }
}
