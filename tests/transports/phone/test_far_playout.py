"""What a carrier has played: by the clock, by its marks, and never more than was sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.phone.far_playout import GIVE_UP_SECS, OVERDUE_SECS, FarPlayout

RATE = 24_000
BLOCK = 480


def fed(blocks: int = 4, now: float = 10.0) -> FarPlayout:
    far = FarPlayout(RATE)
    for _ in range(blocks):
        far.pulled(BLOCK, now, sent=True)
    return far


def test_blocks_sound_one_after_the_other():
    far = fed(4)
    assert far.ahead_secs(10.0) == pytest.approx(0.08)
    assert far.unplayed(10.0) == 4 * BLOCK
    assert far.unplayed(10.03) == 2 * BLOCK + BLOCK // 2
    assert far.unplayed(10.08) == 0
    far.pulled(BLOCK, 11.0, sent=True)
    assert far.unplayed(11.01) == BLOCK // 2


def test_silence_that_was_not_sent_is_not_played_before_what_was():
    far = fed(3)
    far.pulled(BLOCK, 10.02, sent=False)
    assert far.unplayed(10.02) == 3 * BLOCK
    assert far.unplayed(10.06) == 0


def test_marks_that_come_later_and_later_tell_that_the_carrier_is_behind():
    far = fed(3)
    far.marked("1")
    far.played("1", 10.06 + 0.04)
    for turn in range(3):
        now = 11.0 + turn
        for _ in range(3):
            far.pulled(BLOCK, now, sent=True)
        far.marked(f"late {turn}")
        far.played(f"late {turn}", now + 0.06 + 0.09)
    far.pulled(BLOCK, 20.0, sent=True)
    assert far.unplayed(20.02) == pytest.approx(BLOCK, abs=1)  # 50 ms behind
    assert far.unplayed(20.075) == 0


def test_one_late_mark_is_the_networks_fault():
    far = fed(3)
    for number, late in enumerate([0.04, 0.04, 0.2]):
        far.marked(str(number))
        far.played(str(number), 10.06 + late)
    far.pulled(BLOCK, 20.0, sent=True)
    assert far.unplayed(20.02) == 0


def test_a_carrier_that_plays_late_from_the_start_is_known_by_the_round_trip():
    far = fed(3)
    far.marked("1")
    far.played("1", 10.06 + 0.1)
    far.round_trip(0.04)
    far.pulled(BLOCK, 20.0, sent=True)
    assert far.unplayed(20.06) == pytest.approx(BLOCK, abs=1)


def test_overdue_marks_stop_the_voice_and_do_not_stop_it_for_ever():
    far = fed(3)
    far.marked("1")
    far.played("1", 10.1)
    for mark in range(2, 5):
        far.pulled(BLOCK, 10.1, sent=True)
        far.marked(str(mark))
    assert not far.stuck(10.2)
    stuck_at = 10.16 + 0.04 + OVERDUE_SECS + 0.01
    assert far.stuck(stuck_at)
    assert far.unplayed(stuck_at) == 3 * BLOCK
    assert not far.stuck(stuck_at + GIVE_UP_SECS)
    for mark in range(5, 9):
        far.pulled(BLOCK, 20.0, sent=True)
        far.marked(str(mark))
    assert not far.stuck(30.0)  # this carrier returns no marks


def test_a_lost_mark_stops_nothing():
    far = fed(3)
    far.marked("1")
    far.played("1", 10.1)
    for turn in range(20):
        now = 11.0 + turn
        far.pulled(BLOCK, now, sent=True)
        far.marked(f"lost {turn}")
        assert not far.stuck(now + 0.9)
        far.pulled(BLOCK, now + 0.9, sent=True)
        far.marked(f"back {turn}")
        far.played(f"back {turn}", now + 0.96)


def test_what_was_cleared_is_forgotten_and_its_marks_say_nothing():
    far = fed(4)
    far.marked("1")
    far.cleared()
    far.played("1", 10.05)
    assert (far.unplayed(10.05), far.ahead_secs(10.05), far.stuck(30.0)) == (0, 0.0, False)


steps = st.one_of(
    st.tuples(st.just("send"), st.booleans()),
    st.tuples(st.just("mark"), st.integers(0, 3)),
    st.tuples(st.just("back"), st.integers(0, 40)),
    st.tuples(st.just("wait"), st.floats(0, 0.5)),
    st.tuples(st.just("clear"), st.just(0)),
    st.tuples(st.just("trip"), st.floats(0, 1)),
)


@given(st.lists(steps, max_size=120))
def test_in_any_order_of_events_what_is_unplayed_was_sent_since_the_last_clear(events):
    far, now, pulled, marks = FarPlayout(RATE), 0.0, 0, 0
    for kind, value in events:
        match kind:
            case "send":
                far.pulled(BLOCK, now, sent=value)
                pulled += BLOCK
            case "mark":
                marks += 1
                far.marked(str(marks))
            case "back":
                far.played(str(value), now)
            case "wait":
                now += value
            case "clear":
                far.cleared()
                pulled = 0
            case "trip":
                far.round_trip(value)
        assert 0 <= far.unplayed(now) <= pulled
        assert far.ahead_secs(now) >= 0
    assert far.unplayed(now + 1_000.0) == 0
