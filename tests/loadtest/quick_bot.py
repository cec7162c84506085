"""A bot whose recogniser, model and voice are known, on the real pipeline: quick, and exact in virtual time."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence

import numpy as np

from contracts.llm import Delta, Finish, Message, TextDelta, ToolSpec
from contracts.stt import Emit, OnError, Recogniser, Transcript
from contracts.tts import VoiceChunk
from loadtest.audio import clip_from_wav
from loadtest.material import OWN_CLIPS, Material
from processors.vad.silero import WINDOW_MS
from services.services import Services
from settings import Settings

QUESTION = "Go forward ten meters."
SHORT = "It is done."
LONG = "This answer is long. It has some sentences. They are not short. Nobody minds that. Here it comes to its end."
STT_SECS, LLM_SECS, TTS_SECS = 0.2, 0.1, 0.1
RATE_HZ = 24_000
SAME_CALLER = {"partner_repeats": 0}
"""Callers ask the one known question again and again, and are no answering machines."""
MATERIAL = Material(
    "three clips of the tests",
    questions=(clip_from_wav(OWN_CLIPS / "go_forward_ten_meters.wav"),),
    tools=(),
    long_answers=(clip_from_wav(OWN_CLIPS / "go_forward_ten_meters.wav"),),
    interruptions=(clip_from_wav(OWN_CLIPS / "stop.wav"),),
    false_alarms=(clip_from_wav(OWN_CLIPS / "okay.wav"),),
)


class QuickEars:
    """Knows one question; what is shorter has no words."""

    def __init__(self) -> None:
        self._segment = 0
        self._windows = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, emit: Emit, on_error: OnError) -> None:
        self._emit = emit

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        self._windows += speech_prob > 0.5

    def speech_started(self) -> None:
        self._segment += 1
        self._windows = 0

    def speech_stopped(self) -> None:
        text = QUESTION if self._windows * WINDOW_MS > 900 else ""
        task = asyncio.create_task(self._tell(Transcript(text, self._segment, final=True)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, transcript: Transcript) -> None:
        await asyncio.sleep(STT_SECS)
        await self._emit(transcript)

    async def close(self) -> None: ...


class QuickMind:
    """Knows one answer."""

    name = "quick"

    def __init__(self, answer: str) -> None:
        self._answer = answer

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None: ...

    async def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        await asyncio.sleep(LLM_SECS)
        yield TextDelta(self._answer)
        yield Finish("stop")

    async def close(self) -> None: ...


class QuickVoice:
    """Speaks in bursts of noise that are nowhere alike, as words are; the same text always sounds the same."""

    name = "quick"

    async def load(self) -> None: ...

    async def warm_up(self, texts: Iterable[str]) -> None: ...

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        await asyncio.sleep(TTS_SECS)
        yield VoiceChunk(spoken(text), RATE_HZ)

    async def close(self) -> None: ...


def spoken(text: str) -> bytes:
    """A word is 300 ms of noise and a rest of 50 ms."""
    rng = np.random.default_rng(zlib.crc32(text.encode()))
    rest = np.zeros(RATE_HZ // 20, np.int16)
    noise = ((rng.standard_normal(3 * RATE_HZ // 10) * 3000).astype(np.int16) for _ in text.split())
    return np.concatenate([part for word in noise for part in (word, rest)]).tobytes()


class QuickServices(Services):
    """Services without models, but for the VAD, the turn detector and the judge of sounds."""

    def recogniser(self, code: str = "") -> Recogniser:
        return QuickEars()


def quick_services(answer: str, voice: QuickVoice | None = None, **settings: object) -> QuickServices:
    """The bot."""
    stated = {"stt": "local", "llm": "scripted", "tts": "local", "greeting": "", "tools": [], **SAME_CALLER, **settings}
    made = Settings(_env_file=None, **stated)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return QuickServices(made, "Answer.", QuickMind(answer), voice or QuickVoice())
