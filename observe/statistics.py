"""Figures of the process so far, for the dashboard. Pure, bounded, and counted as things happen."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from observe.entries import Turn
from observe.listener import Listener, Usage
from observe.record import CallRecord, cause_of

KEEP_TURNS: Final = 1000
"""Percentiles are of the last so many answers."""

KEEP_DECISIONS: Final = 30
MAX_NAMES: Final = 40
"""Names that are counted apart; whatever comes after them is "other"."""

ANSWERED: Final = ("played", "cut", "left")
"""Outcomes of turns that got their answer."""

VOICE_TO_VOICE: Final = "voice_to_voice"


@dataclass(frozen=True)
class Target:
    """What a figure should be.

    Attributes:
        name: The figure.
        share: Which percentile, 0 to 1.
        most: At most so much, in the figure's unit.
    """

    name: str
    share: float
    most: float


TARGETS: Final = (
    Target(VOICE_TO_VOICE, 0.50, 800),
    Target(VOICE_TO_VOICE, 0.95, 1500),
    Target("verdict", 0.50, 350),
    Target("false_alarm_silence", 0.50, 350),
    Target("false_alarm_silence", 0.95, 550),
    Target("taken_back_silence", 0.50, 1200),
    Target("taken_back_silence", 0.95, 2200),
    Target("loop_lag", 0.99, 20),
)
"""In milliseconds. People leave about 200 ms between turns and notice a wait of a second (Stivers et al., 2009,
https://doi.org/10.1073/pnas.0903616106); the rest are the bars that the judge of sounds was tuned to."""

MIN_SUCCESS: Final = 0.995
"""The share of turns that must get their answer."""


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of ordered values: one of them, never a value in between."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Count, mean and percentiles; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "mean": round(sum(ordered) / len(ordered), 1),
        "p50": percentile(ordered, 0.50),
        "p95": percentile(ordered, 0.95),
        "p99": percentile(ordered, 0.99),
    }


class Counts:
    """Counters by name, a bounded number of them: names may come from error texts."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, name: str) -> str:
        """Count one; returns the name that it was counted under."""
        if name not in self._counts and len(self._counts) >= MAX_NAMES:
            name = "other"
        self._counts[name] = self._counts.get(name, 0) + 1
        return name

    def as_dict(self) -> dict[str, int]:
        """The most frequent first."""
        return dict(sorted(self._counts.items(), key=lambda entry: -entry[1]))

    def total(self) -> int:
        """All of them."""
        return sum(self._counts.values())


class Statistics(Listener):
    """What the dashboard shows beside the live calls."""

    def __init__(self) -> None:
        self.outcomes = Counts()
        self.failures = Counts()
        self.repaired_faults = Counts()
        self.ends = Counts()
        self.refusals = Counts()
        self.vendor_errors = Counts()
        self.calls = 0
        self.usage: dict[str, float] = {}
        self.verdicts: dict[str, dict[str, int]] = {}
        self.replies_lost = 0
        self.replies_taken_back = 0
        self._taken_back_ms: deque[float] = deque(maxlen=KEEP_TURNS)
        self.decisions: deque[dict[str, Any]] = deque(maxlen=KEEP_DECISIONS)
        self._turns: deque[tuple[float, int, dict[str, int]]] = deque(maxlen=KEEP_TURNS)
        self._verdict_ms: deque[float] = deque(maxlen=KEEP_TURNS)
        self._silence_ms: deque[float] = deque(maxlen=KEEP_TURNS)
        self._latency: dict[str, dict[str, float] | None] | None = None

    # --- events ----------------------------------------------------------------------------

    def opened(self, record: CallRecord) -> None:
        """Count."""
        self.calls += 1

    def answered(self, record: CallRecord, turn: Turn) -> None:
        """Keep its times."""
        if turn.answer_ms is not None:
            at = record.began_at + turn.began - record.began
            self._turns.append((round(at, 1), turn.answer_ms, turn.stages_ms))
            self._latency = None

    def turn_over(self, record: CallRecord, turn: Turn) -> None:
        """Count how it ended."""
        self.outcomes.add(turn.outcome)

    def decided(self, record: CallRecord, decision: Mapping[str, Any]) -> None:
        """Count by verdict; keep the false alarms."""
        verdict = str(decision["verdict"])
        self._verdicts_of(verdict)["open"] += 1
        if decision["verdict_ms"] is not None:
            self._verdict_ms.append(decision["verdict_ms"])
        if verdict == "resume":
            self._silence_ms.append(decision["silence_ms"])
            self.decisions.append({"call": record.call_id, **decision})
        self._latency = None

    def judged(self, record: CallRecord, decision: Mapping[str, Any]) -> None:
        """Count by verdict and outcome; a wrong decision is kept whatever it was."""
        counts = self._verdicts_of(str(decision["verdict"]))
        counts["open"] -= 1
        counts["wrong" if decision["wrong"] else "right"] += 1
        if decision.get("outcome") == "lost":
            self.replies_lost += 1
        elif decision.get("outcome") == "taken_back":
            self.replies_taken_back += 1
            self._taken_back_ms.append(decision["silence_ms"])
            self._latency = None
        for kept in self.decisions:
            if kept["call"] == record.call_id and kept["sound_id"] == decision["sound_id"]:
                kept.update(decision)
                return
        if decision["wrong"]:
            self.decisions.append({"call": record.call_id, **decision})

    def failed(self, record: CallRecord, cause: str) -> None:
        """Count."""
        self.failures.add(cause)

    def repaired(self, record: CallRecord, fault: str) -> None:
        """Count."""
        self.repaired_faults.add(cause_of(fault))

    def vendor_failed(self, role: str, vendor: str, error: str) -> None:
        """Count."""
        self.vendor_errors.add(f"{role} {vendor}: {cause_of(error)}")

    def used(self, record: CallRecord, usage: Usage) -> None:
        """Add up."""
        name = f"{usage.role}_{usage.unit}"
        self.usage[name] = self.usage.get(name, 0) + usage.amount

    def refused(self, code: str) -> None:
        """Count."""
        self.refusals.add(code)

    def over(self, record: CallRecord) -> None:
        """Count."""
        self.ends.add(record.end_reason or "unknown")

    # --- figures ---------------------------------------------------------------------------

    def latency(self) -> dict[str, dict[str, float] | None]:
        """Spread of every stage and of the whole, in milliseconds; computed only when something is new."""
        if self._latency is None:
            stages: dict[str, list[float]] = {}
            for _, _, turn in self._turns:
                for name, ms in turn.items():
                    stages.setdefault(name, []).append(ms)
            self._latency = {
                VOICE_TO_VOICE: spread([ms for _, ms, _ in self._turns]),
                **{name: spread(values) for name, values in stages.items()},
                "verdict": spread(list(self._verdict_ms)),
                "false_alarm_silence": spread(list(self._silence_ms)),
                "taken_back_silence": spread(list(self._taken_back_ms)),
            }
        return self._latency

    def recent(self, most: int) -> list[tuple[float, int]]:
        """When the last answers were asked for (Unix seconds), and how long they took in milliseconds."""
        return [(at, ms) for at, ms, _ in list(self._turns)[-most:]]

    def success(self) -> dict[str, float | int | None]:
        """Turns that got their answer, those that did not, and the share of the former (None of no turns)."""
        outcomes = self.outcomes.as_dict()
        answered = sum(outcomes.get(name, 0) for name in ANSWERED)
        failed = self.failures.total()
        share = round(answered / (answered + failed), 4) if answered + failed else None
        return {"answered": answered, "failed": failed, "share": share}

    def _verdicts_of(self, verdict: str) -> dict[str, int]:
        return self.verdicts.setdefault(verdict, {"open": 0, "right": 0, "wrong": 0})


def against_targets(latency: Mapping[str, Mapping[str, float] | None]) -> list[dict[str, Any]]:
    """Each target with what is, and whether it is met (None while there is nothing to measure)."""
    rows = []
    for target in TARGETS:
        figures = latency.get(target.name)
        value = figures[f"p{round(100 * target.share)}"] if figures else None
        rows.append(
            {
                "name": target.name,
                "percentile": round(100 * target.share),
                "most": target.most,
                "value": value,
                "n": figures["n"] if figures else 0,
                "met": None if value is None else value <= target.most,
            }
        )
    return rows
