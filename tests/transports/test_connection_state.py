"""A connection that is lost, held, taken over and given up: no order of events keeps a place for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.connection_state import Connection, ConnectionParams, ConnectionState

PARAMS = ConnectionParams(connect_secs=15.0, hold_secs=30.0, caller_hold_secs=600.0)


def up(params: ConnectionParams = PARAMS) -> Connection:
    connection = Connection(params, 0.0)
    connection.connected(1.0)
    return connection


def test_a_lost_connection_is_held_and_goes_on():
    connection = up()
    connection.lost("the peer fell silent", 100.0)
    assert (connection.state, connection.deadline) == (ConnectionState.HELD, 130.0)
    assert connection.offered(129.9)
    assert (connection.state, connection.deadline) == (ConnectionState.CONNECTING, 144.9)
    connection.connected(131.0)
    assert (connection.state, connection.deadline) == (ConnectionState.UP, None)
    connection.lost("the peer closed", 200.0)
    assert connection.deadline == 230.0, "each loss has its own time"


def test_after_its_time_it_is_over_and_takes_nobody_back():
    connection = up()
    connection.lost("the peer closed", 100.0)
    assert not connection.offered(130.0)
    assert (connection.state, connection.reason, connection.deadline) == (
        ConnectionState.OVER,
        "the caller did not come back",
        None,
    )
    connection.connected(131.0)
    connection.end("later")
    assert (connection.state, connection.reason) == (ConnectionState.OVER, "the caller did not come back")


def test_without_a_hold_a_lost_connection_is_over_at_once():
    connection = up(ConnectionParams(hold_secs=0.0))
    connection.lost("the peer closed", 5.0)
    assert (connection.state, connection.reason) == (ConnectionState.OVER, "the peer closed")


def test_who_has_never_been_there_is_not_waited_for():
    connection = Connection(PARAMS, 0.0)
    connection.tick(14.9)
    assert connection.state is ConnectionState.CONNECTING
    connection.tick(15.0)
    assert (connection.state, connection.reason) == (ConnectionState.OVER, "the peer did not connect in time")
    connection = Connection(PARAMS, 0.0)
    connection.lost("the peer could not connect", 3.0)
    assert (connection.state, connection.reason) == (ConnectionState.OVER, "the peer could not connect")


def test_a_return_that_fails_may_be_tried_again_within_the_time():
    connection = up()
    connection.lost("the peer closed", 100.0)
    assert connection.offered(101.0)
    connection.tick(116.0)
    assert (connection.state, connection.deadline) == (ConnectionState.HELD, 130.0)
    assert connection.offered(117.0)
    connection.lost("the peer could not connect", 120.0)
    assert (connection.state, connection.deadline) == (ConnectionState.HELD, 130.0)


def test_another_that_comes_already_is_waited_for_even_without_a_hold():
    connection = up(ConnectionParams(connect_secs=15.0, hold_secs=0.0))
    connection.lost("the peer closed", 50.0, another_comes=True)
    assert (connection.state, connection.deadline) == (ConnectionState.CONNECTING, 65.0)


def test_a_call_that_its_caller_left_on_hold_ends():
    connection = up()
    connection.put_on_hold(True, 10.0)
    connection.put_on_hold(True, 500.0)
    assert connection.deadline == 610.0
    connection.put_on_hold(False, 600.0)
    assert connection.deadline is None
    connection.put_on_hold(True, 700.0)
    connection.tick(1300.0)
    assert (connection.state, connection.reason) == (ConnectionState.OVER, "the caller left it on hold")


EVENTS = st.sampled_from(["offered", "connected", "lost", "lost, another comes", "hold", "off hold", "tick"])


def happen(connection: Connection, event: str, now: float) -> None:
    match event:
        case "offered":
            connection.offered(now)
        case "connected":
            connection.connected(now)
        case "lost":
            connection.lost("the peer closed", now)
        case "lost, another comes":
            connection.lost("the peer closed", now, another_comes=True)
        case "hold" | "off hold":
            connection.put_on_hold(event == "hold", now)
        case _:
            connection.tick(now)


@given(st.lists(st.tuples(EVENTS, st.floats(0, 40)), max_size=40), st.sampled_from([0.0, 30.0]))
def test_no_order_of_events_keeps_a_place_without_a_caller(events: list[tuple[str, float]], hold_secs: float):
    connection, now = Connection(ConnectionParams(15.0, hold_secs, 600.0), 0.0), 0.0
    down_since: float | None = 0.0
    for event, after in events:
        now += after
        before = connection.state
        happen(connection, event, now)
        if before is ConnectionState.OVER:
            assert connection.state is ConnectionState.OVER, "what is over stays so"
        if connection.state is ConnectionState.UP:
            down_since = None
        elif down_since is None:
            down_since = now
        if connection.state in (ConnectionState.CONNECTING, ConnectionState.HELD):
            assert connection.deadline is not None
            assert now < connection.deadline <= (down_since or 0.0) + hold_secs + 15.0 + 1e-6
        assert (connection.state is ConnectionState.OVER) == bool(connection.reason)
    if connection.state is not ConnectionState.UP or connection.deadline is not None:
        for _ in range(3):
            if connection.deadline is not None:
                connection.tick(connection.deadline)
        assert connection.state is ConnectionState.OVER


@pytest.mark.parametrize("gap_secs", [0.01, 1.0, 14.0])
def test_offers_without_end_that_never_connect_do_not_keep_it(gap_secs: float):
    connection, now = Connection(PARAMS, 0.0), 0.0
    while connection.offered(now):
        now += gap_secs
        assert now < 60.0
    assert 15.0 <= now <= 15.0 + gap_secs
