"""No order of events leaves the caller stuck: ``python -m bench.liveness``.

Goes through every order of events up to a depth, and through many long random timelines. All types of events take part,
each in every form that means something of its own, and two machines count as one only if their whole states are equal,
but for the clock and for how high the numbers of replies and sounds have got. After each order time passes without
events, and within three seconds the bot must have spoken, listen, or have said why it does not.
"""

import argparse
import dataclasses
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

from tqdm import tqdm

from contracts.modes import InterruptionMode
from processors.turns import events as ev
from processors.turns.machine import TurnMachine
from processors.turns.states import State, TurnParams
from processors.turns.turn_state import TurnState

LIMIT_SECS: Final = 3.0
"""From every reachable state the bot speaks, listens or has said why not within this time."""

LONGEST_SECS: Final = 60.0
"""Moments that are further away than this are the same to the machine: no deadline is longer."""


def _stop(machine: TurnMachine) -> ev.Event:
    return ev.Words("please stop and tell me my balance", machine.known.judging.last_sound_id, True, 0.9)


EVENTS: Final[dict[str, Callable[[TurnMachine], ev.Event]]] = {
    "sound+": lambda m: ev.SoundStarted(),
    "sound-": lambda m: ev.SoundEnded(),
    "window": lambda m: ev.SoundWindow(0.95, -20.0),
    "faint window": lambda m: ev.SoundWindow(0.1, -60.0),
    "speech+": lambda m: ev.SpeechStarted(),
    "speech-": lambda m: ev.SpeechEnded(),
    "speech pauses": lambda m: ev.SpeechPaused(),
    "speech resumes": lambda m: ev.SpeechResumed(),
    "sounds like speech": lambda m: ev.Scored(6.0, 320, m.known.judging.last_sound_id),
    "sounds like nothing": lambda m: ev.Scored(-6.0, 160, m.known.judging.last_sound_id, 20.0),
    "sounds like either": lambda m: ev.Scored(0.0, 160, m.known.judging.last_sound_id),
    "another sound's score": lambda m: ev.Scored(6.0, 320, m.known.judging.last_sound_id - 1),
    "ack": lambda m: ev.Words("mhm", m.known.judging.last_sound_id, True, 0.9),
    "words": _stop,
    "more words": lambda m: ev.Words("a table for two", m.known.judging.last_sound_id + 1, True, 0.9),
    "some words": lambda m: ev.Words("please", m.known.judging.last_sound_id, False, 0.6),
    "eager words": lambda m: ev.Words("please stop", m.known.judging.last_sound_id, False, 0.6, eager=True),
    "digits": lambda m: ev.Words("six six one", m.known.judging.last_sound_id + 2, True, 0.9),
    "no words": lambda m: ev.Words("", m.known.judging.last_sound_id, True, 0.9),
    "early words": lambda m: ev.EarlyWords("what is my balance", m.known.judging.last_sound_id, False),
    "all early words": lambda m: ev.EarlyWords("what is my balance", m.known.judging.last_sound_id, True),
    "sounds complete": lambda m: ev.TurnScored(0.95),
    "sounds open": lambda m: ev.TurnScored(0.05),
    "sounds complete so far": lambda m: ev.TurnScored(0.95, m.known.preemptive.last_probe),
    "early words of another sound": lambda m: ev.EarlyWords("and my limit", m.known.judging.last_sound_id + 1, True),
    "typed": lambda m: ev.TextTyped("hello"),
    "typed again": lambda m: ev.TextTyped("and the date"),
    "key": lambda m: ev.KeyPressed("7"),
    "last key": lambda m: ev.KeyPressed("#"),
    "playing": lambda m: ev.ReplyPlaying(m.known.bot.last_reply_id),
    "stale playing": lambda m: ev.ReplyPlaying(m.known.bot.last_reply_id - 1),
    "played": lambda m: ev.ReplyPlayed(m.known.bot.last_reply_id, heard="words"),
    "stale": lambda m: ev.ReplyPlayed(m.known.bot.last_reply_id - 1, heard="", error="late"),
    "failed": lambda m: ev.ReplyPlayed(m.known.bot.last_reply_id, error="no audio"),
    "broke off": lambda m: ev.ReplyPlayed(m.known.bot.last_reply_id, heard="words", error="closed"),
    "model goes on": lambda m: ev.GoOnDecided(m.known.bot.last_question, True),
    "model answers": lambda m: ev.GoOnDecided(m.known.bot.last_question, False),
    "model goes on late": lambda m: ev.GoOnDecided(m.known.bot.last_question - 1, True),
    "strange words": lambda m: ev.Words("jumping jehoshaphat", m.known.judging.last_sound_id, True, 0.9),
    "committed": lambda m: ev.ReplyCommitted(m.known.bot.committing_id or 0),
    "stalled": lambda m: ev.PlayoutStalled(m.known.bot.speaking_id or 0, True),
    "flows again": lambda m: ev.PlayoutStalled(m.known.bot.speaking_id or 0, False),
    "tools": lambda m: ev.WaitsForTools(m.known.bot.last_reply_id, 5.0),
    "tools over": lambda m: ev.WaitsForTools(m.known.bot.last_reply_id, 0.0),
    "in line": lambda m: ev.WaitsInQueue(m.known.bot.last_reply_id, 10.0),
    "soon": lambda m: ev.WaitsInQueue(m.known.bot.last_reply_id, 1.0),
    "refused": lambda m: ev.Refused(m.known.bot.last_reply_id, ev.Phrase.QUOTA),
    "too many": lambda m: ev.Refused(m.known.bot.last_reply_id - 1, ev.Phrase.FULL),
    "says goodbye": lambda m: ev.EndsCall(m.known.bot.last_reply_id),
    "asks": lambda m: ev.WordHeard("Which number? ", True, 0),
    "tells": lambda m: ev.WordHeard("Yes, ", False, 3),
    "closes": lambda m: ev.CallEndsSoon(),
    "ready": lambda m: ev.ClientReady(),
    "ready, no greeting": lambda m: ev.ClientReady(greets=False),
    "hung up": lambda m: ev.HungUp(),
    "time": lambda m: ev.Tick(),
}
"""Every type of event, in every form that the machine tells apart."""

EVERYTHING: Final[dict[str, Any]] = {
    "preemptive": True,
    "preemptive_speaking": 0.5,
    "early_end": True,
    "idle_secs": 2.0,
    "max_call_secs": 16.0,
}
"""Parameters with which the machine does all that it can."""

GAPS_SECS = (0.0, 0.4)
SPEAKS = (ev.AskReply, ev.AskToGoOn, ev.Say, ev.Resume, ev.TellClient)

MOMENTS: Final = ("_at", "_since", "_until")
"""Ends of the names of fields that hold a moment of the machine's clock."""

CLOCK: Final = frozenset({"now", "onset_secs"})
"""The others; the clock itself is nothing but now."""

NUMBERS_OF_REPLIES: Final = frozenset({"reply_id", "speaking_id", "committing_id"})
NUMBERS_OF_SOUNDS: Final = frozenset({"sound_id"})
SEGMENTS: Final = frozenset({"segment", "_early_from", "_relied_on"})
"""Numbers of segments of speech, which here are those of sounds."""

COUNTERS: Final = frozenset({"last_reply_id", "last_sound_id", "last_probe", "last_question", "turn_id"})
"""Numbers that only grow: what matters is how far behind them another number is."""


def fingerprint(state: TurnState) -> object:
    """The machine's whole state; times relative to now, and numbers of replies and sounds relative to the newest."""
    return _plain("", state, state)


def _plain(name: str, value: Any, state: TurnState) -> object:
    """A value that can be compared and hashed."""
    match value:
        case None | bool() | str() | Enum():
            return value
        case int() if name in COUNTERS:
            return value > 0
        case int() if name in NUMBERS_OF_REPLIES:
            return value - state.bot.last_reply_id
        case int() if name in NUMBERS_OF_SOUNDS or name in SEGMENTS:
            return value - state.judging.last_sound_id
        case int() if name == "question":
            return value - state.bot.last_question
        case int() if name == "probes":
            return value - state.preemptive.last_probe
        case float() if name.endswith(MOMENTS) or name in CLOCK:
            return max(-LONGEST_SECS, min(LONGEST_SECS, round(value - state.now, 3)))
        case int() | float():
            return round(value, 3)
        case list() | tuple() | deque():
            inner = "_at" if name == "_told" else name
            return tuple(_plain(inner, item, state) for item in value)
        case set() | frozenset():
            return frozenset(_plain(name, item, state) for item in value)
        case dict() | OrderedDict():
            return _plain_mapping(name, value, state)
        case _ if dataclasses.is_dataclass(value):
            fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
            return (type(value).__name__, *((key, _plain(key, inner, state)) for key, inner in fields))
        case _:
            return (type(value).__name__, *((key, _plain(key, vars(value)[key], state)) for key in sorted(vars(value))))


def _plain_mapping(name: str, value: Mapping[Any, Any], state: TurnState) -> object:
    if name == "timers":
        return tuple(sorted((timer.value, round(at - state.now, 3)) for timer, at in value.items()))
    number = name if name == "probes" else "segment"
    return tuple((_plain(number, key, state), _plain(name, inner, state)) for key, inner in value.items())


def stuck(machine: TurnMachine) -> str | None:
    """Let time pass without events; None if within the limit the bot spoke, listens or said why not."""
    machine = machine.fork()
    start = machine.known.now
    end = start + LIMIT_SECS
    told = False
    while (deadline := machine.next_deadline()) is not None and deadline <= end:
        told |= any(isinstance(action, SPEAKS) for action in machine.handle(ev.Tick(), deadline))
    told |= any(isinstance(action, SPEAKS) for action in machine.handle(ev.Tick(), end))
    if told or machine.state in (State.LISTENING, State.CLOSING):
        return None
    if machine.state is State.USER_SPEAKING and machine.known.speech.on:
        return None
    if machine.state is State.SPEAKING and machine.known.bot.speaking_id is not None:
        return None
    return f"{machine.state.name} with {machine.known.timers}"


def step(machine: TurnMachine, name: str, gap_secs: float) -> TurnMachine:
    """The machine after one more event."""
    successor = machine.fork()
    successor.handle(EVENTS[name](successor), successor.known.now + gap_secs)
    return successor


def explore(depth: int, params: TurnParams) -> Iterator[tuple[tuple[str, ...], TurnMachine]]:
    """Every machine that some order of at most ``depth`` events leads to, each once."""
    seen: set[object] = set()
    level: list[tuple[tuple[str, ...], TurnMachine]] = [((), TurnMachine(params))]
    for _ in range(depth):
        grown: list[tuple[tuple[str, ...], TurnMachine]] = []
        for path, machine in level:
            for name in EVENTS:
                for gap in GAPS_SECS:
                    successor = step(machine, name, gap)
                    key = hash(fingerprint(successor.known))
                    if key in seen:
                        continue
                    seen.add(key)
                    grown.append(((*path, f"{name}+{gap}"), successor))
        yield from grown
        level = [(path, machine) for path, machine in grown if machine.state is not State.CLOSING]


def random_walk(rng: random.Random, params: TurnParams, length: int) -> str | None:
    """A long random timeline; None if it never got stuck."""
    machine = TurnMachine(params)
    names = [name for name in EVENTS if name != "hung up"]
    for _ in range(length):
        gap = rng.choice((0.0, 0.02, 0.1, 0.5, 2.0))
        machine.handle(EVENTS[rng.choice(names)](machine), machine.known.now + gap)
    return stuck(machine)


def main() -> int:
    """Command line; the exit code is 1 if something got stuck."""
    parser = argparse.ArgumentParser(prog="python -m bench.liveness", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--depth", type=int, default=3, help="longest order of events; default: 3")
    parser.add_argument("--walks", type=int, default=100_000, help="random timelines; default: 100000")
    parser.add_argument("--length", type=int, default=30, help="events of a random timeline; default: 30")
    options = parser.parse_args()
    found = 0
    for mode in InterruptionMode:
        visited = 0
        params = TurnParams(mode=mode, **EVERYTHING)
        for path, machine in tqdm(explore(options.depth, params), unit="state", disable=None):
            visited += 1
            if (why := stuck(machine)) is not None:
                found += 1
                print(f"{mode.value}: {' '.join(path)}: {why}")
        print(f"{mode.value}: {visited} different states after up to {options.depth} events")
    modes = list(InterruptionMode)
    for seed in tqdm(range(options.walks), unit="timeline", disable=None):
        params = TurnParams(mode=modes[seed % 4], **(EVERYTHING if seed % 3 == 0 else {}))
        why = random_walk(random.Random(seed), params, options.length)
        if why is not None:
            found += 1
            print(f"timeline {seed}: {why}")
    print(f"{options.walks} random timelines of {options.length} events; stuck in all: {found}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
