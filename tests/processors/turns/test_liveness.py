"""The machine is never stuck: all short event orders, many long ones; ``python -m bench.liveness`` goes further."""

import dataclasses
import random
import typing
from collections import OrderedDict, deque
from collections.abc import Iterator
from enum import Enum

import pytest

from bench.liveness import (
    CONSTANT,
    COUNTERS,
    EVENTS,
    EVERYTHING,
    copied,
    explore,
    fingerprint,
    random_walk,
    step,
    stuck,
)
from contracts.modes import InterruptionMode
from processors.turns import events as ev
from processors.turns import states
from processors.turns.machine import TurnMachine
from processors.turns.partner import PartnerWatch
from processors.turns.states import TurnParams

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


def test_the_table_names_only_methods_that_exist() -> None:
    for (state, _), rule in states.RULES.items():
        assert callable(getattr(TurnMachine, rule.act)), (state, rule)


# --- nothing is left out ---------------------------------------------------------------------------


def test_every_type_of_event_is_explored() -> None:
    machine = TurnMachine(TurnParams())
    assert {type(make(machine)) for make in EVENTS.values()} == set(typing.get_args(ev.Event))


def test_every_field_of_an_event_is_explored_with_more_than_one_value() -> None:
    machine = TurnMachine(TurnParams())
    machine._last_probe = 1
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
        ("PlayoutStalled", "reply_id"),
    }


def rich_machines() -> Iterator[TurnMachine]:
    """Machines that know a lot: words, a reply, a sound that is judged, its decision, a partner."""
    rng = random.Random(7)
    for mode in MODES:
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
            return value + 1
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
    return sorted(vars(value)) if isinstance(value, (TurnMachine, PartnerWatch)) else []


def unread(machine: TurnMachine) -> tuple[set[str], set[str]]:
    """Fields of the state that can change without changing the fingerprint, and all that were tried."""
    before = fingerprint(machine)
    missed: set[str] = set()
    tried: set[str] = set()

    def try_all(owner: object, path: str) -> None:
        for name in fields_of(owner):
            if owner is machine and name in CONSTANT | COUNTERS | {"_now"}:
                continue
            value, where = getattr(owner, name), f"{type(owner).__name__}.{name}"
            if fields_of(value):
                try_all(value, where)
                continue
            if isinstance(value, (list, dict, deque, OrderedDict)) and any(fields_of(item) for item in _items(value)):
                for item in _items(value):
                    try_all(item, where)
            other = changed(value)
            if other == value:
                continue
            tried.add(where)
            object.__setattr__(owner, name, other)
            if fingerprint(machine) == before:
                missed.add(where)
            object.__setattr__(owner, name, value)

    try_all(machine, "machine")
    return missed, tried


def _items(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, deque)) else []


def test_the_fingerprint_is_the_whole_state() -> None:
    tried: set[str] = set()
    for machine in rich_machines():
        missed, some = unread(copied(machine))
        tried |= some
        assert not missed
    names = {where.split(".")[0] for where in tried}
    assert {"TurnMachine", "Transcript", "Reply", "Sound", "InterruptionDecision", "Words", "PartnerWatch"} <= names
    own = {f"TurnMachine.{name}" for name in vars(TurnMachine(TurnParams())) if name not in CONSTANT | COUNTERS}
    assert own - tried <= {
        "TurnMachine._now",
        "TurnMachine._actions",
        "TurnMachine._transcript",
        "TurnMachine._partner",
    }


def test_two_machines_that_would_say_different_sentences_are_told_apart() -> None:
    """Fields that an earlier fingerprint left out."""
    machine = TurnMachine(TurnParams())
    for name, value in [
        ("_fillers_said", 2),
        ("_question_heard", True),
        ("_p_complete", 0.9),
        ("_prepared_text", "hello"),
    ]:
        other = copied(machine)
        setattr(other, name, value)
        assert fingerprint(other) != fingerprint(machine), name


def test_time_and_numbers_alone_make_no_difference() -> None:
    machine, later = TurnMachine(TurnParams()), TurnMachine(TurnParams())
    for name in ("typed", "playing", "played"):
        machine = step(machine, name, 0.4)
    later.handle(ev.Tick(), 500.0)
    for name in ("typed", "playing", "played"):
        later = step(later, name, 0.4)
    assert fingerprint(machine)[1:] == fingerprint(later)[1:]  # pyright: ignore[reportIndexIssue]
