"""Calls without callers: the same events at the same rates that real calls write into the registry.

A turn takes about ten seconds: the caller speaks, the bot thinks, and speaks three sentences word by word; in every
third turn a sound over its voice is judged, and proved right or wrong later.
"""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import numpy as np

from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ
from observe.call_registry import CallRegistry
from observe.entries import Turn
from observe.listener import Usage
from observe.record import CallRecord

PACKET_SECS: Final = 0.02
WORD_SECS: Final = 0.3
VENDORS: Final = {"stt": "deepgram nova-3", "llm": "groq openai/gpt-oss-120b", "tts": "elevenlabs, then local"}
QUESTIONS: Final = (
    "How much money is in my savings account?",
    "Can I have a new card sent to my old address?",
    "What does a loan over five thousand euros cost me each month?",
)
SENTENCES: Final = (
    "Your savings account holds two thousand and forty euros.",
    "The last payment came in on Monday morning.",
    "Is there anything else that I can do for you?",
)


class SyntheticCall:
    """One call.

    Args:
        registry: The call registry that it is written into.
        seed: Decides its times and sounds.
    """

    def __init__(self, registry: CallRegistry, seed: int) -> None:
        self._random = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self._caller_speaks = self._bot_speaks = False
        self._turns = self._sounds = 0
        self.record: CallRecord = registry.open(f"synthetic-{seed}", now=self._loop.time(), quality=self._quality)

    async def run(self) -> None:
        """Talk until cancelled; then the call is over."""
        audio = asyncio.create_task(self._push_audio())
        try:
            await asyncio.sleep(self._random.uniform(0, 5))
            self.record.ready(self._loop.time())
            while True:
                await self._turn()
        finally:
            audio.cancel()
            self.record.over(self._loop.time(), "the peer closed")

    async def _turn(self) -> None:
        record, now, draw = self.record, self._loop.time, self._random
        self._turns += 1
        reply_id = 2 * self._turns
        await asyncio.sleep(draw.uniform(0.5, 1.5))
        record.change_state(now(), "user_speaking")
        record.speech_began(now())
        self._caller_speaks = True
        await asyncio.sleep(draw.uniform(1.5, 2.5))
        self._caller_speaks = False
        spoken = now()
        question = draw.choice(QUESTIONS)
        record.said_words(now(), question, self._turns)
        record.speech_ended(now())
        stages = {"stt": draw.randint(120, 260), "end_of_turn": draw.randint(60, 200)}
        await asyncio.sleep(sum(stages.values()) / 1000)
        record.change_state(now(), "thinking")
        record.asked(now(), reply_id)
        stages |= {"llm": round(200 * draw.lognormvariate(0, 0.5)), "clause": draw.randint(5, 40)}
        await asyncio.sleep((stages["llm"] + stages["clause"]) / 1000)
        record.first_token(now())
        stages |= {"tts": draw.randint(80, 220), "playout": draw.randint(10, 40)}
        turn = Turn(self._turns, reply_id, spoken, question, stages, sum(stages.values()))
        await self._reply(turn)

    async def _reply(self, turn: Turn) -> None:
        record, now, draw = self.record, self._loop.time, self._random
        broken = draw.random() < 0.02
        cut = False
        for number, sentence in enumerate(SENTENCES):
            record.piece_began(now(), 10 * turn.reply_id + number, sentence)
            await asyncio.sleep(turn.stages_ms["tts"] / 1000 if number == 0 else 0.05)
            record.first_audio(now())
            record.piece_done(now(), "HTTP 503" if broken and number else None)
            if number == 0:
                record.model_done(now(), None)
                record.used(Usage("llm", "prompt_tokens", 900))
                record.used(Usage("llm", "cached_tokens", 600))
                record.used(Usage("llm", "completion_tokens", 40))
                record.change_state(now(), "speaking")
                record.playing(now(), turn.reply_id)
                record.answered(turn)
                self._bot_speaks = True
            for word in sentence.split():
                record.word_heard(now(), word)
                await asyncio.sleep(WORD_SECS)
            cut = number == 0 and turn.turn_id % 3 == 0 and await self._sound()
            if cut:
                break
        self._bot_speaks = False
        record.played(now(), SENTENCES[-1] if cut else "", cut=cut, error=None)
        error = "the voice failed: HTTP 503" if broken else None
        record.turn_over(now(), turn, cut=cut, error=error, heard=" ".join(SENTENCES))
        record.change_state(now(), "listening")

    async def _sound(self) -> bool:
        """A sound over the voice; whether it was taken as an interruption."""
        record, now, draw = self.record, self._loop.time, self._random
        self._sounds += 1
        cut = draw.random() < 0.3
        record.change_state(now(), "paused")
        self._caller_speaks, self._bot_speaks = True, False
        verdict_ms = draw.randint(180, 420)
        await asyncio.sleep(verdict_ms / 1000)
        self._caller_speaks, self._bot_speaks = False, True
        decision = {
            "sound_id": self._sounds,
            "mode": "duck",
            "verdict": "cancel" if cut else "resume",
            "reason": "words that ask for the floor" if cut else "a word of assent",
            "text": "wait, no" if cut else "mhm",
            "sound_ms": verdict_ms + 60,
            "verdict_ms": verdict_ms,
            "silence_ms": verdict_ms - 120,
            "confidence": round(draw.uniform(0.6, 0.99), 2),
            "wrong": None,
        }
        record.decided(now(), decision)
        record.change_state(now(), "listening" if cut else "speaking")
        if draw.random() < 0.8:
            record.decided(now(), {**decision, "wrong": draw.random() < 0.1})
        return cut

    async def _push_audio(self) -> None:
        """Both voices in packets of 20 ms, as over the line: silence is sent too."""
        began, sent = self._loop.time(), 0
        while True:
            self.record.caller_level.push(_CALLER[self._caller_speaks][sent % len(_CALLER[True])])
            self.record.bot_level.push(_BOT[self._bot_speaks][sent % len(_BOT[True])])
            sent += 1
            await asyncio.sleep(max(0.0, began + sent * PACKET_SECS - self._loop.time()))

    def _quality(self) -> dict[str, float]:
        draw = self._random
        return {
            "lost_in_percent": round(draw.choice((0, 0, 0.2, 1.4)), 2),
            "jitter_in_ms": round(draw.uniform(1, 9), 1),
            "round_trip_ms": round(draw.uniform(20, 90), 1),
        }


def add_history(registry: CallRegistry, answers: int) -> None:
    """A call of the past with so many answers and sounds: a process that has run for long keeps their figures."""
    draw = random.Random(0)
    began = asyncio.get_running_loop().time() - 10.0 * answers
    record = registry.open("history", now=began, now_unix=time.time() - 10.0 * answers)
    for number in range(answers):
        stages = {name: draw.randint(20, 400) for name in ("stt", "end_of_turn", "llm", "clause", "tts", "playout")}
        at = began + 10.0 * number
        turn = Turn(number, 2 * number, at, QUESTIONS[0], stages, sum(stages.values()))
        record.answered(turn)
        record.turn_over(at + 5, turn, cut=False, error=None, heard=SENTENCES[0])
        sound = {"sound_id": number, "mode": "duck", "verdict": "resume", "reason": "a word of assent", "text": "mhm"}
        record.decided(at + 3, {**sound, "verdict_ms": draw.randint(100, 500), "silence_ms": 150, "wrong": None})
    record.over(began + 10.0 * answers, "the peer closed")


def _packets(rate_hz: int, amplitude: float) -> list[bytes]:
    """Two seconds of noise that swells four times a second, as syllables do."""
    noise = np.random.default_rng(1)
    samples = round(rate_hz * PACKET_SECS)
    packets = []
    for index in range(100):
        envelope = amplitude * (0.25 + abs(math.sin(2 * math.pi * 2 * index * PACKET_SECS)))
        packets.append((noise.normal(0, envelope, samples)).astype(np.int16).tobytes())
    return packets


_CALLER: Final = {speaks: _packets(INPUT_SAMPLE_RATE_HZ, amplitude) for speaks, amplitude in ((True, 3000), (False, 8))}
_BOT: Final = {speaks: _packets(OUTPUT_SAMPLE_RATE_HZ, amplitude) for speaks, amplitude in ((True, 4000), (False, 0))}


@asynccontextmanager
async def synthetic_calls(registry: CallRegistry, number: int) -> AsyncIterator[list[SyntheticCall]]:
    """So many calls, until the end of the block."""
    calls = [SyntheticCall(registry, seed) for seed in range(number)]
    running = [asyncio.create_task(call.run()) for call in calls]
    try:
        yield calls
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
