"""A recogniser without faults, for benchmarks of what comes after it."""

import asyncio
import math
from typing import Final

from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from contracts.stt import Emit, OnError, Transcript

VOICED_PROB: Final = 0.5


class LabelReader:
    """A :class:`~contracts.stt.Recogniser` without faults: it writes what is known to be said.

    Words come while they are said, as a vendor's stream tells them: as many as the share of the voice that was heard.

    Args:
        transcript: All words of the call.
        spoken_secs: How long they take; 0: they come when all are said.
    """

    LATE_SECS: Final = 0.3
    """How long after the voice its words come, as a quick vendor's do."""

    EVERY_SECS: Final = 0.3
    """How much voice brings the next result."""

    def __init__(self, transcript: str, spoken_secs: float = 0.0) -> None:
        self._transcript = transcript
        self._spoken_secs = spoken_secs
        self._segment = 0
        self._voiced_secs = 0.0
        self._told_at_secs = 0.0
        self._emit: Emit | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, emit: Emit, on_error: OnError) -> None:
        """Nothing to load."""
        self._emit = emit

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        """Count the voice, and tell the words that it must hold."""
        if speech_prob < VOICED_PROB or not self._segment or not self._spoken_secs:
            return
        self._voiced_secs += WINDOW_SAMPLES / INPUT_SAMPLE_RATE_HZ
        if self._voiced_secs - self._told_at_secs < self.EVERY_SECS:
            return
        self._told_at_secs = self._voiced_secs
        words = self._transcript.split()
        said = words[: math.floor(len(words) * min(1.0, self._voiced_secs / self._spoken_secs))]
        if said:
            self._later(Transcript(" ".join(said), self._segment, False, 0.95))

    def speech_started(self) -> None:
        """A segment of its own."""
        self._segment += 1

    def speech_stopped(self) -> None:
        """The words come; those of a further stretch of speech have been told."""
        said, self._transcript = self._transcript, ""
        self._later(Transcript(said, self._segment, True, 0.95))

    def _later(self, transcript: Transcript) -> None:
        task = asyncio.create_task(self._tell(transcript))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, transcript: Transcript) -> None:
        await asyncio.sleep(self.LATE_SECS)
        if self._emit is not None:
            await self._emit(transcript)

    async def close(self) -> None:
        """Tell no more."""
        self._emit = None
