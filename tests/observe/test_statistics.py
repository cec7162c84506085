"""Figures of the process so far."""

import pytest

from observe.call_registry import CallRegistry
from observe.statistics import KEEP_DECISIONS, MAX_NAMES, Counts, Statistics, against_targets, percentile, spread
from tests.observe.calls import BEGAN, BEGAN_UNIX, decision, opened, play, turn


@pytest.fixture
def registry() -> CallRegistry:
    return CallRegistry(lambda: {"llm": "groq"})


@pytest.fixture
def figures(registry) -> Statistics:
    figures = Statistics()
    registry.add_listener(figures)
    return figures


def test_percentiles_are_values_that_were_measured():
    values = list(range(1, 101))
    assert [percentile(values, share) for share in (0.0, 0.5, 0.95, 0.99, 1.0)] == [1, 50, 95, 99, 100]
    assert percentile([7], 0.5) == 7
    assert spread([]) is None
    assert spread([30, 10, 20]) == {"n": 3, "mean": 20.0, "p50": 20, "p95": 30, "p99": 30}


def test_latency_by_stage(registry, figures):
    record = opened(registry)
    for number in range(1, 11):
        play(record, turn(number, answer_ms=100 * number, llm=10 * number))
    latency = figures.latency()
    assert latency["voice_to_voice"] == {"n": 10, "mean": 550.0, "p50": 500, "p95": 1000, "p99": 1000}
    assert latency["llm"] == {"n": 10, "mean": 55.0, "p50": 50, "p95": 100, "p99": 100}
    assert figures.latency() is latency  # nothing is new, nothing is computed
    assert figures.recent(2) == [(BEGAN_UNIX + 2, 900), (BEGAN_UNIX + 2, 1000)]
    assert record.began == BEGAN


def test_success_and_failures_by_cause(registry, figures):
    record = opened(registry)
    assert figures.success()["share"] is None
    play(record, turn(1))
    play(record, turn(2), cut=True)
    play(record, turn(3, answer_ms=None), cut=True)
    play(record, turn(4), error="HTTP 500")
    record.turn_left(BEGAN + 9, turn(5))
    assert figures.outcomes.as_dict() == {"played": 1, "cut": 1, "superseded": 1, "failed": 1, "left": 1}
    assert figures.success() == {"answered": 3, "failed": 1, "share": 0.75}
    assert figures.failures.as_dict() == {"HTTP #": 1}


def test_interruptions_by_verdict_and_outcome(registry, figures):
    record = opened(registry)
    record.decided(BEGAN + 1, decision(1))
    record.decided(BEGAN + 2, decision(2, "cancel"))
    record.decided(BEGAN + 3, decision(2, "cancel", wrong=False))
    record.decided(BEGAN + 4, decision(3, "cancel"))
    record.decided(BEGAN + 5, decision(3, "cancel", wrong=True))
    assert figures.verdicts == {
        "resume": {"open": 1, "right": 0, "wrong": 0},
        "cancel": {"open": 0, "right": 1, "wrong": 1},
    }
    assert [(kept["sound_id"], kept["verdict"], kept["wrong"]) for kept in figures.decisions] == [
        (1, "resume", None),  # a false alarm
        (3, "cancel", True),  # and what should have been one
    ]
    record.decided(BEGAN + 6, decision(1, wrong=True))
    assert figures.decisions[0]["wrong"] is True
    assert figures.latency()["false_alarm_silence"] == {"n": 1, "mean": 80.0, "p50": 80, "p95": 80, "p99": 80}


def test_a_false_alarm_is_counted_by_what_the_caller_lost(registry, figures):
    record = opened(registry)
    for number, outcome in enumerate(("taken_back", "lost", "interrupted"), start=1):
        record.decided(BEGAN + number, decision(number, "cancel"))
        wrong = outcome != "interrupted"
        record.decided(
            BEGAN + number, decision(number, "cancel", wrong=wrong) | {"outcome": outcome, "silence_ms": 900}
        )
    assert (figures.replies_taken_back, figures.replies_lost) == (1, 1)
    assert figures.latency()["taken_back_silence"]["p50"] == 900


def test_everything_is_bounded(registry, figures):
    record = opened(registry)
    for number in range(3 * KEEP_DECISIONS):
        record.decided(BEGAN, decision(number))
    assert len(figures.decisions) == KEEP_DECISIONS
    counts = Counts()
    for number in range(3 * MAX_NAMES):
        counts.add(f"cause {number}")
    assert len(counts.as_dict()) == MAX_NAMES + 1
    assert counts.as_dict()["other"] == 2 * MAX_NAMES
    assert counts.total() == 3 * MAX_NAMES


def test_targets(registry, figures):
    assert {row["met"] for row in against_targets(figures.latency())} == {None}
    record = opened(registry)
    for number in range(100):
        play(record, turn(number, answer_ms=700 if number < 90 else 2000))
    rows = {(row["name"], row["percentile"]): row for row in against_targets(figures.latency())}
    assert rows["voice_to_voice", 50] == {
        "name": "voice_to_voice", "percentile": 50, "most": 800, "value": 700, "n": 100, "met": True,
    }  # fmt: skip
    assert rows["voice_to_voice", 95]["met"] is False
