"""An asyncio event loop whose clock jumps to the next timer as soon as nothing else is to do.

Whole conversations then run in the time that their computing takes, at exact and repeatable instants. Code under
test needs no seam: while :func:`run` runs, ``time.time``, ``time.monotonic`` and ``time.perf_counter`` (and their
``_ns`` forms) read the loop's clock too, because Pipecat and others read them beside ``loop.time()``.

What stays real: ``datetime.now()``, ``time.sleep()``, names imported with ``from time import ...`` before, and other
processes. The clock stands still while jobs run in an executor, and while somebody :meth:`holds
<VirtualTimeLoop.hold>` it; a socket's peer that lives in another process is not waited for otherwise. A job takes no
virtual time, unless the loop charges for it. Jobs of a pool that waits for the loop itself, such as a blocking client
of a server on this loop, would never end then: while one of those runs, the clock goes as fast as a real one.
"""

import asyncio
import contextlib
import math
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

T = TypeVar("T")

START_SECS: Final = 1_000.0
"""The loop's first instant: not zero, so that a forgotten "unset" zero is never mistaken for now."""

EPOCH_SECS: Final = 1_735_689_600.0
"""The wall clock at the loop's first instant: 2025-01-01T00:00:00Z."""

_TICKS_PER_SEC: Final = 1_000_000
_NUDGE_SECS: Final = 1e-9
_REMEMBERED_INSTANTS: Final = 4_096
_STEP_SECS: Final = 0.01
_real_secs: Final = time.monotonic
"""The real clock: its name is taken while a virtual one runs."""


class ClockStuckError(RuntimeError):
    """Nothing can ever happen again, or an executor job has not come back: the run would hang."""


class _JumpingSelector(selectors.DefaultSelector):
    """Polls for I/O; where a usual selector would sleep until a timer is due, moves the clock there instead.

    The loop asks its selector to wait until the next timer, or without end when there is none:
    the one public place where a loop is idle.
    """

    def __init__(self, stuck_after_secs: float, start_secs: float) -> None:
        super().__init__()
        self.now = start_secs
        self.holders = 0
        self.walkers = 0
        self._stuck_after_secs = stuck_after_secs

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.walkers and not self.holders:
            return self._walk(timeout)
        if timeout is not None and not self.holders:
            self.now += timeout
            return []
        ready = super().select(self._stuck_after_secs)
        if not ready:
            waiting = f"{self.holders} jobs hold it" if self.holders else "no timer is set"
            raise ClockStuckError(f"the virtual clock stood still for {self._stuck_after_secs} s: {waiting}")
        return ready

    def _walk(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        began = _real_secs()
        ready = super().select(_STEP_SECS if timeout is None else min(timeout, _STEP_SECS))
        passed = _real_secs() - began
        self.now += passed if timeout is None else min(timeout, passed)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The event loop; see the module's text.

    Parameters:
        stuck_after_secs: Real seconds of standing still after which the run is given up.
        charge_jobs: Virtual seconds that pass for each second of CPU that a job in an executor takes. 1: models answer
            as late as they would on an idle machine; 0: at once, so that instants are exactly repeatable.
        walks_for: Names the threads of pools whose jobs wait for this loop, by the beginning of their names.
        start_secs: The first instant.
    """

    has_own_clock = True
    """Tells those who would start a loop in another thread, with timers of its own."""

    def __init__(
        self,
        *,
        stuck_after_secs: float = 60.0,
        charge_jobs: float = 0.0,
        walks_for: tuple[str, ...] = (),
        start_secs: float = START_SECS,
    ) -> None:
        self._charge_jobs = charge_jobs
        self._walks_for = walks_for
        self._jumping = _JumpingSelector(stuck_after_secs, start_secs)
        self._timers_at: dict[int, int] = {}
        self._timers_kept = _REMEMBERED_INSTANTS
        super().__init__(self._jumping)

    def time(self) -> float:
        """Now, in virtual seconds."""
        return self._jumping.now

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, **keywords: Any) -> asyncio.TimerHandle:
        """As usual, but timers of the same microsecond run in the order in which they were set.

        asyncio keeps timers in a heap, which forgets that order, so each further one is set a nanosecond later.
        Instants lie on a grid of microseconds: two sums that mean the same instant differ in their last digits.
        """
        tick = math.ceil(when * _TICKS_PER_SEC - 0.01)
        earlier = self._timers_at.get(tick, 0)
        self._timers_at[tick] = earlier + 1
        if len(self._timers_at) > self._timers_kept:
            self._forget_past_instants()
        return super().call_at(tick / _TICKS_PER_SEC + earlier * _NUDGE_SECS, callback, *args, **keywords)

    def _forget_past_instants(self) -> None:
        now = math.floor(self.time() * _TICKS_PER_SEC)
        self._timers_at = {tick: timers for tick, timers in self._timers_at.items() if tick >= now}
        self._timers_kept = max(_REMEMBERED_INSTANTS, 2 * len(self._timers_at))

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """As usual; the clock stands still until the job is done, and then its time is charged."""
        if self._waits_for_loop(executor):
            return self._walk_with(super().run_in_executor(executor, func, *args))
        job: asyncio.Future[Any] = super().run_in_executor(executor, _timed, func, args)
        self._jumping.holders += 1
        job.add_done_callback(self._release)
        answer: asyncio.Future[T] = self.create_future()
        answer.add_done_callback(lambda _: job.cancel())
        job.add_done_callback(lambda done: self._deliver(done, answer))
        return answer

    def _waits_for_loop(self, executor: Executor | None) -> bool:
        name = getattr(executor, "_thread_name_prefix", "")
        return bool(name) and name.startswith(self._walks_for or ("\0",))

    def _walk_with(self, job: asyncio.Future[T]) -> asyncio.Future[T]:
        def done(_: asyncio.Future[T]) -> None:
            self._jumping.walkers -= 1

        self._jumping.walkers += 1
        job.add_done_callback(done)
        return job

    def _deliver(
        self, job: asyncio.Future[tuple[Any, BaseException | None, float]], answer: asyncio.Future[Any]
    ) -> None:
        if job.cancelled():
            answer.cancel()
            return
        result, error, cpu_secs = job.result()

        def deliver() -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        if self._charge_jobs:
            self.call_later(cpu_secs * self._charge_jobs, deliver)
        else:
            deliver()

    def _release(self, _future: asyncio.Future[Any]) -> None:
        self._jumping.holders -= 1

    async def shutdown_default_executor(self, *args: Any) -> None:
        """As usual; Python 3.12 sets a timer beside it that must not jump ahead of the joining thread."""
        with self.hold():
            await super().shutdown_default_executor(*args)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the clock still, for work that the loop does not see: own threads, other processes."""
        self._jumping.holders += 1
        try:
            yield
        finally:
            self._jumping.holders -= 1


def _timed(func: Callable[..., T], args: tuple[Any, ...]) -> tuple[T | None, BaseException | None, float]:
    """Run a job; returns its result or its error, and the CPU seconds that it took."""
    began = time.thread_time()
    try:
        result, error = func(*args), None
    except BaseException as failure:  # noqa: BLE001 - handed on to whoever awaits the job
        result, error = None, failure
    return result, error, time.thread_time() - began


@contextlib.contextmanager
def clocks_of(loop: VirtualTimeLoop) -> Iterator[None]:
    """Let the functions of :mod:`time` read the loop's clock; put them back at the end."""
    now = loop.time
    virtual: dict[str, Callable[[], float]] = {
        "monotonic": now,
        "monotonic_ns": lambda: round(now() * 1e9),
        "perf_counter": now,
        "perf_counter_ns": lambda: round(now() * 1e9),
        "time": lambda: EPOCH_SECS + now() - START_SECS,
        "time_ns": lambda: round(EPOCH_SECS) * 10**9 + round((now() - START_SECS) * 1e9),
    }
    real = {name: getattr(time, name) for name in virtual}
    for name, function in virtual.items():
        setattr(time, name, function)
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(time, name, function)


def run(main: Coroutine[Any, Any, T], *, loop: VirtualTimeLoop | None = None, limit_secs: float = 3_600.0) -> T:
    """Run a coroutine to its end in virtual time, as :func:`asyncio.run` does in real time.

    Parameters:
        main: What to run.
        loop: The loop to use (and close); default: a new one.
        limit_secs: Virtual seconds after which ``main`` is cancelled.

    Returns:
        What ``main`` returns.

    Raises:
        TimeoutError: ``main`` took longer than ``limit_secs``.
        ClockStuckError: Nothing was left that could wake the loop.
    """
    chosen = loop or VirtualTimeLoop()

    async def limited() -> T:
        async with asyncio.timeout(limit_secs):
            return await main

    with clocks_of(chosen), asyncio.Runner(loop_factory=lambda: chosen) as runner:
        return runner.run(limited())
