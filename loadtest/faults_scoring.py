"""What a caller met in a call with a fault: silences, voices over each other, who answered. Pure.

*Owed* is what a caller waits for: from the end of their speech until the bot's turn is over. What ends a silence:

- *sound*: a block of 20 ms of what the caller receives, at -41 dBFS or louder;
- *a sign*: something changes before the caller's eyes: the page's state turns to "Thinking", or later to "Still
  thinking" (which it also plays a soft tone for), an error is shown, or the words that were understood. A sign counts
  for the moment at which it comes, not for as long as it is shown: a page that says "Thinking" for ten seconds has
  given one sign.

A caller who does not look at the page and has it muted has only the sound; that silence is reported beside the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BLOCK_SECS: Final = 0.02
LOUD_RMS: Final = 300.0
LIMIT_MS: Final = 1_500
"""The longest silence, without a sound and without a sign, that a caller may meet."""


@dataclass(frozen=True)
class Debt:
    """A time in which the bot owes the caller something, in seconds of the call."""

    from_secs: float
    until_secs: float


def longest_silence_ms(levels: NDArray[np.float32], signs: Sequence[float], debts: Sequence[Debt]) -> int:
    """The longest time within any debt without sound and without a sign.

    Parameters:
        levels: Root mean square of each 20 ms that the caller received, from the call's start.
        signs: When signs came, in seconds of the call.
        debts: When something was owed.
    """
    sounding = np.flatnonzero(levels >= LOUD_RMS) * BLOCK_SECS
    longest = 0.0
    for debt in debts:
        marks = np.concatenate([sounding, sounding + BLOCK_SECS, np.asarray(signs, np.float64)])
        inside = np.sort(marks[(marks > debt.from_secs) & (marks < debt.until_secs)])
        edges = np.concatenate([[debt.from_secs], inside, [debt.until_secs]])
        longest = max(longest, float(np.max(np.diff(edges))))
    return round(longest * 1000)


def signs_of(messages: Sequence[tuple[float, str, Mapping[str, Any]]]) -> list[float]:
    """When something changed before the caller's eyes; ``messages`` are (seconds, type, data)."""
    signs: list[float] = []
    understood = ""
    for at, kind, data in messages:
        if kind == "turn-state":
            shown = data["state"] == "thinking"
        elif kind == "user-transcription":
            shown = bool(data["text"]) and data["text"] != understood
            understood = str(data["text"])
        else:
            shown = kind in ("error", "still-thinking")
        if shown:
            signs.append(at)
    return signs


class Outcome(Enum):
    """How a turn under a fault ended, the best first."""

    VENDOR = "answered by vendor"
    NEXT = "answered by next provider"
    TOLD = "told"
    """A sentence was heard that says that something is wrong, and what to do."""
    UNHEARD = "told on the page only"
    MISHEARD = "misunderstood"
    NOTHING = "not answered"
    BROKEN = "the measurement failed"

    @property
    def is_right(self) -> bool:
        """Whether a fault may end so."""
        return self in (Outcome.VENDOR, Outcome.NEXT, Outcome.TOLD)


@dataclass(frozen=True)
class TurnSeen:
    """What came of one turn of the caller's.

    Attributes:
        heard: Each reply of the bot's that was heard, and its error, in order; without "one moment".
        phrases: The bot's own sentences that say what is wrong.
        understood: Whether the words were understood; None where nobody had to.
        shown: Errors that the page showed.
        served: Whether the vendor did its part.
        failures: Whether another provider had to step in.
    """

    heard: Sequence[tuple[str, str | None]]
    phrases: frozenset[str]
    understood: bool | None = None
    shown: int = 0
    served: bool = False
    failures: bool = False

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        spoken = [(text.strip(), error) for text, error in self.heard if text.strip()]
        if any(text in self.phrases for text, _ in spoken):
            return Outcome.TOLD
        if any(error is None for _, error in spoken):
            if self.understood is False:
                return Outcome.MISHEARD
            return Outcome.VENDOR if self.served and not self.failures else Outcome.NEXT
        return Outcome.UNHEARD if self.shown else Outcome.NOTHING


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """The worst of several; none at all is nothing."""
    order = list(Outcome)
    return max(outcomes, key=order.index, default=Outcome.NOTHING)


@dataclass(frozen=True)
class Score:
    """What a cell of the matrix met.

    Attributes:
        outcome: How the turns under the fault ended, the worst of them.
        longest_silence_ms: Without sound or sign, while something was owed.
        longest_unheard_ms: Without sound, while something was owed: for callers who do not look.
        voices_at_once_ms: How long two sentences sounded at the same time.
        recovered: Whether a turn after the fault was answered, by the vendor if it may be asked again.
        late_ms: How late the measuring machine itself was at most.
        requests: The most requests to the language model that one turn took.
        wrong: What else is not as it should be, in words.
        problem: Why the measurement failed, if it did.
    """

    outcome: Outcome
    longest_silence_ms: int = 0
    longest_unheard_ms: int = 0
    voices_at_once_ms: int = 0
    recovered: bool = False
    late_ms: int = 0
    requests: int = 0
    wrong: tuple[str, ...] = ()
    problem: str = ""

    @property
    def faults(self) -> list[str]:
        """What breaks the rule, in words."""
        found = [] if self.outcome.is_right else [self.outcome.value]
        if self.longest_silence_ms > LIMIT_MS:
            found.append("silence")
        if self.voices_at_once_ms > VOICES_MS:
            found.append("two voices")
        if not self.recovered:
            found.append("stuck")
        return [*found, *self.wrong] + ([self.problem] if self.problem else [])

    @property
    def ok(self) -> bool:
        """Whether the rule holds."""
        return not self.faults


VOICES_MS: Final = 200
"""Where one sentence follows another, so much may seem to be both."""
