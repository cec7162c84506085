"""Figures of many values: mean and percentiles, each with its count."""

from collections.abc import Iterable
from typing import Any

import numpy as np


def figures(values: Iterable[float | None]) -> dict[str, Any]:
    """``mean``, ``p50``, ``p95``, ``p99``, ``max`` and ``count`` of the values; None where there are none."""
    known = [float(value) for value in values if value is not None]
    if not known:
        return {"mean": None, "p50": None, "p95": None, "p99": None, "max": None, "count": 0}
    p50, p95, p99 = np.percentile(known, (50, 95, 99))
    named = {"mean": np.mean(known), "p50": p50, "p95": p95, "p99": p99, "max": max(known)}
    return {**{name: round(float(value), 1) for name, value in named.items()}, "count": len(known)}


def rate(outcomes: Iterable[bool | None]) -> float | None:
    """Share (0 to 1) of what is true among what is known."""
    known = [outcome for outcome in outcomes if outcome is not None]
    return round(sum(map(bool, known)) / len(known), 4) if known else None


def percent(rate: float | None) -> str:
    """A share in percent."""
    return "–" if rate is None else f"{100 * rate:.1f} %"


def ms(value: float | None) -> str:
    """Milliseconds."""
    return "–" if value is None else f"{value:,.0f} ms"
