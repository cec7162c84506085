/** Charts in the page's colours, light or dark. */

/** A custom property of the style sheet, as it is now. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Axes and grid. */
export const grid = () => ({
  stroke: () => colour("--muted"),
  font: "12px system-ui, sans-serif",
  grid: { stroke: () => colour("--line"), width: 1 },
  ticks: { show: false },
});

/** Call when colours change. */
export function onTheme(redraw) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

/** The size of a chart that fills its box's width. */
export const sized = (box, height) => ({ width: Math.max(200, Math.floor(box.clientWidth)), height });
