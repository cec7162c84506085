"""Who gets a line, in virtual time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admission.caller_queue import AddressLimit, CallerQueue, Headroom, Wait


def test_while_there_is_room_nobody_waits():
    line = CallerQueue()
    assert line.admit("anna", 1, 0.0) is None
    assert line.admit(None, 1, 0.0) is None
    assert len(line) == 0


def test_places_are_told_and_kept():
    line = CallerQueue()
    assert line.admit("anna", 0, 0.0) == Wait(1, 2)
    assert line.admit("ben", 0, 0.5) == Wait(2, 2)
    assert line.admit("anna", 0, 2.0) == Wait(1, 2)
    assert line.admit("cleo", 1, 2.1) == Wait(3, 2), "the free line is for the head"
    assert line.admit("ben", 1, 2.5) == Wait(2, 2)
    assert line.admit("anna", 1, 4.0) is None
    assert line.admit("ben", 0, 4.5) == Wait(1, 2)


def test_two_free_lines_take_the_first_two():
    line = CallerQueue()
    for name in ("anna", "ben", "cleo"):
        line.admit(name, 0, 0.0)
    assert line.admit("cleo", 2, 2.0) == Wait(3, 2)
    assert line.admit("ben", 2, 2.0) is None
    assert line.admit("anna", 1, 2.0) is None
    assert line.admit("cleo", 0, 2.0) == Wait(1, 2)


def test_who_does_not_come_back_loses_the_place():
    line = CallerQueue()
    line.admit("anna", 0, 0.0)
    line.admit("ben", 0, 4.0)
    assert line.admit("ben", 1, 6.9) == Wait(2, 2)
    assert line.admit("ben", 1, 7.1) is None


def test_who_leaves_makes_room_and_who_is_nameless_is_told_the_truth():
    line = CallerQueue()
    line.admit("anna", 0, 0.0)
    assert line.admit(None, 1, 1.0) == Wait(2, 2)
    assert len(line) == 1
    line.leave("anna")
    assert line.admit(None, 1, 1.0) is None


def test_who_was_let_in_for_nothing_stands_at_the_head_again():
    line = CallerQueue()
    line.admit("anna", 0, 0.0)
    line.admit("ben", 0, 0.0)
    assert line.admit("anna", 1, 2.0) is None
    assert line.put_back("anna", 2.1) == Wait(1, 2)
    assert line.admit("ben", 1, 2.2) == Wait(2, 2)
    assert line.put_back(None, 2.3) == Wait(3, 2), "who is nameless is told the truth"
    assert len(line) == 2


def test_the_far_end_asks_less_often():
    line = CallerQueue()
    waits = [line.admit(str(number), 0, 0.0) for number in range(100)]
    assert [wait.position for wait in waits if wait] == list(range(1, 101))
    secs = [wait.retry_after_secs for wait in waits if wait]
    assert (secs[4], secs[20], secs[99]) == (2, 6, 10)


@given(st.integers(1, 8), st.integers(1, 60), st.integers(0, 1000))
def test_everybody_gets_in_in_order_and_never_too_many_are_inside(places, callers, seed):
    chance = random.Random(seed)
    line, inside, entered, now = CallerQueue(), {}, [], 0.0
    due = {name: name * 0.01 for name in range(callers)}
    while due:
        name = min(due, key=lambda each: due[each])
        now = due.pop(name)
        for guest in [guest for guest, until in inside.items() if until <= now]:
            del inside[guest]
        wait = line.admit(name, places - len(inside), now)
        if wait is None:
            entered.append(name)
            inside[name] = now + chance.uniform(1, 30)
        else:
            due[name] = now + wait.retry_after_secs + chance.uniform(0, 1)
        assert len(inside) <= places
        assert now < 3600, "somebody never got in"
    assert sorted(entered) == list(range(callers))
    assert len(line) == 0
    # Of several that a freed line is due to, the first to ask again comes in: never more than that out of order.
    assert all(abs(name - place) <= places for place, name in enumerate(entered))


@pytest.mark.parametrize(
    ("most", "calls", "lag_ms", "allowed"),
    [(60, 3, 20, True), (60, 3, 80, False), (60, 0, 900, True), (0, 3, 900, True)],
)
def test_room_is_what_the_loop_feels(most, calls, lag_ms, allowed):
    assert Headroom(most).allows(calls, lag_ms) is allowed


def test_one_address_does_not_ask_without_end():
    limit = AddressLimit(60)
    assert [limit.wait_secs("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert limit.wait_secs("a", 0.0) == pytest.approx(1.0)
    assert limit.wait_secs("b", 0.0) == 0.0
    assert limit.wait_secs("a", 1.0) == 0.0
    assert AddressLimit(0).wait_secs("a", 0.0) == 0.0


def test_only_so_many_addresses_are_remembered():
    limit = AddressLimit(60)
    for number in range(limit.KEEP + 100):
        limit.wait_secs(str(number), 0.0)
    assert len(limit._used) == limit.KEEP
