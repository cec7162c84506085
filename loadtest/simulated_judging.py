"""Whether a simulated call was a good one, by rules. Pure.

Measures have the names of those who defined them: takeover rate (TOR), backchannels and latencies as in
Full-Duplex-Bench (Lin et al. 2025), pass^k as in tau-bench (Yao et al. 2024).
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from loadtest.in_process import LOUD_RMS, TICK_SECS
from loadtest.simulated_call import CallOutcome, Done
from loadtest.simulated_scenario import SimulatedCaller

TALKED_OVER_SECS: Final = 0.5
"""The bot may speak on over a caller for so long."""

TAKEOVER_SECS: Final = 10.0
"""A bot that has not begun to answer by then has not taken the turn."""

STOP_SECS: Final = 1.5
"""A bot that is interrupted is silent by then."""

PROMISE: Final = re.compile(r"\b(?:is|are|have been|has been) booked\b", re.IGNORECASE)


@dataclass(frozen=True)
class Judged:
    """One call, judged.

    Attributes:
        failures: What was wrong; empty: nothing, the call passed.
        takeovers: Of the turns that want an answer, those that got one, and all.
        latencies_ms: From the end of each such turn to the bot's voice.
        backchannels: Of the sounds that want nothing, those that the bot spoke on over, and all.
        stops: Of the interruptions, those that stopped the bot, and all.
        stop_ms: From the beginning of each interruption to the bot's silence.
    """

    failures: tuple[str, ...]
    takeovers: tuple[int, int]
    latencies_ms: tuple[float, ...]
    backchannels: tuple[int, int]
    stops: tuple[int, int]
    stop_ms: tuple[float, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.failures


def judge(caller: SimulatedCaller, outcome: CallOutcome, appointments: int) -> Judged:
    """Judge a call.

    Args:
        caller: What was wanted.
        outcome: What came.
        appointments: How many the bank holds afterwards.
    """
    expect, levels = caller.expect, outcome.levels
    heard = " ".join(text for text, _ in outcome.replies)
    failures = [f"did not hear {text!r}" for text in expect.heard if text.casefold() not in heard.casefold()]
    failures += [f"heard {text!r}" for text in expect.not_heard if text.casefold() in heard.casefold()]
    if appointments != expect.appointments:
        failures.append(f"{appointments} appointments in the bank, not {expect.appointments}")
    if PROMISE.search(heard) and not appointments:
        failures.append("a false promise: nothing is booked")
    if expect.bot_hangs_up and not outcome.hung_up:
        failures.append("the bot did not hang up")
    if outcome.answers_ms and max(outcome.answers_ms) > expect.answer_ms:
        failures.append(f"an answer took {max(outcome.answers_ms):.0f} ms")
    waited = [_latency_secs(levels, each) for each in outcome.done if _asks(each)]
    came = [secs for secs in waited if secs is not None and secs <= TAKEOVER_SECS]
    if len(came) < len(waited):
        failures.append(f"{len(waited) - len(came)} turns without an answer")
    talked_over = max((_talked_over_secs(levels, each) for each in outcome.done if _is_speech(each)), default=0.0)
    if talked_over > TALKED_OVER_SECS:
        failures.append(f"talked over for {1000 * talked_over:.0f} ms")
    stops = [_silent_after_secs(levels, each) for each in outcome.done if each.act.stops_bot and each.over_voice]
    stopped = [secs for secs in stops if secs is not None and secs <= STOP_SECS]
    if len(stopped) < len(stops):
        failures.append("was not let interrupt")
    sounds = [each for each in outcome.done if not each.act.wants_answer and each.over_voice]
    went_on = sum(_speaks_after(levels, each) for each in sounds)
    if went_on < len(sounds):
        failures.append("a sound ended the answer")
    return Judged(
        tuple(failures),
        (len(came), len(waited)),
        tuple(1000 * secs for secs in came),
        (went_on, len(sounds)),
        (len(stopped), len(stops)),
        tuple(1000 * secs for secs in stopped),
    )


def _asks(done: Done) -> bool:
    return done.act.wants_answer and not (done.over_voice and not done.act.stops_bot)


def _is_speech(done: Done) -> bool:
    return bool(done.act.say) and done.act.wants_answer


def _ticks(levels: np.ndarray, from_secs: float, to_secs: float = math.inf) -> np.ndarray:
    last = len(levels) if math.isinf(to_secs) else round(to_secs / TICK_SECS)
    return levels[max(0, round(from_secs / TICK_SECS)) : last] > LOUD_RMS


def _latency_secs(levels: np.ndarray, done: Done) -> float | None:
    """From the end of a turn to the bot's voice; what it still says of something else does not count."""
    loud = _ticks(levels, done.ended)
    first = np.flatnonzero(loud)
    return float(first[0]) * TICK_SECS if len(first) else None


def _talked_over_secs(levels: np.ndarray, done: Done) -> float:
    """The longest time for which both spoke."""
    longest = run = 0
    for loud in _ticks(levels, done.began, done.ended):
        run = run + 1 if loud else 0
        longest = max(longest, run)
    return longest * TICK_SECS


def _silent_after_secs(levels: np.ndarray, done: Done) -> float | None:
    """From the beginning of an interruption to 200 ms of silence."""
    loud = _ticks(levels, done.began)
    for tick in range(len(loud) - 10):
        if not loud[tick : tick + 10].any():
            return tick * TICK_SECS
    return None


def _speaks_after(levels: np.ndarray, done: Done) -> bool:
    """Whether the bot's voice is heard again within two seconds of a sound's end."""
    return bool(_ticks(levels, done.ended, done.ended + 2.0).any())


def pass_hat(results: Iterable[Sequence[bool]], k: int) -> float:
    """pass^k: the chance that k trials of a scenario all pass, averaged over scenarios (tau-bench).

    Args:
        results: Of each scenario, whether each trial passed.
        k: At most as many as there are trials.
    """
    chances = [math.comb(sum(trials), k) / math.comb(len(trials), k) for trials in results]
    return sum(chances) / len(chances)
