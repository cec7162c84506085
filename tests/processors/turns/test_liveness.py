"""The machine is never stuck: all short event orders, many long ones; ``python -m bench.liveness`` goes further."""

import random

import pytest

from bench.liveness import explore, random_walk, stuck
from processors.turns import states
from processors.turns.machine import TurnMachine
from processors.turns.states import InterruptionMode, TurnParams


@pytest.mark.parametrize("mode", list(InterruptionMode))
def test_no_short_order_of_events_leaves_the_caller_stuck(mode: InterruptionMode) -> None:
    reached = 0
    for path, machine in explore(4, TurnParams(mode=mode)):
        reached += 1
        assert stuck(machine) is None, path
    assert reached > 1000


def test_random_timelines_never_get_stuck() -> None:
    for seed in range(2000):
        mode = list(InterruptionMode)[seed % 4]
        assert random_walk(random.Random(seed), TurnParams(mode=mode), 30) is None, seed


def test_the_table_names_only_methods_that_exist() -> None:
    for (state, _), rule in states.RULES.items():
        assert callable(getattr(TurnMachine, rule.act)), (state, rule)
