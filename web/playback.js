/** The bot's voice in the loudspeaker, and whether the browser lets it be heard. */

/** Some browsers start only with the first sound. No refusal by then counts as consent. */
const REFUSAL_DEADLINE_MS = 2_000;

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Playback {
  #element;
  #context = null;

  /** @param {HTMLAudioElement} element Plays the voice. */
  constructor(element) {
    this.#element = element;
  }

  /** The context for meters and for silence. Made on the first click, when browsers allow sound. */
  get context() {
    this.#context ??= new AudioContext();
    return this.#context;
  }

  /** @param {MediaStream} stream @returns {Promise<boolean>} Whether it can be heard. */
  play(stream) {
    this.#element.srcObject = stream;
    return this.unlock();
  }

  /** Try to be heard; inside a click or tap the browser agrees. @returns {Promise<boolean>} */
  async unlock() {
    const started = this.#element.srcObject ? this.#element.play() : Promise.resolve();
    const refused = started.then(
      () => false,
      // A stream that was replaced meanwhile aborts the first try; the later one counts.
      (error) => error.name !== "AbortError",
    );
    await Promise.race([this.context.resume(), later(REFUSAL_DEADLINE_MS)]);
    const held = await Promise.race([refused, later(REFUSAL_DEADLINE_MS).then(() => false)]);
    return !held && this.context.state === "running";
  }

  /** @param {string} deviceId Empty for the system's choice. */
  async setSpeaker(deviceId) {
    await this.#element.setSinkId(deviceId);
  }

  stop() {
    this.#element.pause();
    this.#element.srcObject = null;
    // An idle context keeps the sound hardware awake.
    this.#context?.suspend();
  }
}
