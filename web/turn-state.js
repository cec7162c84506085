/** What the conversation is doing, from the server's own word or, failing that, from who speaks. */

const FROM_SPEAKING = {
  "user-started-speaking": "user_speaking",
  "user-stopped-speaking": "thinking",
  "bot-started-speaking": "speaking",
  "bot-stopped-speaking": "listening",
};

export class TurnState {
  #serverTells = false;

  /**
   * @param {{type: string, state?: string}} event An event of `rtvi.js`.
   * @returns {string | null} The new state, or null if the event does not change it.
   */
  after(event) {
    if (event.type === "turn-state") {
      this.#serverTells = true;
      return event.state ?? null;
    }
    return this.#serverTells ? null : (FROM_SPEAKING[event.type] ?? null);
  }
}
