/** When to try again: the delays, and a wait that can be watched, cut short and given up. */

const FIRST_SECS = 1;
const LAST_SECS = 15;

/**
 * Exponential backoff. Half of each delay is random, so that the callers of a server that went
 * down do not all come back in the same moment.
 *
 * @param {number} failures Tries that failed in a row, from 1.
 * @param {number} random From 0 up to 1.
 * @returns {number} Seconds to wait.
 */
export function backoffSecs(failures, random = Math.random()) {
  const full = Math.min(LAST_SECS, FIRST_SECS * 2 ** (failures - 1));
  return full * (0.5 + random / 2);
}

/**
 * Wait, and say each second how many are left.
 *
 * @param {number} secs How long.
 * @param {(secondsLeft: number) => void} onTick Called at once, then each second.
 * @param {AbortSignal} skip Ends the wait early.
 */
export async function countdown(secs, onTick, skip) {
  const end = performance.now() + secs * 1000;
  let told = null;
  while (!skip.aborted) {
    const left = end - performance.now();
    if (left <= 0) return;
    // A timer may fire a little early, which is no new second.
    if (Math.ceil(left / 1000) !== told) onTick((told = Math.ceil(left / 1000)));
    await pause(Math.min(left, left % 1000 || 1000), skip);
  }
}

function pause(ms, skip) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      skip.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    skip.addEventListener("abort", done);
  });
}
