"""What a good run reaches, beside what the first version reached. Pure."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Target:
    """One row of the target table.

    Attributes:
        name: In words.
        path: Where the figure stands in the summary, its keys joined by dots.
        bound: The target.
        at_least: Whether more is better.
        unit: ``"%"`` for shares, ``"ms"``, ``"×"`` for ratios, or empty for counts.
        first: What the first version's report says; empty: nothing.
    """

    name: str
    path: str
    bound: float
    at_least: bool
    unit: str
    first: str = ""


TARGETS: Final = (
    Target("requests answered", "success_rate", 0.995, True, "%", "96 % (10 callers), 75 % (50 callers)"),
    Target("tool questions answered", "by_kind.tool.success_rate", 0.99, True, "%"),
    Target("silent failures", "silent_failures", 0, False, "", "all failures were silent"),
    Target("voice to voice, the answer itself, p50", "v2v_ms.p50", 1000, False, "ms", "1,820 ms (its stages added up)"),
    Target("voice to voice, the answer itself, p95", "v2v_ms.p95", 1500, False, "ms"),
    Target("longest time without sound or sign", "longest_unsigned_ms.max", 1500, False, "ms"),
    Target("turns ended early whose final words were others", "early_changed_rate", 0.02, False, "%"),
    Target("tokens for replies never heard, per request", "unheard_tokens", 700, False, ""),
    Target("interruptions answered", "interruptions.success_rate", 0.97, True, "%", "93 %"),
    Target("interruption: onset to the lowered voice, p50", "interruptions.lowered_ms.p50", 120, False, "ms"),
    Target("interruption: onset to silence, p50", "interruptions.stop_ms.p50", 250, False, "ms"),
    Target("interruption: end to the next answer, p95", "interruptions.recovery_ms.p95", 1500, False, "ms"),
    Target("false alarms resumed", "false_alarms.resume_rate", 1.0, True, "%", "89 %; the others never"),
    Target("false alarms: silence added, mean", "false_alarms.added_silence_ms.mean", 350, False, "ms"),
    Target("false alarms: without any gap", "false_alarms.without_gap_rate", 0.6, True, "%"),
    Target("false alarms: samples lost", "false_alarms.samples_lost.total", 0, False, ""),
    Target("client and bot apart on voice to voice, mean", "stages.apart_rate", 0.05, False, "%"),
    Target("requests that the model's vendor refused (429)", "vendor_refused_rate", 0.01, False, "%"),
    Target("longest wait in the queue, against the median", "calls.wait_ratio", 2, False, "×"),
    Target("places where the bot missed its time", "calls.holes", 0, False, ""),
    Target("lateness of audio, p99 (p95 of calls)", "calls.late_p99_ms.p95", 60, False, "ms"),
)


@dataclass(frozen=True)
class Verdict:
    """A target and what came of it.

    Attributes:
        target: The target.
        value: What was measured; None: nothing was.
        met: Whether it is met; None: not measured.
    """

    target: Target
    value: float | None
    met: bool | None

    @property
    def word(self) -> str:
        """In one word."""
        return {True: "met", False: "MISSED", None: "not measured"}[self.met]


def compare(summary: dict[str, Any]) -> list[Verdict]:
    """All targets against a summary."""
    verdicts = []
    for target in TARGETS:
        value = look_up(summary, target.path) if _was_measured(summary, target.path) else None
        met = None if value is None else (value >= target.bound if target.at_least else value <= target.bound)
        verdicts.append(Verdict(target, value, met))
    return verdicts


def _was_measured(summary: dict[str, Any], path: str) -> bool:
    """Whether a count of 0 means that nothing happened, and not that nobody looked."""
    if path == "false_alarms.samples_lost.total":
        return bool(summary["false_alarms"]["samples_lost"]["count"])
    return path != "calls.holes" or bool(summary["calls"]["packets"])


def look_up(summary: dict[str, Any], path: str) -> Any:
    """A figure by its keys, joined by dots; None where there is none, as of a kind that was not asked for."""
    found: Any = summary
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def shown(value: float | None, unit: str) -> str:
    """A figure with its unit."""
    if value is None:
        return "–"
    if unit == "%":
        return f"{100 * value:.1f} %"
    return f"{value:.1f} {unit}" if unit == "×" else f"{value:,.0f} {unit}".rstrip()
