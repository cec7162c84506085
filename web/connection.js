/** One WebRTC connection to the bot, from the offer to its end. It is never used twice. */

import { patchCandidates, postOffer } from "./signalling.js";

/** A radio that fades for a moment comes back by itself; after this long it is taken as gone. */
const DISCONNECTED_GRACE_MS = 3_000;
const OPEN_DEADLINE_MS = 15_000;
/** The server takes a client that has not pinged for 3 s as gone. */
const PING_INTERVAL_MS = 1_000;
/** The bot sends 50 packets a second, in silence too. Browsers themselves notice only after some 10 s. */
const SILENT_SERVER_MS = 1_400;
const LISTEN_INTERVAL_MS = 250;
const CANDIDATE_BATCH_MS = 50;

export class Connection {
  #pc;
  #channel;
  #sender;
  #candidates = [];
  #candidateTimer = 0;
  #graceTimer = 0;
  #deadlineTimer = 0;
  #pingTimer = 0;
  #listenTimer = 0;
  #received = 0;
  #heardAtMs = 0;
  #finish;
  #handlers;
  #requestData;

  /** The server's name for this connection, once it has answered. */
  id = null;
  /** Whether messages could ever be exchanged. */
  opened = false;
  /** Resolves once, with why it is over: `"closed"` by us, `"peer-left"`, `"lost"` or `"no-path"`. */
  over;

  /**
   * @param {object} options
   * @param {MediaStreamTrack} options.track What to send.
   * @param {RTCIceServer[]} options.iceServers May be empty.
   * @param {object} options.requestData Goes with the offer.
   * @param {{onOpen: () => void, onTrack: (stream: MediaStream) => void, onText: (text: string) => void}}
   *   options.handlers
   */
  constructor({ track, iceServers, requestData, handlers }) {
    this.#handlers = handlers;
    this.#requestData = requestData;
    this.over = new Promise((resolve) => (this.#finish = resolve));
    const pc = new RTCPeerConnection({ iceServers });
    this.#pc = pc;
    const transceiver = pc.addTransceiver(track, { direction: "sendrecv" });
    this.#sender = transceiver.sender;
    preferOpus(transceiver);
    pc.ontrack = (event) => handlers.onTrack(new MediaStream([event.track]));
    pc.onicecandidate = (event) => this.#found(event.candidate);
    pc.onconnectionstatechange = () => this.#connectionChanged();
    this.#channel = pc.createDataChannel("rtvi", { ordered: true });
    this.#channel.onopen = () => this.#channelOpened();
    this.#channel.onmessage = (event) => handlers.onText(event.data);
    this.#channel.onclose = () => this.#end("lost");
  }

  /**
   * Offer, and take the answer. The connection is usable when `onOpen` has been called.
   *
   * @param {string | null} previousId The connection that this one takes the place of, if any.
   * @param {AbortSignal} signal Gives up.
   * @throws {import("./signalling.js").Refused} The server said no. @throws {Error} It did not answer.
   */
  async open(previousId, signal) {
    // What is asked of a closed RTCPeerConnection is never answered: whoever hangs up meanwhile would wait for ever.
    const closed = this.over.then((reason) => {
      throw new Error(`The connection was closed: ${reason}`);
    });
    try {
      await Promise.race([this.#negotiate(previousId ? { pc_id: previousId, restart_pc: true } : {}, signal), closed]);
    } catch (error) {
      this.close();
      throw error;
    }
    if (!this.opened) this.#deadlineTimer = setTimeout(() => this.#end("no-path"), OPEN_DEADLINE_MS);
  }

  /** The server asked for a new offer over the connection that stands. */
  renegotiate(signal) {
    return this.#negotiate({ pc_id: this.id, restart_pc: false }, signal);
  }

  /** Send a text; dropped when the channel is not open, because it would be stale by then. */
  send(text) {
    if (this.#channel.readyState === "open") this.#channel.send(text);
  }

  replaceTrack(track) {
    return this.#sender.replaceTrack(track);
  }

  /** @param {string} reason Why; see `over`. */
  close(reason = "closed") {
    this.#end(reason);
  }

  async #negotiate(target, signal) {
    const pc = this.#pc;
    await pc.setLocalDescription();
    const { sdp, type } = pc.localDescription;
    const answer = await postOffer({ sdp, type, ...target, requestData: this.#requestData }, signal);
    this.id = answer.pc_id;
    await pc.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    this.#sendCandidates();
  }

  #found(candidate) {
    if (!candidate?.candidate) return;
    this.#candidates.push(candidate);
    clearTimeout(this.#candidateTimer);
    this.#candidateTimer = setTimeout(() => this.#sendCandidates(), CANDIDATE_BATCH_MS);
  }

  #sendCandidates() {
    if (this.id === null || this.#candidates.length === 0) return;
    const batch = this.#candidates.splice(0);
    // A batch that is lost may not matter: the bot also learns our address from our own checks.
    // If it does matter, the deadline ends this connection.
    patchCandidates(this.id, batch).catch(() => {});
  }

  #channelOpened() {
    this.opened = true;
    clearTimeout(this.#deadlineTimer);
    this.#heardAtMs = performance.now();
    this.#pingTimer = setInterval(() => this.send("ping"), PING_INTERVAL_MS);
    this.#listenTimer = setInterval(() => this.#listen(), LISTEN_INTERVAL_MS);
    this.send("ping");
    this.#handlers.onOpen();
  }

  /** Whether the server is still there. */
  async #listen() {
    const reports = await this.#pc.getStats();
    const transport = [...reports.values()].find((report) => report.type === "transport");
    // A browser that does not count has only its own, slower notice.
    if (transport?.bytesReceived === undefined) return;
    const nowMs = performance.now();
    if (transport.bytesReceived !== this.#received) {
      this.#received = transport.bytesReceived;
      this.#heardAtMs = nowMs;
    } else if (nowMs - this.#heardAtMs >= SILENT_SERVER_MS) {
      this.#end("lost");
    }
  }

  #connectionChanged() {
    clearTimeout(this.#graceTimer);
    const state = this.#pc.connectionState;
    if (state === "disconnected") {
      this.#graceTimer = setTimeout(() => this.#end("lost"), DISCONNECTED_GRACE_MS);
    } else if (state === "failed" || state === "closed") {
      this.#end(this.opened ? "lost" : "no-path");
    }
  }

  #end(reason) {
    clearTimeout(this.#candidateTimer);
    clearTimeout(this.#graceTimer);
    clearTimeout(this.#deadlineTimer);
    clearInterval(this.#pingTimer);
    clearInterval(this.#listenTimer);
    this.#pc.onicecandidate = null;
    this.#pc.onconnectionstatechange = null;
    this.#channel.onclose = null;
    this.#pc.close();
    this.#finish(reason);
  }
}

/** Offer nothing but Opus, which both ends do best. Browsers send a one-channel track as mono. */
function preferOpus(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities?.("audio")?.codecs ?? [];
  const opus = codecs.filter((codec) => codec.mimeType.toLowerCase() === "audio/opus");
  if (opus.length > 0) transceiver.setCodecPreferences?.(opus);
}
