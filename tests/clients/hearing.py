"""What somebody hears of the bot, from levels of the received voice: rows of (seconds, root mean square of -1 to 1)."""

from typing import Any

import numpy as np

LOUD = 0.005
"""-46 dBFS."""

LEVEL_METER = """
window.levels = [];
const Connection = window.RTCPeerConnection;
window.RTCPeerConnection = function (...args) {
    const pc = (window.line = new Connection(...args));
    pc.addEventListener("track", ({ track }) => {
        const context = new AudioContext();
        const analyser = new AnalyserNode(context, { fftSize: 1024 });
        context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
        const samples = new Float32Array(analyser.fftSize);
        setInterval(() => {
            analyser.getFloatTimeDomainData(samples);
            const square = samples.reduce((sum, sample) => sum + sample * sample, 0);
            window.levels.push([performance.now() / 1000, Math.sqrt(square / samples.length)]);
        }, 20);
    });
    return pc;
};
window.RTCPeerConnection.prototype = Connection.prototype;
"""
"""For a page: keeps the level of the received voice, with the page's clock in seconds, about every 20 ms."""


def voiced_secs(rows: np.ndarray, start: float, end: float) -> float:
    """How long the voice was heard between two instants, in seconds."""
    between = rows[(rows[:, 0] >= start) & (rows[:, 0] < end)]
    assert len(between) > 5 * (end - start), "the page did not measure"
    return (end - start) * float(np.mean(between[:, 1] >= LOUD))


def longest_silence_secs(rows: np.ndarray, start: float, end: float) -> float:
    """Seconds of the longest silence between two instants."""
    loud = [start, *rows[(rows[:, 1] >= LOUD) & (rows[:, 0] >= start) & (rows[:, 0] < end), 0], end]
    return float(np.max(np.diff(loud)))


def silent_from_secs(rows: np.ndarray, start: float, for_secs: float) -> float | None:
    """The first instant after ``start`` from which on nothing is heard for so long; None if there is none."""
    loud = rows[(rows[:, 1] >= LOUD) & (rows[:, 0] >= start), 0]
    ends = [start, *loud]
    for at, following in zip(ends, [*loud, rows[-1, 0]], strict=True):
        if following - at >= for_secs:
            return at
    return None


def as_rows(levels: list[Any]) -> np.ndarray:
    """Rows, from what a page has kept."""
    return np.array(levels, dtype=float).reshape(-1, 2)
