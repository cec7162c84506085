/** From the press on Talk to the end of the call: microphone, connection, voice, and what is sent. */

import { Call } from "./call.js";
import { forgetCaller, noteLeaving } from "./caller.js";
import { Conversation } from "./conversation.js";
import { DefaultMicrophone, explain, hasMicrophoneAccess, plainLabel } from "./devices.js";
import { Interruptions } from "./interruptions.js";
import { Meter, MeterLoop } from "./meters.js";
import { Microphone } from "./microphone.js";
import { Presence } from "./presence.js";
import * as rtvi from "./rtvi.js";
import { describe, WaitingQueue } from "./waiting-queue.js";
import { keepScreenOn } from "./wake-lock.js";

const TROUBLE = {
  "no-answer": "The server does not answer.",
  "no-path": "No way through for the sound was found. A firewall may be in between.",
  lost: "The connection was lost.",
};

/** After so long without an answer of the browser's the page says what it waits for. */
const MICROPHONE_PATIENCE_MS = 6_000;

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const ENDS = { "peer-left": "Parley ended the call", moved: "The call goes on in another tab" };

export class Session {
  #parts;
  #meters;
  #queue = new WaitingQueue();
  #mic = new Microphone(() => this.#microphoneLost());
  #call = null;
  #conversation = null;
  /** Counts starts, so that one which was given up while it waited can tell. */
  #generation = 0;
  #channelOpen = false;
  #audible = false;
  #readySent = false;
  #hasBeenConnected = false;
  #interruptions = new Interruptions({
    onSilenced: () => this.#silenced(),
    onMayReturn: () => this.#mayReturn(),
    onMicrophone: (taken) => this.#microphoneTaken(taken),
  });
  #presence;
  #typing = false;
  #default = new DefaultMicrophone();
  /** Settled once a microphone that was lost has been replaced, or could not be. */
  #reopening = Promise.resolve();
  /** Texts and keys from before the bot could take them. */
  #outbox = [];

  /** Whether a call is going on, is being placed, or waits. */
  active = false;
  /** @type {() => Promise<RTCIceServer[]>} STUN and TURN servers for a new connection. */
  iceServers = async () => [];

  /**
   * @param {object} parts
   * @param {import("./ui.js").Ui} parts.ui
   * @param {import("./playback.js").Playback} parts.playback
   * @param {import("./transcript.js").Transcript} parts.transcript
   * @param {import("./panels.js").Decisions} parts.decisions
   * @param {() => string} parts.microphoneId The chosen microphone; empty for the system's choice.
   * @param {() => void} parts.onMicrophone A microphone was opened: devices may have got names.
   */
  constructor(parts) {
    this.#parts = parts;
    this.#meters = new MeterLoop((user, bot) => parts.ui.setLevels(user, bot));
    const send = (on) => this.#call?.send(rtvi.hold(on));
    this.#presence = new Presence({ ui: parts.ui, mic: this.#mic, send });
  }

  /** Whether the bot can be spoken with now. */
  get connected() {
    return this.#readySent;
  }

  /**
   * Place a call. Call it from a click or a key press, or browsers keep the sound back.
   *
   * @param {{typing?: boolean, returning?: boolean}} options With `typing` the microphone stays off;
   *   `returning` is a call that goes on after a reload, without a click.
   */
  async start({ typing = false, returning = false } = {}) {
    if (this.active) return;
    this.active = true;
    this.#typing = typing;
    const generation = ++this.#generation;
    const { ui, playback } = this.#parts;
    ui.clearMessage();
    ui.setInCall(true);
    ui.setState(typing ? "connecting" : "asking");
    // Not awaited: it resolves only once the sound hardware is up. Without a click, browsers allow
    // sound only to a page that has the microphone, if at all.
    if (!returning) playback.context.resume();
    const trouble = typing ? null : await this.#openMicrophone();
    if (generation !== this.#generation) return;
    if (trouble) {
      this.#stop();
      this.#showMicrophoneTrouble(trouble, () => this.start());
      return;
    }
    if (typing) this.#mic.useSilence(playback.context);
    this.#place();
  }

  hangUp() {
    if (this.#call) this.#call.hangUp();
    else if (this.active) this.#stop();
  }

  /** The page goes away, perhaps to come back. */
  leave() {
    if (this.#hasBeenConnected && this.active) noteLeaving({ typing: this.#typing });
    if (this.#call) this.#call.leave();
    else this.hangUp();
  }

  /** The bot is silent and hears nothing; afterwards it goes on where it was. */
  toggleHold() {
    this.#presence.toggleHold();
  }

  toggleMute() {
    this.#mic.mute(!this.#mic.muted);
    this.#showMute();
    this.#parts.ui.announce(this.#mic.muted ? "Muted" : "Not muted");
  }

  /** The tap that lets the sound out. */
  async hear() {
    this.#audible = await this.#parts.playback.unlock();
    if (this.#audible) this.#presence.soundReturned();
    this.#update();
  }

  /** A typed text. Without a call it starts one. @param {string} text */
  sendText(text) {
    this.#parts.transcript.typed(text);
    this.#sendTurn(rtvi.sendText(text));
    if (!this.active) this.start({ typing: true });
    else if (!this.#call) this.#typeInstead(); // the browser still keeps the microphone back
    else if (this.#channelOpen && !this.#audible) this.hear();
  }

  /** A phone key. @param {string} key */
  sendKey(key) {
    if (!this.active) return;
    this.#parts.transcript.keyPressed(key);
    this.#sendTurn(rtvi.dtmf(key));
  }

  /** The choice of microphone changed. */
  async changeMicrophone() {
    if (!this.#call) return;
    const trouble = await this.#openMicrophone();
    if (trouble) this.#showMicrophoneTrouble(trouble, () => this.changeMicrophone());
    else await this.#sendMicrophone();
  }

  /** @returns {Promise<string | null>} What is wrong, or null. */
  async #openMicrophone() {
    if (!hasMicrophoneAccess()) {
      return "Browsers allow the microphone only on secure pages: https, or localhost. You can type instead.";
    }
    const generation = this.#generation;
    const impatient = setTimeout(() => this.#stillAsking(), MICROPHONE_PATIENCE_MS);
    try {
      if (await this.#mic.open(this.#parts.microphoneId())) this.#parts.ui.clearMessage("microphone");
    } catch (error) {
      return explain(error);
    } finally {
      clearTimeout(impatient);
    }
    if (generation === this.#generation && !this.active) this.#mic.close();
    this.#parts.onMicrophone();
    return null;
  }

  /** Some browsers never answer, and some people never see the question. */
  #stillAsking() {
    if (!this.active) return;
    const text =
      "The browser has not opened the microphone yet. Answer its question about it, or look for the symbol in its " +
      "address bar.";
    const actions = this.#call ? [] : [{ label: "Type instead", run: () => this.#typeInstead() }];
    this.#parts.ui.showMessage({ topic: "microphone", tone: "error", text, actions });
  }

  /** Devices came or went. @param {MediaDeviceInfo[]} microphones All that can be chosen. */
  async devicesChanged(microphones) {
    const device = this.#default.changed(microphones);
    await Promise.race([this.#reopening, later(MICROPHONE_PATIENCE_MS)]);
    const types = this.#mic.silent && this.#typing;
    if (device === null || !this.#call || types || this.#parts.microphoneId() !== "") return;
    const { ui } = this.#parts;
    const name = plainLabel(device);
    const inUse = this.#mic.track?.getSettings?.().groupId === device.groupId;
    if (inUse) {
      this.#tellMicrophone(name);
    } else if (this.newMicrophone === "offer") {
      const actions = [
        { label: "Use it", run: () => this.#useNew(name) },
        { label: "Keep the old one", run: () => ui.clearMessage("microphone") },
      ];
      ui.showMessage({ topic: "microphone", tone: "info", text: `There is another microphone: ${name}.`, actions });
    } else {
      await this.#useNew(name);
    }
  }

  async #useNew(name) {
    await this.changeMicrophone();
    if (this.#call && !this.#mic.silent) this.#tellMicrophone(name);
  }

  #tellMicrophone(name) {
    const { ui } = this.#parts;
    const actions = [{ label: "Dismiss", run: () => ui.clearMessage("microphone") }];
    ui.showMessage({ topic: "microphone", tone: "info", text: `Parley listens through ${name} now.`, actions });
  }

  #microphoneLost() {
    this.#reopening = this.#reopenMicrophone();
  }

  async #reopenMicrophone() {
    // Until another one opens, which may take a person's answer, the bot hears silence and not a dead line.
    this.#mic.useSilence(this.#parts.playback.context);
    await this.#sendMicrophone();
    const trouble = await this.#openMicrophone();
    if (!this.#call) return;
    if (trouble) this.#showMicrophoneTrouble(trouble, () => this.changeMicrophone());
    else await this.#sendMicrophone();
  }

  #showMicrophoneTrouble(text, tryAgain) {
    const { ui } = this.#parts;
    const actions = [{ label: "Try again", run: tryAgain }];
    if (!this.active) actions.push({ label: "Type instead", run: () => this.#typeInstead() });
    ui.showMessage({ topic: "microphone", tone: "error", text, actions });
  }

  #typeInstead() {
    if (this.active && !this.#call) {
      const texts = this.#outbox;
      this.#stop(); // what opens later is let go
      this.#outbox = texts;
    }
    this.start({ typing: true });
    this.#parts.ui.focusText();
  }

  async #sendMicrophone() {
    if (!this.#mic.silent) this.#parts.ui.clearMessage("microphone");
    this.#watchMicrophone();
    this.#interruptions.watchMicrophone(this.#mic.track);
    await this.#call?.replaceTrack(this.#mic.track);
  }

  #watchMicrophone() {
    this.#meters.watch("user", new Meter(this.#parts.playback.context, this.#mic.stream));
    this.#showMute();
    this.#tellEcho();
  }

  /** Without the browser's echo canceller the bot hears itself. It knows its own voice, but not as well. */
  #tellEcho() {
    const { ui } = this.#parts;
    ui.clearMessage("echo");
    if (this.#mic.silent || this.#mic.track?.getSettings?.().echoCancellation !== false) return;
    const text = "This browser does not take the bot's voice out of your microphone. Headphones help, or a softer speaker.";
    const actions = [{ label: "Dismiss", run: () => ui.clearMessage("echo") }];
    ui.showMessage({ topic: "echo", tone: "info", text, actions });
  }

  #showMute() {
    this.#parts.ui.setMuted(this.#mic.muted, !this.#mic.silent);
  }

  #place() {
    this.#watchMicrophone();
    this.#meters.start();
    keepScreenOn(true);
    this.#hasBeenConnected = false;
    this.#presence.reset();
    this.#call = new Call({
      track: this.#mic.track,
      iceServers: () => this.iceServers(),
      onPhase: (phase, detail) => this.#phaseChanged(phase, detail ?? {}),
      onTrack: (stream) => this.#voiceArrived(stream),
      onText: (text) => this.#textArrived(text),
    });
    this.#call.run();
  }

  #phaseChanged(phase, detail) {
    const { ui } = this.#parts;
    this.#channelOpen = phase === "open";
    this.#readySent = false;
    this.#presence.disconnected();
    switch (phase) {
      case "connecting":
      case "reconnecting":
        this.#audible = false;
        ui.setState(phase);
        break;
      case "open":
        this.#opened();
        break;
      case "in-queue":
        this.#showQueue(detail);
        break;
      case "retrying":
        this.#showRetry(detail);
        break;
      case "over":
        this.#over(detail);
        break;
    }
  }

  #opened() {
    const { ui, transcript, playback } = this.#parts;
    this.#queue.leave();
    ui.clearMessage("server", "queue");
    ui.announce("Connected");
    if (this.#hasBeenConnected) transcript.note("Connected again");
    this.#hasBeenConnected = true;
    this.#conversation = new Conversation({
      ...this.#parts,
      setState: (state) => this.#presence.turnChanged(state),
      setHint: (text) => ui.setHint(text),
      setTiming: (summary) => ui.setTiming(summary),
      showError: (text) => this.#showError(text),
      stillThinking: () => {
        ui.stillThinking();
        playback.tick();
      },
    });
    this.#update();
  }

  /** The bot's greeting waits for `client-ready`, which waits until it can be heard. */
  #update() {
    if (!this.#channelOpen || this.#readySent) return;
    const { ui } = this.#parts;
    if (!this.#audible) return ui.setState("held");
    this.#readySent = true;
    this.#call.send(rtvi.clientReady());
    this.#presence.connected();
    for (const text of this.#outbox.splice(0)) this.#sendTurn(text);
  }

  #sendTurn(text) {
    if (!this.#readySent) return this.#outbox.push(text);
    this.#call.send(text);
    return this.#conversation.userSent(performance.now());
  }

  async #voiceArrived(stream) {
    const { playback } = this.#parts;
    this.#meters.watch("bot", new Meter(playback.context, stream));
    this.#audible = await playback.play(stream);
    this.#interruptions.watch(playback.context, playback.element);
    this.#interruptions.watchMicrophone(this.#mic.track);
    this.#update();
  }

  /** Another app took the loudspeaker; some browsers only pause, and go on when they are asked. */
  #silenced() {
    if (this.#presence.soundTaken()) this.#mayReturn();
  }

  #mayReturn() {
    if (this.#presence.interrupted && document.visibilityState === "visible") this.hear();
  }

  #microphoneTaken(taken) {
    const { ui } = this.#parts;
    const text = "Another app is using your microphone, so Parley cannot hear you. You can type meanwhile.";
    if (taken) ui.showMessage({ topic: "microphone", tone: "info", text });
    else ui.clearMessage("microphone");
  }

  #textArrived(text) {
    const event = rtvi.parse(text);
    if (event === null || this.#call === null) return; // the bot's last words may come after the goodbye
    if (event.type === "signalling:peerLeft") this.#call.peerLeft();
    else if (event.type === "signalling:renegotiate") this.#call.renegotiate();
    else if (event.type === "call-moved") this.#call.moved();
    else if (event.type === "call-hold") this.#presence.told(event.on);
    else this.#handle(event);
  }

  #handle(event) {
    if (event.type === "word-heard") this.#call.wordHeard(event);
    this.#conversation?.handle(event, performance.now());
  }

  #showQueue({ position, secondsLeft }) {
    const { ui } = this.#parts;
    const text = describe(position);
    ui.setState("waiting");
    ui.showMessage({ topic: "queue", tone: "info", text, secondsLeft });
    this.#queue.speak(text);
  }

  #showRetry({ cause, secondsLeft }) {
    const { ui } = this.#parts;
    this.#queue.leave();
    ui.setState("reconnecting");
    ui.showMessage({
      topic: "server",
      tone: "error",
      text: TROUBLE[cause] ?? TROUBLE.lost,
      secondsLeft,
      actions: [{ label: "Try now", run: () => this.#call?.tryNow() }],
    });
  }

  #showError(text) {
    const { ui } = this.#parts;
    const actions = [{ label: "Dismiss", run: () => ui.clearMessage("error") }];
    ui.showMessage({ topic: "error", tone: "error", text, actions });
  }

  #over({ cause, status }) {
    const { ui, transcript } = this.#parts;
    this.#stop();
    ui.clearMessage("server", "queue", "microphone");
    if (cause === "hung-up" || cause === "peer-left") forgetCaller();
    if (this.#hasBeenConnected) transcript.note(ENDS[cause] ?? "Call ended");
    if (cause === "moved") {
      ui.showMessage({
        topic: "server",
        tone: "info",
        text: "This call goes on in another tab.",
        actions: [{ label: "Go on here", run: () => this.start() }],
      });
    } else if (cause === "refused") {
      ui.showMessage({
        topic: "server",
        tone: "error",
        text:
          status === 401
            ? "This call needs a new link: the one that led here is used up."
            : `The server did not take the call (HTTP ${status}).`,
        actions: [{ label: "Try again", run: () => this.start() }],
      });
    } else {
      ui.announce("The call is over");
    }
  }

  #stop() {
    const { ui, playback } = this.#parts;
    this.active = false;
    this.#generation += 1;
    this.#call = null;
    this.#conversation = null;
    this.#outbox = [];
    this.#channelOpen = this.#readySent = false;
    this.#queue.leave();
    this.#interruptions.leave();
    this.#presence.reset();
    this.#meters.stop();
    this.#mic.close();
    playback.stop();
    keepScreenOn(false);
    ui.setInCall(false);
    ui.setState("idle");
  }
}
