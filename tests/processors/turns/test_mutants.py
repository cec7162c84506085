"""A machine that is wrong in one place is caught: a rule removed, two rules swapped, a timer forgotten.

The reference conversations below take every rule of the table. A mutant is caught when one of them goes another way
(other actions, or the same at other times), or when a short order of events leaves it stuck.
"""

import itertools
from collections.abc import Iterator

import pytest

from contracts.modes import InterruptionMode
from processors.turns import events as ev
from processors.turns import machine as machine_module
from processors.turns.machine import TurnMachine
from processors.turns.states import State, Timer, TurnParams
from processors.turns.table import RULES
from tests.processors.turns.world import Params, World, speech

Scene = list[tuple[int, ev.Event]]
QUESTION: Scene = [*speech(0, 1200, "what is my balance"), (1450, ev.TurnScored(0.95))]
STOP = "stop tell me about my card"


def windows(start_ms: int, end_ms: int, prob: float = 0.95) -> Scene:
    return [(at, ev.SoundWindow(prob, -25.0)) for at in range(start_ms, end_ms, 32)]


LIMITED = TurnParams(max_call_secs=18.0)

REFERENCES: dict[str, tuple[Scene, Params, TurnParams]] = {
    "question": (QUESTION, Params(), TurnParams()),
    "rated unfinished": ([*speech(0, 1200, "what is my balance"), (1500, ev.TurnScored(0.05))], Params(), TurnParams()),
    "acknowledged": (QUESTION + speech(4000, 4350, "mhmm", segment=1), Params(reply_ms=8000), TurnParams()),
    "interrupted": (
        [*QUESTION, *speech(4000, 4900, STOP, segment=1), (5150, ev.TurnScored(0.9))],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "words while it lasts": (
        [*QUESTION, (4000, ev.SoundStarted()), (4064, ev.SpeechStarted()), (4450, ev.Words(STOP, 1, False))],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "scored": (
        [*QUESTION, *speech(4000, 5900, STOP, segment=1), (4350, ev.Scored(6.0, 320, 1)), (6150, ev.TurnScored(0.9))],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "undecided": (
        [*QUESTION, (4000, ev.SoundStarted()), *windows(4001, 7000, 0.55)],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "no end of sound": (
        [
            *QUESTION,
            (4000, ev.SoundStarted()),
            (4064, ev.SpeechStarted()),
            *windows(4065, 4300),
            (4500, ev.SpeechEnded()),
        ],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "vad alone": (
        [
            *QUESTION,
            (4064, ev.SpeechStarted()),
            *windows(4065, 4300),
            (4428, ev.SoundEnded()),
            (4500, ev.SpeechEnded()),
        ],
        Params(reply_ms=8000),
        TurnParams(mode=InterruptionMode.PAUSE),
    ),
    "cancel at once": (
        [*QUESTION, *speech(4000, 4900, STOP, segment=1)],
        Params(reply_ms=8000),
        TurnParams(mode=InterruptionMode.CANCEL),
    ),
    "let go, then words": (
        [
            *QUESTION,
            *speech(4000, 4300, "okay", segment=1),
            (5000, ev.Words("okay stop there", 1, False)),
            (5200, ev.Words("okay stop there", 1, True)),
        ],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "let go, then scored": (
        [
            *QUESTION,
            (4032, ev.SoundStarted()),
            *windows(4033, 4300, 0.6),
            (4300, ev.Scored(-9.0, 300, 1)),
            (4301, ev.SoundWindow(0.9, -20.0)),
            (4700, ev.Scored(9.0, 700, 1)),
        ],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "typed": ([(0, ev.TextTyped("hello")), (3000, ev.TextTyped("stop"))], Params(), TurnParams()),
    "typed while thinking": ([*QUESTION, (1600, ev.TextTyped("and the date"))], Params(), TurnParams()),
    "typed while speaking oneself": (
        [(64, ev.SpeechStarted()), (900, ev.TextTyped("hello"))],
        Params(),
        TurnParams(),
    ),
    "tools": ([*QUESTION, (1600, ev.WaitsForTools(1, 5.0))], Params(llm_ms=6000), TurnParams()),
    "tools after some words": (
        [*QUESTION, (3000, ev.PlayoutStalled(1, True)), (3100, ev.WaitsForTools(1, 5.0))],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "in line": ([*QUESTION, (1600, ev.WaitsInQueue(1, 9.0))], Params(llm_ms=9000), TurnParams()),
    "in line after some words": (
        [*QUESTION, (3000, ev.PlayoutStalled(1, True)), (3100, ev.WaitsInQueue(1, 5.0))],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "in line again and again after some words": (
        [
            *QUESTION,
            (3000, ev.PlayoutStalled(1, True)),
            *((at_ms, ev.WaitsInQueue(1, 5.0)) for at_ms in (3100, 8000, 12_900)),
        ],
        Params(reply_ms=20_000),
        TurnParams(),
    ),
    "typed while paused": (
        [*QUESTION, (4000, ev.SoundStarted()), (4100, ev.TextTyped("hello"))],
        Params(reply_ms=8000, commit_ms=40),
        TurnParams(),
    ),
    "never committed": (
        [*QUESTION, (4000, ev.TextTyped("hello"))],
        Params(reply_ms=8000, commit_ms=None),
        TurnParams(),
    ),
    "keys": (
        [(0, ev.KeyPressed("1")), (900, ev.KeyPressed("2")), (1000, ev.KeyPressed("#"))],
        Params(),
        TurnParams(),
    ),
    "keys without an end": ([(0, ev.KeyPressed("1")), (900, ev.KeyPressed("2"))], Params(), TurnParams()),
    "a key while one speaks": (
        [*speech(0, 4000, "and my limit"), (500, ev.KeyPressed("1"))],
        Params(),
        TurnParams(),
    ),
    "a key while thinking": ([*QUESTION, (1600, ev.KeyPressed("1"))], Params(), TurnParams()),
    "a key while speaking": ([*QUESTION, (3000, ev.KeyPressed("1"))], Params(), TurnParams()),
    "a key while paused": (
        [*QUESTION, (4000, ev.SoundStarted()), (4100, ev.KeyPressed("1"))],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "a pause in speech": (
        [
            *speech(0, 2400, "what is my balance"),
            (1000, ev.Words("what is my balance", 0, False)),
            (1130, ev.SpeechPaused()),
        ],
        Params(),
        TurnParams(preemptive=True),
    ),
    "ended early": (
        [
            *speech(0, 1200, "what is my balance", final_ms=1900),
            (800, ev.EarlyWords("what is my balance", 0, False)),
            (850, ev.TurnScored(0.9, 1)),
            (1410, ev.EarlyWords("what is my balance", 0, True)),
            (1415, ev.TurnScored(0.95)),
        ],
        Params(),
        TurnParams(preemptive=True, preemptive_speaking=0.8, early_end=True),
    ),
    "ended early, and never confirmed": (
        [
            *speech(0, 1200, None),
            (1410, ev.EarlyWords("what is my balance", 0, True)),
            (1415, ev.TurnScored(0.95)),
        ],
        Params(),
        TurnParams(early_end=True),
    ),
    "ended early, and a sound before it is confirmed": (
        [
            *speech(0, 1200, None),
            (1410, ev.EarlyWords("what is my balance", 0, True)),
            (1415, ev.TurnScored(0.95)),
            (2850, ev.SoundStarted()),
            *windows(2851, 5000, 0.55),
        ],
        Params(),
        TurnParams(early_end=True),
    ),
    "ended early on what was nothing": (
        [
            *speech(0, 1200, "", final_ms=1900),
            (1410, ev.EarlyWords("what is my balance", 0, True)),
            (1415, ev.TurnScored(0.95)),
        ],
        Params(),
        TurnParams(early_end=True),
    ),
    "nobody is there": ([(0, ev.ClientReady())], Params(), TurnParams(idle_secs=2.0, idle_prompts=1)),
    "sounds without words": (
        [(0, ev.ClientReady(greets=False)), *speech(1000, 1300, None), *speech(2600, 2900, None, segment=1)],
        Params(),
        TurnParams(idle_secs=2.0, idle_prompts=1),
    ),
    "the line closes": ([(0, ev.CallEndsSoon())], Params(), TurnParams()),
    "time is up while the bot speaks": ([*QUESTION], Params(reply_ms=8000), LIMITED),
    "time is up while it thinks": ([*QUESTION], Params(llm_ms=9000), LIMITED),
    "time is up while it listens": ([(0, ev.ClientReady())], Params(), LIMITED),
    "time is up while the caller speaks": (speech(0, 14_000, None), Params(), LIMITED),
    "time is up while a sound is judged": (
        [*QUESTION, (2900, ev.SoundStarted()), *windows(2901, 5000)],
        Params(reply_ms=12_000),
        TurnParams(max_call_secs=18.0),
    ),
    "a lowered reply runs dry": (
        [*QUESTION, (4000, ev.SoundStarted()), (4050, ev.PlayoutStalled(1, True)), *windows(4051, 4300, 0.6)],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "the line closes while the bot speaks": ([*QUESTION, (3000, ev.CallEndsSoon())], Params(), TurnParams()),
    "taken back": (
        [*QUESTION, *speech(4000, 4700, "oops", segment=1), (4232, ev.Scored(6.0, 200, 1))],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "taken back without words": (
        [*QUESTION, *speech(4000, 4700, None, segment=1), (4232, ev.Scored(6.0, 200, 1))],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "the model goes on": (
        [*QUESTION, *speech(4000, 4700, "jumping jehoshaphat", segment=1), (4232, ev.Scored(6.0, 200, 1))],
        Params(reply_ms=8000, goes_on=True),
        TurnParams(),
    ),
    "the model does not decide": (
        [*QUESTION, *speech(4000, 4700, "jumping jehoshaphat", segment=1), (4232, ev.Scored(6.0, 200, 1))],
        Params(reply_ms=8000, goes_on=None),
        TurnParams(),
    ),
    "a kept reply begins": (
        [
            *QUESTION,
            *speech(1600, 2300, "oops", segment=1),
            (1832, ev.Scored(6.0, 200, 1)),
            (1900, ev.ReplyPlaying(1)),
        ],
        Params(llm_ms=None),
        TurnParams(),
    ),
    "a kept reply is over": (
        [
            *QUESTION,
            *speech(4000, 4700, "oops", segment=1),
            (4232, ev.Scored(6.0, 200, 1)),
            (4300, ev.ReplyPlayed(1, heard="words")),
        ],
        Params(reply_ms=8000),
        TurnParams(),
    ),
    "greeted": ([(0, ev.ClientReady())], Params(), TurnParams()),
    "noise while thinking": (QUESTION + speech(1560, 1760, None), Params(), TurnParams()),
    "late words while thinking": ([*QUESTION, (1700, ev.Words("and my limit", 1, True))], Params(), TurnParams()),
    "vad while thinking": (
        [*QUESTION, (1600, ev.SpeechStarted()), (1900, ev.SpeechEnded())],
        Params(),
        TurnParams(),
    ),
    "playing while paused": (
        [*QUESTION, (1600, ev.SoundStarted()), (1601, ev.ReplyPlaying(1)), (1700, ev.SoundEnded())],
        Params(),
        TurnParams(),
    ),
    "drained": (
        [*QUESTION, *speech(5900, 6900, "and my limit", segment=1), (7150, ev.TurnScored(0.9))],
        Params(),
        TurnParams(escalate_secs=5.0),
    ),
    "two breaths": (
        [*speech(0, 900, "I want"), (1150, ev.TurnScored(0.1)), *speech(1300, 2000, "to book a table", segment=1)],
        Params(),
        TurnParams(),
    ),
    "no words": (speech(0, 1200, ""), Params(), TurnParams()),
    "no transcript": (speech(0, 1200, None), Params(), TurnParams()),
    "no end of speech": (
        [*speech(0, 1200, "what is my balance", final_ms=1100)[:2], (1100, ev.Words("what is my balance", 0, True))],
        Params(),
        TurnParams(),
    ),
    "words alone": (
        [(0, ev.Words("what is my", 0, False)), (400, ev.Words("what is my balance", 0, True))],
        Params(),
        TurnParams(),
    ),
    "slow": (QUESTION, Params(llm_ms=4000), TurnParams()),
    "never": (QUESTION, Params(llm_ms=None), TurnParams()),
    "no audio": ([*QUESTION, (1700, ev.ReplyPlayed(1, error="no audio"))], Params(llm_ms=None), TurnParams()),
    "stalled": (
        [*QUESTION, (3000, ev.PlayoutStalled(1, True))],
        Params(reply_ms=20_000),
        TurnParams(),
    ),
    "stalled and back": (
        [*QUESTION, (3000, ev.PlayoutStalled(1, True)), (4000, ev.PlayoutStalled(1, False))],
        Params(reply_ms=8000),
        TurnParams(),
    ),
}


def outcomes() -> Iterator[object]:
    """What each reference conversation comes to."""
    for scene, params, turn_params in REFERENCES.values():
        try:
            world = World(params, turn_params).run(scene, 16_000)
        except (AssertionError, AttributeError, TypeError) as error:
            yield type(error)
        else:
            yield (world.log, world.sounded, world.machine.state)


def is_caught() -> bool:
    """Whether some reference conversation goes another way now; the first that does is enough."""
    return any(result != right for result, right in zip(outcomes(), RIGHT, strict=True))


RIGHT = list(outcomes())
ENDINGS = (ev.HungUp, Timer.REVIEW)
KEYS = [key for key in RULES if key[1] not in ENDINGS]


def test_no_reference_breaks_the_table() -> None:
    broken = [name for name, result in zip(REFERENCES, RIGHT, strict=True) if isinstance(result, type)]
    assert not broken


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key[0].value}-{getattr(key[1], '__name__', key[1])}")
def test_a_removed_transition_is_caught(
    key: tuple[State, type[ev.Event] | Timer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_module, "RULES", {k: rule for k, rule in RULES.items() if k != key})
    assert is_caught()


@pytest.mark.parametrize("timer", [timer for timer in Timer if timer is not Timer.REVIEW])
def test_a_forgotten_timer_is_caught(timer: Timer, monkeypatch: pytest.MonkeyPatch) -> None:
    original = TurnMachine.handle

    def forgetful(self: TurnMachine, event: ev.Event, now: float) -> list[ev.Action]:
        actions = original(self, event, now)
        self.known.timers.pop(timer, None)
        return actions

    monkeypatch.setattr(TurnMachine, "handle", forgetful)
    assert is_caught()


def swaps() -> Iterator[tuple[State, object, object]]:
    """Pairs of keys of one state whose rules differ."""
    for state in State:
        keys = [key for key in KEYS if key[0] is state]
        for one, other in itertools.combinations(keys, 2):
            if RULES[one].act != RULES[other].act:
                yield state, one[1], other[1]


def test_two_swapped_rules_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    survivors = []
    for state, one, other in swaps():
        mutant = dict(RULES)
        mutant[state, one], mutant[state, other] = RULES[state, other], RULES[state, one]  # pyright: ignore
        monkeypatch.setattr(machine_module, "RULES", mutant)
        if not is_caught():
            survivors.append((state, one, other))
    assert not survivors
