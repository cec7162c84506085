"""One voice only: random takeovers, deaths, standstills, lost answers and a store that goes away."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.node import HEARTBEAT_SECS
from cluster.ownership import STOOD_STILL_SECS, Answer, Ownership, Phase

STEP_SECS = 0.02
"""The voice sends a packet so often."""


@dataclass
class Node:
    """A process that may have the call."""

    own: Ownership | None = None
    still: bool = False
    beats_at: float = 0.0
    outdated_since: float | None = None
    asked_in_vain_until: float = 0.0


class SimulatedCluster:
    """Some nodes, a store that knows the newest fencing token, and a clock."""

    def __init__(self, count: int) -> None:
        self.now = 0.0
        self.fence = 0
        self.away = False
        self.nodes = [Node() for _ in range(count)]

    def take(self, node: Node) -> None:
        if node.still or self.away:
            return
        self.fence += 1
        for other in self.nodes:
            if other.own is not None and other.own.phase is not Phase.LOST and other is not node:
                other.outdated_since = self.now if other.outdated_since is None else other.outdated_since
        node.own, node.outdated_since = Ownership(self.fence, self.now), None
        node.beats_at = self.now + HEARTBEAT_SECS

    def ask(self, node: Node, *, answer_lost: bool = False) -> None:
        """What a save or a beat does."""
        if node.own is None or node.still:
            return
        if self.away or answer_lost:
            node.own.told(Answer.AWAY, self.now)
            node.asked_in_vain_until = self.now
        else:
            node.own.told(Answer.NEWEST if node.own.fence >= self.fence else Answer.OUTDATED, self.now)

    def pass_time(self, secs: float) -> None:
        until = self.now + secs
        while self.now < until:
            self.now += STEP_SECS
            for node in self.nodes:
                if node.still or node.own is None:
                    continue
                self.check_voice(node)  # the voice may come first after a standstill
                if self.now >= node.beats_at:
                    node.own.at_work(self.now)
                    self.ask(node)
                    node.beats_at = self.now + HEARTBEAT_SECS
            assert sum(self.speaks(node) and node.outdated_since is None for node in self.nodes) <= 1

    def speaks(self, node: Node) -> bool:
        return node.own is not None and not node.still and node.own.may_speak(self.now)

    def check_voice(self, node: Node) -> None:
        if node.outdated_since is None or not self.speaks(node):
            return
        since = max(node.outdated_since, node.asked_in_vain_until)
        assert self.now - since <= HEARTBEAT_SECS + STEP_SECS, "a node that has lost the call goes on speaking"

    def wake(self, node: Node) -> None:
        node.still = False


NODES = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("take"), NODES),
    st.tuples(st.just("ask"), NODES),
    st.tuples(st.just("answer lost"), NODES),
    st.tuples(st.just("stand still"), NODES),
    st.tuples(st.just("wake"), NODES),
    st.tuples(st.just("die"), NODES),
    st.tuples(st.just("away"), NODES),
    st.tuples(st.just("back"), NODES),
    st.tuples(st.just("pass"), st.integers(1, 150)),
)


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40))
def test_whoever_has_lost_the_call_falls_silent_with_the_next_beat_and_for_ever(steps):
    cluster = SimulatedCluster(3)
    cluster.take(cluster.nodes[0])
    for what, which in steps:
        node = cluster.nodes[which] if which < 3 else cluster.nodes[0]
        match what:
            case "take":
                cluster.take(node)
            case "ask":
                cluster.ask(node)
            case "answer lost":
                cluster.ask(node, answer_lost=True)
            case "stand still":
                node.still = True
            case "wake":
                cluster.wake(node)
            case "die":
                node.own, node.outdated_since, node.still = None, None, False
            case "away" | "back":
                cluster.away = what == "away"
            case "pass":
                cluster.pass_time(which * STEP_SECS)
    cluster.away = False
    for node in cluster.nodes:
        cluster.wake(node)
    cluster.pass_time(2 * HEARTBEAT_SECS)
    speaking = [node for node in cluster.nodes if cluster.speaks(node)]
    assert all(node.own is not None and node.own.fence == cluster.fence for node in speaking)
    assert len(speaking) <= 1


@given(st.floats(STOOD_STILL_SECS, 100.0), st.floats(0.0, 1.0))
def test_a_process_that_stood_still_says_nothing_before_it_has_asked(still_secs, later_secs):
    own = Ownership(1, 0.0)
    assert own.may_speak(0.0)
    woke_at = still_secs
    assert not own.may_speak(woke_at)
    assert not own.may_speak(woke_at + later_secs)
    assert own.at_work(woke_at + later_secs), "it asks at once"
    own.told(Answer.OUTDATED, woke_at + later_secs)
    assert own.phase is Phase.LOST
    own.told(Answer.NEWEST, woke_at + later_secs)
    assert not own.may_speak(woke_at + later_secs), "what is lost stays lost"


@pytest.mark.parametrize("answer", [Answer.NEWEST, Answer.AWAY])
def test_it_goes_on_when_the_call_is_still_its_own_or_nobody_could_have_taken_it(answer):
    own = Ownership(1, 0.0)
    assert not own.may_speak(5.0)
    own.told(answer, 5.0)
    assert own.may_speak(5.1)
