/** How figures are written. Pure. A figure and its unit are kept on one line (no-break space). */

const NUMBER = new Intl.NumberFormat("en");

/** Of nothing measured. */
export const NONE = "–";

export const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

export const count = (value) => NUMBER.format(value);

/** Milliseconds: whole ones; small ones with a tenth, so that 20.3 does not look like the 20 that was allowed. */
export function millis(value) {
  if (!known(value)) return NONE;
  const rounded = value < 100 ? Math.round(value * 10) / 10 : Math.round(value);
  return `${NUMBER.format(rounded)}\u00a0ms`;
}

/** How long something has lasted: 5 s, 2:05 min, 1:02 h. */
export function duration(secs) {
  if (!known(secs)) return NONE;
  const whole = Math.max(0, Math.floor(secs));
  if (whole < 60) return `${whole}\u00a0s`;
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)}\u00a0min`;
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}\u00a0h`;
}

/** A moment of a call: 0:05.2. */
export function moment(ms) {
  const tenths = Math.round(ms / 100);
  const secs = Math.floor(tenths / 10);
  return `${Math.floor(secs / 60)}:${String(secs % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** A share, 0 to 1. Never rounded up to 100 %: one failure in a thousand must show. */
export function percent(share) {
  if (!known(share)) return NONE;
  const tenths = Math.floor(share * 1000 + 1e-9) / 10;
  return `${NUMBER.format(tenths)}\u00a0%`;
}

/** US dollars; small sums with as many digits as tell something. */
export function dollars(value) {
  if (!known(value)) return NONE;
  if (value === 0) return "$0";
  return `$${value >= 1 ? value.toFixed(2) : Number(value.toPrecision(2)).toFixed(value >= 0.01 ? 3 : 5)}`;
}

/** Of a word made for programs: underscores are spaces. */
export const words = (name) => name.replaceAll("_", " ");

export const capital = (string) => string.charAt(0).toUpperCase() + string.slice(1);
