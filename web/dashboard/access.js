/** Asks the bot, with the token that a person gave in this tab. */

const STORED = "parley.dashboard.token";

/** Why the bot does not answer: `code` is its word for programs, `reason` its sentence for people. */
export class Refused extends Error {
  constructor(status, code, reason) {
    super(reason);
    Object.assign(this, { status, code, reason });
  }

  /** Whether a token would open the door, or another one. */
  get needsToken() {
    return this.status === 401 || this.code === "no_token_set";
  }
}

/** Kept for this tab only: a shared machine forgets it with the tab. */
export function rememberToken(token) {
  if (token) sessionStorage.setItem(STORED, token);
  else sessionStorage.removeItem(STORED);
}

export const hasToken = () => Boolean(sessionStorage.getItem(STORED));

/**
 * @param {string} path Below the root, such as "api/calls".
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<Response>}
 * @throws {Refused} For any status that is no success.
 */
export async function ask(path, { signal } = {}) {
  const token = sessionStorage.getItem(STORED);
  const response = await fetch(new URL(`../${path}`, import.meta.url), {
    headers: token ? { Authorization: `Bearer ${token}` } : {},
    cache: "no-store",
    credentials: "omit", // else the browser asks for the token in a window of its own
    signal,
  });
  if (response.ok) return response;
  const { code = "", reason = response.statusText } = await response.json().catch(() => ({}));
  throw new Refused(response.status, code, reason);
}
