"""The machine is never stuck: all short event orders, many long ones; ``python -m bench.liveness`` goes further."""

import dataclasses
import math
import random
import typing
from collections import OrderedDict, deque
from collections.abc import Iterator
from enum import Enum

import pytest

from bench.liveness import (
    COUNTERS,
    EVENTS,
    EVERYTHING,
    explore,
    fingerprint,
    random_walk,
    step,
    stuck,
)
from contracts.modes import InterruptionMode
from processors.turns import events as ev
from processors.turns.facts import FACTS
from processors.turns.machine import TurnMachine, WrongTransition
from processors.turns.partner import PartnerWatch
from processors.turns.states import State, Timer, TurnParams
from processors.turns.table import RULES, Rule
from processors.turns.turn_state import TurnState

MODES = list(InterruptionMode)


@pytest.mark.parametrize("mode", MODES)
def test_no_short_order_of_events_leaves_the_caller_stuck(mode: InterruptionMode) -> None:
    reached = 0
    for path, machine in explore(2, TurnParams(mode=mode, **EVERYTHING)):
        reached += 1
        assert stuck(machine) is None, path
    assert reached > 1000


def test_random_timelines_never_get_stuck() -> None:
    for seed in range(2000):
        params = TurnParams(mode=MODES[seed % 4], **(EVERYTHING if seed % 3 == 0 else {}))
        assert random_walk(random.Random(seed), params, 30) is None, seed


def test_every_timer_and_every_event_that_decides_something_has_a_rule() -> None:
    named = {key for _, key in RULES}
    assert {key for key in named if isinstance(key, Timer)} == set(Timer)
    assert {key for key in named if not isinstance(key, Timer)} | set(FACTS) >= set(typing.get_args(ev.Event)) - {
        ev.Tick
    }


def test_a_handler_that_leads_elsewhere_than_the_table_says_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, (State.LISTENING, ev.SpeechStarted), Rule(lambda *_: State.PAUSED, frozenset()))
    with pytest.raises(WrongTransition, match="LISTENING .* PAUSED"):
        TurnMachine(TurnParams()).handle(ev.SpeechStarted(), 0.0)


# --- nothing is left out ---------------------------------------------------------------------------


def test_every_type_of_event_is_explored() -> None:
    machine = TurnMachine(TurnParams())
    assert {type(make(machine)) for make in EVENTS.values()} == set(typing.get_args(ev.Event))


def test_every_field_of_an_event_is_explored_with_more_than_one_value() -> None:
    machine = TurnMachine(TurnParams())
    machine.known.preemptive.last_probe = 1
    values: dict[tuple[str, str], set[object]] = {}
    for make in EVENTS.values():
        event = make(machine)
        for field in dataclasses.fields(event):
            values.setdefault((type(event).__name__, field.name), set()).add(getattr(event, field.name))
    only_one = {key for key, seen in values.items() if len(seen) < 2}
    # Numbers of what the machine itself has begun: only the current one means anything.
    assert only_one == {
        ("WaitsForTools", "reply_id"),
        ("WaitsInQueue", "reply_id"),
        ("ReplyCommitted", "reply_id"),
        ("EndsCall", "reply_id"),
        ("PlayoutStalled", "reply_id"),
    }


PREPARED = ("speech+", "early words", "early words", "sounds complete so far")
"""What leads to all that is known for a reply that is prepared while the caller speaks."""

SUSPENDED = ("typed", "playing", "sound+", "sounds like speech")
"""What leads to a reply that is cut, and kept."""


def rich_machines() -> Iterator[TurnMachine]:
    """Machines that know a lot: words, a reply, a sound that is judged, its decision, a partner."""
    rng = random.Random(7)
    for mode in MODES:
        for path in (PREPARED, SUSPENDED):
            machine = TurnMachine(TurnParams(mode=mode, **EVERYTHING))
            for name in path:
                machine = step(machine, name, 0.4)
                yield machine
        machine = TurnMachine(TurnParams(mode=mode, **EVERYTHING))
        for _ in range(120):
            machine = step(machine, rng.choice([name for name in EVENTS if name != "hung up"]), rng.choice((0.0, 0.1)))
            yield machine


def changed(value: object) -> object:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1 if math.isfinite(value) else 0.0
        case str():
            return value + "x"
        case Enum():
            members = list(type(value))
            return members[(members.index(value) + 1) % len(members)]
        case None:
            return 0.5
        case list() | tuple():
            return type(value)([*value, "more"])
        case deque():
            return deque([*value, frozenset({("more",)})], maxlen=None)
        case set() | frozenset():
            return {*value, 99}
        case dict() | OrderedDict():
            return {} if value else {99: "more"}
        case _:
            raise AssertionError(f"a field of a new kind: {value!r}; teach bench/liveness.py's fingerprint to read it")


def fields_of(value: object) -> list[str]:
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    return sorted(vars(value)) if isinstance(value, PartnerWatch) else []


def unread(state: TurnState) -> tuple[set[str], set[str]]:
    """Fields of the state that can change without changing the fingerprint, and all that were tried."""
    before = fingerprint(state)
    missed: set[str] = set()
    tried: set[str] = set()

    def try_all(owner: object) -> None:
        for name in fields_of(owner):
            if name in COUNTERS or (owner is state and name == "now"):
                continue
            value, where = getattr(owner, name), f"{type(owner).__name__}.{name}"
            if fields_of(value):
                try_all(value)
                continue
            for item in _items(value):
                try_all(item)
            other = changed(value)
            tried.add(where)
            object.__setattr__(owner, name, other)
            if fingerprint(state) == before:
                missed.add(where)
            object.__setattr__(owner, name, value)

    try_all(state)
    return missed, tried


def all_fields(owner: type) -> Iterator[str]:
    """The fields of a dataclass that hold a value themselves, and of those among them that are dataclasses."""
    hints = typing.get_type_hints(owner)
    for field in dataclasses.fields(owner):
        inner = [
            kind for kind in (hints[field.name], *typing.get_args(hints[field.name])) if dataclasses.is_dataclass(kind)
        ]
        if inner:
            yield from all_fields(inner[0])
        elif hints[field.name] is not PartnerWatch:
            yield f"{owner.__name__}.{field.name}"


def _items(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, deque)) else []


def test_the_fingerprint_is_the_whole_state() -> None:
    tried: set[str] = set()
    for machine in rich_machines():
        missed, some = unread(machine.fork().known)
        tried |= some
        assert not missed
    untried = set(all_fields(TurnState)) - tried
    assert {where.split(".")[1] for where in untried} == COUNTERS | {"now"}, untried
    assert {"Words", "PartnerWatch"} <= {where.split(".")[0] for where in tried}


def test_two_machines_that_would_say_different_sentences_are_told_apart() -> None:
    """Fields that an earlier fingerprint left out."""
    machine = TurnMachine(TurnParams())
    for part, name, value in [
        ("bot", "fillers_said", 2),
        ("bot", "question_heard", True),
        ("preemptive", "p_complete", 0.9),
        ("preemptive", "prepared_text", "hello"),
    ]:
        other = machine.fork()
        setattr(getattr(other.known, part), name, value)
        assert fingerprint(other.known) != fingerprint(machine.known), name


def test_time_and_numbers_alone_make_no_difference() -> None:
    machine, later = TurnMachine(TurnParams()), TurnMachine(TurnParams())
    for name in ("typed", "playing", "played"):
        machine = step(machine, name, 0.4)
    later.handle(ev.Tick(), 500.0)
    for name in ("typed", "playing", "played"):
        later = step(later, name, 0.4)
    assert fingerprint(machine.known) == fingerprint(later.known)
