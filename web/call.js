/**
 * One call: as many connections as it takes. It waits in the queue while the bot is full, comes back
 * by itself when the network or the server went away, and ends when somebody hangs up.
 */

import { callToken, callerToken } from "./caller.js";
import { Connection } from "./connection.js";
import { backoffSecs, countdown } from "./retry.js";
import { Refused, sayGoodbye } from "./signalling.js";

/** The browser's time zone, as IANA names it; undefined where it tells none. */
const timeZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
const DEFAULT_LINE_SECS = 5;
/** Never ask more often than this, whatever the server says. */
const SHORTEST_WAIT_SECS = 1;
/** A connection that stood is replaced at once, but not by all callers of a server in the same moment. */
const AT_ONCE_SECS = 0.2;

export class Call {
  #options;
  #track;
  #connection = null;
  #hungUp = new AbortController();
  #skip = new AbortController();
  #lastId = null;
  /** How much of the bot's last reply was heard here: a server that takes the call up goes on behind that. */
  #heard = null;
  // By this the server knows who waits in the queue from one try to the next.
  #clientId = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

  /**
   * @param {object} options
   * @param {MediaStreamTrack} options.track What to send.
   * @param {() => Promise<RTCIceServer[]>} options.iceServers May be none; asked for each connection.
   * @param {(phase: string, detail?: object) => void} options.onPhase `"connecting"`,
   *   `"reconnecting"`, `"open"`, `"in-queue"` `{position, secondsLeft}`, `"retrying"`
   *   `{cause, secondsLeft}`, and once at the end `"over"` `{cause, status?}`; causes are
   *   `"hung-up"`, `"left"`, `"moved"`, `"peer-left"` and `"refused"`.
   * @param {(stream: MediaStream) => void} options.onTrack The bot's voice.
   * @param {(text: string) => void} options.onText A text from the data channel.
   */
  constructor(options) {
    this.#options = options;
    this.#track = options.track;
  }

  send(text) {
    this.#connection?.send(text);
  }

  async replaceTrack(track) {
    this.#track = track;
    await this.#connection?.replaceTrack(track);
  }

  /** A word of the bot was heard. @param {{reply_id: number, text: string}} word */
  wordHeard({ reply_id, text }) {
    const before = this.#heard?.reply_id === reply_id ? this.#heard.letters : 0;
    this.#heard = { reply_id, letters: before + [...text.replace(/\s/gu, "")].length };
  }

  renegotiate() {
    // Should it fail, the connection that stands goes on, or is found lost soon.
    this.#connection?.renegotiate(this.#hungUp.signal).catch(() => {});
  }

  /** Do not wait out the current delay. */
  tryNow() {
    this.#skip.abort();
  }

  /** The other side has said goodbye: do not come back. */
  peerLeft() {
    this.#connection?.close("peer-left");
  }

  /** The call goes on in another tab: do not come back. */
  moved() {
    this.#connection?.close("moved");
  }

  hangUp() {
    const id = this.#connection?.id ?? this.#lastId;
    // Unheard, it costs a place for as long as the server holds a lost call.
    if (id) sayGoodbye(id, this.#requestData()).catch(() => {});
    this.#stop("hung-up");
  }

  /** The page goes away: without a goodbye, because it may be a reload. */
  leave() {
    this.#stop("left");
  }

  #stop(cause) {
    this.#hungUp.abort(cause);
    this.#skip.abort();
    this.#connection?.close();
  }

  #requestData() {
    const signed = callToken();
    const data = {
      client_id: this.#clientId,
      caller_token: callerToken(),
      says_ready: true,
      time_zone: timeZone(),
      ...(this.#heard === null ? {} : { heard: this.#heard }),
    };
    return signed === null ? data : { ...data, call_token: signed };
  }

  /** Runs until the call is over. */
  async run() {
    const { onPhase } = this.#options;
    let failures = 0;
    let previousId = null;
    let returning = false;
    for (;;) {
      onPhase(returning ? "reconnecting" : "connecting");
      const end = await this.#connect(previousId);
      if (this.#hungUp.signal.aborted) return onPhase("over", { cause: this.#hungUp.signal.reason });
      if (end.cause === "refused" && previousId !== null && end.code !== "call_moved") {
        // The server has given up the call that was to go on: place a new one.
        previousId = null;
        continue;
      }
      if (end.code === "call_moved") return onPhase("over", { cause: "moved" });
      if (["moved", "peer-left", "refused"].includes(end.cause)) return onPhase("over", end);
      previousId = this.#lastId = end.id ?? previousId;
      returning ||= end.opened === true;
      failures = end.opened ? 1 : failures + 1;
      await this.#wait(end, failures);
      if (this.#hungUp.signal.aborted) return onPhase("over", { cause: this.#hungUp.signal.reason });
    }
  }

  async #connect(previousId) {
    const { iceServers, onPhase, onTrack, onText } = this.#options;
    const connection = new Connection({
      track: this.#track,
      iceServers: await iceServers(),
      requestData: this.#requestData(),
      handlers: { onOpen: () => onPhase("open"), onTrack, onText },
    });
    this.#connection = connection;
    try {
      await connection.open(previousId, this.#hungUp.signal);
      const cause = await connection.over;
      return { cause, id: connection.id, opened: connection.opened };
    } catch (error) {
      return refusal(error);
    } finally {
      this.#connection = null;
    }
  }

  async #wait(end, failures) {
    const { onPhase } = this.#options;
    this.#skip = new AbortController();
    if (end.opened) return countdown(AT_ONCE_SECS * Math.random(), () => {}, this.#skip.signal);
    const secs =
      end.waitSecs === undefined ? backoffSecs(failures) : Math.max(SHORTEST_WAIT_SECS, end.waitSecs);
    await countdown(
      secs,
      (secondsLeft) =>
        end.cause === "full"
          ? onPhase("in-queue", { position: end.position, secondsLeft })
          : onPhase("retrying", { cause: end.cause, secondsLeft }),
      this.#skip.signal,
    );
  }
}

/** What a failed offer means for the call. */
function refusal(error) {
  if (!(error instanceof Refused)) return { cause: "no-answer" };
  const { status, body, retryAfterSecs } = error;
  if (body.code === "at_capacity") {
    return { cause: "full", position: body.queue_position, waitSecs: retryAfterSecs ?? DEFAULT_LINE_SECS };
  }
  if (status >= 500 || status === 429) return { cause: "no-answer", waitSecs: retryAfterSecs ?? undefined };
  return { cause: "refused", status, code: body.code };
}
