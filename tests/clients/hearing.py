"""What somebody hears of the bot, from levels of the received voice: rows of (seconds, root mean square of -1 to 1)."""

from typing import Any

import numpy as np

LOUD = 0.005
"""-46 dBFS."""


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
