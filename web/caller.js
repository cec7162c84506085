/**
 * Who is calling, from one page to the next: by its token the server knows a caller who reloads the
 * page or opens another tab, and lets the call go on there. Whoever has it has the call; it is
 * thrown away when the call is over.
 */

const TOKEN_KEY = "parley.caller";
const LEFT_KEY = "parley.left";
const TOKEN_BYTES = 24;
/** A server holds a call for about so long. After that, a reload is no return. */
const RETURN_MS = 30_000;

/** Serves when storage is switched off: then only this page can go on with its call. */
let token = null;
/** Given by the page around, where there is one. */
let givenCallToken = null;

/** @returns {string} The token; made up if there is none. */
export function callerToken() {
  token = read(localStorage, TOKEN_KEY) ?? token ?? randomToken();
  write(localStorage, TOKEN_KEY, token);
  return token;
}

/**
 * The signed token that the bot may ask for; the page that leads here puts it into the address, after
 * `#call_token=`, which no browser sends to any server by itself.
 *
 * @returns {string | null} The token, if there is one.
 */
export function callToken() {
  return givenCallToken ?? new URLSearchParams(location.hash.slice(1)).get("call_token");
}

/** Use this signed token. @param {string | null} given Null: that in the address. */
export function setCallToken(given) {
  givenCallToken = given;
}

/** The call is over: what comes next is another one. */
export function forgetCaller() {
  token = null;
  write(localStorage, TOKEN_KEY, null);
}

/** The page goes away in the middle of a call. @param {{typing: boolean}} how How the call was made. */
export function noteLeaving(how) {
  write(sessionStorage, LEFT_KEY, JSON.stringify({ ...how, atMs: Date.now() }));
}

/** @returns {{typing: boolean} | null} The call that this tab has just left, once. */
export function justLeft() {
  const stored = read(sessionStorage, LEFT_KEY);
  write(sessionStorage, LEFT_KEY, null);
  if (stored === null) return null;
  const { typing, atMs } = JSON.parse(stored);
  return Date.now() - atMs < RETURN_MS ? { typing } : null;
}

function randomToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

function read(storage, key) {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

function write(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {
    // Storage is full or switched off.
  }
}
