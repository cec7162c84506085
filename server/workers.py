"""Several bot processes that live and die with this one: started, asked what they hold, started again, stopped."""

import asyncio
import contextlib
import re
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
from loguru import logger

from server.dispatch import Dispatcher
from server.worker import HELD_PATH, SECRET_HEADER, STOP, WorkerConfig

POLL_SECS: Final = 0.5
"""How often a worker is asked what it holds: a place that comes free is known so much later."""

ANSWER_SECS: Final = 2.0
HUNG_SECS: Final = 30.0
"""A worker that has answered nothing for so long is killed: its calls are silent anyway."""

FIRST_PAUSE_SECS: Final = 0.5
MOST_PAUSE_SECS: Final = 30.0
"""How long a worker that has died stays away; doubled each time, until one has lasted :data:`STEADY_SECS`."""

STEADY_SECS: Final = 60.0
END_SECS: Final = 15.0
"""How long a worker that is told to stop at once may take."""

_READY: Final = re.compile(rb"Parley is ready: (http://\S+)")


@dataclass
class Worker:
    """One of them, whichever process it is just now.

    Attributes:
        config: What each of its processes is told first.
        process: The present one.
        url: Where it listens; empty while it does not.
    """

    config: WorkerConfig
    process: Process | None = None
    url: str = ""


class Workers:
    """All of them.

    Args:
        command: What starts one.
        env: Its environment.
        configs: What each is told.
        dispatcher: Is told what becomes of them.
        http: Asks them.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        configs: Sequence[WorkerConfig],
        dispatcher: Dispatcher,
        http: aiohttp.ClientSession,
    ) -> None:
        self._command = command
        self._env = env
        self._dispatcher = dispatcher
        self._http = http
        self._workers = [Worker(config) for config in configs]
        self._keepers: list[asyncio.Task[None]] = []
        self._stops = False

    def __len__(self) -> int:
        """How many there are to be."""
        return len(self._workers)

    def url(self, index: int) -> str:
        """Where a worker listens; empty while it does not."""
        return self._workers[index].url

    async def start(self) -> int:
        """Start them; returns when all are ready.

        The first one goes ahead: what is wrong with the settings is told once, and what has to be fetched is there for
        the others.

        Returns:
            0, or the exit code of one that could not start.
        """
        for some in (self._workers[:1], self._workers[1:]):
            started = [asyncio.get_running_loop().create_future() for _ in some]
            self._keepers += [
                asyncio.create_task(self._keep(worker, up)) for worker, up in zip(some, started, strict=True)
            ]
            for up in asyncio.as_completed(started):
                if code := await up:
                    return code
        return 0

    def stop(self) -> None:
        """Tell them to stop, as a signal would: the first time their calls come to an end, the second they end."""
        self._stops = True
        for worker in self._workers:
            if worker.process is None or worker.process.stdin is None or worker.process.returncode is not None:
                continue
            if worker.url:
                worker.process.stdin.write(STOP)
            else:
                _kill(worker.process)  # it has no calls yet

    async def look(self) -> None:
        """Let the dispatcher know what all of them hold just now."""
        await asyncio.gather(*(self._look(worker) for worker in self._workers if worker.url))

    async def ended(self) -> None:
        """Wait until all processes have ended."""
        await asyncio.gather(*(worker.process.wait() for worker in self._workers if worker.process is not None))

    async def close(self) -> None:
        """End what is left of them."""
        self._stops = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECS):
                await self.ended()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def kill(self) -> None:
        """End them at once."""
        self._stops = True
        for worker in self._workers:
            if worker.process is not None:
                _kill(worker.process)
        await self.close()

    # --- one worker ----------------------------------------------------------------------------

    async def _keep(self, worker: Worker, up: "asyncio.Future[int]") -> None:
        """Start a worker's process, and another one when it dies.

        Args:
            worker: The worker.
            up: Is told 0 when the first process is ready, or with which exit code it ended before.
        """
        loop = asyncio.get_running_loop()
        pause_secs = FIRST_PAUSE_SECS
        while not self._stops:
            began = loop.time()
            code = await self._run(worker, lambda: up.done() or up.set_result(0))
            if not up.done():  # the start has failed: whoever began it stops
                up.set_result(code if code > 0 else 1)
                return
            if self._stops:
                return
            if loop.time() - began >= STEADY_SECS:
                pause_secs = FIRST_PAUSE_SECS
            logger.warning("worker {} {}; another one starts in {:g} s", worker.config.index, _how(code), pause_secs)
            await asyncio.sleep(pause_secs)
            pause_secs = min(2 * pause_secs, MOST_PAUSE_SECS)

    async def _run(self, worker: Worker, on_ready: Callable[[], object]) -> int:
        """Run one process from its start to its end; returns its exit code."""
        try:
            process = worker.process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._env,
                stdin=PIPE,
                stdout=PIPE,
                start_new_session=True,  # Ctrl-C at the terminal is for this process alone
            )
        except OSError as error:
            logger.error("worker {} cannot be started: {}", worker.config.index, error.strerror)
            return 1
        assert process.stdin is not None
        process.stdin.write(worker.config.line())
        following = asyncio.create_task(self._follow(worker, process, on_ready))
        try:
            return await process.wait()
        finally:
            following.cancel()
            worker.url = ""
            self._dispatcher.lost(worker.config.index)
            if process.returncode is None:
                _kill(process)
                await process.wait()

    async def _follow(self, worker: Worker, process: Process, on_ready: Callable[[], object]) -> None:
        """Wait until a process listens, then ask it again and again what it holds."""
        assert process.stdout is not None
        while not (found := _READY.search(await process.stdout.readline())):
            if process.stdout.at_eof():
                return
        worker.url = found[1].decode()
        loop = asyncio.get_running_loop()
        told_at = loop.time()
        self._dispatcher.ready(worker.config.index, told_at)
        logger.info("worker {} takes calls: process {}", worker.config.index, process.pid)
        on_ready()
        while True:
            if await self._look(worker):
                told_at = loop.time()
            elif (silent_secs := loop.time() - told_at) > HUNG_SECS:
                logger.warning("worker {} has not answered for {:.0f} s", worker.config.index, silent_secs)
                _kill(process)
                return
            await asyncio.sleep(POLL_SECS)

    async def _look(self, worker: Worker) -> bool:
        """Ask a worker what it holds; False: it does not answer."""
        loop = asyncio.get_running_loop()
        asked_at, asked = loop.time(), worker.url
        headers = {SECRET_HEADER: worker.config.secret}
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECS)
        try:
            async with self._http.get(asked + HELD_PATH, headers=headers, timeout=timeout) as answer:
                if answer.status != 200:
                    return False
                held = await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return False
        if worker.url == asked:  # else it has died since
            index, now = worker.config.index, loop.time()
            self._dispatcher.told(
                index, held["places"], held["peers"], asked_at=asked_at, now=now, max_calls=held.get("max_calls")
            )
        return True


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _how(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with code {code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"
