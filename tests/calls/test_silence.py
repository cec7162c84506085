"""Sounds without words never make the bot answer: judged by what reaches the caller."""

import asyncio

import numpy as np
import pytest

from loadtest.audio import SAMPLE_RATE_HZ, Clip, clip_from_samples
from loadtest.bot_process import RealBot
from loadtest.caller import Caller
from tests.calls.conftest import clip, told

# Alone, for a machine too busy to judge a sound in time makes the bot ask for it again.
pytestmark = [pytest.mark.timed, pytest.mark.asyncio(loop_scope="session")]

AFTER_SECS = 3.0
"""By then the bot would have answered anything that it took for words."""


def hiss() -> Clip:
    """Two seconds of white noise, as loud as speech."""
    noise = np.random.default_rng(seed=3).standard_normal(2 * SAMPLE_RATE_HZ) * 2_000
    return clip_from_samples("hiss", noise.astype(np.int16))


async def call(bot: RealBot, sounds: list[Clip], secs: float) -> Caller:
    """A caller who makes sounds, and stays on the line for a while."""
    async with Caller(bot.url) as caller:
        await asyncio.sleep(0.5)
        for sound in sounds:
            await caller.say(sound)
        await asyncio.sleep(secs)
    return caller


async def test_silence_noise_and_music_get_no_answer(bot: RealBot) -> None:
    callers = await asyncio.gather(
        call(bot, [], 6.0),
        call(bot, [hiss()], AFTER_SECS),
        call(bot, [clip("typing"), clip("sneeze")], AFTER_SECS),
        call(bot, [clip("music")], AFTER_SECS),
    )
    for caller in callers:
        packets = caller.recording.packets
        covered_secs = ((packets[-1].timestamp - packets[0].timestamp) & 0xFFFF_FFFF) / 48_000
        assert covered_secs > 3, "the bot's line was dead, so its silence says nothing"
        assert len(caller.recording.sound().loud_secs) == 0
        assert [said["text"] for said in told(caller, "user-transcription") if said["text"]] == []
        assert told(caller, "time-to-answer") == []
