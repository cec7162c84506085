/**
 * A call on any page: `<script type="module" src="https://BOT/widget.js"></script>` and `<parley-call></parley-call>`.
 *
 * It is the page's own code behind a smaller face. The bot takes calls from pages that ALLOWED_ORIGINS names.
 *
 * Attributes: `label` (what the button says), `call-token` (a signed token, where the bot asks for one).
 * Methods: `start()`, `hangUp()`, `toggleMute()`, `sendText(text)`; `state` is read only.
 * Events, with `detail`: `parley-state` `{state}`, `parley-transcript` `{who, text, final}` for each change of an
 * entry, `parley-message` `{tone, text}`.
 * Looks: `--parley-accent`, `--parley-text`, `--parley-background`, `--parley-font`, `--parley-radius`, and
 * `::part(button)`, `::part(state)`, `::part(message)`.
 */

import { justLeft, setCallToken } from "./caller.js";
import { IceServers } from "./ice-servers.js";
import { Playback } from "./playback.js";
import { Session } from "./session.js";
import { fetchInfo } from "./signalling.js";
import { plainEntry, Transcript } from "./transcript.js";
import { titleOf } from "./ui.js";

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  :host { display: inline-block; font: 1rem/1.4 var(--parley-font, system-ui, sans-serif); color: var(--parley-text, #16211f); }
  :host([hidden]) { display: none; }
  .box {
    display: flex; flex-wrap: wrap; align-items: center; gap: .5rem; padding: .5rem .75rem;
    background: var(--parley-background, #fff); border-radius: var(--parley-radius, 999px);
    box-shadow: 0 1px 4px rgb(0 0 0 / .2);
  }
  button {
    font: inherit; cursor: pointer; min-block-size: 2.75rem; padding: .4rem 1rem; border: 0;
    border-radius: var(--parley-radius, 999px); background: var(--parley-accent, #0b6e4f); color: #fff;
  }
  button.plain { background: none; color: inherit; box-shadow: inset 0 0 0 1px currentcolor; }
  button:focus-visible { outline: 3px solid currentcolor; outline-offset: 2px; }
  .message { flex-basis: 100%; margin: 0; }
  [hidden] { display: none !important; }
`);

/** @param {string} tag @param {object} properties @param {...Node} children */
function make(tag, { part, ...properties }, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  if (part) made.part.add(part);
  made.append(...children);
  return made;
}

/** The parts of the face; without markup, so that pages with Trusted Types take it too. */
function buildFace() {
  const face = {
    talk: make("button", { type: "button", part: "button" }),
    mute: make("button", { type: "button", part: "button", className: "plain", hidden: true, textContent: "Mute" }),
    hear: make("button", { type: "button", part: "button", className: "plain", hidden: true, textContent: "Tap to hear" }),
    state: make("span", { part: "state", role: "status" }),
    said: make("span", {}),
    actions: make("span", {}),
    voice: make("audio", { autoplay: true }),
  };
  face.message = make("p", { part: "message", className: "message", role: "alert", hidden: true }, face.said, face.actions);
  face.box = make("div", { part: "box", className: "box" });
  face.box.append(face.talk, face.mute, face.hear, face.state, face.message, face.voice);
  return face;
}

/** What `Session` shows a call on: the methods of the page's `Ui`, on a button and a line of text. */
class WidgetUi {
  state = "idle";
  #host;
  #face;
  #topic = null;

  /** @param {ParleyCall} host @param {ReturnType<typeof buildFace>} face */
  constructor(host, face) {
    this.#host = host;
    this.#face = face;
    this.setInCall(false);
  }

  setState(state) {
    if (state !== this.state) this.#host.tell("parley-state", { state });
    this.state = state;
    this.#face.state.textContent = state === "idle" ? "" : titleOf(state);
    this.#face.hear.hidden = state !== "held";
  }

  setInCall(inCall) {
    this.#face.talk.textContent = inCall ? "Hang up" : (this.#host.getAttribute("label") ?? "Talk");
    this.#face.mute.hidden = !inCall;
  }

  setMuted(muted, possible) {
    const mute = this.#face.mute;
    mute.disabled = !possible;
    mute.setAttribute("aria-pressed", String(muted));
    mute.textContent = muted ? "Unmute" : "Mute";
  }

  stillThinking() {
    this.#face.state.textContent = "Still thinking";
  }

  showMessage({ topic, tone, text, secondsLeft, actions = [] }) {
    this.#topic = topic;
    const { said, actions: buttons } = this.#face;
    const told = secondsLeft === undefined ? text : `${text} Trying again in ${secondsLeft} s.`;
    if (said.textContent !== told) this.#host.tell("parley-message", { tone, text });
    said.textContent = told;
    buttons.replaceChildren(
      ...actions.map(({ label, run }) => {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
        button.className = "plain";
        button.addEventListener("click", run);
        return button;
      }),
    );
    this.#face.message.hidden = false;
  }

  clearMessage(...topics) {
    if (topics.length > 0 && !topics.includes(this.#topic)) return;
    this.#topic = null;
    this.#face.message.hidden = true;
  }

  focusText() {
    // There is no text box here: the page around may send texts.
  }

  announce() {
    // The state is a live region.
  }

  setHint() {}
  setHold() {}
  setLevels() {}
  setTiming() {}
}

/** Decisions are not shown here. */
const NO_DECISIONS = { show() {}, startOver() {} };

export class ParleyCall extends HTMLElement {
  #session = null;
  #ui = null;
  #gone = null;

  connectedCallback() {
    setCallToken(this.getAttribute("call-token"));
    if (this.#session === null) this.#build();
    const { signal } = (this.#gone = new AbortController());
    window.addEventListener("pagehide", () => this.#session.leave(), { signal });
    const left = justLeft();
    if (left !== null) this.start({ ...left, returning: true });
  }

  disconnectedCallback() {
    this.#gone.abort();
    this.#session.hangUp();
  }

  /** Who has the floor, or what the call waits for. */
  get state() {
    return this.#ui?.state ?? "idle";
  }

  /** Place a call. Call it from a click or a key press, or browsers keep the sound back. */
  start(options) {
    setCallToken(this.getAttribute("call-token"));
    return this.#session.start(options);
  }

  hangUp() {
    this.#session.hangUp();
  }

  toggleMute() {
    this.#session.toggleMute();
  }

  /** @param {string} text What the caller would have said. */
  sendText(text) {
    this.#session.sendText(text);
  }

  /** Tell the page around. */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  #build() {
    const face = buildFace();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [STYLE];
    root.append(face.box);
    this.#ui = new WidgetUi(this, face);
    const transcript = new Transcript((entry, change) => {
      if (change === "set") this.tell("parley-transcript", plainEntry(entry));
    });
    const session = (this.#session = new Session({
      ui: this.#ui,
      playback: new Playback(face.voice),
      transcript,
      decisions: NO_DECISIONS,
      microphoneId: () => "",
      onMicrophone: () => {},
    }));
    const iceServers = new IceServers(fetchInfo);
    // Not answered, or not known: the call is tried without them.
    const learned = fetchInfo().then((info) => iceServers.learned(info), () => {});
    session.iceServers = () => learned.then(() => iceServers.current());
    face.talk.addEventListener("click", () => (session.active ? session.hangUp() : this.start()));
    face.mute.addEventListener("click", () => session.toggleMute());
    face.hear.addEventListener("click", () => session.hear());
  }
}

customElements.define("parley-call", ParleyCall);
