"""Timers without a clock: their owner tells them the time, and asks when to come again. Pure."""

import heapq
import itertools
from collections.abc import Callable


class Timer:
    """One timer; it runs once, unless it is cancelled before."""

    def __init__(self, callback: Callable[[float], None]) -> None:
        self._callback: Callable[[float], None] | None = callback

    def cancel(self) -> None:
        """Do not run; does nothing once it has run."""
        self._callback = None

    @property
    def waits(self) -> bool:
        """Whether it is still to run."""
        return self._callback is not None

    def run(self, now: float) -> None:
        """Run, unless it was cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(now)


class Timers:
    """Timers in the order in which they are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()

    def at(self, at: float, callback: Callable[[float], None]) -> Timer:
        """Call ``callback`` with the time, when :meth:`run` is called at ``at`` (monotonic seconds) or later."""
        timer = Timer(callback)
        heapq.heappush(self._heap, (at, next(self._numbers), timer))
        return timer

    def next_at(self) -> float | None:
        """When the next one is due; None: there is none."""
        while self._heap and not self._heap[0][2].waits:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Run all that are due."""
        while (at := self.next_at()) is not None and at <= now:
            heapq.heappop(self._heap)[2].run(now)
