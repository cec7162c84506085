/** The page's fixed parts: state, controls, messages, levels, device lists. No logic of the call. */

import { seconds } from "./transcript-view.js";

const STATES = {
  idle: ["Ready", "Press Talk, and interrupt whenever you like."],
  asking: ["Your microphone", "Allow the microphone in your browser."],
  connecting: ["Connecting", "One moment."],
  waiting: ["In line", "You will be connected by itself."],
  reconnecting: ["Reconnecting", "The call goes on when the server is back."],
  held: ["Tap to hear", "Your browser holds the sound back until you tap."],
  onhold: ["On hold", "Nobody hears you. The call goes on when you resume it."],
  listening: ["Listening", "Go ahead."],
  user_speaking: ["You are speaking", "Take your time."],
  thinking: ["Thinking", ""],
  speaking: ["Speaking", "Interrupt whenever you like."],
  paused: ["Paused", "Finding out whether you want to cut in."],
  closing: ["Goodbye", ""],
};

/** What a state is called. @param {string} state A key of the table above; others are shown as they are. */
export const titleOf = (state) => STATES[state]?.[0] ?? state.replaceAll("_", " ");

const find = (id) => document.getElementById(id);

export class Ui {
  state = "idle";
  #messageTopic = null;
  #spokenMessage = "";
  #els = Object.fromEntries(
    [
      "state", "hint", "timing", "providers", "talk", "mute", "mute-label", "hold", "hold-label", "hangup", "hangup-label",
      "tap-to-hear", "user-label", "message", "message-text", "message-countdown", "message-actions",
      "warnings", "composer", "text-input", "mic-select", "speaker-select", "devices-hint", "announcer",
    ].map((id) => [id, find(id)]),
  );

  /**
   * @param {{talk: () => void, hangUp: () => void, mute: () => void, hold: () => void, hear: () => void,
   *   text: (text: string) => void, microphone: (id: string) => void, speaker: (id: string) => void}} on
   *   What to do when a person does something.
   */
  constructor(on) {
    const els = this.#els;
    els.talk.addEventListener("click", on.talk);
    els.hangup.addEventListener("click", on.hangUp);
    els.mute.addEventListener("click", on.mute);
    els.hold.addEventListener("click", on.hold);
    els["tap-to-hear"].addEventListener("click", on.hear);
    els["mic-select"].addEventListener("change", () => on.microphone(els["mic-select"].value));
    els["speaker-select"].addEventListener("change", () => on.speaker(els["speaker-select"].value));
    els.composer.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = els["text-input"].value.trim();
      els["text-input"].value = "";
      if (text) on.text(text);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || els.hangup.hidden || event.defaultPrevented) return;
      // Escape in a half-written text, or in an open list, means that text or list.
      if (event.target === els["text-input"] && els["text-input"].value) els["text-input"].value = "";
      else if (event.target?.tagName !== "SELECT") on.hangUp();
    });
  }

  /** Say more about the state, until it changes. @param {string} text */
  setHint(text) {
    this.#els.hint.textContent = text;
  }

  /** @param {string} state A key of the table above; others are shown as they are. */
  setState(state) {
    this.state = state;
    document.body.dataset.state = state;
    this.#els.state.textContent = titleOf(state);
    this.#els.hint.textContent = STATES[state]?.[1] ?? "";
    this.#els["tap-to-hear"].hidden = state !== "held";
    this.#els["hangup-label"].textContent = state === "waiting" ? "Leave line" : "Hang up";
  }

  /** The answer takes long: something must move, or one wonders whether the line is dead. */
  stillThinking() {
    this.#els.state.textContent = "Still thinking";
    const { hint } = this.#els;
    hint.textContent = hint.textContent === "One moment." ? "One moment, please." : "One moment.";
  }

  /** Show the controls that a call has, or those that start one. Focus stays on what replaces it. */
  setInCall(inCall) {
    const { talk, mute, hold, hangup } = this.#els;
    const focused = document.activeElement;
    document.body.dataset.call = inCall ? "on" : "off";
    talk.hidden = inCall;
    mute.hidden = hold.hidden = hangup.hidden = !inCall;
    if (inCall && focused === talk) hangup.focus();
    if (!inCall && [hangup, mute, hold].includes(focused)) talk.focus();
  }

  /** @param {boolean} muted @param {boolean} possible Whether there is a microphone to mute. */
  setMuted(muted, possible) {
    const { mute } = this.#els;
    mute.setAttribute("aria-pressed", String(muted));
    mute.disabled = !possible;
    this.#els["mute-label"].textContent = muted ? "Unmute" : "Mute";
    this.#els["user-label"].textContent = !possible ? "You, typing" : muted ? "You, muted" : "You";
  }

  /** @param {boolean} on @param {boolean} possible Whether there is a call to hold. */
  setHold(on, possible) {
    const { hold } = this.#els;
    hold.setAttribute("aria-pressed", String(on));
    hold.disabled = !possible;
    this.#els["hold-label"].textContent = on ? "Resume" : "Hold";
  }

  setLevels(user, bot) {
    document.body.style.setProperty("--user-level", user.toFixed(3));
    document.body.style.setProperty("--bot-level", bot.toFixed(3));
  }

  /** @param {{lastMs: number, medianMs: number} | null} summary */
  setTiming(summary) {
    this.#els.timing.hidden = summary === null;
    if (summary) {
      this.#els.timing.textContent = `Answered in ${seconds(summary.lastMs)} · median ${seconds(summary.medianMs)}`;
    }
  }

  setInfo({ providers, warnings = [] }) {
    const { stt, llm, tts } = providers ?? {};
    this.#els.providers.textContent = [stt, llm, tts].filter(Boolean).join(" · ");
    this.#els.providers.title = "What hears, thinks and speaks";
    this.#els.warnings.hidden = warnings.length === 0;
    this.#els.warnings.replaceChildren(
      ...warnings.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
    );
  }

  /**
   * Tell the person something. One message is shown at a time; it is read out once, however
   * often its countdown changes.
   *
   * @param {{topic: string, tone: "error" | "info", text: string, secondsLeft?: number,
   *   actions?: {label: string, run: () => void}[]}} message
   */
  showMessage({ topic, tone, text, secondsLeft, actions = [] }) {
    const els = this.#els;
    this.#messageTopic = topic;
    els.message.hidden = false;
    els.message.dataset.tone = tone;
    els["message-countdown"].textContent =
      secondsLeft === undefined ? "" : `Trying again in ${secondsLeft} s.`;
    if (this.#spokenMessage === topic + text) return;
    this.#spokenMessage = topic + text;
    els["message-text"].textContent = text;
    els["message-actions"].replaceChildren(
      ...actions.map(({ label, run }) => {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
        button.className = "button small";
        button.addEventListener("click", run);
        return button;
      }),
    );
    this.announce(text);
  }

  /** Take a message away; with topics, only if it is one of these. @param {...string} topics */
  clearMessage(...topics) {
    if (topics.length > 0 && !topics.includes(this.#messageTopic)) return;
    const hadFocus = this.#els.message.contains(document.activeElement);
    this.#messageTopic = null;
    this.#spokenMessage = "";
    this.#els.message.hidden = true;
    if (hadFocus) (this.#els.talk.hidden ? this.#els.hangup : this.#els.talk).focus();
  }

  /** For who cannot see the page. @param {string} text */
  announce(text) {
    this.#els.announcer.textContent = text;
  }

  focusText() {
    this.#els["text-input"].focus();
  }

  /**
   * @param {{microphones: MediaDeviceInfo[], speakers: MediaDeviceInfo[]}} devices
   * @param {{microphone: string, speaker: string}} chosen Device ids; empty for the default.
   * @param {boolean} speakerCanBeChosen
   */
  setDevices({ microphones, speakers }, chosen, speakerCanBeChosen) {
    fill(this.#els["mic-select"], microphones, chosen.microphone);
    fill(this.#els["speaker-select"], speakers, chosen.speaker);
    this.#els["speaker-select"].disabled = !speakerCanBeChosen;
    this.#els["devices-hint"].hidden = microphones.length > 0 && speakerCanBeChosen;
    if (!speakerCanBeChosen) {
      this.#els["devices-hint"].textContent = "This browser plays through the system's speaker only.";
    }
  }
}

function fill(select, devices, chosen) {
  const options = devices
    .filter((device) => device.deviceId !== "default")
    .map((device) => new Option(device.label, device.deviceId));
  select.replaceChildren(new Option("System default", ""), ...options);
  select.value = options.some((option) => option.value === chosen) ? chosen : "";
}
