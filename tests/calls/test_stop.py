"""A bot that is told to stop while people are on the line."""

import asyncio
import os
import signal

import pytest

from loadtest.bot_process import real_bot
from loadtest.caller import Caller
from tests.calls.conftest import SECS, told, until_state

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_calls_come_to_a_polite_end() -> None:
    async with real_bot(GREETING="", DRAIN_SECS="20") as bot, Caller(bot.url) as speaking, Caller(bot.url) as listening:
        speaking.type_text("When are you open?")
        await until_state(speaking, "speaking")
        os.kill(bot.pid, signal.SIGTERM)
        for caller in (speaking, listening):
            async with asyncio.timeout(45):
                while not any(played["heard"].strip().endswith("Goodbye.") for played in told(caller, "reply-played")):
                    await asyncio.sleep(0.05)
    answer = told(speaking, "reply-played")[0]
    assert answer["heard"].startswith("Our branches are open")
    assert not answer["cut"], "what is being said when the signal comes is said to its end"


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_second_signal_stops_at_once(workers: str) -> None:
    async with real_bot(GREETING="", DRAIN_SECS="60", WORKERS=workers) as bot, Caller(bot.url) as caller:
        caller.type_text("what can you do")
        await until_state(caller, "speaking")
        os.kill(bot.pid, signal.SIGTERM)
        async with asyncio.timeout(SECS):
            while not any("once more to stop at once" in line for line in bot.lines):
                await asyncio.sleep(0.05)
        # Leaving the block sends the second one: the process must then end within its own limit, with exit code 0.
    assert not told(caller, "reply-played")
