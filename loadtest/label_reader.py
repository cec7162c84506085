"""A recogniser without faults, for benchmarks of what comes after it."""

import asyncio
from typing import Final

from contracts.stt import Emit, OnError, Transcript


class LabelReader:
    """A :class:`~contracts.stt.Recogniser` without faults: it writes what is known to be said.

    Args:
        transcript: All words of the call.
    """

    LATE_SECS: Final = 0.3
    """How long after the end of speech its words come, as a quick vendor's do."""

    def __init__(self, transcript: str) -> None:
        self._transcript = transcript
        self._segment = 0
        self._emit: Emit | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, emit: Emit, on_error: OnError) -> None:
        """Nothing to load."""
        self._emit = emit

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        """It need not listen."""

    def speech_started(self) -> None:
        """A segment of its own."""
        self._segment += 1

    def speech_stopped(self) -> None:
        """The words come; those of a further stretch of speech have been told."""
        said, self._transcript = self._transcript, ""
        task = asyncio.create_task(self._tell(said, self._segment))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, text: str, segment: int) -> None:
        await asyncio.sleep(self.LATE_SECS)
        if self._emit is not None:
            await self._emit(Transcript(text, segment, True, 0.95))

    async def close(self) -> None:
        """Tell no more."""
        self._emit = None
