"""How late the event loop runs what is due: the first sign that a process holds too many calls."""

import asyncio
import time
from collections import deque
from itertools import islice
from typing import Final

SAMPLE_SECS: Final = 0.02
"""The packet interval of the audio: a lag of less than this is inaudible."""

KEEP_SAMPLES: Final = 15_000
"""Five minutes of samples."""


class LoopLag:
    """Samples the running loop's lag with a timer of 20 ms."""

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=KEEP_SAMPLES)
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start to sample; needs a running loop."""
        self._due = time.monotonic() + SAMPLE_SECS
        self._timer = asyncio.get_running_loop().call_later(SAMPLE_SECS, self._tick)

    def stop(self) -> None:
        """Stop to sample."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def reset(self) -> None:
        """Forget the samples."""
        self._samples.clear()

    def _tick(self) -> None:
        now = time.monotonic()
        self._samples.append(max(0.0, now - self._due))
        # From now rather than from when it was due: one long stall is one late sample, not many.
        self._due = now + SAMPLE_SECS
        self._timer = asyncio.get_running_loop().call_later(SAMPLE_SECS, self._tick)

    def percentiles(self, last_secs: float | None = None) -> dict[str, float]:
        """Number of samples, and percentiles of the lag in milliseconds; zeros when there are no samples.

        Args:
            last_secs: Of about so many seconds; by default of all samples.
        """
        most = KEEP_SAMPLES if last_secs is None else round(last_secs / SAMPLE_SECS)
        ordered = sorted(islice(reversed(self._samples), most))
        return {
            "lag_n": len(ordered),
            "lag_p50_ms": _percentile_ms(ordered, 0.50),
            "lag_p95_ms": _percentile_ms(ordered, 0.95),
            "lag_p99_ms": _percentile_ms(ordered, 0.99),
            "lag_max_ms": _percentile_ms(ordered, 1.0),
        }


def _percentile_ms(ordered: list[float], share: float) -> float:
    if not ordered:
        return 0.0
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
