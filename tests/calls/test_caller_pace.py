"""The load test's caller sends a packet each 20 ms, and says how well it did."""

import asyncio

import numpy as np
import pytest

from loadtest.caller import Caller
from tests.loadtest.known_bot import known_bot


@pytest.mark.timed
async def test_the_caller_keeps_its_pace_and_says_how_well():
    async with known_bot() as bot, Caller(bot.url) as caller:
        await asyncio.sleep(1)
    slips = caller.recording.slip_secs
    assert len(slips) == pytest.approx(50, abs=10)
    assert min(slips) >= 0
    assert np.median(slips) < 0.01
