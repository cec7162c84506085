"""The model says goodbye, because a tool ends the call: the bot hangs up when it has been heard."""

import pytest

from processors.turns import events as ev
from processors.turns.states import State, TurnParams
from tests.processors.turns.world import Params, World, speech

BYE = [*speech(0, 1200, "thank you, goodbye"), (1450, ev.TurnScored(0.95)), (1600, ev.EndsCall(1))]
SHORT = Params(reply_ms=2000)


def over_ms(world: World) -> int:
    """When the goodbye had been said."""
    return next(end for _, end, reply, _ in reversed(world.sounded) if reply == 1)


def test_the_call_ends_when_the_goodbye_has_been_heard() -> None:
    world = World(SHORT).run(BYE, 20_000)
    ((at_ms, _),) = world.actions(ev.HangUp)
    assert at_ms == over_ms(world) + 600


@pytest.mark.parametrize("start_ms", [3400, 4000, 4300, 4500])
def test_a_cough_over_or_after_the_goodbye_does_not_keep_the_call(start_ms: int) -> None:
    cough = speech(start_ms, start_ms + 200, None, segment=1)
    world = World(SHORT).run([*BYE, *cough], 30_000)
    assert len(world.actions(ev.HangUp)) == 1
    assert world.actions(ev.Say) == [], "nobody is asked to say it again"


@pytest.mark.parametrize("start_ms", [2500, 3400, 4000, 4300, 4500])
def test_who_says_something_more_is_answered(start_ms: int) -> None:
    more = speech(start_ms, start_ms + 900, "wait what about my card", segment=1)
    world = World(SHORT).run([*BYE, *more], 30_000)
    assert [ask.text for ask in world.asked][-1] == "wait what about my card"
    assert world.actions(ev.HangUp) == []
    assert world.machine.state is State.LISTENING


def test_a_goodbye_without_a_voice_ends_the_call_all_the_same() -> None:
    scene = [*BYE, (1700, ev.ReplyPlayed(1, error="no audio"))]
    world = World(Params(llm_ms=None)).run(scene, 20_000)
    assert len(world.actions(ev.TellClient)) == 1
    ((at_ms, _),) = world.actions(ev.HangUp)
    assert at_ms == 2300


def test_a_goodbye_that_broke_off_was_heard() -> None:
    scene = [*BYE, (2600, ev.ReplyPlayed(1, heard="Good", error="closed"))]
    world = World(SHORT).run(scene, 3300)
    assert world.actions(ev.ReportFault) == []
    ((at_ms, _),) = world.actions(ev.HangUp)
    assert at_ms == 3200


def test_a_goodbye_of_another_reply_means_nothing() -> None:
    world = World(SHORT).run([*BYE[:-1], (1600, ev.EndsCall(7))], 20_000)
    assert world.actions(ev.HangUp) == []


def test_a_silent_caller_is_not_asked_after_a_goodbye() -> None:
    world = World(SHORT, TurnParams(idle_secs=0.5)).run(BYE, 20_000)
    assert world.actions(ev.Say) == []
    assert world.actions(ev.HangUp)
