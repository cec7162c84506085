"""Two recognisers for one call: when the first does not hear, the second reads the same speech."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from loguru import logger

from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from contracts.provider_failures import report_failure
from contracts.stt import Emit, OnError, Recogniser, RecogniserError, Transcript

BACKUP_AFTER_SECS: Final = 0.9
"""After the end of speech: when the first recogniser's last words have not come, the second reads."""

PRE_ROLL_WINDOWS: Final = 13
"""Audio from before the VAD's start of speech: 416 ms."""

KEPT_WINDOWS: Final = round(20 * INPUT_SAMPLE_RATE_HZ / WINDOW_SAMPLES)
"""At most 20 s of speech are read again."""


class Failing(Recogniser, Protocol):
    """A recogniser that knows how it is."""

    @property
    def healthy(self) -> bool:
        """Whether it can be expected to hear what is said now."""
        ...

    @property
    def segment(self) -> int:
        """Number of its newest segment; 0 before the first."""
        ...


class _Standby:
    """The second recogniser, for one time on duty: it is made anew each time.

    Attributes:
        recogniser: The recogniser; None until it has started.
        shift: What its segments' numbers lack to the chain's.
    """

    def __init__(self, shift: int) -> None:
        self.recogniser: Recogniser | None = None
        self.shift = shift
        self.task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
        if self.recogniser is not None:
            await self.recogniser.close()


class RecogniserChain:
    """A :class:`~contracts.stt.Recogniser` made of two.

    Whoever is on duty when speech starts reads it; the other takes over, from the onset of that speech on, when the
    first fails or is late. The first is back on duty with the next speech after it is well again.

    Args:
        first: The preferred one.
        make_second: Makes the other one; asked each time that it is needed.
    """

    def __init__(self, first: Failing, make_second: Callable[[], Recogniser]) -> None:
        self._first = first
        self._make_second = make_second
        self._standby: _Standby | None = None
        self._past: _Standby | None = None
        self._windows: deque[tuple[bytes, float]] = deque(maxlen=PRE_ROLL_WINDOWS)
        self._pre_roll = 0
        self._speaking = False
        self._number = 0
        self._first_shift = 0
        self._duty_since = 0
        self._told_final = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._closings: set[asyncio.Task[None]] = set()
        self._emit: Emit | None = None
        self._on_error: OnError | None = None

    # --- the face --------------------------------------------------------------------------------

    @property
    def segment(self) -> int:
        """Number of the newest segment; 0 before the first."""
        return self._number

    async def start(self, emit: Emit, on_error: OnError) -> None:
        """Start the first."""
        self._emit = emit
        self._on_error = on_error

        async def take(transcript: Transcript) -> None:
            await self._take(transcript, transcript.segment + self._first_shift, None)

        await self._first.start(take, self._first_failed)

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        """Take one window."""
        self._windows.append((pcm, speech_prob))
        self._first.feed(pcm, speech_prob)
        if self._standby is not None:
            if self._standby.recogniser is not None:
                self._standby.recogniser.feed(pcm, speech_prob)
        elif self._speaking and not self._first.healthy:
            self._hand_over("has failed")

    def speech_started(self) -> None:
        """Speech begins: whoever is well reads it."""
        self._cancel_alarm()
        self._speaking = True
        self._number += 1
        self._pre_roll = min(len(self._windows), PRE_ROLL_WINDOWS)
        self._windows = deque(list(self._windows)[-self._pre_roll :], maxlen=KEPT_WINDOWS)
        self._first.speech_started()
        self._first_shift = self._number - self._first.segment
        if self._first.healthy:
            if self._standby is not None:
                logger.info("speech recognition: the first choice is back")
                self._retire()
        elif self._standby is None:
            self._hand_over("is not ready")
        elif self._standby.recogniser is not None:
            self._standby.recogniser.speech_started()

    def speech_stopped(self) -> None:
        """Speech is over: whoever reads it is asked for the last words."""
        self._speaking = False
        self._first.speech_stopped()
        if self._standby is not None:
            if self._standby.recogniser is not None:
                self._standby.recogniser.speech_stopped()
        else:
            self._cancel_alarm()
            self._alarm = asyncio.get_running_loop().call_later(BACKUP_AFTER_SECS, self._late, self._number)

    async def close(self) -> None:
        """Close both."""
        self._cancel_alarm()
        await self._first.close()
        for standby in (self._standby, self._past):
            if standby is not None:
                await standby.close()

    # --- who reads -------------------------------------------------------------------------------

    def _cancel_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _late(self, number: int) -> None:
        if number == self._number and self._told_final < number and self._standby is None:
            self._hand_over("is late")

    def _hand_over(self, why: str) -> None:
        """Let the second read this speech from its onset on."""
        logger.warning("speech recognition: the first choice {}; the second one reads", why)
        report_failure("stt", "first choice", why)
        self._standby = _Standby(self._number - 1)
        self._duty_since = self._number
        self._standby.task = asyncio.create_task(self._start_standby(self._standby), name="second recogniser")

    def _retire(self) -> None:
        """The second has done its duty; what it still says of that is taken until the next one's."""
        if self._past is not None:
            closing = asyncio.create_task(self._past.close())
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)
        self._past, self._standby = self._standby, None
        self._duty_since = self._number

    async def _start_standby(self, standby: _Standby) -> None:
        assert self._on_error is not None

        async def take(transcript: Transcript) -> None:
            await self._take(transcript, transcript.segment + standby.shift, standby)

        second = self._make_second()
        try:
            await second.start(take, self._on_error)
        except RecogniserError as error:
            await self._on_error(error)
            return
        standby.recogniser = second
        if standby is self._standby:
            self._replay(second)

    def _replay(self, second: Recogniser) -> None:
        """Feed it the speech that is kept, as if it were said now."""
        windows = list(self._windows)
        for pcm, prob in windows[: self._pre_roll]:
            second.feed(pcm, prob)
        second.speech_started()
        for pcm, prob in windows[self._pre_roll :]:
            second.feed(pcm, prob)
        if not self._speaking:
            second.speech_stopped()

    # --- what they say ---------------------------------------------------------------------------

    async def _take(self, transcript: Transcript, number: int, teller: _Standby | None) -> None:
        """Pass a transcript on, if it comes from whoever reads that speech."""
        assert self._emit is not None
        if (teller is self._standby) is not (number >= self._duty_since):
            return
        if transcript.final:
            self._told_final = max(self._told_final, number)
            if not self._speaking and number == self._number:
                self._windows = deque(list(self._windows)[-PRE_ROLL_WINDOWS:], maxlen=PRE_ROLL_WINDOWS)
        await self._emit(replace(transcript, segment=number))

    async def _first_failed(self, error: RecogniserError) -> None:
        """The second stands in: the caller need not be told."""
        logger.warning("speech recognition, first choice: {} ({})", error, error.__cause__)
