/**
 * One call: as many connections as it takes. It waits in line while the house is full, comes back
 * by itself when the network or the server went away, and ends when somebody hangs up.
 */

import { Connection } from "./connection.js";
import { backoffSecs, countdown } from "./retry.js";
import { Refused } from "./signalling.js";

const DEFAULT_LINE_SECS = 5;
/** Never ask more often than this, whatever the server says. */
const SHORTEST_WAIT_SECS = 1;

export class Call {
  #options;
  #track;
  #connection = null;
  #hungUp = new AbortController();
  #skip = new AbortController();
  // By this the server knows who stands in line from one try to the next.
  #clientId = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

  /**
   * @param {object} options
   * @param {MediaStreamTrack} options.track What to send.
   * @param {RTCIceServer[]} options.iceServers May be empty.
   * @param {(phase: string, detail?: object) => void} options.onPhase `"connecting"`,
   *   `"reconnecting"`, `"open"`, `"in-line"` `{position, secondsLeft}`, `"retrying"`
   *   `{cause, secondsLeft}`, and once at the end `"over"` `{cause, status?}`.
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

  hangUp() {
    this.#hungUp.abort();
    this.#skip.abort();
    this.#connection?.close();
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
      if (this.#hungUp.signal.aborted) return onPhase("over", { cause: "hung-up" });
      if (end.cause === "refused" && previousId !== null) {
        // The server has given up the call that was to go on: place a new one.
        previousId = null;
        continue;
      }
      if (end.cause === "peer-left" || end.cause === "refused") return onPhase("over", end);
      previousId = end.id ?? previousId;
      returning ||= end.opened === true;
      failures = end.opened ? 1 : failures + 1;
      await this.#wait(end, failures);
      if (this.#hungUp.signal.aborted) return onPhase("over", { cause: "hung-up" });
    }
  }

  async #connect(previousId) {
    const { iceServers, onPhase, onTrack, onText } = this.#options;
    const connection = new Connection({
      track: this.#track,
      iceServers,
      requestData: { client_id: this.#clientId },
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
    const secs =
      end.waitSecs === undefined ? backoffSecs(failures) : Math.max(SHORTEST_WAIT_SECS, end.waitSecs);
    await countdown(
      secs,
      (secondsLeft) =>
        end.cause === "full"
          ? onPhase("in-line", { position: end.position, secondsLeft })
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
  return { cause: "refused", status };
}
