/** The caller's side of the sound: a microphone, or silence for who types instead. */

import { openMicrophone } from "./devices.js";

export class Microphone {
  #stream = null;
  #onLost;
  #held = false;
  /** Counts changes, so that a device which opens late can tell that nobody waits for it any more. */
  #turn = 0;
  muted = false;
  /** Whether silence stands in for a microphone. */
  silent = false;

  /** @param {() => void} onLost The device vanished (unplugged, or its permission was taken back). */
  constructor(onLost) {
    this.#onLost = onLost;
  }

  get stream() {
    return this.#stream;
  }

  get track() {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  /**
   * Listen through a device. The one that was used before is let go once the new one is open.
   *
   * @param {string} deviceId Empty for the system's choice.
   * @returns {Promise<boolean>} Whether it is used; false if something else was chosen meanwhile.
   * @throws {DOMException} See `explain` of `devices.js`.
   */
  async open(deviceId) {
    const turn = ++this.#turn;
    const stream = await openMicrophone(deviceId);
    if (turn !== this.#turn) {
      for (const track of stream.getTracks()) track.stop();
      return false;
    }
    this.#take(stream, false);
    this.track.addEventListener("ended", this.#onLost);
    return true;
  }

  /** Send silence: to the bot it is a microphone that hears nothing. @param {AudioContext} context */
  useSilence(context) {
    this.#turn += 1;
    this.#take(context.createMediaStreamDestination().stream, true);
  }

  mute(muted) {
    this.muted = muted;
    this.#enable();
  }

  /** On hold nothing leaves the page, whether it is muted or not. */
  hold(on) {
    this.#held = on;
    this.#enable();
  }

  #enable() {
    if (this.track) this.track.enabled = !this.muted && !this.#held;
  }

  close() {
    this.#turn += 1;
    this.#release();
    this.#stream = null;
    this.muted = this.#held = false;
    this.silent = false;
  }

  #take(stream, silent) {
    this.#release();
    this.#stream = stream;
    this.silent = silent;
    this.#enable();
  }

  #release() {
    this.track?.removeEventListener("ended", this.#onLost);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
  }
}
