"""Simulated callers: every scenario can be read, calls are judged by rules, and the rules can fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.simulated import simulate, table
from loadtest.simulated_call import CallOutcome, Done
from loadtest.simulated_judging import Judged, judge, pass_hat
from loadtest.simulated_scenario import Act, SimulatedCaller, SimulatedCallerError, load_caller, shipped

LOUD = 3_000.0


def outcome(*loud: tuple[float, float], done=(), secs=20.0, heard="", **more) -> CallOutcome:
    """A call in which the bot is loud between some times."""
    levels = np.zeros(round(secs / 0.02))
    for began, ended in loud:
        levels[round(began / 0.02) : round(ended / 0.02)] = LOUD
    return CallOutcome(list(done), levels, replies=[(heard, False)], **more)


def caller(**expect) -> SimulatedCaller:
    return SimulatedCaller.model_validate({"persona": "p", "goal": "g", "acts": [{"say": "Hello."}], "expect": expect})


ASKS = Act(say="What is it?")
STOPS = Act(say="Stop.", over_secs=1.0, stops_bot=True)
SNEEZES = Act(sound="sneeze", over_secs=1.0, wants_answer=False)


def test_thirty_scenarios_come_with_the_repository():
    known = shipped()
    assert len(known) == 30
    manners = {manner for each in known.values() for manner in each.manner}
    assert manners >= {"hesitates", "interrupts", "noisy street", "wrong number", "angry", "voicemail"}


def test_a_good_call_passes():
    found = judge(caller(heard=["five"]), outcome((3.0, 5.0), done=[Done(ASKS, 1.0, 2.0, False)], heard="Five."), 0)
    assert found.passed
    assert (found.takeovers, found.latencies_ms) == ((1, 1), (1000.0,))


@pytest.mark.parametrize(
    ("expect", "happened", "appointments", "failure"),
    [
        ({"heard": ["six"]}, {}, 0, "did not hear 'six'"),
        ({"not_heard": ["five"]}, {}, 0, "heard 'five'"),
        ({"appointments": 1}, {}, 0, "0 appointments in the bank, not 1"),
        ({}, {}, 1, "1 appointments in the bank, not 0"),
        ({}, {"heard": "The appointment is booked."}, 0, "a false promise: nothing is booked"),
        ({"bot_hangs_up": True}, {}, 0, "the bot did not hang up"),
        ({}, {"answers_ms": [5000.0]}, 0, "an answer took 5000 ms"),
        ({}, {"done": [Done(ASKS, 6.0, 7.0, False)]}, 0, "1 turns without an answer"),
        ({}, {"done": [Done(ASKS, 3.2, 4.2, True)]}, 0, "talked over for 1000 ms"),
        ({}, {"done": [Done(STOPS, 3.2, 3.4, True)]}, 0, "was not let interrupt"),
        ({}, {"done": [Done(SNEEZES, 4.6, 5.0, True)]}, 0, "a sound ended the answer"),
    ],
)
def test_each_rule_can_fail(expect, happened, appointments, failure):
    told = {"heard": "Five.", **happened}
    found = judge(caller(**expect), outcome((3.0, 5.0), **told), appointments)
    assert failure in found.failures


def test_an_interruption_is_timed_from_its_beginning():
    found = judge(caller(), outcome((1.0, 3.3), (5.0, 6.0), done=[Done(STOPS, 3.0, 3.5, True)]), 0)
    assert (found.stops, found.passed) == ((1, 1), True)
    assert found.stop_ms == pytest.approx((300.0,), abs=20)


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=8))
def test_pass_hat_is_the_share_for_one_trial_and_falls_with_more(trials):
    assert pass_hat(trials, 1) == pytest.approx(np.mean(trials))
    assert pass_hat(trials, 3) == pytest.approx(np.mean([all(each) for each in trials]))
    assert pass_hat(trials, 1) >= pass_hat(trials, 2) >= pass_hat(trials, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("persona = 1", "persona"),
        ('persona = "p"\ngoal = "g"\nacts = []', "acts"),
        ('persona = "p"\ngoal = "g"\n[[acts]]\nsay = "a"\nkeys = "1"', "an act has one of say, sound and keys"),
        ('persona = "p"\ngoal = "g"\nmood = "bad"\n[[acts]]\nsay = "a"', "mood"),
        ("persona =", "Invalid value"),
    ],
)
def test_a_wrong_scenario_is_one_line_that_names_what(tmp_path, text, said):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(SimulatedCallerError) as error:
        load_caller(path)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    assert said in message


def test_the_table_has_a_line_for_each_and_one_for_all():
    good = Judged((), (2, 2), (300.0, 500.0), (0, 0), (1, 1), (260.0,))
    bad = Judged(("talked over for 900 ms",), (1, 2), (700.0,), (1, 1), (0, 0), ())
    lines = table({"one": [good, bad], "two": [good]}).splitlines()
    assert lines[2] == "| one | 1 of 2 | 3 of 4 | 500 | 1 of 1 | 1 of 1, 260 ms | talked over for 900 ms |"
    assert lines[-1].startswith("| **all** | 2 of 3 | 5 of 6 |")
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.slow
def test_a_call_on_the_real_pipeline():
    judged = simulate("appointment", shipped()["appointment"])
    assert judged.failures == ()
    assert judged.takeovers == (2, 2)
