"""What can be said of one call, or of many, in figures. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, stdev
from typing import Any, Final

from replay.record import Trace

Z_95: Final = 1.96


@dataclass
class Figures:
    """Of one call.

    Attributes:
        answers_ms: How long the caller waited for each answer.
        cancels: Replies that a sound over the bot's voice ended.
        taken_back: Cancels that were undone: the reply went on.
        lost: Cancels that nobody had wanted.
        resumed: Sounds that did not end the reply.
        wrong: Verdicts that the next seconds proved wrong.
        faults: Errors that the client was told of.
        words: What the caller was heard to say, in the end.
        heard: What the caller heard.
    """

    answers_ms: list[float] = field(default_factory=list)
    cancels: int = 0
    taken_back: int = 0
    lost: int = 0
    resumed: int = 0
    wrong: int = 0
    faults: int = 0
    words: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)


def figures(trace: Trace) -> Figures:
    """The figures of a call."""
    found = Figures()
    decisions: dict[int, Mapping[str, Any]] = {}
    segments: dict[int, str] = {}
    for _, message in trace.sent:
        data = message.get("data")
        data = data if isinstance(data, Mapping) else {}
        match data.get("type") if message.get("type") == "server-message" else message.get("type"):
            case "time-to-answer":
                found.answers_ms.append(float(data["ms"]))
            case "interruption-decision":
                decisions[data["decision"]["sound_id"]] = data["decision"]
            case "user-transcription" if data["final"]:
                segments[data["segment"]] = data["text"]
            case "reply-played":
                found.heard.append(str(data["heard"]))
            case "error":
                found.faults += 1
            case _:
                pass
    for decision in decisions.values():
        found.cancels += decision["verdict"] == "cancel"
        found.resumed += decision["verdict"] == "resume"
        found.taken_back += decision["outcome"] == "taken_back"
        found.lost += decision["outcome"] == "lost"
        found.wrong += bool(decision["wrong"])
    found.words = [text for text in segments.values() if text]
    return found


@dataclass(frozen=True)
class Row:
    """One figure before and after a change.

    Attributes:
        name: What.
        before: As it was.
        after: As it would be.
        change: Mean difference of the calls; None: nothing to say.
        interval: Half the width of its 95 % interval over the calls; None: fewer than two calls.
    """

    name: str
    before: float | None
    after: float | None
    change: float | None = None
    interval: float | None = None


COUNTS: Final = ("cancels", "taken_back", "lost", "resumed", "wrong", "faults")


def table(pairs: Sequence[tuple[Figures, Figures]]) -> list[Row]:
    """What changed, over calls: (as it was, as it would be) of each."""
    rows = [_answers(pairs, "answer, median (ms)", median), _answers(pairs, "answer, slowest (ms)", max)]
    answers = [(float(len(a.answers_ms)), float(len(b.answers_ms))) for a, b in pairs]
    rows.append(_row("answers", answers, summed=True))
    for name in COUNTS:
        counts = [(float(getattr(a, name)), float(getattr(b, name))) for a, b in pairs]
        rows.append(_row(name.replace("_", " "), counts, summed=True))
    words = [(0.0, float(a.words != b.words)) for a, b in pairs]
    heard = [(0.0, float(a.heard != b.heard)) for a, b in pairs]
    rows += [_row("calls with other words of the caller", words, summed=True)]
    rows += [_row("calls in which other words were heard", heard, summed=True)]
    return rows


def _answers(pairs: Sequence[tuple[Figures, Figures]], name: str, of: Any) -> Row:
    both = [(of(a.answers_ms), of(b.answers_ms)) for a, b in pairs if a.answers_ms and b.answers_ms]
    return _row(name, both, summed=False)


def _row(name: str, both: Sequence[tuple[float, float]], *, summed: bool) -> Row:
    if not both:
        return Row(name, None, None)
    changes = [after - before for before, after in both]
    add = sum if summed else fmean
    interval = Z_95 * stdev(changes) / math.sqrt(len(changes)) if len(changes) > 1 else None
    return Row(name, add(a for a, _ in both), add(b for _, b in both), fmean(changes), interval)


def as_text(rows: Iterable[Row], calls: int) -> str:
    """The table, for people; with more than one call the change is a call's mean, with its 95 % interval."""
    head = ("", "as it was", "changed", "change" if calls == 1 else "change a call")
    lines: list[tuple[str, ...]] = [head]
    for row in rows:
        change = "" if row.change is None else f"{row.change:+.4g}"
        if row.interval is not None and row.change is not None:
            change += f" ± {row.interval:.3g}"
        lines.append((row.name, _number(row.before), _number(row.after), change))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
