"""Vendors, models and tools of a recorded call: they answer as they did, when they did.

A request is known by what is asked. What was asked at the same moment as in the record is answered at the same moments;
what was asked earlier or later is answered as much earlier or later. What the record does not hold is guessed, and
noted: see :class:`~replay.guesswork.Guesswork`.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from statistics import median
from typing import Any, Final

import numpy as np

from contracts.frames import OUTPUT_SAMPLE_RATE_HZ
from contracts.llm import Delta, Finish, Message, TextDelta, ToolSpec
from contracts.stt import Emit, OnError, RecogniserError
from contracts.tts import VoiceChunk, VoiceError
from processors.llm.preemptive_budget import PreemptiveBudget
from processors.tools.base import Arguments, ToolContext, ToolError
from processors.turns.handler import SoundClip, SoundJudge, TurnDetector
from processors.vad.silero import OnProb, SileroStream
from recording.entries import ANY, ANY_AUDIO, last_words, llm_error_of, prompt_key
from replay.guesswork import Guesswork, Order, until
from replay.record import Asked, Record, Score, first_unused

SAME_SECS: Final = 0.1
"""A request that comes no further from its recorded time is the same one: its answer comes at the recorded time."""

CUT_SECS: Final = 0.5
"""What was cut off in the record, and is not cut off now, goes on for so long before it is guessed."""

GUESSED_REPLY: Final = "I am not sure about that. Is there anything else that I can do for you?"
GUESSED_LLM_SECS: Final = 0.5
GUESSED_TTS_SECS: Final = 0.3
GUESSED_CHAR_SECS: Final = 0.065
GUESSED_HZ: Final = 180.0
_SLICE_SECS: Final = 0.2


def _shift(asked: Asked[Any]) -> float:
    late = asyncio.get_running_loop().time() - asked.at
    return 0.0 if abs(late) < SAME_SECS else late


class PlayedRater:
    """A :class:`~processors.vad.silero.SpeechRater` that knows each window's probability."""

    def __init__(self, record: Record) -> None:
        self._probs = record.probs
        self._next = 0
        self._waiting: list[tuple[bytes, OnProb, float]] = []
        self._silero: SileroStream | None = None

    def judge(self, window: bytes, told: OnProb) -> None:
        """Rate the next window."""
        if self._next >= len(self._probs):
            self.settle()
            if self._silero is None:
                self._silero = SileroStream()
            told(window, self._silero.speech_prob(window))
            return
        at, prob = self._probs[self._next]
        self._next += 1
        loop = asyncio.get_running_loop()
        if at <= loop.time() and not self._waiting:
            told(window, prob)
        else:
            self._waiting.append((window, told, prob))
            loop.call_at(at, self._tell, len(self._waiting))

    def settle(self) -> None:
        """Tell what waits."""
        waiting, self._waiting = self._waiting, []
        for window, told, prob in waiting:
            told(window, prob)

    def _tell(self, count: int) -> None:
        due, self._waiting = self._waiting[:1], self._waiting[1:]
        for window, told, prob in due:
            told(window, prob)


class PlayedRecogniser:
    """A :class:`~contracts.stt.Recogniser` that says what it said, when it said it."""

    def __init__(self, record: Record, guesswork: Guesswork, order: Order) -> None:
        self._record = record
        self._guesswork = guesswork
        self._order = order
        self._checksums = [0]
        self._told: list[tuple[str, int]] = []
        self._playing: asyncio.Task[None] | None = None

    async def start(self, emit: Emit, on_error: OnError) -> None:
        """Begin to play."""
        self._playing = asyncio.create_task(self._play(emit, on_error), name="recorded recogniser")

    async def _play(self, emit: Emit, on_error: OnError) -> None:
        differs = False
        for heard in self._record.heard:
            await self._order.reach(heard.when)
            if isinstance(heard.words, RecogniserError):
                await on_error(heard.words)
                continue
            if not differs and not self._hears_the_same(heard.windows, heard.checksum):
                differs = True
                self._guesswork.note("the recogniser is fed other audio, or told of other ends of speech")
            await emit(heard.words)

    def _hears_the_same(self, windows: int, checksum: int) -> bool:
        same_audio = windows >= len(self._checksums) or self._checksums[windows] == checksum
        told = [each for each in self._record.stt_told if each[1] <= windows]
        return same_audio and [each for each in self._told if each[1] <= windows] == told

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        """Take a window."""
        self._checksums.append(zlib.crc32(pcm, self._checksums[-1]))

    def speech_started(self) -> None:
        """Somebody speaks."""
        self._told.append(("started", len(self._checksums) - 1))

    def speech_stopped(self) -> None:
        """Nobody does any more."""
        self._told.append(("stopped", len(self._checksums) - 1))

    async def close(self) -> None:
        """The call is over."""
        if self._playing is not None:
            self._playing.cancel()


class PlayedModel:
    """A :class:`~contracts.llm.LanguageModel` that answers as it did."""

    name = "recorded"

    def __init__(self, record: Record, guesswork: Guesswork, order: Order) -> None:
        self._asked = record.llm
        self._guesswork = guesswork
        self._order = order
        self._used: set[int] = set()
        waits = [each.items[0][0].at - each.at for each in record.llm if each.items]
        self._wait_secs = median(waits) if waits else GUESSED_LLM_SECS

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Nothing is to be loaded."""

    async def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer."""
        asked = self._find(messages, [tool.name for tool in tools])
        if asked is None:
            await asyncio.sleep(self._wait_secs)
            yield TextDelta(GUESSED_REPLY)
            yield Finish("stop")
            return
        shift = _shift(asked)
        for when, delta in asked.items:
            await self._order.reach(when, shift)
            yield delta
        if asked.how == "end" or (asked.items and isinstance(asked.items[-1][1], Finish)):
            return
        if asked.how == "error" and asked.error is not None and asked.ended is not None:
            await self._order.reach(asked.ended, shift)
            raise llm_error_of(asked.error)
        if asked.ended is not None:
            await until(asked.ended.at + shift + CUT_SECS)
        self._guesswork.note("a reply goes on beyond where it was cut off in the record: it ends there")
        yield Finish("stop")

    def _find(self, messages: Sequence[Message], tool_names: Sequence[str]) -> Asked[Delta] | None:
        key = prompt_key(messages, tool_names)
        found = first_unused(self._asked, self._used, lambda each: each.told["key"] in (key, ANY))
        if found is not None:
            return found
        said = last_words(messages)
        found = first_unused(self._asked, self._used, lambda each: each.told["said"] == said)
        self._guesswork.note(
            "the language model is asked with another prompt: "
            + ("it answers as it did to the same last words" if found is not None else "its answer is made up")
        )
        return found

    def read_ahead(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> None:
        """Nothing is read."""

    async def close(self) -> None:
        """Nothing is held."""


class PlayedVoice:
    """A :class:`~contracts.tts.Voice` that speaks as it did."""

    name = "recorded"

    def __init__(self, record: Record, guesswork: Guesswork, order: Order, language: str) -> None:
        self._asked = [each for each in record.tts if each.told["language"] == language]
        self._guesswork = guesswork
        self._order = order
        self._used: set[int] = set()
        waits = [each.items[0][0].at - each.at for each in self._asked if each.items]
        self._wait_secs = median(waits) if waits else GUESSED_TTS_SECS
        paces = [secs / len(each.told["text"]) for each in self._asked if (secs := _spoken_secs(each)) is not None]
        self._char_secs = median(paces) if paces else GUESSED_CHAR_SECS

    async def load(self) -> None:
        """Nothing is to be loaded."""

    async def warm_up(self, texts: Iterable[str]) -> None:
        """Nothing is to be made."""

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Speak."""
        asked = first_unused(self._asked, self._used, lambda each: each.told["text"] in (text, ANY))
        if asked is None:
            self._guesswork.note("the voice is given another text: a tone of its length is heard instead")
            await asyncio.sleep(self._wait_secs)
            for chunk in _tone(len(text) * self._char_secs):
                yield chunk
            return
        shift = _shift(asked)
        for when, chunk in asked.items:
            await self._order.reach(when, shift)
            yield chunk
        if asked.ended is not None and asked.how != "closed":
            await self._order.reach(asked.ended, shift)
        if asked.how == "end":
            return
        if asked.how == "error" and asked.error is not None:
            error = asked.error
            raise VoiceError(error["message"], retryable=error["retryable"], retry_after_secs=error["retry_after_secs"])
        if asked.ended is not None:
            await until(asked.ended.at + shift + CUT_SECS)
        spoken_secs = sum(len(chunk.pcm) / 2 / chunk.sample_rate_hz for _, chunk in asked.items)
        left_secs = len(text) * self._char_secs - spoken_secs
        self._guesswork.note("a sentence goes on beyond where it was cut off in the record: a tone is heard there")
        for chunk in _tone(left_secs, asked.items[0][1].sample_rate_hz if asked.items else OUTPUT_SAMPLE_RATE_HZ):
            yield chunk

    async def close(self) -> None:
        """Nothing is held."""


def _spoken_secs(asked: Asked[VoiceChunk]) -> float | None:
    if asked.how != "end" or not asked.items or not asked.told["text"]:
        return None
    return sum(len(chunk.pcm) / 2 / chunk.sample_rate_hz for _, chunk in asked.items)


def _tone(secs: float, sample_rate_hz: int = OUTPUT_SAMPLE_RATE_HZ) -> Iterable[VoiceChunk]:
    samples = np.arange(max(0, round(secs * sample_rate_hz)))
    wave = (3_000 * np.sin(2 * np.pi * GUESSED_HZ * samples / sample_rate_hz)).astype(np.int16)
    step = round(_SLICE_SECS * sample_rate_hz)
    for at in range(0, len(wave), step):
        yield VoiceChunk(wave[at : at + step].tobytes(), sample_rate_hz)


class PlayedScores:
    """What a model of this machine said; it is asked again where it is given other audio than it was.

    Args:
        scores: What was said.
    """

    def __init__(self, scores: Sequence[Score], order: Order) -> None:
        self._scores = list(scores)
        self._order = order
        waits = [each.when.at - each.asked for each in scores]
        self._wait_secs = median(waits) if waits else 0.0

    def take(self, key: tuple[int, int, bool], checksum: int) -> Score | None:
        """The score of this audio, once."""
        for number, each in enumerate(self._scores):
            if each.key == key and each.checksum in (checksum, ANY_AUDIO):
                return self._scores.pop(number)
        return None

    async def wait(self, score: Score | None) -> None:
        """Wait as long as the answer took."""
        now = asyncio.get_running_loop().time()
        if score is None:
            await asyncio.sleep(self._wait_secs)
            return
        late = now - score.asked
        await self._order.reach(score.when, 0.0 if abs(late) < SAME_SECS else late)


def played_judge(record: Record, order: Order, judge: SoundJudge) -> SoundJudge:
    """The sound judge; other sounds than in the record are judged anew."""
    scores = PlayedScores(record.judged, order)

    async def score(clip: SoundClip) -> float | None:
        known = scores.take((clip.sound_id, clip.elapsed_ms, clip.ended), zlib.crc32(clip.pcm.tobytes()))
        await scores.wait(known)
        return known.score if known is not None else await judge(clip)

    return score


def played_detector(record: Record, order: Order, detect: TurnDetector) -> TurnDetector:
    """The turn detector; other speech than in the record is judged anew."""
    scores = PlayedScores(record.turns, order)

    async def score(pcm: np.ndarray) -> float:
        known = scores.take((0, 0, False), zlib.crc32(pcm.tobytes()))
        await scores.wait(known)
        return known.score if known is not None and known.score is not None else await detect(pcm)

    return score


class PlayedBudget(PreemptiveBudget):
    """Whether the budget allowed replies to be prepared."""

    def __init__(self, record: Record) -> None:
        super().__init__(lambda: 1.0, 0.0)
        self._prepares = record.prepares

    @property
    def allowed(self) -> bool:
        """What the record says of this time."""
        now = asyncio.get_running_loop().time()
        before = [allowed for at, allowed in self._prepares if at <= now + 1e-6]
        return before[-1] if before else True


class PlayedTools:
    """The tools of a recorded call: they say what they said, and do nothing."""

    def __init__(self, record: Record, guesswork: Guesswork, order: Order) -> None:
        self._asked = record.tools
        self._guesswork = guesswork
        self._order = order
        self._used: set[int] = set()

    async def run(self, name: str, arguments: Arguments, context: ToolContext) -> str:
        """Answer a call.

        Raises:
            ToolError: It failed, or the record does not know it.
        """
        plain = dict(arguments)
        asked = first_unused(
            self._asked, self._used, lambda each: each.told["name"] == name and each.told["arguments"] in (plain, None)
        )
        if asked is None:
            self._guesswork.note(f"the tool {name} is called as it was not in the record: it fails")
            raise ToolError("this is not known now")
        shift = _shift(asked)
        for when, told in asked.items:
            await self._order.reach(when, shift)
            if told.get("hang_up"):
                context.call.hang_up()
            else:
                await context.call.say(told["say"])
        if asked.ended is None or asked.how == "closed":
            await asyncio.Event().wait()  # whoever called gives up, as they did
        assert asked.ended is not None
        await self._order.reach(asked.ended, shift)
        if asked.how == "error":
            raise ToolError(asked.output)
        return asked.output
