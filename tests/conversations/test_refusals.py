"""A vendor that says "too many requests", or that the quota is gone: the bot must not be dead without a word.

Whole calls in virtual time, with the vendor's own package over loopback.
"""

import contextlib
import re

import pytest

from emulators import groq
from emulators.faults import FaultRule, Kind, Vendor
from loadtest.faults_scoring import LIMIT_MS, Debt, longest_silence_ms, signs_of
from processors.turns.events import Phrase
from processors.turns.phrases import phrase_text
from tests.conversations.conftest import Calling, clip
from tests.emulators.serving import serving

FULL, QUOTA = (phrase_text(phrase, "en", "") for phrase in (Phrase.FULL, Phrase.QUOTA))
BUSY, IN_QUEUE = (phrase_text(phrase, "en", "", 10.0) for phrase in (Phrase.BUSY, Phrase.IN_QUEUE))
MOMENT, STILL = "One moment, please.", "I'm still looking into it."
STORM_SECS = 20.0


@contextlib.asynccontextmanager
async def talking(call: Calling, rule: dict):
    async with contextlib.AsyncExitStack() as stack:
        world, where = await stack.enter_async_context(serving(groq.make_app))
        settings = {"llm": "groq", "groq_api_key": "gsk_test", "groq_url": f"http://{where}"}
        c = await stack.enter_async_context(call(None, **settings))
        world.faults.replace([FaultRule(vendor=Vendor.GROQ, **rule)], world.now())
        yield world, c


async def ask(c) -> tuple[str, Debt]:
    """Say something; returns what was heard of the answer, and when something was owed."""
    replies = len(c.told("reply-played"))
    _, ends = c.say(clip("book_a_room"))
    await c.listen(ends - c.now)
    await c.until_state("thinking", "speaking")
    await c.until_state("listening", timeout_secs=30)
    heard = [played["heard"] for played in c.told("reply-played")[replies:]]
    return " ".join(text for text in heard if text), Debt(ends, c.now)


@pytest.mark.parametrize("retry_after", ["2", "date:2", None])
async def test_a_storm_of_429s_is_waited_for_with_a_word_now_and_then(virtual, call: Calling, retry_after):
    rule = {"kind": Kind.STATUS, "status": 429, "retry_after": retry_after, "until_secs": STORM_SECS}
    async with talking(call, rule) as (world, c):
        began = c.now
        heard, debt = await ask(c)
        assert c.now > began + STORM_SECS
        covers = "|".join(map(re.escape, (MOMENT, STILL, BUSY, IN_QUEUE)))
        assert re.fullmatch(rf"({covers}| )+Gladly.*", heard)
        assert heard.count(STILL) <= 1, "who waits again and again is told that there is a line"
        assert BUSY in heard
        refused = [entry for entry in world.log.entries() if entry.fault == "status"]
        assert {entry.status for entry in refused} == {429}
        assert longest_silence_ms(c.levels(), signs_of(c.messages), [debt]) <= LIMIT_MS
        again, debt = await ask(c)
    assert again.startswith("Gladly")
    assert longest_silence_ms(c.levels(), signs_of(c.messages), [debt]) <= LIMIT_MS


async def test_a_storm_that_lasts_for_longer_than_a_caller_waits_is_told_each_time(virtual, call: Calling):
    rule = {"kind": Kind.STATUS, "status": 429, "retry_after": "3600", "until_secs": STORM_SECS}
    async with talking(call, rule) as (_, c):
        debts = []
        for _ in range(2):
            heard, debt = await ask(c)
            assert heard == FULL
            debts.append(debt)
            await c.listen(1.0)
    assert longest_silence_ms(c.levels(), signs_of(c.messages), debts) <= LIMIT_MS


async def test_a_quota_that_is_gone_is_one_clear_sentence_for_each_turn(virtual, call: Calling):
    async with talking(call, {"kind": Kind.QUOTA_GONE}) as (_, c):
        debts = []
        for _ in range(2):
            heard, debt = await ask(c)
            assert heard == QUOTA
            debts.append(debt)
            await c.listen(1.0)
        errors = [played["error"] for played in c.told("reply-played") if played["error"]]
    assert longest_silence_ms(c.levels(), signs_of(c.messages), debts) <= LIMIT_MS
    assert len(errors) == 2
    assert all("the day's quota is used up" in error for error in errors), "not in the vendor's words"
