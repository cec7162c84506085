"""Two models asked at once: the first to begin is heard, the other is closed, each is charged to its own limits."""

import asyncio

import pytest

from contracts.llm import Finish, LanguageModelError, Quota, TextDelta, Usage
from gateway.policy import Choice, Policy, PolicyParams, Send
from tests.gateway.test_model import ANSWER, Scripted, ask, gateway, text

AMPLE = {Quota.REQUESTS_PER_MINUTE: 300.0, Quota.TOKENS_PER_MINUTE: 250_000.0}
FREE = {Quota.REQUESTS_PER_MINUTE: 30.0, Quota.TOKENS_PER_MINUTE: 8_000.0}
HEDGES = PolicyParams(hedge_requests=60)
OTHER = [TextDelta("From "), TextDelta("nine."), Finish("stop", Usage(20, 0, 4))]


@pytest.mark.parametrize(
    ("first_secs", "second_secs", "heard"), [(0.5, 0.2, "From nine."), (0.2, 0.5, "We open at nine.")]
)
async def test_the_first_to_begin_is_heard_and_the_other_closed_at_once(virtual, first_secs, second_secs, heard):
    one, two = Scripted("one", [first_secs, *ANSWER]), Scripted("two", [second_secs, *OTHER])
    asked = gateway(one, two, limits=AMPLE, policy=HEDGES)
    began = virtual.time()
    assert text(await ask(asked)) == heard
    assert virtual.time() - began == pytest.approx(0.2, abs=0.01)
    assert (len(one.asked), one.closed, len(two.asked), two.closed) == (1, 1, 1, 1)
    assert [model["sent"] for model in asked.snapshot()["models"].values()] == [1, 1]
    assert [model["in_flight"] for model in asked.snapshot()["models"].values()] == [0, 0]
    assert asked.snapshot()["hedged"] == 1


async def test_one_that_fails_leaves_the_word_to_the_other(virtual):
    one = Scripted("one", [0.1, LanguageModelError("broken", retryable=True)])
    two = Scripted("two", [0.5, *OTHER])
    assert text(await ask(gateway(one, two, limits=AMPLE, policy=HEDGES))) == "From nine."
    assert (len(one.asked), len(two.asked)) == (1, 1)


async def test_when_both_fail_the_request_waits_in_queue_like_any_other(virtual):
    broken = [0.1, LanguageModelError("broken", retryable=True)]
    one, two = Scripted("one", broken, ANSWER), Scripted("two", broken, OTHER)
    asked = gateway(one, two, limits=AMPLE, policy=HEDGES)
    assert text(await ask(asked)) in ("From nine.", "We open at nine.")
    assert [model["in_flight"] for model in asked.snapshot()["models"].values()] == [0, 0]
    assert asked.snapshot()["hedged"] == 1


async def test_one_that_breaks_off_in_the_middle_is_continued(virtual):
    one = Scripted("one", [0.1, TextDelta("We open "), LanguageModelError("broken", retryable=True)], ANSWER)
    two = Scripted("two", [0.5, *ANSWER])
    assert text(await ask(gateway(one, two, limits=AMPLE, policy=HEDGES))) == "We open at nine."


async def test_a_caller_who_goes_leaves_nothing_behind(virtual):
    one, two = Scripted("one", [5.0, *ANSWER]), Scripted("two", [5.0, *OTHER])
    asked = gateway(one, two, limits=AMPLE, policy=HEDGES)
    waiting = asyncio.create_task(ask(asked))
    await asyncio.sleep(1.0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (one.closed, two.closed) == (1, 1)
    assert [model["in_flight"] for model in asked.snapshot()["models"].values()] == [0, 0]


@pytest.mark.parametrize(
    ("limits", "policy"), [(FREE, HEDGES), (AMPLE, PolicyParams())], ids=["a free account", "not wanted"]
)
async def test_one_model_is_asked_where_the_budget_is_not_ample(virtual, limits, policy):
    one, two = Scripted("one", [0.5, *ANSWER]), Scripted("two", [0.2, *OTHER])
    assert text(await ask(gateway(one, two, limits=limits, policy=policy))) == "We open at nine."
    assert two.asked == []


def test_the_second_charge_is_the_second_models():
    policy = Policy([Choice("one", AMPLE), Choice("two", {**AMPLE, Quota.TOKENS_PER_MINUTE: 100_000.0})], HEDGES)
    first = policy.submit("anna", 400, 0.0)
    assert policy.decide(0.0) == [Send(first, "one")]
    second = policy.hedge(first, 0.0)
    assert second is not None
    assert second.model == "two"
    charge = policy.charge_of(second.ticket)
    assert charge is not None
    assert charge.limits[Quota.TOKENS_PER_MINUTE][0] == 100_000.0
    assert policy.decide(0.0) == []
