"""What clips over the bot's voice did, clip by clip, and the figures of each class."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

NO_INTERRUPTIONS: Final = frozenset({"backchannel", "noise"})
"""Classes of clips by which nobody wants to interrupt."""


@dataclass
class Row:
    """What one clip did.

    Attributes:
        file: The clip.
        class_: Its class.
        outcome: ``kept_talking`` (never silent for it), ``resumed`` (paused, then went on), ``taken_back`` (the caller
            got the floor, and the reply went on all the same) or ``cancelled``.
        stuck: Whether the bot neither spoke nor listened in the end.
        samples_lost: Samples of the reply that were skipped (or, below 0, repeated) without a cut; None: not measured.
        stop_ms: From the clip's first loud sample to the bot's silence; None if it was never silent.
        verdict_ms: From the clip's first loud sample to the first cancel; None without one.
        gap_ms: How long the voice was silent in all, if it went on.
        full_voice_ms: From the clip's last loud sample to the bot's full voice, if it went on; 0 if it had it then.
        decisions: The interruption decisions, in their last version.
    """

    file: str
    class_: str
    outcome: str
    stuck: bool
    samples_lost: int | None
    stop_ms: int | None
    verdict_ms: int | None
    gap_ms: int
    full_voice_ms: int | None
    decisions: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; ``decision`` is the last of ``decisions``."""
        row = asdict(self)
        row["class"] = row.pop("class_")
        row["decision"] = self.decisions[-1] if self.decisions else None
        return row


def percentile(values: Iterable[float | None], percent: float) -> float | None:
    """A percentile of the values that are there; None without any."""
    known = [value for value in values if value is not None]
    return round(float(np.percentile(known, percent)), 1) if known else None


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Figures of one class."""
    went_on = [row for row in rows if row.outcome != "cancelled"]
    taken_back = [row for row in rows if row.outcome == "taken_back"]
    cancelled = [row for row in rows if row.outcome == "cancelled"]
    gaps = [row.gap_ms for row in went_on if row.outcome == "resumed"]
    lost = [abs(row.samples_lost) for row in rows if row.samples_lost is not None]
    return {
        "clips": len(rows),
        "kept_talking": sum(row.outcome == "kept_talking" for row in rows),
        "resumed": sum(row.outcome == "resumed" for row in rows),
        "taken_back": len(taken_back),
        "cancelled": len(cancelled),
        "stuck": sum(row.stuck for row in rows),
        "samples_lost": sum(lost) if len(lost) == len(rows) else None,
        "stop_ms_p50": percentile((row.stop_ms for row in rows), 50),
        "stop_ms_p95": percentile((row.stop_ms for row in rows), 95),
        "taken_back_ms_p50": percentile((row.gap_ms for row in taken_back), 50),
        "taken_back_ms_p95": percentile((row.gap_ms for row in taken_back), 95),
        "gap_ms_p50": percentile(gaps, 50),
        "gap_ms_p95": percentile(gaps, 95),
        "gap_ms_mean": round(float(np.mean(gaps)), 1) if gaps else None,
        "gap_ms_p90": percentile(gaps, 90),
        "verdict_ms_p50": percentile((row.verdict_ms for row in cancelled), 50),
        "full_voice_ms_p95": percentile((row.full_voice_ms for row in went_on), 95),
    }


def report(rows: Sequence[Row]) -> dict[str, Any]:
    """All figures, as ``--json`` writes them."""
    classes = sorted({row.class_ for row in rows})
    return {
        "classes": {name: summary([row for row in rows if row.class_ == name]) for name in classes},
        "clips": [row.as_dict() for row in rows],
    }


def losses(rows: Sequence[Row]) -> str:
    """What the callers lost: replies that ended for sounds by which nobody wanted to interrupt, and interruptions."""
    calm = [row for row in rows if row.class_ in NO_INTERRUPTIONS]
    lost = [row for row in calm if row.outcome == "cancelled"]
    back = [row for row in calm if row.outcome == "taken_back"]
    wanted = [row for row in rows if row.class_ not in NO_INTERRUPTIONS]
    kept = [row for row in wanted if row.outcome == "cancelled"]
    cut = len(lost) + len(back)
    gaps = [row.gap_ms for row in back]
    lines = [
        f"acknowledgements and noises that cancel: {_share(cut, len(calm))}",
        f"replies lost to them (neither resumed nor taken back): {_share(len(lost), len(calm))}",
        f"taken back: {len(back)}; silence {percentile(gaps, 50)} / {percentile(gaps, 95)} ms (p50 / p95)",
        f"interruptions that cancel: {_share(len(kept), len(wanted))}",
    ]
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({100 * part / whole:.1f} %)" if whole else "")


def table(figures: dict[str, dict[str, Any]]) -> str:
    """The classes' figures as text."""
    columns = {
        "clips": "clips",
        "kept_talking": "kept talking",
        "resumed": "resumed",
        "taken_back": "taken back",
        "taken_back_ms_p50": "silence p50",
        "taken_back_ms_p95": "p95",
        "cancelled": "cancelled",
        "stuck": "stuck",
        "samples_lost": "samples lost",
        "stop_ms_p50": "stop p50",
        "stop_ms_p95": "p95",
        "verdict_ms_p50": "verdict p50",
        "gap_ms_mean": "gap mean",
        "gap_ms_p90": "p90",
        "full_voice_ms_p95": "full voice p95",
    }
    lines = [["class", *columns.values()]]
    for name, values in figures.items():
        lines.append([name, *("-" if values[key] is None else f"{values[key]:.0f}" for key in columns)])
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
