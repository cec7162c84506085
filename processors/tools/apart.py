"""Runs a tool on a thread and an event loop of its own: one that blocks holds up nobody's voice, and is named."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Executor, Future
from typing import Any, Final, TypeVar

from loguru import logger

from contracts.transfer import TransferOutcome
from processors.tools.base import CallControl

T = TypeVar("T")

SLOW_STEP_SECS: Final = 0.1
"""Longer without an ``await``, and a tool is named in the log."""

_now = time.monotonic
"""The real clock, whatever clock a test puts in its place."""


class ToolCrash(RuntimeError):
    """A tool tried to end more than itself: the process, or the task that waits for it."""


class _Threads(Executor):
    """A thread for each job. They are daemons: a tool that hangs for ever does not keep the process from its end."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        job: Future[T] = Future()

        def run() -> None:
            if not job.set_running_or_notify_cancel():
                return
            try:
                job.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - handed on to whoever awaits the job
                job.set_exception(error)

        threading.Thread(target=run, name="tool", daemon=True).start()
        return job


class _Loop(asyncio.SelectorEventLoop):
    def time(self) -> float:
        return _now()


class _Run:
    """One coroutine on its own loop; cancelled from outside."""

    def __init__(self, function: Callable[[], Coroutine[Any, Any, Any]], name: str) -> None:
        self._function = function
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False

    def run(self) -> Any:
        with asyncio.Runner(loop_factory=_Loop) as runner:
            return runner.run(self._main())

    async def _main(self) -> Any:
        with self._lock:
            if self._cancelled:
                raise asyncio.CancelledError
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        try:
            return await Watched(self._function(), self._name)
        finally:
            with self._lock:
                self._loop = None

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)


class Watched:
    """An awaitable that tells in the log when a coroutine does not give way.

    Args:
        coroutine: The coroutine.
        name: Whose it is.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], name: str) -> None:
        self._coroutine = coroutine
        self._name = name

    def __await__(self) -> Generator[Any, Any, Any]:
        """Drive it step by step."""
        step: Callable[[], Any] = lambda: self._coroutine.send(None)  # noqa: E731
        while True:
            began = _now()
            try:
                waits_for = step()
            except StopIteration as end:
                return end.value
            except SystemExit:
                raise ToolCrash("the tool called sys.exit()") from None
            finally:
                took_secs = _now() - began
                if took_secs > SLOW_STEP_SECS:
                    logger.warning(
                        "tool {} blocked its thread for {:.1f} s; let it await, or use asyncio.to_thread",
                        self._name,
                        took_secs,
                    )
            try:
                answer = yield waits_for
            except BaseException as error:  # noqa: BLE001 - handed on to the coroutine, which it is for
                step = lambda error=error: self._coroutine.throw(error)  # noqa: E731
            else:
                step = lambda answer=answer: self._coroutine.send(answer)  # noqa: E731


async def apart(function: Callable[[], Coroutine[Any, Any, T]], name: str) -> T:
    """Run a coroutine where it blocks nobody.

    On a loop with a clock of its own (:mod:`loadtest.virtual_time`) it runs on that loop: another thread's timers know
    nothing of its time.

    Args:
        function: Makes the coroutine; called on its own thread.
        name: Whose it is, for the log.

    Raises:
        ToolCrash: It called ``sys.exit()``, or something in it was cancelled by itself: that ends neither the process
            nor the reply.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    run: _Run | None = None
    try:
        if getattr(loop, "has_own_clock", False):
            return await Watched(function(), name)
        run = _Run(function, name)
        return await loop.run_in_executor(_Threads(), run.run)
    except asyncio.CancelledError:
        if run is not None:
            run.cancel()
        if task is not None and not task.cancelling():
            raise ToolCrash("the tool was cancelled from within") from None
        raise


class CallControlFromThread:
    """Control of the call for a tool that runs on another thread.

    Args:
        control: What is passed on to.
        loop: The loop that it belongs to.
    """

    def __init__(self, control: CallControl, loop: asyncio.AbstractEventLoop) -> None:
        self._control = control
        self._loop = loop

    async def say(self, text: str) -> bool:
        """See :meth:`~processors.tools.base.CallControl.say`."""
        return await self._there(lambda: self._control.say(text))

    def hang_up(self) -> None:
        """See :meth:`~processors.tools.base.CallControl.hang_up`."""
        if asyncio.get_running_loop() is self._loop:
            self._control.hang_up()
        else:
            self._loop.call_soon_threadsafe(self._control.hang_up)

    async def transfer(self, target: str, within_secs: float) -> TransferOutcome:
        """See :meth:`~processors.tools.base.CallControl.transfer`."""
        return await self._there(lambda: self._control.transfer(target, within_secs))

    async def _there(self, function: Callable[[], Awaitable[T]]) -> T:
        if asyncio.get_running_loop() is self._loop:
            return await function()

        async def run() -> T:
            return await function()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._loop))
