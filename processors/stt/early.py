"""Two recognisers for one call at the same time: one whose words count, and a local one whose words come early.

A vendor's words are 300 to 500 ms behind the sound; those of a model on this machine 100 to 200 ms. They are worse, so
nothing is answered that the vendor has not confirmed; but a reply can be prepared to them.

It costs CPU, and never at the expense of live calls: one reading at a time in the whole process, within a budget,
behind all other work of the threads; and when a reading takes much longer than its CPU time, others want the cores, and
the early recogniser rests.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from loguru import logger

from contracts.stt import Emit, OnError, Recogniser, RecogniserError, Transcript

KEPT_SEGMENTS: Final = 4
"""Segments whose late words still find their number."""


@dataclass(frozen=True)
class ReadingBudgetParams:
    """What readings ahead may cost a process.

    Attributes:
        cores: CPU seconds for each second, in the long run.
        burst_secs: CPU seconds that may be used at once.
        crowded: A reading that takes so many times its CPU time has waited for others.
        slack_secs: What it may take beside that.
        rest_secs: How long nothing is read then.
    """

    cores: float = 0.5
    burst_secs: float = 1.0
    crowded: float = 3.0
    slack_secs: float = 0.05
    rest_secs: float = 2.0


class ReadingBudget:
    """What the early recognisers of all calls may take from the machine. Pure.

    Args:
        params: How much.
    """

    def __init__(self, params: ReadingBudgetParams | None = None) -> None:
        self.params = params or ReadingBudgetParams()
        self._left = self.params.burst_secs
        self._at = 0.0
        self._rests_until = 0.0
        self._reading = False
        self.readings = 0
        self.refused = 0
        self.rests = 0

    def begin(self, now: float) -> bool:
        """Whether a reading may begin; then :meth:`end` must follow. One at a time."""
        self._left = min(self.params.burst_secs, self._left + max(0.0, now - self._at) * self.params.cores)
        self._at = max(now, self._at)
        if self._reading or now < self._rests_until or self._left <= 0:
            self.refused += 1
            return False
        self._reading = True
        self.readings += 1
        return True

    def end(self, cpu_secs: float, took_secs: float, now: float) -> None:
        """A reading is over.

        Args:
            cpu_secs: The CPU time that it took.
            took_secs: The time that it took, waiting included.
            now: Monotonic seconds.
        """
        self._reading = False
        self._left -= cpu_secs
        if took_secs > self.params.crowded * cpu_secs + self.params.slack_secs:
            self.rests += 1
            self._rests_until = now + self.params.rest_secs

    def snapshot(self) -> dict[str, int]:
        """Plain values for the dashboard."""
        return {"readings": self.readings, "refused": self.refused, "rests": self.rests}


class Numbering(Recogniser, Protocol):
    """A recogniser that tells its newest segment's number."""

    @property
    def segment(self) -> int:
        """Number of the newest segment; 0 before the first."""
        ...


class EarlyRecogniser:
    """A :class:`~contracts.stt.Recogniser`: the first one's words, and the early one's marked as such.

    Args:
        first: Whose words count.
        make_early: Makes the other one, whose segments are the VAD's stretches of speech.
    """

    def __init__(self, first: Numbering, make_early: Callable[[], Numbering]) -> None:
        self._first = first
        self._make_early = make_early
        self._early: Numbering | None = None
        self._numbers: dict[int, int] = {}
        self._starting: asyncio.Task[None] | None = None

    @property
    def segment(self) -> int:
        """Number of the newest segment; 0 before the first."""
        return self._first.segment

    async def start(self, emit: Emit, on_error: OnError) -> None:
        """Start the first; the other when it is ready.

        Raises:
            RecogniserError: The first can't work at all.
        """
        self._starting = asyncio.create_task(self._start_early(emit), name="early recogniser")
        await self._first.start(emit, on_error)

    async def _start_early(self, emit: Emit) -> None:
        early = self._make_early()

        async def take(transcript: Transcript) -> None:
            number = self._numbers.get(transcript.segment)
            if number is not None:
                await emit(replace(transcript, segment=number, early=True))

        async def shrug(error: RecogniserError) -> None:
            logger.debug("early recogniser: {} ({!r})", error, error.__cause__)

        try:
            await early.start(take, shrug)
        except RecogniserError as error:
            logger.warning("no early recogniser: {} ({!r})", error, error.__cause__)
            return
        self._early = early

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        """Take one window."""
        self._first.feed(pcm, speech_prob)
        if self._early is not None:
            self._early.feed(pcm, speech_prob)

    def speech_started(self) -> None:
        """Speech begins."""
        self._first.speech_started()
        if self._early is not None:
            self._early.speech_started()
            self._numbers[self._early.segment] = self._first.segment
            while len(self._numbers) > KEPT_SEGMENTS:
                del self._numbers[next(iter(self._numbers))]

    def speech_stopped(self) -> None:
        """Speech is over."""
        if self._early is not None:
            self._early.speech_stopped()
        self._first.speech_stopped()

    async def close(self) -> None:
        """Close both."""
        if self._starting is not None:
            self._starting.cancel()
        if self._early is not None:
            await self._early.close()
        await self._first.close()
