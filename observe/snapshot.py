"""What the dashboard shows at one moment, as plain values."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from observe.metrics import States
from observe.process import CpuMeter, resident_bytes
from observe.statistics import MIN_SUCCESS, Statistics, against_targets

RECENT_ANSWERS: Final = 200
FULL_CORE_PERCENT: Final = 80.0
"""One event loop cannot use more of its core than this without being late."""


class Snapshots:
    """Makes them.

    Args:
        states: The process's states.
        statistics: Its figures so far.
        info: Providers and warnings, and which of several workers this is, as ``GET /api/info`` tells them.
        now: The loop's seconds.
    """

    def __init__(
        self,
        states: States,
        statistics: Statistics,
        info: Callable[[], Mapping[str, Any]],
        now: Callable[[], float],
    ) -> None:
        self._states = states
        self._statistics = statistics
        self._info = info
        self._now = now
        self._cpu = CpuMeter()
        self._began = time.time()

    def make(self) -> dict[str, Any]:
        """The present one. CPU use is that since the last one was made."""
        now = self._now()
        figures = self._statistics
        live = self._states.call_registry.live()
        lag = dict(self._states.loop_lag())
        cpu_percent = self._cpu.percent()
        latency = dict(figures.latency())
        latency["loop_lag"] = _lag_spread(lag)
        info = self._info()
        return {
            "at": round(time.time(), 3),
            "up_secs": round(time.time() - self._began),
            "providers": info.get("providers", {}),
            "warnings": info.get("warnings", []),
            "worker": info.get("worker"),
            "calls": [record.summary(now) for record in live],
            "ended": [
                record.summary(now) for record, _ in zip(self._states.call_registry.ended(), range(10), strict=False)
            ],
            "capacity": self._capacity(len(live), cpu_percent),
            "process": {"cpu_percent": cpu_percent, "resident_mb": round(resident_bytes() / 2**20), **lag},
            "latency": latency,
            "targets": against_targets(latency),
            "recent": figures.recent(RECENT_ANSWERS),
            "success": {**figures.success(), "least": MIN_SUCCESS},
            "outcomes": figures.outcomes.as_dict(),
            "failures": figures.failures.as_dict(),
            "faults": figures.repaired_faults.as_dict(),
            "vendor_errors": figures.vendor_errors.as_dict(),
            "calls_begun": figures.calls,
            "ends": figures.ends.as_dict(),
            "refused": figures.refusals.as_dict(),
            "interruptions": figures.verdicts,
            "replies": {"taken_back": figures.replies_taken_back, "lost": figures.replies_lost},
            "decisions": list(figures.decisions)[::-1],
            "usage": {name: round(amount, 1) for name, amount in figures.usage.items()},
            "cost": dict(self._states.cost()) if self._states.cost is not None else None,
            "gateway": dict(self._states.gateway()) if self._states.gateway is not None else None,
        }

    def _capacity(self, live: int, cpu_percent: float) -> dict[str, Any]:
        """Lines that are free, and for how many more calls like these the core has room (None with no calls)."""
        room = int(max(0.0, FULL_CORE_PERCENT - cpu_percent) / (cpu_percent / live)) if live and cpu_percent else None
        most = self._states.max_calls()
        return {"live": live, "max": most, "left": max(0, most - live), "cpu_room": room}


def _lag_spread(lag: Mapping[str, float]) -> dict[str, float] | None:
    if not lag.get("lag_n"):
        return None
    return {"n": lag["lag_n"], **{f"p{share}": lag[f"lag_p{share}_ms"] for share in (50, 95, 99)}}
