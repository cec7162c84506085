/**
 * Who is there: whether the caller has put the call on hold, whether another app has taken the
 * sound away, and so whether the bot may speak and listen. While it may not, it waits.
 */

export class Presence {
  #ui;
  #mic;
  #send;
  #connected = false;
  #held = false;
  #interrupted = false;
  #turnState = "listening";

  /**
   * @param {object} parts
   * @param {import("./ui.js").Ui} parts.ui
   * @param {import("./microphone.js").Microphone} parts.mic
   * @param {(on: boolean) => void} parts.send Tells the bot to wait, or to go on.
   */
  constructor({ ui, mic, send }) {
    this.#ui = ui;
    this.#mic = mic;
    this.#send = send;
  }

  /** Whether another app has the sound. */
  get interrupted() {
    return this.#interrupted;
  }

  /** The bot can be spoken with: from here on it is told. */
  connected() {
    this.#connected = true;
    this.turnChanged("listening");
    // A bot that took the call up again has ended any hold.
    if (this.#held) this.#send(true);
    this.#setHeld(this.#held);
  }

  disconnected() {
    this.#connected = false;
    this.#interrupted = false;
    this.#ui.setHold(this.#held, false);
  }

  reset() {
    this.#held = false;
    this.disconnected();
  }

  /** @param {string} state Who has the floor, as the bot says. */
  turnChanged(state) {
    this.#turnState = state;
    this.#show();
  }

  toggleHold() {
    if (!this.#connected) return;
    this.#setHeld(!this.#held);
    this.#tell();
    this.#ui.announce(this.#held ? "On hold" : "The call goes on");
  }

  /** The bot's own word for it: a typed text ends a hold, for instance. @param {boolean} on */
  told(on) {
    if (!this.#interrupted) this.#setHeld(on);
  }

  /** @returns {boolean} Whether that is news. */
  soundTaken() {
    if (!this.#connected || this.#interrupted) return false;
    this.#interrupted = true;
    this.#tell();
    this.#show();
    this.#ui.announce("The sound was interrupted");
    return true;
  }

  soundReturned() {
    if (!this.#interrupted) return;
    this.#interrupted = false;
    this.#tell();
    this.#show();
  }

  #setHeld(on) {
    this.#held = on;
    this.#mic.hold(on);
    this.#ui.setHold(on, this.#connected);
    this.#show();
  }

  #tell() {
    this.#send(this.#held || this.#interrupted);
  }

  #show() {
    if (!this.#connected) return;
    this.#ui.setState(this.#interrupted ? "held" : this.#held ? "onhold" : this.#turnState);
  }
}
