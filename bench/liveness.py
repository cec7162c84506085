"""No order of events leaves the caller stuck: ``python -m bench.liveness``.

Goes through every order of events up to a depth (states that are alike are visited once), and through many long random
timelines. After each, time passes without events, and within three seconds the bot must have spoken, listen, or have
said why it does not.
"""

import argparse
import copy
import random
import sys
from collections.abc import Callable, Iterator
from typing import Final

from tqdm import tqdm

from processors.turns import events as ev
from processors.turns.machine import TurnMachine
from processors.turns.states import InterruptionMode, State, TurnParams

LIMIT_SECS: Final = 3.0
"""From every reachable state the bot speaks, listens or has said why not within this time."""

EVENTS: Final[dict[str, Callable[[TurnMachine], ev.Event]]] = {
    "sound+": lambda m: ev.SoundStarted(),
    "sound-": lambda m: ev.SoundEnded(),
    "speech+": lambda m: ev.SpeechStarted(),
    "speech-": lambda m: ev.SpeechEnded(),
    "ack": lambda m: ev.Words("mhm", m._last_sound_id, True, 0.9),
    "words": lambda m: ev.Words("please stop and tell me my balance", m._last_sound_id, True, 0.9),
    "no words": lambda m: ev.Words("", m._last_sound_id, True, 0.9),
    "early words": lambda m: ev.EarlyWords("what is my balance", m._last_sound_id, False),
    "all early words": lambda m: ev.EarlyWords("what is my balance", m._last_sound_id, True),
    "scored": lambda m: ev.TurnScored(0.95),
    "typed": lambda m: ev.TextTyped("hello"),
    "key": lambda m: ev.KeyPressed("7"),
    "playing": lambda m: ev.ReplyPlaying(m._last_reply_id),
    "played": lambda m: ev.ReplyPlayed(m._last_reply_id, heard="words"),
    "stale": lambda m: ev.ReplyPlayed(m._last_reply_id - 1, heard="", error="late"),
    "failed": lambda m: ev.ReplyPlayed(m._last_reply_id, error="no audio"),
    "committed": lambda m: ev.ReplyCommitted(m._committing_id or 0),
    "stalled": lambda m: ev.PlayoutStalled(m._last_reply_id, True),
    "tools": lambda m: ev.WaitsForTools(m._last_reply_id, 5.0),
    "tools over": lambda m: ev.WaitsForTools(m._last_reply_id, 0.0),
    "in line": lambda m: ev.WaitsInLine(m._last_reply_id, 10.0),
    "refused": lambda m: ev.Refused(m._last_reply_id, ev.Phrase.QUOTA),
    "closes": lambda m: ev.LineCloses(),
    "ready": lambda m: ev.ClientReady(),
}
GAPS_SECS = (0.0, 0.4)
SPEAKS = (ev.AskReply, ev.Say, ev.Resume, ev.TellClient)


def fingerprint(machine: TurnMachine) -> tuple[object, ...]:
    """The machine's state with times relative to now and numbers relative to the newest."""
    now = machine._now
    timers = tuple(sorted((timer.value, round(at - now, 3)) for timer, at in machine._timers.items()))
    reply, filler, sound = machine._reply, machine._filler, machine._sound
    return (
        machine.state,
        timers,
        machine._turn_open,
        machine._transcript.text(),
        machine._transcript.ahead(),
        machine._transcript.ahead_is_whole(),
        machine._relies_on_early,
        machine._unconfirmed,
        machine._p_complete,
        machine._transcript.is_settled(),
        machine._asked_text,
        reply and (reply.reply_id - machine._last_reply_id, reply.phrase, reply.playing),
        reply and tuple(at and round(at - now, 3) for at in (reply.tools_until, reply.filler_at, reply.line_until)),
        reply and reply.apology,
        machine._line_told,
        machine._closes,
        filler and (filler.reply_id - machine._last_reply_id, filler.playing),
        min(machine._fillers_said, 1),
        machine._speaking_id and machine._speaking_id - machine._last_reply_id,
        machine._committing_id and machine._committing_id - machine._last_reply_id,
        machine._ask_waits,
        machine._speech_on,
        machine._speech_ended_at and min(now - machine._speech_ended_at, 4.0),
        machine._words_missed,
        machine._unanswered_cut,
        sound and (sound.ended_at is None, round(now - sound.started_at, 3), sound.silent_since is None),
    )


def stuck(machine: TurnMachine) -> str | None:
    """Let time pass without events; None if within the limit the bot spoke, listens or said why not."""
    machine = copy.deepcopy(machine)
    start = machine._now
    end = start + LIMIT_SECS
    told = False
    while (deadline := machine.next_deadline()) is not None and deadline <= end:
        told |= any(isinstance(action, SPEAKS) for action in machine.handle(ev.Tick(), deadline))
    told |= any(isinstance(action, SPEAKS) for action in machine.handle(ev.Tick(), end))
    if told or machine.state in (State.LISTENING, State.CLOSING):
        return None
    if machine.state is State.USER_SPEAKING and machine._speech_on:
        return None
    if machine.state is State.SPEAKING and machine._speaking_id is not None:
        return None
    return f"{machine.state.name} with {machine._timers}"


def step(machine: TurnMachine, name: str, gap_secs: float) -> TurnMachine:
    """The machine after one more event."""
    successor = copy.deepcopy(machine)
    successor.handle(EVENTS[name](successor), successor._now + gap_secs)
    return successor


def explore(depth: int, params: TurnParams) -> Iterator[tuple[tuple[str, ...], TurnMachine]]:
    """Every machine that some order of at most ``depth`` events leads to, each once."""
    seen = set()
    level = [((), TurnMachine(params))]
    for _ in range(depth):
        grown = []
        for path, machine in level:
            for name in EVENTS:
                for gap in GAPS_SECS:
                    successor = step(machine, name, gap)
                    key = fingerprint(successor)
                    if key in seen:
                        continue
                    seen.add(key)
                    grown.append(((*path, f"{name}+{gap}"), successor))
        yield from grown
        level = grown


def random_walk(rng: random.Random, params: TurnParams, length: int) -> str | None:
    """A long random timeline; None if it never got stuck."""
    machine = TurnMachine(params)
    names = list(EVENTS)
    for _ in range(length):
        gap = rng.choice((0.0, 0.02, 0.1, 0.5, 2.0))
        machine.handle(EVENTS[rng.choice(names)](machine), machine._now + gap)
    return stuck(machine)


def main() -> int:
    """Command line; the exit code is 1 if something got stuck."""
    parser = argparse.ArgumentParser(prog="python -m bench.liveness", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--depth", type=int, default=5, help="longest order of events; default: 5")
    parser.add_argument("--walks", type=int, default=100_000, help="random timelines; default: 100000")
    parser.add_argument("--length", type=int, default=30, help="events of a random timeline; default: 30")
    options = parser.parse_args()
    found = 0
    for mode in InterruptionMode:
        visited = 0
        params = TurnParams(mode=mode, guess=True, early_end=True)
        for path, machine in tqdm(explore(options.depth, params), unit="state", disable=None):
            visited += 1
            if (why := stuck(machine)) is not None:
                found += 1
                print(f"{mode.value}: {' '.join(path)}: {why}")
        print(f"{mode.value}: {visited} different states after up to {options.depth} events")
    modes = list(InterruptionMode)
    for seed in tqdm(range(options.walks), unit="timeline", disable=None):
        why = random_walk(random.Random(seed), TurnParams(mode=modes[seed % 4], early_end=seed % 8 < 4), options.length)
        if why is not None:
            found += 1
            print(f"timeline {seed}: {why}")
    print(f"{options.walks} random timelines of {options.length} events; stuck in all: {found}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
