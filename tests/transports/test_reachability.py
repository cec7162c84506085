"""Whether a peer can be reached: lines that die at any moment, of callers who speak, are muted or only type."""

from hypothesis import given
from hypothesis import strategies as st

from transports.reachability import ANSWER_SECS, ASK_AFTER_SECS, IDLE_ASK_AFTER_SECS, Reach, Step

PACKET = 0.02


class Line:
    """A peer at the other end of a line that takes ``round_trip`` seconds, and may be down for a while.

    Attributes:
        went_down: When the bot found out.
        came_up: When it found that out.
        asked: How often it asked.
    """

    def __init__(self, round_trip: float, *, sends_audio: bool, speaks: bool, known: bool = True) -> None:
        self.reach = Reach(0.0)
        self.reach.round_trip_secs = round_trip if known else None
        self.round_trip = round_trip
        self.sends_audio = sends_audio
        self.speaks = speaks
        self.down: tuple[float, float] = (1e9, 1e9)
        self.went_down: list[float] = []
        self.came_up: list[float] = []
        self.asked = 0
        self._arrivals: list[float] = []

    def run(self, secs: float) -> None:
        for number in range(round(secs / PACKET)):
            now = number * PACKET
            if self.sends_audio and self._passes(now - self.round_trip / 2):
                self._arrivals.append(now)
            for at in sorted(at for at in self._arrivals if at <= now):
                self._arrivals.remove(at)
                if self.reach.heard(at):
                    self.came_up.append(at)
            step = self.reach.look(now, speaks=self.speaks)
            if step is Step.DOWN:
                self.went_down.append(now)
            if step is not Step.NOTHING:
                self.asked += 1
                if self._passes(now) and self._passes(now + self.round_trip / 2):
                    self._arrivals.append(now + self.round_trip)

    def _passes(self, at: float) -> bool:
        return not self.down[0] <= at < self.down[1]


kinds = {"round_trip": st.floats(0.001, 0.6), "sends_audio": st.booleans(), "speaks": st.booleans()}


@given(**kinds)
def test_a_peer_that_is_there_is_never_taken_for_gone(round_trip, sends_audio, speaks):
    line = Line(round_trip, sends_audio=sends_audio, speaks=speaks)
    line.run(20)
    assert line.went_down == []
    assert line.reach.silent_secs(20) < IDLE_ASK_AFTER_SECS + 0.3 + round_trip


@given(round_trip=st.floats(0.001, 0.3), sends_audio=st.booleans(), at=st.floats(1, 2), secs=st.floats(1.0, 2.5))
def test_a_line_that_dies_while_the_bot_speaks_is_found_out_at_once_and_so_is_its_return(
    round_trip, sends_audio, at, secs
):
    line = Line(round_trip, sends_audio=sends_audio, speaks=True)
    line.down = (at, at + secs)
    line.run(8)
    (down,), (up,) = line.went_down, line.came_up
    assert down - at <= ASK_AFTER_SECS + ANSWER_SECS + 3 * round_trip + 0.15
    assert up - (at + secs) <= round_trip + 0.15


@given(round_trip=st.floats(0.001, 0.3), at=st.floats(1, 2))
def test_all_that_was_sent_into_a_dead_line_counts_as_unheard_and_little_more(round_trip, at):
    line = Line(round_trip, sends_audio=True, speaks=True)
    line.down = (at, 100)
    line.run(4)
    (down,) = line.went_down
    sent_into_it = down - (at - round_trip / 2)
    assert -0.03 <= line.reach.unheard_secs(down) - sent_into_it <= round_trip + 0.1


def test_a_peer_without_a_microphone_is_asked_now_and_then():
    silent, speaking = (Line(0.05, sends_audio=False, speaks=speaks) for speaks in (False, True))
    silent.run(10)
    speaking.run(10)
    assert 5 <= silent.asked <= 12
    assert silent.asked < speaking.asked <= 80
    talking = Line(0.05, sends_audio=True, speaks=True)
    talking.run(10)
    assert talking.asked <= 2, "whoever sends audio need not be asked"


def test_a_busy_loop_is_no_dead_line():
    reach = Reach(0.0)
    assert reach.look(2.0, speaks=True) is Step.ASK  # nothing was read for two seconds: we were busy
    assert reach.heard(2.001) is False
    assert reach.look(2.02, speaks=True) is Step.NOTHING
