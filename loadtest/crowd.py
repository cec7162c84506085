"""Processes full of callers: each holds some twenty lean WebRTC clients on one event loop, and scores them in the end.

Sound is decoded and scored after the last call only, so that no caller is late because another one is being scored.
"""

import asyncio
import contextlib
import multiprocessing
import os
import queue
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from typing import Any, Final

import uvloop

from loadtest.acts import Conversation, Request
from loadtest.audio import Samples
from loadtest.caller import Caller
from loadtest.judging import CallScore, RequestScore
from loadtest.material import Material
from loadtest.scenario import Kind, Scenario
from loadtest.whole_calls import judge

LOOK_SECS: Final = 0.2
"""How often a process looks whether it should stop."""


@dataclass(frozen=True)
class Job:
    """What one process does.

    Attributes:
        url: Where the bot is.
        callers: (number, monotonic time of the start, kinds) of each caller.
        scenario: How they behave.
        material: What they say.
        references: Undisturbed answers by the name of their question.
        epoch_secs: Monotonic time at which the test began.
        until_secs: Monotonic time at which all must be over.
    """

    url: str
    callers: Sequence[tuple[int, float, list[Kind]]]
    scenario: Scenario
    material: Material
    references: Mapping[str, Samples]
    epoch_secs: float
    until_secs: float


@dataclass(frozen=True)
class Progress:
    """One request is over.

    Attributes:
        answer_ms: About how long the answer took; None without one.
    """

    answer_ms: float | None


@dataclass(frozen=True)
class Result:
    """What the callers of one process met; ``unfinished`` requests were under way when it was stopped."""

    calls: list[CallScore]
    requests: list[RequestScore]
    unfinished: int


class Crowd:
    """Runs jobs in processes of their own.

    Args:
        jobs: One for each process.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        context = multiprocessing.get_context("spawn")
        self._reports = context.Queue()
        self._stop = context.Event()
        self._processes: list[SpawnProcess] = [
            context.Process(target=_work, args=(job, self._reports, self._stop), daemon=True) for job in jobs
        ]
        self.results: list[Result] = []

    def start(self) -> None:
        """Start the processes."""
        os.environ.setdefault("LOGURU_LEVEL", "WARNING")  # Pipecat greets at its import
        for process in self._processes:
            process.start()

    def stop(self) -> None:
        """Hang up; what was heard so far is scored."""
        self._stop.set()

    def reports(self) -> list[Progress]:
        """What has happened since the last look; results are kept. Does not wait."""
        progress: list[Progress] = []
        with contextlib.suppress(queue.Empty):
            while True:
                report = self._reports.get_nowait()
                if isinstance(report, Result):
                    self.results.append(report)
                else:
                    progress.append(report)
        return progress

    @property
    def over(self) -> bool:
        """Whether all have told their results, or died."""
        return len(self.results) == len(self._processes) or not any(p.is_alive() for p in self._processes)

    def close(self) -> int:
        """End what is left; returns how many processes died without a result."""
        for process in self._processes:
            process.join(2.0)
            if process.is_alive():
                process.terminate()
        self.reports()
        return len(self._processes) - len(self.results)


def _work(job: Job, reports: Any, stop: Any) -> None:
    """A process: calls, then scores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it tells when to stop
    conversations = [
        Conversation(
            caller,
            kinds,
            job.scenario,
            job.material,
            lambda: Caller(job.url),
            lambda request: reports.put(_progress(request)),
        )
        for caller, _, kinds in job.callers
    ]
    uvloop.run(_call(job, conversations, stop))
    scores = judge(
        conversations,
        answer_limit_secs=job.scenario.answer_limit_secs,
        epoch_secs=job.epoch_secs,
        references=job.references,
    )
    reports.put(Result(scores.calls, scores.requests, scores.unfinished))


async def _call(job: Job, conversations: Sequence[Conversation], stop: Any) -> None:
    async def one(conversation: Conversation, start_secs: float) -> None:
        await asyncio.sleep(max(0.0, start_secs - time.monotonic()))
        await conversation.run()

    tasks = [
        asyncio.create_task(one(conversation, start_secs))
        for conversation, (_, start_secs, _) in zip(conversations, job.callers, strict=True)
    ]
    while tasks and not stop.is_set() and time.monotonic() < job.until_secs:
        await asyncio.wait(tasks, timeout=LOOK_SECS)
        if all(task.done() for task in tasks):
            break
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _progress(request: Request) -> Progress:
    return Progress(request.quick_answer_ms())
