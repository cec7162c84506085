"""Callers on the pipeline in virtual time: a bot that is full, and a run that is ended early."""

import asyncio

from loadtest import virtual_time, whole_calls
from loadtest.scenario import Kind, Scenario
from loadtest.summary import summarise
from tests.loadtest.quick_bot import MATERIAL, SHORT, quick_services

SCENARIO = Scenario.model_validate({"mix": {"question": 1}, "think_secs": (0.1, 0.2), "answer_limit_secs": 5.0})


def test_callers_at_a_full_bot_come_in_later_and_are_answered():
    async def scene() -> whole_calls.Scores:
        kinds = 3 * [[Kind.QUESTION]]
        return await whole_calls.talk(
            quick_services(SHORT), kinds, SCENARIO, MATERIAL, max_calls=lambda: 1, stagger_secs=0.4
        )

    scores = virtual_time.run(scene())
    summary = summarise(scores.requests, scores.calls)
    assert (summary["requests"], summary["success_rate"]) == (3, 1.0)
    calls = sorted(scores.calls, key=lambda call: call.begun_secs)
    assert calls[0].refusals == 0
    assert all(call.refusals > 0 and call.waited_secs >= 5 for call in calls[1:])
    assert all(earlier.ended_secs <= later.begun_secs for earlier, later in zip(calls, calls[1:], strict=False))
    assert summary["calls"]["told_at_capacity"] == 2
    assert all(
        request.asked_secs > call.begun_secs for call, request in zip(scores.calls, scores.requests, strict=True)
    )


def test_what_was_heard_until_somebody_had_enough_is_scored():
    async def scene() -> whole_calls.Scores:
        talk = asyncio.create_task(whole_calls.talk(quick_services(SHORT), [5 * [Kind.QUESTION]], SCENARIO, MATERIAL))
        await asyncio.sleep(14.0)
        talk.cancel()
        return await talk

    scores = virtual_time.run(scene())
    assert 1 <= len(scores.requests) <= 3
    assert all(request.success for request in scores.requests)
    assert scores.unfinished <= 1
    assert scores.calls
