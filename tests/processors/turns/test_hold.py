"""A call on hold: what happens meanwhile happens afterwards, and no deadline falls due in between."""

from hypothesis import given
from hypothesis import strategies as st

from processors.turns import events as ev
from processors.turns.hold import Hold
from processors.turns.machine import TurnMachine
from processors.turns.states import State, TurnParams
from tests.processors.turns.world import speech

SCENE: list[tuple[int, ev.Event]] = [
    (0, ev.ClientReady()),
    (300, ev.ReplyPlaying(1)),
    (1500, ev.ReplyPlayed(1, heard="hello")),
    *speech(2000, 3200, "what is my balance"),
    (3450, ev.TurnScored(0.95)),
    (3600, ev.WaitsForTools(2, 5.0)),
    (4400, ev.ReplyPlaying(2)),
    *speech(5000, 5400, "mhmm", segment=1),
    (9000, ev.PlayoutStalled(2, True)),
    (9400, ev.PlayoutStalled(2, False)),
    (10_500, ev.ReplyPlayed(2, heard="words")),
]


def run(
    scene: list[tuple[int, ev.Event]], *, hold_at: int | None = None, hold_ms: int = 0
) -> list[tuple[int, ev.Action]]:
    """Actions by the time of the call, in which a hold takes none: what would come later comes that much later."""
    hold = Hold(TurnMachine(TurnParams(idle_secs=8.0)))
    pending = sorted(scene, key=lambda entry: entry[0])
    log: list[tuple[int, ev.Action]] = []
    at, shift = 0, 0

    def note(actions: list[ev.Action], now_ms: int) -> None:
        log.extend((now_ms - shift, action) for action in actions)

    while at - shift < 33_333:
        deadline = hold.next_deadline()
        due_ms = round(deadline * 1000) if deadline is not None else 10**9
        event_ms = pending[0][0] + shift if pending else 10**9
        at = min(due_ms, event_ms)
        if hold_at is not None and at > hold_at:
            note(hold.begin(hold_at / 1000), hold_at)
            assert hold.next_deadline() is None
            note(hold.end((hold_at + hold_ms) / 1000), hold_at)
            shift, hold_at = hold_ms, None
            continue
        if at == 10**9:
            break
        event = pending.pop(0)[1] if event_ms == at else ev.Tick()
        note(hold.handle(event, at / 1000), at)
    return log


@given(st.integers(1, 12_000), st.integers(0, 3_600_000))
def test_after_a_hold_of_any_length_everything_goes_on_as_if_it_had_not_been(hold_at: int, hold_ms: int) -> None:
    plain, held = run(SCENE), run(SCENE, hold_at=hold_at, hold_ms=hold_ms)
    assert [kind(action) for _, action in held] == [kind(action) for _, action in plain]
    for (at, _), (plain_at, _) in zip(held, plain, strict=True):
        assert abs(at - plain_at) <= 1


def kind(action: ev.Action) -> object:
    """The action; of an interruption decision, its verdict (its times are rounded)."""
    return action.decision.verdict if isinstance(action, ev.PublishDecision) else action


def test_what_happens_meanwhile_waits_in_its_order() -> None:
    machine = TurnMachine()
    hold = Hold(machine)
    asked = hold.handle(ev.TextTyped("hello"), 0.0)
    assert hold.begin(0.5) == []
    assert hold.begin(0.6) == []
    assert hold.handle(ev.Tick(), 100.0) == []
    assert hold.handle(ev.ReplyPlayed(1, error="no audio"), 200.0) == []
    assert hold.handle(ev.Words("and my limit", 0, True), 201.0) == []
    assert machine.state is State.THINKING
    actions = hold.end(300.0)
    assert [type(action) for action in asked] == [ev.AnnounceUserStarted, ev.AnnounceUserStopped, ev.AskReply]
    assert [action for action in actions if isinstance(action, ev.Say)] == [ev.Say(2, ev.Phrase.APOLOGY)]
    assert hold.end(301.0) == []
    assert not hold.on


def test_a_call_on_hold_can_be_ended() -> None:
    machine = TurnMachine()
    hold = Hold(machine)
    hold.handle(ev.TextTyped("hello"), 0.0)
    hold.begin(1.0)
    hold.handle(ev.HungUp(), 5.0)
    assert machine.state is State.CLOSING
    assert hold.next_deadline() is None
