/** One call as it is known here: answers of the bot are put together. Pure. */

const SILENCE_DB = 90;

export class CallRecord {
  /** What the last answer said of the call itself. */
  summary = null;
  revision = 0;
  /** Decibels below full scale, `perSec` values a second from the call's beginning on. */
  levels = { perSec: 10, caller: [], bot: [] };
  #moments = new Map();

  /**
   * Take an answer of `api/calls/ID`.
   * @returns {boolean} Whether anything but the clock changed.
   */
  take({ moments, levels, revision, ...summary }) {
    for (const moment of moments) this.#moments.set(moment.number, moment);
    this.levels.perSec = levels.per_sec;
    for (const [name, values] of [["caller", levels.caller_db], ["bot", levels.bot_db]]) {
      const known = this.levels[name];
      while (known.length < levels.first) known.push(SILENCE_DB); // forgotten by the bot
      known.splice(levels.first, Infinity, ...values);
    }
    const changed = revision !== this.revision || summary.state !== this.summary?.state;
    this.revision = revision;
    this.summary = summary;
    return changed;
  }

  /** What to ask for next: what is newer than this. */
  get query() {
    const level = Math.min(this.levels.caller.length, this.levels.bot.length);
    return `after=${this.revision}&level=${level}`;
  }

  get isOver() {
    return this.summary !== null && this.summary.end_reason !== null;
  }

  get endMs() {
    return this.summary.secs * 1000;
  }

  /** In the order in which they began. */
  moments() {
    return [...this.#moments.values()].sort((one, other) => one.at_ms - other.at_ms || one.number - other.number);
  }

  /** Those of a kind, each with its end; one that lasts ends now. */
  spans(kind) {
    return this.moments()
      .filter((moment) => moment.kind === kind)
      .map((moment) => ({ ...moment, until_ms: moment.until_ms ?? this.endMs }));
  }

  /**
   * Speech of the caller, each with its words. Recognised words are known when the speech is over, and by then the
   * next one may have begun: they belong to the last that has ended without any. Typed words stand for themselves.
   */
  speech() {
    const spans = this.spans("speech").map((span) => ({ ...span, text: "" }));
    const typed = [];
    for (const words of this.spans("words")) {
      const ended = spans.findLast((span) => span.until_ms <= words.at_ms);
      const begun = spans.findLast((span) => span.at_ms <= words.at_ms);
      const span = ended && !ended.text ? ended : begun;
      if (words.source === "voice" && span) span.text += `${words.text} `;
      else typed.push({ ...words, until_ms: words.at_ms });
    }
    return [...spans, ...typed].sort((one, other) => one.at_ms - other.at_ms);
  }

  /** States, each until the next one. */
  states() {
    const changes = this.moments().filter(({ kind }) => kind === "state" || kind === "end");
    return changes
      .filter(({ kind }) => kind === "state")
      .map((moment) => {
        const next = changes[changes.indexOf(moment) + 1];
        return { ...moment, until_ms: next ? next.at_ms : this.endMs };
      });
  }
}
