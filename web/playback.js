/** The bot's voice in the loudspeaker, and whether the browser lets it be heard. */

/** Some browsers start only with the first sound. No refusal by then counts as consent. */
const REFUSAL_DEADLINE_MS = 2_000;

/** Loud enough to be noticed in silence, too soft for the microphone to take it for a voice. */
const TICK_GAIN = 0.03;
const TICK_SECS = 0.18;

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Playback {
  /** @type {HTMLAudioElement} */
  element;
  #context = null;

  /** @param {HTMLAudioElement} element Plays the voice. */
  constructor(element) {
    this.element = element;
  }

  /** The context for meters and for silence. Made on the first click, when browsers allow sound. */
  get context() {
    this.#context ??= new AudioContext();
    return this.#context;
  }

  /** @param {MediaStream} stream @returns {Promise<boolean>} Whether it can be heard. */
  play(stream) {
    this.element.srcObject = stream;
    return this.unlock();
  }

  /** Try to be heard; inside a click or tap the browser agrees. @returns {Promise<boolean>} */
  async unlock() {
    const started = this.element.srcObject ? this.element.play() : Promise.resolve();
    const refused = started.then(
      () => false,
      // A stream that was replaced meanwhile aborts the first try; the later one counts.
      (error) => error.name !== "AbortError",
    );
    await Promise.race([this.context.resume(), later(REFUSAL_DEADLINE_MS)]);
    const held = await Promise.race([refused, later(REFUSAL_DEADLINE_MS).then(() => false)]);
    return !held && this.context.state === "running";
  }

  /** A soft, short tone: the bot is still there. */
  tick() {
    if (this.context.state !== "running") return;
    const now = this.context.currentTime;
    const tone = new OscillatorNode(this.context, { frequency: 520 });
    const volume = new GainNode(this.context, { gain: 0 });
    volume.gain.linearRampToValueAtTime(TICK_GAIN, now + 0.02);
    volume.gain.linearRampToValueAtTime(0, now + TICK_SECS);
    tone.connect(volume).connect(this.context.destination);
    tone.start(now);
    tone.stop(now + TICK_SECS);
  }

  /** @param {string} deviceId Empty for the system's choice. */
  async setSpeaker(deviceId) {
    await this.element.setSinkId(deviceId);
  }

  stop() {
    this.element.pause();
    this.element.srcObject = null;
    // An idle context keeps the sound hardware awake.
    this.#context?.suspend();
  }
}
