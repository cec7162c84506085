"""The recogniser that runs in this process: one call's recogniser on the Moonshine model.

The model reads whole clips, so a *segment* of speech is read again and again as it grows: for partial results, and at
each short pause. Such a pause reading, taken about 100 ms into the silence, is the final result if the silence lasts
until the VAD says that speech has stopped; so a final result mostly costs the caller no time at all.

:class:`Segment` is pure bookkeeping; :class:`MoonshineRecogniser` is fed from the event loop and runs one reading at a
time on the shared threads.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from contracts.stt import Emit, OnError, RecognisedWord, RecogniserError, Transcript
from processors.models.files import ModelError, Urgency, run_heavy
from processors.stt import moonshine_model
from processors.stt.early import ReadingBudget
from processors.stt.moonshine_model import Analysis
from processors.stt.plausibility import is_plausible, speech_evidence

Read = Callable[[np.ndarray, Callable[[], bool]], Analysis]
"""Reads a clip, until it is called off."""

WINDOW_SECS: Final = WINDOW_SAMPLES / INPUT_SAMPLE_RATE_HZ
VOICED_PROB: Final = 0.5

TAIL: Final = np.zeros(INPUT_SAMPLE_RATE_HZ // 5, np.int16)
"""200 ms of silence behind every clip. Without it the model takes a cut-off clip for the middle of a sentence and
makes words up: in partial results, wrong words went from 121 to 49 of about 130."""


@dataclass(frozen=True)
class MoonshineParams:
    """When the recogniser reads.

    Attributes:
        pre_roll_ms: Audio kept from before the VAD's start of speech, which comes some windows after the onset.
        first_partial_ms: Speech before the first partial result.
        partial_every_ms: New audio before each further one.
        partial_load: Largest share of one core for partial results: they become rarer as a segment grows.
        pause_ms: Quiet that brings a reading which will be final if speech stops there.
        pause_load: Largest share of one core for those.
        quiet_prob: Speech probability below which a window is quiet.
        resume_ms: Speech that goes on so soon after its end belongs to the same segment.
        segment_secs: From this length on a segment ends at the next quiet window.
        longest_segment_secs: A segment of this length ends in any case.
        unsure_prob: Words at the end of a partial result that are less probable are held back: half of them are wrong.
        repeats: Whether a partial result is told again that has not changed: it stands.
        second_look: Whether what may be final is read twice.
    """

    pre_roll_ms: int = 384
    first_partial_ms: int = 350
    partial_every_ms: int = 300
    partial_load: float = 0.25
    pause_ms: int = 96
    pause_load: float = 0.5
    quiet_prob: float = 0.35
    resume_ms: int = 600
    segment_secs: float = 12.0
    longest_segment_secs: float = 15.0
    unsure_prob: float = 0.4
    repeats: bool = False
    second_look: bool = True


EARLY = MoonshineParams(
    first_partial_ms=250,
    partial_every_ms=96,
    partial_load=0.5,
    resume_ms=1,
    repeats=True,
    second_look=False,
)
"""For words that come early beside another recogniser; a segment never goes on after its end."""


@dataclass(frozen=True)
class Reading:
    """What the model made of the first ``windows`` windows of a segment."""

    windows: int
    analysis: Analysis


@dataclass
class Segment:
    """One segment of speech: its audio, and how far it has been read. Pure.

    Attributes:
        number: Its number in transcripts.
        windows: PCM of its windows, pre-roll included.
        probs: Their speech probabilities.
        voiced_end: How many there are up to the last one that is not quiet.
        stopped: Whether speech has stopped; it may go on again.
        partial_at: With how many windows the next partial result is due.
        pause_at: From how many windows on a pause is worth a reading.
        reading: The newest reading.
        told: The text of the last partial result.
    """

    number: int
    windows: list[bytes] = field(default_factory=list)
    probs: list[float] = field(default_factory=list)
    voiced_end: int = 0
    stopped: bool = False
    partial_at: int = 0
    pause_at: int = 0
    reading: Reading | None = None
    told: str = ""

    def push(self, pcm: bytes, speech_prob: float, quiet_prob: float) -> None:
        """Add a window."""
        self.windows.append(pcm)
        self.probs.append(speech_prob)
        if speech_prob >= quiet_prob:
            self.voiced_end = len(self.windows)

    @property
    def secs(self) -> float:
        """Length, pre-roll included."""
        return len(self.windows) * WINDOW_SECS

    @property
    def quiet_windows(self) -> int:
        """Quiet windows at the end."""
        return len(self.windows) - self.voiced_end

    @property
    def is_read(self) -> bool:
        """Whether the newest reading holds all that was said."""
        return self.reading is not None and self.reading.windows >= self.voiced_end

    def pcm(self) -> np.ndarray:
        """All windows, and the silence that the model wants behind them."""
        return np.concatenate([np.frombuffer(b"".join(self.windows), np.int16), TAIL])

    def transcript(self, *, final: bool, unsure_prob: float = 0.0) -> Transcript:
        """The newest reading as a transcript; without words when nobody can have said them."""
        assert self.reading is not None
        analysis = self.reading.analysis
        words = analysis.text.split()
        while words and analysis.word_probs[len(words) - 1] < unsure_prob:
            words.pop()
        evidence = speech_evidence(self.probs[: self.reading.windows], WINDOW_SECS)
        if not is_plausible(" ".join(words), analysis.confidence, evidence):
            words = []
        known = tuple(RecognisedWord(word, prob) for word, prob in zip(words, analysis.word_probs, strict=False))
        return Transcript(" ".join(words), self.number, final, analysis.confidence, known)


@dataclass(frozen=True)
class _Job:
    """The reading that is under way: of which segment, of how much, and how to end it early."""

    segment: Segment
    windows: int
    at_pause: bool
    called_off: threading.Event = field(default_factory=threading.Event)


class MoonshineRecogniser:
    """A :class:`~contracts.stt.Recogniser` of English, without network or key.

    A reading costs about 0.03 s of CPU per second of audio.

    Args:
        params: When to read.
        budget: What reads only as far as it is let; None: it always may.
    """

    def __init__(self, params: MoonshineParams | None = None, budget: ReadingBudget | None = None) -> None:
        self._params = params or MoonshineParams()
        self._budget = budget
        self._pre_roll: deque[tuple[bytes, float]] = deque(maxlen=_windows(self._params.pre_roll_ms))
        self._last_number = 0
        self._segment: Segment | None = None
        self._finals_due: deque[Segment] = deque()
        self._partial_due = False
        self._job: _Job | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- the face: called on the event loop, waits for nothing ---------------------------

    async def start(self, emit: Emit, on_error: OnError) -> None:
        """Load the model, unless an earlier call has, and begin to read.

        Raises:
            RecogniserError: The model is not installed.
        """
        try:
            await run_heavy(moonshine_model.load, urgency=Urgency.FINAL)
        except ModelError as error:
            raise RecogniserError("I can't hear you, because the speech recogniser is not installed.") from error
        self._task = asyncio.create_task(self._read_on(emit, on_error), name="moonshine")

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        """Take one window of audio."""
        segment = self._segment
        if segment is None:
            self._pre_roll.append((pcm, speech_prob))
            return
        segment.push(pcm, speech_prob, self._params.quiet_prob)
        if segment.stopped:
            if segment.quiet_windows > _windows(self._params.resume_ms):
                self._close_segment(segment)
        elif self._is_long(segment):
            self._stop(segment)
            self._close_segment(segment)
            self._open_segment()
        elif segment.quiet_windows == _windows(self._params.pause_ms):
            if len(segment.windows) >= segment.pause_at:
                self._want_pause_reading()
        elif len(segment.windows) >= segment.partial_at and self._job is None:
            self._partial_due = True
            self._wake.set()

    def speech_started(self) -> None:
        """Begin a segment, or go on with the last one."""
        segment = self._segment
        if segment is not None and segment.secs < self._params.segment_secs:
            segment.stopped = False
            if segment in self._finals_due:
                self._finals_due.remove(segment)
            return
        if segment is not None:
            self._close_segment(segment)
        self._open_segment()

    def speech_stopped(self) -> None:
        """Speech is over for now: its final transcript is due."""
        if self._segment is not None and not self._segment.stopped:
            self._stop(self._segment)

    @property
    def segment(self) -> int:
        """Number of the newest segment; 0 before the first."""
        return self._last_number

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to read or tell until more is fed."""
        return self._job is None and not self._wake.is_set() and not self._finals_due and not self._partial_due

    async def close(self) -> None:
        """Drop everything; the reading that is under way ends after its next step."""
        if self._job is not None:
            self._job.called_off.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1)
            self._task = None

    # --- segments ------------------------------------------------------------------------

    def _open_segment(self) -> None:
        self._last_number += 1
        segment = Segment(self._last_number)
        for pcm, prob in self._pre_roll:
            segment.push(pcm, prob, self._params.quiet_prob)
        self._pre_roll.clear()
        voiced = next((at for at, prob in enumerate(segment.probs) if prob >= VOICED_PROB), len(segment.probs))
        segment.partial_at = voiced + _windows(self._params.first_partial_ms)
        self._segment = segment

    def _stop(self, segment: Segment) -> None:
        segment.stopped = True
        self._finals_due.append(segment)
        job = self._job
        if job is not None and job.segment is segment and job.windows < segment.voiced_end:
            job.called_off.set()
        self._wake.set()

    def _close_segment(self, segment: Segment) -> None:
        """No more audio for this one; the silence at its end is the pre-roll of the next."""
        quiet = slice(segment.voiced_end, None)
        self._pre_roll.extend(zip(segment.windows[quiet], segment.probs[quiet], strict=True))
        self._segment = None

    def _is_long(self, segment: Segment) -> bool:
        longest = self._params.segment_secs if segment.quiet_windows else self._params.longest_segment_secs
        return segment.secs >= longest

    def _want_pause_reading(self) -> None:
        self._partial_due = True
        if self._job is not None and not self._job.at_pause:
            self._job.called_off.set()
        self._wake.set()

    # --- reading -------------------------------------------------------------------------

    async def _read_on(self, emit: Emit, on_error: OnError) -> None:
        """Do what is due, one thing at a time: final transcripts first, the oldest first."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._finals_due or self._partial_due:
                try:
                    if self._finals_due:
                        await self._settle(self._finals_due[0], emit)
                    else:
                        self._partial_due = False
                        await self._tell_partial(emit)
                except Exception as error:  # noqa: BLE001 - a boundary: the next words can still be read
                    self._finals_due.clear()
                    fault = RecogniserError("I could not make out what you said.")
                    fault.__cause__ = error
                    await on_error(fault)

    async def _settle(self, segment: Segment, emit: Emit) -> None:
        if not segment.is_read:
            await self._read(segment, Urgency.FINAL)
            if self._budget is not None and not segment.is_read and segment.stopped:
                self._finals_due.remove(segment)  # it may not be read now, and later nobody wants it
                return
        # Meanwhile the speaker may have gone on, or said more and stopped again.
        if segment.stopped and segment.is_read:
            self._finals_due.remove(segment)
            segment.told = ""
            await emit(segment.transcript(final=True))

    async def _tell_partial(self, emit: Emit) -> None:
        segment = self._segment
        if segment is None or segment.stopped:
            return
        at_pause = segment.quiet_windows >= _windows(self._params.pause_ms)
        await self._read(segment, Urgency.FINAL if at_pause else Urgency.PARTIAL, at_pause=at_pause)
        if segment.stopped or segment.reading is None:
            return
        transcript = segment.transcript(final=False, unsure_prob=self._params.unsure_prob)
        if transcript.text and (self._params.repeats or transcript.text != segment.told):
            segment.told = transcript.text
            await emit(transcript)

    async def _analyse(
        self, read: Read, pcm: np.ndarray, called_off: Callable[[], bool], urgency: Urgency
    ) -> tuple[Analysis, float]:
        """Read on the shared threads; what was read, and the CPU seconds that it took."""
        return await run_heavy(_timed, read, pcm, called_off, urgency=urgency)

    async def _read(self, segment: Segment, urgency: Urgency, *, at_pause: bool = False) -> None:
        """Read all that there is of a segment. What it takes, waiting included, says when the next is affordable."""
        job = _Job(segment, len(segment.windows), at_pause)
        clock = asyncio.get_running_loop().time
        started = clock()
        budget = self._budget
        if budget is not None and not budget.begin(started):
            segment.partial_at = job.windows + _windows(self._params.partial_every_ms)
            return
        self._job = job
        # Partial results are soon replaced; what may be final is worth a second look.
        twice = self._params.second_look and urgency is not Urgency.PARTIAL
        cpu_secs = 0.0
        try:
            analysis, cpu_secs = await self._analyse(
                moonshine_model.analyse_twice if twice else moonshine_model.analyse,
                segment.pcm(),
                job.called_off.is_set,
                Urgency.PARTIAL if budget is not None else urgency,
            )
        finally:
            self._job = None
            if budget is not None:
                budget.end(cpu_secs, clock() - started, clock())
        cost_ms = 1000 * (clock() - started)
        new_audio_ms = max(self._params.partial_every_ms, cost_ms / self._params.partial_load)
        segment.partial_at = job.windows + _windows(new_audio_ms)
        segment.pause_at = job.windows + _windows(cost_ms / self._params.pause_load)
        if analysis.complete:
            segment.reading = Reading(job.windows, analysis)


def _timed(read: Read, pcm: np.ndarray, called_off: Callable[[], bool]) -> tuple[Analysis, float]:
    """A reading, and the CPU seconds that it took."""
    began = time.thread_time()
    return read(pcm, called_off), time.thread_time() - began


def _windows(ms: float) -> int:
    return max(1, round(ms / 1000 / WINDOW_SECS))
