"""A line that is lost, held, taken over and given up: no order of events keeps a place for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.connection_state import Line, LineParams, LineState

PARAMS = LineParams(connect_secs=15.0, hold_secs=30.0, caller_hold_secs=600.0)


def up(params: LineParams = PARAMS) -> Line:
    line = Line(params, 0.0)
    line.connected(1.0)
    return line


def test_a_lost_line_is_held_and_goes_on():
    line = up()
    line.lost("the peer fell silent", 100.0)
    assert (line.state, line.deadline) == (LineState.HELD, 130.0)
    assert line.offered(129.9)
    assert (line.state, line.deadline) == (LineState.CONNECTING, 144.9)
    line.connected(131.0)
    assert (line.state, line.deadline) == (LineState.UP, None)
    line.lost("the peer closed", 200.0)
    assert line.deadline == 230.0, "each loss has its own time"


def test_after_its_time_it_is_over_and_takes_nobody_back():
    line = up()
    line.lost("the peer closed", 100.0)
    assert not line.offered(130.0)
    assert (line.state, line.reason, line.deadline) == (LineState.OVER, "the caller did not come back", None)
    line.connected(131.0)
    line.end("later")
    assert (line.state, line.reason) == (LineState.OVER, "the caller did not come back")


def test_without_a_hold_a_lost_line_is_over_at_once():
    line = up(LineParams(hold_secs=0.0))
    line.lost("the peer closed", 5.0)
    assert (line.state, line.reason) == (LineState.OVER, "the peer closed")


def test_who_has_never_been_there_is_not_waited_for():
    line = Line(PARAMS, 0.0)
    line.tick(14.9)
    assert line.state is LineState.CONNECTING
    line.tick(15.0)
    assert (line.state, line.reason) == (LineState.OVER, "the peer did not connect in time")
    line = Line(PARAMS, 0.0)
    line.lost("the peer could not connect", 3.0)
    assert (line.state, line.reason) == (LineState.OVER, "the peer could not connect")


def test_a_return_that_fails_may_be_tried_again_within_the_time():
    line = up()
    line.lost("the peer closed", 100.0)
    assert line.offered(101.0)
    line.tick(116.0)
    assert (line.state, line.deadline) == (LineState.HELD, 130.0)
    assert line.offered(117.0)
    line.lost("the peer could not connect", 120.0)
    assert (line.state, line.deadline) == (LineState.HELD, 130.0)


def test_another_that_comes_already_is_waited_for_even_without_a_hold():
    line = up(LineParams(connect_secs=15.0, hold_secs=0.0))
    line.lost("the peer closed", 50.0, another_comes=True)
    assert (line.state, line.deadline) == (LineState.CONNECTING, 65.0)


def test_a_call_that_its_caller_left_on_hold_ends():
    line = up()
    line.put_on_hold(True, 10.0)
    line.put_on_hold(True, 500.0)
    assert line.deadline == 610.0
    line.put_on_hold(False, 600.0)
    assert line.deadline is None
    line.put_on_hold(True, 700.0)
    line.tick(1300.0)
    assert (line.state, line.reason) == (LineState.OVER, "the caller left it on hold")


EVENTS = st.sampled_from(["offered", "connected", "lost", "lost, another comes", "hold", "off hold", "tick"])


def happen(line: Line, event: str, now: float) -> None:
    match event:
        case "offered":
            line.offered(now)
        case "connected":
            line.connected(now)
        case "lost":
            line.lost("the peer closed", now)
        case "lost, another comes":
            line.lost("the peer closed", now, another_comes=True)
        case "hold" | "off hold":
            line.put_on_hold(event == "hold", now)
        case _:
            line.tick(now)


@given(st.lists(st.tuples(EVENTS, st.floats(0, 40)), max_size=40), st.sampled_from([0.0, 30.0]))
def test_no_order_of_events_keeps_a_place_without_a_caller(events: list[tuple[str, float]], hold_secs: float):
    line, now = Line(LineParams(15.0, hold_secs, 600.0), 0.0), 0.0
    down_since: float | None = 0.0
    for event, after in events:
        now += after
        before = line.state
        happen(line, event, now)
        if before is LineState.OVER:
            assert line.state is LineState.OVER, "what is over stays so"
        if line.state is LineState.UP:
            down_since = None
        elif down_since is None:
            down_since = now
        if line.state in (LineState.CONNECTING, LineState.HELD):
            assert line.deadline is not None
            assert now < line.deadline <= (down_since or 0.0) + hold_secs + 15.0 + 1e-6
        assert (line.state is LineState.OVER) == bool(line.reason)
    if line.state is not LineState.UP or line.deadline is not None:
        for _ in range(3):
            if line.deadline is not None:
                line.tick(line.deadline)
        assert line.state is LineState.OVER


@pytest.mark.parametrize("gap_secs", [0.01, 1.0, 14.0])
def test_offers_without_end_that_never_connect_do_not_keep_it(gap_secs: float):
    line, now = Line(PARAMS, 0.0), 0.0
    while line.offered(now):
        now += gap_secs
        assert now < 60.0
    assert 15.0 <= now <= 15.0 + gap_secs
