/**
 * Phones lend the sound out: a phone call, an alarm or another app takes the loudspeaker, the
 * microphone, or both, and gives them back later, or never.
 *
 * Mobile Safari then sets an `AudioContext` to "interrupted" and pauses media elements, and mutes
 * (not ends) the microphone's track. When it is over it may want to be asked to go on, and agrees
 * at the latest inside a tap.
 */

export class Interruptions {
  #handlers;
  #stop = new AbortController();

  /**
   * @param {object} handlers
   * @param {() => void} handlers.onSilenced The bot can no longer be heard.
   * @param {() => void} handlers.onMayReturn It may be heard again, if the browser is asked.
   * @param {(muted: boolean) => void} handlers.onMicrophone The microphone was taken away, or is back.
   */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** @param {AudioContext} context @param {HTMLMediaElement} element Plays the bot's voice. */
  watch(context, element) {
    this.leave();
    const { onSilenced, onMayReturn } = this.#handlers;
    const { signal } = (this.#stop = new AbortController());
    context.addEventListener("statechange", () => (context.state === "running" ? onMayReturn() : onSilenced()), {
      signal,
    });
    element.addEventListener("pause", onSilenced, { signal });
    element.addEventListener("playing", onMayReturn, { signal });
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && onMayReturn(), {
      signal,
    });
  }

  /** @param {MediaStreamTrack} track The microphone's. */
  watchMicrophone(track) {
    const { onMicrophone } = this.#handlers;
    const { signal } = this.#stop;
    track.addEventListener("mute", () => onMicrophone(true), { signal });
    track.addEventListener("unmute", () => onMicrophone(false), { signal });
  }

  leave() {
    this.#stop.abort();
  }
}
