"""Two bots and one real Redis: they share one number of calls, and go on by themselves when it is gone."""

import asyncio
import shutil

import pytest

from loadtest.bot_process import real_bot
from loadtest.caller import Caller, CallRefused
from tests.calls.conftest import SECS, until_told
from tests.calls.test_redis import running_redis

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed"),
]


async def until_let_in(caller: Caller) -> list[CallRefused]:
    """Ask until the caller is let in; what the bot said before."""
    refusals: list[CallRefused] = []
    async with asyncio.timeout(SECS):
        while True:
            try:
                await caller.connect()
                return refusals
            except CallRefused as refused:
                refusals.append(refused)
                await asyncio.sleep(0.2)


async def test_two_bots_share_their_places_and_live_without_redis():
    async with running_redis() as redis:
        settings = {"REDIS_URL": redis.url, "MAX_CALLS_SHARED": "2", "GREETING": "", "HOLD_SECS": "0"}
        async with real_bot(**settings) as first, real_bot(**settings) as second:
            async with Caller(first.url), Caller(second.url):
                with pytest.raises(CallRefused):
                    await Caller(first.url).connect()
                with pytest.raises(CallRefused):
                    await Caller(second.url).connect()
            await first.until_calls(0)
            async with Caller(first.url) as stays, Caller(first.url) as leaves:
                third = Caller(second.url)
                asking = asyncio.create_task(until_let_in(third))
                await asyncio.sleep(0.5)
                assert not asking.done()
                await leaves.hangup()
                refusals = await asking
                assert refusals
                assert {(each.status, each.body["code"], each.body["queue_position"]) for each in refusals} == {
                    (503, "at_capacity", 1)
                }
                await redis.stop()
                stays.type_text("When are you open?")
                await until_told(stays, "reply-played")
                async with Caller(first.url) as alone:  # by its own count there is a place
                    alone.type_text("When are you open?")
                    await until_told(alone, "reply-played")
                await third.hangup()
            warnings = [line for line in first.lines if "each process counts its calls for itself" in line]
            assert len(warnings) == 1
