"""Plots of a run, as SVG to stand inside an HTML page. Pure; matplotlib draws."""

import io
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from loadtest.scenario import Kind
from loadtest.stages import FIRST_VERSION_MS, NAMES

WORST_CALLS: Final = 10

INK: Final = "#1f3a5f"
ACCENT: Final = "#d1495b"
COLOURS: Final = ("#1f3a5f", "#3d7ea6", "#7fb7be", "#9bc53d", "#edae49", "#d1495b", "#8d5a97", "#6c757d", "#b8b8aa")

# Text stays text, so that the page can be searched, and ids do not change from run to run.
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "parley", "font.family": "sans-serif", "font.size": 9})


def all_of(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Each plot's SVG and what it shows."""
    summary, calls = found["summary"], found["calls"]
    requests = [request for call in calls for request in call["requests"]]
    plotted = [
        (answers_over_time(requests), "Voice to voice of each request over the run; failures at the top edge."),
        (latencies(requests), "Share of answers that came within a time, by kind of request."),
        (stage_stack(summary), "Where the time of an answer goes, at the mean and for the median answer."),
        (success_over_callers(requests, calls), "Requests answered, by how many callers were on the line."),
        (resources(summary, calls), "CPU and memory of the bot's process, by how many callers were on the line."),
        (worst_calls(calls), "The ten calls with the longest silence: the bot's voice, and what was said to it."),
    ]
    return [(svg, caption) for svg, caption in plotted if svg]


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _axes(height: float = 3.0) -> tuple[Figure, Any]:
    figure = Figure(figsize=(9, height))
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    return figure, axes


def answers_over_time(requests: Sequence[dict[str, Any]]) -> str:
    """A dot for each request."""
    answered = [(r["asked_secs"], r["v2v_ms"], r["kind"]) for r in requests if r["success"] and r["v2v_ms"] is not None]
    failed = [r["begun_secs"] for r in requests if not r["success"]]
    if not answered and not failed:
        return ""
    figure, axes = _axes()
    for colour, kind in zip(COLOURS, Kind, strict=False):
        mine = [(at, value) for at, value, name in answered if name == kind.value]
        if mine:
            axes.plot(*zip(*mine, strict=True), "o", ms=4, color=colour, label=kind.value.replace("_", " "))
    axes.set_ylim(bottom=0)
    if failed:
        axes.plot(failed, [axes.get_ylim()[1]] * len(failed), "x", color=ACCENT, ms=7, clip_on=False, label="failed")
    axes.set(xlabel="seconds since the first caller", ylabel="voice to voice, ms")
    axes.legend(frameon=False, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _svg(figure)


def latencies(requests: Sequence[dict[str, Any]]) -> str:
    """Cumulative distributions."""
    by_kind = {
        kind.value: sorted(r["v2v_ms"] for r in requests if r["kind"] == kind.value and r["success"] and r["v2v_ms"])
        for kind in Kind
    }
    everything = sorted(value for values in by_kind.values() for value in values)
    if not everything:
        return ""
    figure, axes = _axes()
    for colour, (name, values) in zip(COLOURS[1:], by_kind.items(), strict=False):
        if len(values) > 1:
            shares = np.arange(1, len(values) + 1) / len(values)
            axes.step(
                values, shares, where="post", color=colour, lw=1, label=f"{name.replace('_', ' ')} ({len(values)})"
            )
    shares = np.arange(1, len(everything) + 1) / len(everything)
    axes.step(everything, shares, where="post", color=INK, lw=2.5, label=f"all ({len(everything)})")
    axes.set(xlabel="voice to voice, ms", ylabel="share of answers", ylim=(0, 1.02), xlim=(0, None))
    axes.legend(frameon=False, loc="lower right")
    return _svg(figure)


def stage_stack(summary: dict[str, Any]) -> str:
    """Two bars: mean and median of each stage, beside the callers' figure."""
    stages = summary["stages"]["stages_ms"]
    if not stages:
        return ""
    figure, axes = _axes(2.2)
    axes.grid(axis="x", alpha=0.25)
    axes.grid(axis="y", visible=False)
    lefts = {"mean": 0.0, "p50": 0.0}
    for colour, (key, name) in zip(COLOURS, NAMES.items(), strict=True):
        for row, which in enumerate(lefts):
            width = max(0.0, stages[key][which])
            axes.barh(row, width, left=lefts[which], color=colour, height=0.6, label=name if row == 0 else None)
            lefts[which] += width
    for row, which in enumerate(lefts):
        axes.plot([summary["stages"]["v2v_ms"][which]] * 2, [row - 0.4, row + 0.4], color=ACCENT, lw=2)
    axes.set_yticks([0, 1], ["mean", "median of each"])
    axes.set(xlabel="ms; the red lines are what callers measured", xlim=(0, None))
    axes.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _svg(figure)


def main_plot(runs: Sequence[dict[str, Any]]) -> str:
    """Voice to voice of several runs, and where it goes, beside the first version's stages.

    Args:
        runs: ``{"summary": ..., "calls": [...]}`` of each.
    """
    figure = Figure(figsize=(9, 6))
    above, below = figure.subplots(2, 1, gridspec_kw={"height_ratios": (3, 2), "hspace": 0.7})
    for axes in (above, below):
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    longest = 0.0
    for colour, run in zip((INK, ACCENT), runs, strict=False):
        values = sorted(r["v2v_ms"] for c in run["calls"] for r in c["requests"] if r["success"] and r["v2v_ms"])
        summary = run["summary"]
        label = f"{summary['callers']} callers ({summary['requests']} requests, {100 * summary['success_rate']:.1f} %)"
        above.step(
            values, 100 * np.arange(1, len(values) + 1) / summary["requests"], where="post", color=colour, label=label
        )
        longest = max(longest, values[-1])
    first = sum(FIRST_VERSION_MS.values())
    above.axvline(first, color=COLOURS[-2], ls="--", lw=1, label="first version: its stages added up")
    above.set(xlabel="voice to voice, ms", ylabel="answered, % of all requests", ylim=(0, 102), xlim=(0, longest))
    above.legend(frameon=False, loc="lower right")
    bars = [(f"{run['summary']['callers']} callers", run["summary"]["stages"]["stages_ms"]) for run in runs]
    rows = [(name, {key: max(0.0, stages[key]["mean"]) for key in NAMES}) for name, stages in bars if stages]
    rows.append(("first version", {key: float(FIRST_VERSION_MS.get(key, 0)) for key in NAMES}))
    for row, (_, widths) in enumerate(rows):
        left = 0.0
        for colour, (key, name) in zip(COLOURS, NAMES.items(), strict=True):
            below.barh(row, widths[key], left=left, color=colour, height=0.6, label=name if row == 0 else None)
            left += widths[key]
    below.set_yticks(range(len(rows)), [name for name, _ in rows])
    below.invert_yaxis()
    below.set(xlabel="mean of each stage, ms", xlim=(0, None))
    below.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.45, 1.0), fontsize=8)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _svg(figure) + "\n"


def on_the_line(calls: Sequence[dict[str, Any]], at_secs: float) -> int:
    """How many calls were open at a time."""
    return sum(call["begun_secs"] <= at_secs <= call["ended_secs"] for call in calls)


def success_over_callers(requests: Sequence[dict[str, Any]], calls: Sequence[dict[str, Any]]) -> str:
    """Share answered, in up to eight classes of callers on the line."""
    if not requests:
        return ""
    counts = np.array([on_the_line(calls, r["begun_secs"]) for r in requests])
    answered = np.array([r["success"] for r in requests])
    edges = np.unique(np.linspace(0, counts.max() + 1, min(8, counts.max() + 1) + 1).astype(int))
    figure, axes = _axes(2.5)
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (counts >= low) & (counts < high)
        if inside.any():
            axes.bar((low + high - 1) / 2, 100 * answered[inside].mean(), width=0.8 * (high - low), color=INK)
            axes.annotate(str(inside.sum()), ((low + high - 1) / 2, 2), ha="center", color="white", fontsize=8)
    axes.set(xlabel="callers on the line (in the bars: requests)", ylabel="answered, %", ylim=(0, 103))
    return _svg(figure)


def resources(summary: dict[str, Any], calls: Sequence[dict[str, Any]]) -> str:
    """CPU and memory each second against the callers on the line."""
    usage = [(at, cpu, mb) for at, cpu, mb in summary["run"]["usage"] if at >= 0]
    if not usage:
        return ""
    counts = [on_the_line(calls, at) for at, _, _ in usage]
    figure, axes = _axes(2.5)
    axes.plot(counts, [cpu for _, cpu, _ in usage], "o", ms=3, alpha=0.5, color=INK, label="CPU")
    axes.set(xlabel="callers on the line", ylabel="CPU, % of one core", xlim=(0, None), ylim=(0, None))
    right = axes.twinx()
    right.plot(counts, [mb for _, _, mb in usage], "s", ms=3, alpha=0.5, color=ACCENT, label="memory")
    right.set(ylabel="memory, MB", ylim=(0, None))
    right.spines["top"].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    right.legend(frameon=False, loc="lower right")
    return _svg(figure)


def worst_calls(calls: Sequence[dict[str, Any]]) -> str:
    """Timelines of the calls with the longest silences."""

    def badness(call: dict[str, Any]) -> tuple[int, float]:
        silences = [r["longest_silence_ms"] or 0.0 for r in call["requests"]]
        return sum(not r["success"] for r in call["requests"]), max(silences, default=0.0)

    worst = sorted((call for call in calls if call["requests"]), key=badness, reverse=True)[:WORST_CALLS]
    if not worst:
        return ""
    figure, axes = _axes(0.45 * len(worst) + 1)
    axes.grid(axis="x", alpha=0.25)
    for row, call in enumerate(worst):
        line = call["timeline"]
        voice = np.array([level > -41 for level in line["bot_dbfs"]])
        axes.broken_barh(_runs(voice), (row + 0.05, 0.35), color=INK)
        axes.broken_barh([(a, b - a) for _, a, b in line["said"]], (row - 0.4, 0.35), color=COLOURS[4])
        for request in call["requests"]:
            if not request["success"] and request["asked_secs"] is not None:
                axes.plot(request["asked_secs"] - call["begun_secs"], row, "x", color=ACCENT, ms=7)
    axes.set_yticks(range(len(worst)), [f"caller {call['caller']}" for call in worst])
    axes.invert_yaxis()
    axes.set(
        xlabel="seconds of the call; blue: the bot, yellow: the caller, red cross: a failed request", xlim=(0, None)
    )
    return _svg(figure)


def _runs(voice: np.ndarray) -> list[tuple[float, float]]:
    """Start and length in seconds of each stretch of voice, from tenths of a second."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voice.astype(np.int8), [0]])))
    return [(start / 10, (end - start) / 10) for start, end in zip(edges[::2], edges[1::2], strict=True)]
