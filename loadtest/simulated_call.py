"""A simulated caller's call on the real pipeline, in virtual time: what they did, and what came of it."""

import asyncio
import random
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np

from contracts.frames import INPUT_SAMPLE_RATE_HZ, UserTextFrame
from loadtest.audio import SAMPLE_RATE_HZ, Samples, load_wav, resampled
from loadtest.in_process import LOUD_RMS, TICK_SECS, InProcessCall, calling
from loadtest.material import OWN_CLIPS, Speaker
from loadtest.simulated_scenario import Act, SimulatedCaller
from services.services import Services

SILENT_SECS: Final = 0.9
"""A bot that is silent for so long has finished."""

ANSWER_SECS: Final = 15.0
"""Nobody waits longer for an answer, or for the end of one."""

LONGEST_ANSWER_SECS: Final = 60.0
JITTER_SECS: Final = 0.3


@dataclass(frozen=True)
class Done:
    """An act as it was done; seconds of the call.

    Attributes:
        act: The act.
        began: When its sound began.
        ended: When its sound was over.
        over_voice: Whether the bot was speaking when it began.
    """

    act: Act
    began: float
    ended: float
    over_voice: bool


@dataclass
class CallOutcome:
    """What came of a call.

    Attributes:
        done: What the caller did.
        levels: Of the bot, for each 20 ms.
        answers_ms: How long each answer took, as the client was told.
        replies: What was heard of each reply, and whether it was cut.
        hung_up: Whether the bot ended the call.
        errors: What the client was told of troubles.
    """

    done: list[Done] = field(default_factory=list)
    levels: np.ndarray = field(default_factory=lambda: np.empty(0))
    answers_ms: list[float] = field(default_factory=list)
    replies: list[tuple[str, bool]] = field(default_factory=list)
    hung_up: bool = False
    errors: int = 0


@cache
def _speaker() -> Speaker:
    return Speaker()


@cache
def spoken(text: str) -> Samples:
    """A sentence at 16 kHz, by the local voice."""
    return resampled(_speaker().speak(text), SAMPLE_RATE_HZ, INPUT_SAMPLE_RATE_HZ)


@cache
def sound(name: str) -> Samples:
    """A recorded sound at 16 kHz."""
    return resampled(load_wav(OWN_CLIPS / f"{name}.wav"), SAMPLE_RATE_HZ, INPUT_SAMPLE_RATE_HZ)


def pieces(act: Act) -> list[str]:
    """What is spoken in one breath: a sentence, or its halves around a hesitation."""
    words = act.say.split()
    if not act.hesitates or len(words) < 2:
        return [act.say] if act.say else []
    half = len(words) // 2
    return [" ".join(words[:half]), " ".join(words[half:])]


async def talk(services: Services, caller: SimulatedCaller, seed: str) -> CallOutcome:
    """Make the call.

    Args:
        services: The bot.
        caller: Who calls.
        seed: Of the small pauses that people make.
    """
    chance = random.Random(seed)
    call = InProcessCall("simulated", caller.street_rms)
    outcome = CallOutcome()
    async with calling(services, call):
        await call.listen(0.5)
        for act in caller.acts:
            if call.closed.is_set():
                break
            await call.listen(act.wait_secs + chance.uniform(0, JITTER_SECS))
            await _do(call, act, outcome)
        await _answered(call)
        await call.listen(2.0)
        outcome.hung_up = call.closed.is_set()
    outcome.levels = call.levels()
    outcome.answers_ms = [float(told["ms"]) for told in call.told("time-to-answer")]
    outcome.replies = [(str(told["heard"]), bool(told["cut"])) for told in call.told("reply-played")]
    outcome.errors = len(call.told("error"))
    return outcome


async def _do(call: InProcessCall, act: Act, outcome: CallOutcome) -> None:
    if act.over_secs is not None:
        await _bot_speaks(call)
        await call.listen(act.over_secs)
    else:
        await _answered(call)
    over_voice = _loud(call, 3)
    began = call.now
    if act.keys:
        for key in act.keys:
            await call.take(UserTextFrame(key, source="key"))
            await call.listen(0.2)
    elif act.sound is not None:
        await _say(call, sound(act.sound), act.gain)
    else:
        for number, piece in enumerate(pieces(act)):
            if number:
                await call.listen(act.hesitates)
            await _say(call, spoken(piece), act.gain)
    outcome.done.append(Done(act, began, call.now, over_voice))
    if act.wants_answer and act.over_secs is None:
        await _bot_speaks(call)


async def _say(call: InProcessCall, samples: Samples, gain: float) -> None:
    louder = np.clip(samples.astype(np.float32) * gain, -32_000, 32_000).astype(np.int16)
    _, ends = call.say(louder)
    await call.listen(ends - call.now)


def _loud(call: InProcessCall, ticks: int) -> bool:
    return bool(len(call.heard)) and bool((call.levels(call.now - ticks * TICK_SECS) > LOUD_RMS).any())


async def _bot_speaks(call: InProcessCall) -> None:
    until = call.now + ANSWER_SECS
    while call.now < until and not call.closed.is_set() and not _loud(call, 2):  # noqa: ASYNC110 - the tick is time
        await asyncio.sleep(TICK_SECS)


async def _answered(call: InProcessCall) -> None:
    """Wait until the bot has nothing more to say: it is silent, and no answer is on its way."""
    until = call.now + LONGEST_ANSWER_SECS
    while call.now < until and not call.closed.is_set():
        if call.state == "listening" and not _loud(call, round(SILENT_SECS / TICK_SECS)):
            return
        await asyncio.sleep(TICK_SECS)
