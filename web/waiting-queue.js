/** Tells a caller, in writing and aloud, that all lines are busy. */

/**
 * @param {number | undefined} position Place in the line, from 1, if the server tells.
 * @returns {string}
 */
export function describe(position) {
  const place = Number.isInteger(position) && position > 0 ? ` You are number ${position} in line.` : "";
  return `All lines are busy.${place} You will be connected by itself.`;
}

/** The browser's own voice: there is no connection yet that the bot's voice could come through. */
export class WaitingQueue {
  #spoken = "";

  /** Say it unless it has just been said. @param {string} text */
  speak(text) {
    if (text === this.#spoken || !("speechSynthesis" in window)) return;
    this.#spoken = text;
    const utterance = new SpeechSynthesisUtterance(text);
    utterance.lang = "en";
    speechSynthesis.cancel();
    speechSynthesis.speak(utterance);
  }

  /** Nobody waits any more. */
  leave() {
    if (this.#spoken === "") return;
    this.#spoken = "";
    speechSynthesis.cancel();
  }
}
