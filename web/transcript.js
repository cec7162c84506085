/**
 * Who said what, as a pure model: it is told what the bot's server reports and keeps a list of
 * entries. Drawing it is another module's work.
 *
 * @typedef {{key: string | number, text: string, final: boolean}} Segment
 * @typedef {{id: number, who: "user", source: "speech" | "typed" | "key", segments: Segment[]}} UserEntry
 * @typedef {{id: number, who: "bot", replyId: number | null, heard: string, unheard: string,
 *   cut: boolean, done: boolean, answerMs: number | null}} BotEntry
 * @typedef {{id: number, who: "note", text: string}} NoteEntry
 * @typedef {UserEntry | BotEntry | NoteEntry} Entry
 */

/** Older entries are forgotten: a page that stays open for days must not grow without end. */
const MOST_ENTRIES = 500;
/** Segment that speech belongs to when the server does not number segments. */
const UNNUMBERED = "unnumbered";
/** Stands for the number of a reply that was heard on another page. */
const EARLIER = -1;

export class Transcript {
  /** @type {Entry[]} */
  entries = [];
  #onChange;
  #nextId = 1;
  #wordsAreReported = false;
  /** @type {{ms: number, replyId: number | null} | null} */
  #nextAnswer = null;

  /** @param {(entry: Entry, change: "set" | "removed") => void} onChange */
  constructor(onChange = () => {}) {
    this.#onChange = onChange;
  }

  /**
   * Words of the user. The same segment replaces what it said before; an empty one takes it back.
   *
   * @param {{text: string, final: boolean, segment?: number}} words
   */
  userWords({ text, final, segment }) {
    const words = text.trim();
    if (final && this.#isEcho(words)) return;
    const key = segment ?? UNNUMBERED;
    let entry = this.#entryWithSegment(key);
    if (!entry) {
      if (words === "") return;
      const last = this.#lastSpoken();
      entry = last?.who === "user" && last.source === "speech" ? last : this.#addUser("speech");
      entry.segments.push({ key, text: "", final: false });
    }
    const held = entry.segments.find((one) => one.key === key);
    held.text = words;
    held.final = final;
    // The next words without a number are a new segment, not a correction of this one.
    if (final && key === UNNUMBERED) held.key = `${UNNUMBERED}-${this.#nextId++}`;
    if (words === "") entry.segments.splice(entry.segments.indexOf(held), 1);
    if (entry.segments.length > 0) this.#set(entry);
    else this.#remove(entry);
  }

  /** What the user typed. */
  typed(text) {
    const entry = this.#addUser("typed");
    entry.segments.push({ key: `typed-${entry.id}`, text, final: true });
    this.#set(entry);
  }

  /** A phone key; keys in a row make one entry. */
  keyPressed(key) {
    const last = this.#lastSpoken();
    const entry = last?.who === "user" && last.source === "key" ? last : this.#addUser("key");
    entry.segments.push({ key: `key-${this.#nextId++}`, text: key, final: true });
    this.#set(entry);
  }

  /** A word of the bot has begun to sound. It carries the white space that follows it. */
  wordHeard(replyId, text) {
    if (!this.#wordsAreReported) {
      this.#wordsAreReported = true;
      // The same words may have come before in the protocol's own, vaguer messages.
      const vague = this.#openUnnumbered();
      if (vague) Object.assign(vague, { replyId, heard: "" });
    }
    const entry = this.#reply(replyId) ?? this.#addBot(replyId);
    if (entry.done) return;
    entry.heard = joinExact(entry.heard, text);
    this.#set(entry);
  }

  /** Spoken text without a reply's number, from a server that does not report words as heard. */
  botText(text) {
    if (this.#wordsAreReported || text.trim() === "") return;
    const entry = this.#openUnnumbered() ?? this.#addBot(null);
    entry.heard = joinWords(entry.heard, text);
    this.#set(entry);
  }

  /** The bot fell silent, as far as a server without reply numbers tells. */
  botStopped() {
    const entry = this.#openUnnumbered();
    if (entry) this.#set(Object.assign(entry, { done: true }));
  }

  /**
   * A reply has been played to its end, or was cut.
   *
   * @param {{reply_id: number, heard: string, unheard: string, cut: boolean}} reply
   */
  replyPlayed({ reply_id: replyId, heard, unheard, cut }) {
    const known = this.#reply(replyId);
    // A reply that was dropped before its first word was never part of the conversation.
    if (!known && !heard.trim() && (cut || !unheard.trim())) return;
    const entry = known ?? this.#addBot(replyId);
    this.#set(Object.assign(entry, { heard: heard.trim(), unheard: unheard.trim(), cut, done: true }));
  }

  /**
   * How long the user waited for a reply, which may be about to appear.
   *
   * @param {number} ms
   * @param {number | null} replyId The reply; without, the one that is being heard.
   */
  answered(ms, replyId = null) {
    const entry = replyId === null ? this.#openBot() : this.#reply(replyId);
    if (entry) this.#set(Object.assign(entry, { answerMs: ms }));
    else this.#nextAnswer = { ms, replyId };
  }

  /**
   * What was said before this page was there.
   *
   * @param {{who: "user" | "bot", text: string}[]} lines
   */
  restore(lines) {
    if (this.entries.some((entry) => entry.who !== "note")) return;
    for (const { who, text } of lines) {
      if (who === "user") this.typed(text);
      else this.#set(Object.assign(this.#addBot(EARLIER), { heard: text, done: true }));
    }
  }

  /** Something about the call itself. Whatever was open is over then. */
  note(text) {
    for (const entry of this.entries) if (entry.who === "bot") entry.done = true;
    this.#wordsAreReported = false;
    this.#nextAnswer = null;
    this.#add({ who: "note", text });
  }

  /** A copy in plain words, for tests and for reports of faults. */
  plain() {
    return this.entries.map(plainEntry);
  }

  #lastSpoken() {
    return this.entries.findLast((entry) => entry.who !== "note");
  }

  #entryWithSegment(key) {
    // Numbers start again with a new connection, which a note marks.
    for (const entry of this.entries.toReversed()) {
      if (entry.who === "note") return null;
      if (entry.who === "user" && entry.segments.some((one) => one.key === key)) return entry;
    }
    return null;
  }

  #reply(replyId) {
    if (replyId === null || replyId === undefined) return null;
    for (const entry of this.entries.toReversed()) {
      if (entry.who === "note") return null;
      if (entry.who === "bot" && entry.replyId === replyId) return entry;
    }
    return null;
  }

  /** The reply that is being heard, if any. */
  #openBot() {
    const last = this.entries.findLast((entry) => entry.who === "bot");
    return last && !last.done ? last : null;
  }

  /** The reply that is being heard, if it has no number. */
  #openUnnumbered() {
    const open = this.#openBot();
    return open?.replyId === null ? open : null;
  }

  /** Whether a server tells us back what was typed here. */
  #isEcho(words) {
    const last = this.#lastSpoken();
    if (last?.who !== "user" || last.source === "speech") return false;
    const squeeze = (text) => text.replace(/\s+/g, "");
    return squeeze(last.segments.map((one) => one.text).join("")) === squeeze(words);
  }

  #addUser(source) {
    return this.#add({ who: "user", source, segments: [] });
  }

  #addBot(replyId) {
    const entry = { who: "bot", replyId, heard: "", unheard: "", cut: false, done: false, answerMs: null };
    const answer = this.#nextAnswer;
    if (answer && (answer.replyId === null || answer.replyId === replyId)) {
      entry.answerMs = answer.ms;
      this.#nextAnswer = null;
    }
    return this.#add(entry);
  }

  #add(entry) {
    entry.id = this.#nextId++;
    this.entries.push(entry);
    if (this.entries.length > MOST_ENTRIES) this.#remove(this.entries[0]);
    this.#set(entry);
    return entry;
  }

  #set(entry) {
    this.#onChange(entry, "set");
  }

  #remove(entry) {
    this.entries.splice(this.entries.indexOf(entry), 1);
    this.#onChange(entry, "removed");
  }
}

/** Join words that carry their own white space; only the seam of two sentences may lack it. */
function joinExact(before, after) {
  return /[.!?,;:…]["')\]]?$/.test(before) && /^[\p{L}\p{N}"'(]/u.test(after) ? `${before} ${after}` : before + after;
}

/** Join words that carry none; scripts that are written without spaces stay so. */
function joinWords(before, after) {
  const seam = /\s$/.test(before) || /^\s/.test(after) || before === "";
  const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]$/u.test(before);
  return seam || unspaced || /^[.,!?;:…)]/.test(after) ? before + after : `${before} ${after}`;
}

/** An entry for who reads it from outside. @param {Entry} entry */
export function plainEntry(entry) {
  if (entry.who === "note") return { who: "note", text: entry.text };
  if (entry.who === "bot") {
    const { heard, unheard, cut, done, answerMs } = entry;
    return { who: "bot", text: heard.trim(), unheard, cut, done, answer_ms: answerMs };
  }
  const text = entry.segments.map((one) => one.text).join(" ");
  return { who: "user", text, final: entry.segments.every((one) => one.final), source: entry.source };
}
