"""A vendor that says "too many requests", or that the quota is gone: the bot must not be dead without a word.

Whole calls in virtual time, with the vendor's own package over loopback.
"""

import contextlib

import pytest

from emulators import groq
from emulators.faults import FaultRule, Kind, Vendor
from loadtest.faults_scoring import LIMIT_MS, Debt, longest_silence_ms, signs_of
from processors.turns.events import Phrase
from processors.turns.phrases import phrase_text
from tests.conversations.conftest import Calling, clip
from tests.emulators.serving import serving

APOLOGY = phrase_text(Phrase.APOLOGY, "en", "")
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


@pytest.mark.parametrize("retry_after", ["2", "date:2", None, "3600"])
async def test_a_storm_of_429s_is_told_each_time_and_over_when_it_is_over(virtual, call: Calling, retry_after):
    rule = {"kind": Kind.STATUS, "status": 429, "retry_after": retry_after, "until_secs": STORM_SECS}
    async with talking(call, rule) as (world, c):
        debts, began = [], c.now
        while c.now < began + STORM_SECS - 8.0:
            heard, debt = await ask(c)
            assert heard == APOLOGY
            debts.append(debt)
            await c.listen(1.0)
        assert len(debts) >= 2
        refused = [entry for entry in world.log.entries() if entry.fault == "status"]
        assert {entry.status for entry in refused} == {429}
        assert len(refused) >= len(debts)
        await c.listen(began + STORM_SECS + 1.0 - c.now)
        heard, debt = await ask(c)
        debts.append(debt)
    assert heard.startswith("Gladly")
    assert longest_silence_ms(c.levels(), signs_of(c.messages), debts) <= LIMIT_MS


async def test_a_quota_that_is_gone_is_one_clear_sentence_for_each_turn(virtual, call: Calling):
    async with talking(call, {"kind": Kind.QUOTA_GONE}) as (_, c):
        debts = []
        for _ in range(2):
            heard, debt = await ask(c)
            assert heard == APOLOGY
            debts.append(debt)
            await c.listen(1.0)
        errors = [played["error"] for played in c.told("reply-played") if played["error"]]
    assert all("tokens per day (TPD)" in error for error in errors)
    assert len(errors) == 2
    assert longest_silence_ms(c.levels(), signs_of(c.messages), debts) <= LIMIT_MS
