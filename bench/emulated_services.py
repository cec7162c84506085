"""Parley with services that cost next to nothing, for measuring what a call costs by itself.

    python -m bench.emulated_services --port 7860 [--talkative] [--no-turn-model]

Recogniser, language model and voice take as long as good vendors' do, and what they say makes no sense: a transcript
150 ms after the last loud sound, a reply's first word 300 ms later and 60 words a second after that, a clause's audio
200 ms later at five times the speed of speech. Everything else is the product: WebRTC, Silero, turns, playout.
"""

import argparse
import asyncio
import math
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import soxr
import uvloop

import bot
import settings as settings_module
from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ
from contracts.llm import Delta, Finish, Message, TextDelta, ToolSpec
from contracts.stt import Emit, OnError, Recogniser, Transcript
from contracts.tts import VoiceChunk
from loadtest.clips import read_wav
from observe.log_lines import log_to_terminal
from processors.llm.preemptive_budget import PreemptiveBudget
from processors.turns.handler import TurnDetector
from services.services import Services
from settings import Settings

SPEECH: Final = Path(__file__).resolve().parents[1] / "tests" / "data" / "go_forward_ten_meters.wav"

FINAL_SECS: Final = 0.15
FIRST_TOKEN_SECS: Final = 0.3
TOKENS_PER_SEC: Final = 60
FIRST_AUDIO_SECS: Final = 0.2
SPEED: Final = 5.0
"""How much faster than speech the audio comes; and of a talkative bot's, so little that it talks all the time."""

TALKATIVE_SPEED: Final = 1.2
REPLY_WORDS: Final = 16
TALKATIVE_WORDS: Final = 240
SECS_PER_WORD: Final = 0.35
CHUNK_SECS: Final = 0.1
LOUD_RMS: Final = 300.0


class EmulatedRecogniser:
    """Says the same words of every sound, 150 ms after it."""

    def __init__(self) -> None:
        self._emit: Emit | None = None
        self._segment = 0
        self._loud = False
        self._timer: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None

    async def start(self, emit: Emit, on_error: OnError) -> None:
        self._emit = emit

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        samples = np.frombuffer(pcm, np.int16).astype(np.float32)
        if float(np.dot(samples, samples)) > LOUD_RMS**2 * len(samples):
            self._loud = True
            self._stop_waiting()
        elif self._loud and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FINAL_SECS, self._final)

    def speech_started(self) -> None:
        pass

    def speech_stopped(self) -> None:
        pass

    async def close(self) -> None:
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _final(self) -> None:
        self._timer = None
        self._loud = False
        self._segment += 1
        if self._emit is not None:
            transcript = Transcript("This is what the user said.", self._segment, final=True)
            self._telling = asyncio.ensure_future(self._emit(transcript))  # type: ignore[arg-type]


def reply_words(count: int) -> list[str]:
    """A reply of so many words, in sentences of ten words, the first of six."""
    found: list[str] = []
    length = 6
    while len(found) < count:
        length = min(length, count - len(found))
        found += ["Sure ", *["word "] * (length - 2), "done. "][-length:]
        length = 10
    return found


class EmulatedModel:
    """Sentences of ten words, the first of six."""

    name = "emulated"

    def __init__(self, words: int) -> None:
        self._tokens = reply_words(words)

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        pass

    async def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        loop = asyncio.get_running_loop()
        first = loop.time() + FIRST_TOKEN_SECS
        for index, token in enumerate(self._tokens):
            await asyncio.sleep(max(0.0, first + index / TOKENS_PER_SEC - loop.time()))
            yield TextDelta(token)
        yield Finish("stop")

    async def close(self) -> None:
        pass


class EmulatedVoice:
    """Reads out a recording, whatever the text."""

    name = "emulated"

    def __init__(self, speed: float) -> None:
        speech = soxr.resample(read_wav(SPEECH), INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ)
        loud = np.flatnonzero(np.abs(speech) > 2000)
        self._speech = speech[loud[0] : loud[-1]].astype(np.int16).tobytes()
        self._speed = speed

    async def load(self) -> None:
        pass

    async def warm_up(self, texts: Iterable[str]) -> None:
        pass

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        loop = asyncio.get_running_loop()
        first = loop.time() + FIRST_AUDIO_SECS
        chunk_bytes = 2 * round(CHUNK_SECS * OUTPUT_SAMPLE_RATE_HZ)
        size = 2 * round(len(text.split()) * SECS_PER_WORD * OUTPUT_SAMPLE_RATE_HZ)
        pcm = (self._speech * math.ceil(size / len(self._speech)))[:size]
        for at in range(0, size, chunk_bytes):
            due = first + at / (2 * OUTPUT_SAMPLE_RATE_HZ) / self._speed
            await asyncio.sleep(max(0.0, due - loop.time()))
            yield VoiceChunk(pcm[at : at + chunk_bytes], OUTPUT_SAMPLE_RATE_HZ)

    async def close(self) -> None:
        pass


class EmulatedServices(Services):
    """The product's services, but for the three that hear, think and speak."""

    talkative = False
    turn_model = True
    eager: PreemptiveBudget | None = None

    @classmethod
    async def load(cls, settings: Settings) -> "EmulatedServices":
        words, speed = (TALKATIVE_WORDS, TALKATIVE_SPEED) if cls.talkative else (REPLY_WORDS, SPEED)
        return cls(settings, "You are a voice.", EmulatedModel(words), EmulatedVoice(speed))

    def recogniser(self, code: str = "") -> Recogniser:
        return EmulatedRecogniser()

    @property
    def preemptive_budget(self) -> PreemptiveBudget | None:
        return self.eager

    @property
    def detect_end_of_turn(self) -> TurnDetector | None:
        return super().detect_end_of_turn if self.turn_model else None


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.emulated_services", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--port", default="7860", help="port; default: 7860")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1")
    parser.add_argument("--talkative", action="store_true", help="replies of 240 words, spoken for a minute and a half")
    parser.add_argument("--no-turn-model", action="store_true", help="silence and words alone tell the end of a turn")
    parser.add_argument("--eager", action="store_true", help="replies are prepared at the first pause")
    parser.add_argument("--pause", action="store_true", help="the voice pauses at the first moment of a sound over it")
    parser.add_argument("--max-calls", default="500", help="calls that are let in; default: 500")
    options = parser.parse_args()
    EmulatedServices.talkative = options.talkative
    EmulatedServices.turn_model = not options.no_turn_model
    EmulatedServices.eager = PreemptiveBudget(lambda: 1.0, 0.0) if options.eager else None
    bot.Services = EmulatedServices
    log_to_terminal("ERROR", as_json=False)
    settings = settings_module.load(
        host=options.host,
        port=options.port,
        max_calls=options.max_calls,
        llm="scripted",
        greeting="",
        bank_file=":memory:",
        idle_secs="0",
        max_call_minutes="0",
        partner_repeats="0",
        max_loop_lag_ms="0",
        interruption_mode="pause" if options.pause else "duck",
    )
    uvloop.run(bot.serve(settings))


if __name__ == "__main__":
    sys.exit(main())
