/** The server's HTTP face: what it is made of, and the exchange of offer, answer and candidates. */

import { callToken } from "./caller.js";

const DEADLINE_MS = 10_000;
/** The bot that these modules came from, whatever page they run in. */
const BOT = new URL(".", import.meta.url);

/** The server answered, and the answer is no. */
export class Refused extends Error {
  /**
   * @param {number} status HTTP status.
   * @param {{code?: string, retry_after_secs?: number, queue_position?: number, error?: string}} body
   *   The JSON of the answer, empty if it had none.
   * @param {number | null} retryAfterSecs When to come back, if the server said so.
   */
  constructor(status, body, retryAfterSecs) {
    super(`HTTP ${status}`);
    this.status = status;
    this.body = body;
    this.retryAfterSecs = retryAfterSecs;
  }
}

async function request(path, { method = "GET", json, headers, signal } = {}) {
  const abort = new AbortController();
  const giveUp = () => abort.abort();
  const deadline = setTimeout(giveUp, DEADLINE_MS);
  signal?.addEventListener("abort", giveUp);
  try {
    return await answer(path, { method, json, headers, signal: abort.signal });
  } finally {
    clearTimeout(deadline);
    signal?.removeEventListener("abort", giveUp);
  }
}

async function answer(path, { method, json, headers = {}, signal }) {
  const response = await fetch(new URL(path, BOT), {
    method,
    headers: json === undefined ? headers : { ...headers, "content-type": "application/json" },
    body: json === undefined ? undefined : JSON.stringify(json),
    cache: "no-store",
    signal,
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    const told = Number(body.retry_after_secs ?? response.headers.get("retry-after") ?? NaN);
    throw new Refused(response.status, body, Number.isFinite(told) ? told : null);
  }
  return body;
}

/**
 * What serves this page.
 *
 * @returns {Promise<{providers?: {stt: string, llm: string, tts: string}, warnings?: string[],
 *   ice_servers?: RTCIceServer[]}>}
 * @throws {Refused} The server said no. @throws {Error} It did not answer.
 */
export const fetchInfo = () => {
  const token = callToken();
  return request("api/info", { headers: token === null ? {} : { authorization: `Bearer ${token}` } });
};

/**
 * Send an offer.
 *
 * @param {{sdp: string, type: string, pc_id?: string, restart_pc?: boolean, requestData?: object}} offer
 *   With the `pc_id` of an earlier answer it goes to that same call.
 * @param {AbortSignal} signal Gives up.
 * @returns {Promise<{sdp: string, type: RTCSdpType, pc_id: string}>}
 * @throws {Refused} The server said no. @throws {Error} It did not answer.
 */
export const postOffer = (offer, signal) => request("api/offer", { method: "POST", json: offer, signal });

/**
 * Say goodbye, so that the call is over at once and is not held for a return. It reaches the server
 * even if the page is closed next.
 *
 * @param {string} pcId The `pc_id` of the answer.
 * @param {object} requestData What went with the offer.
 */
export const sayGoodbye = (pcId, requestData) =>
  fetch(new URL("api/offer", BOT), {
    method: "DELETE",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ pc_id: pcId, requestData }),
    keepalive: true,
  });

/**
 * Send network candidates that were found after the offer.
 *
 * @param {string} pcId The `pc_id` of the answer.
 * @param {RTCIceCandidate[]} candidates In the order in which they were found.
 */
export const patchCandidates = (pcId, candidates) =>
  request("api/offer", {
    method: "PATCH",
    json: {
      pc_id: pcId,
      candidates: candidates.map((found) => ({
        candidate: found.candidate,
        sdp_mid: found.sdpMid ?? "0",
        sdp_mline_index: found.sdpMLineIndex ?? 0,
      })),
    },
  });
