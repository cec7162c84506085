"""Shares with their counts and intervals. Pure."""

from typing import Final

Z_95: Final = 1.96


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), in percent."""
    if not total:
        return 0.0, 100.0
    share, square = hits / total, Z_95**2
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = Z_95 * (share * (1 - share) / total + square / (4 * total**2)) ** 0.5 / (1 + square / total)
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


def told(hits: int, total: int) -> str:
    """A share with its counts and interval."""
    low, high = wilson(hits, total)
    return f"{hits} of {total}, {100 * hits / max(1, total):.0f} % [{low:.0f}-{high:.0f}]"
