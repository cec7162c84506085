/** What the bot's server reports during a call, handed to the parts of the page that show it. */

import { AnswerClock } from "./answer-clock.js";
import { TurnState } from "./turn-state.js";

/** @param {number} waitSecs */
function inQueue(waitSecs) {
  return Number.isFinite(waitSecs) ? `Many callers: the answer comes in about ${Math.max(1, Math.ceil(waitSecs))} s.` : "";
}

export class Conversation {
  #page;
  #clock = new AnswerClock();
  #turn = new TurnState();
  #replyId = null;

  /**
   * @param {object} page
   * @param {import("./transcript.js").Transcript} page.transcript
   * @param {import("./panels.js").Decisions} page.decisions
   * @param {(state: string) => void} page.setState
   * @param {(text: string) => void} page.setHint
   * @param {(summary: {lastMs: number, medianMs: number} | null) => void} page.setTiming
   * @param {(text: string, fatal: boolean) => void} page.showError
   * @param {() => void} page.stillThinking
   */
  constructor(page) {
    this.#page = page;
    page.decisions.startOver();
  }

  /** The user typed or pressed a key, which ends a turn as silence does. */
  userSent(nowMs) {
    this.#clock.asked(nowMs);
  }

  /** @param {{type: string, [field: string]: any}} event An event of `rtvi.js`. @param {number} nowMs */
  handle(event, nowMs) {
    const state = this.#turn.after(event);
    if (state !== null) this.#page.setState(state);
    const { transcript, decisions, showError } = this.#page;
    switch (event.type) {
      case "in-queue":
        return this.#page.setHint(inQueue(event.wait_secs));
      case "user-started-speaking":
        return this.#clock.resumed();
      case "user-stopped-speaking":
        return this.#clock.asked(nowMs);
      case "user-transcription":
        return transcript.userWords(event);
      case "bot-started-speaking":
        return this.#heard(nowMs);
      case "word-heard":
        transcript.wordHeard(event.reply_id, event.text);
        return this.#heardWordOf(event.reply_id, nowMs);
      case "bot-tts-text":
        return transcript.botText(event.text);
      case "bot-stopped-speaking":
        return transcript.botStopped();
      case "reply-played":
        return transcript.replyPlayed(event);
      case "time-to-answer":
        return this.#answerMeasured(event);
      case "conversation":
        return transcript.restore(event.lines ?? []);
      case "interruption-decision":
        return decisions.show(event.decision);
      case "still-thinking":
        return this.#page.stillThinking();
      case "error":
        return showError(event.message, event.fatal);
    }
  }

  #heardWordOf(replyId, nowMs) {
    if (replyId !== this.#replyId) this.#heard(nowMs, replyId);
    this.#replyId = replyId;
  }

  #heard(nowMs, replyId = null) {
    const ms = this.#clock.answered(nowMs);
    if (ms !== null) this.#showAnswer(ms, replyId);
  }

  #answerMeasured({ ms, reply_id: replyId = null }) {
    if (!Number.isFinite(ms)) return;
    this.#clock.told(ms);
    this.#showAnswer(ms, replyId);
  }

  #showAnswer(ms, replyId) {
    this.#page.transcript.answered(ms, replyId);
    this.#page.setTiming(this.#clock.summary());
  }
}
