/** Keeps a phone's screen on during a call, where the browser can; a dark screen mutes many phones. */

let wanted = false;
let lock = null;

async function acquire() {
  if (!wanted || document.visibilityState !== "visible") return;
  // Refused on low battery, for instance: the call goes on without.
  lock = (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null;
  if (!wanted) release();
}

function release() {
  lock?.release();
  lock = null;
}

/** @param {boolean} on Whether a call is going on. */
export function keepScreenOn(on) {
  if (on === wanted) return;
  wanted = on;
  if (on) acquire();
  else release();
}

// The browser takes the lock back whenever the page is hidden.
document.addEventListener("visibilitychange", acquire);
