"""``python -m loadtest document``: the documentation's tables and plot, made from runs that are kept in the repository.

``docs/loadtest/`` holds ``run.json`` of two runs' reports and ``ablations.json``; nothing in the document is written by
hand that could be measured.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from loadtest import ablate_tables, report_markdown, targets
from loadtest.capabilities import warning
from loadtest.figures import ms, percent
from loadtest.report_markdown import table
from loadtest.stages import NAMES

ROOT: Final = Path(__file__).resolve().parents[1]
KEPT: Final = ROOT / "docs" / "loadtest"
DOCUMENT: Final = ROOT / "docs" / "METRICS_ABLATIONS_IMPROVEMENTS.md"
PLOT: Final = KEPT / "main.svg"
RUNS: Final = "callers-*.json"
ABLATIONS: Final = "ablations.json"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.description = (
        f"Writes docs/{DOCUMENT.name} and its plot from docs/loadtest/{RUNS} and {ABLATIONS}. To renew them, copy "
        "run.json of a run's report, or ablations.json, there."
    )


def main(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    try:
        runs, ablations = read()
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    DOCUMENT.write_text(text(runs, ablations), encoding="utf-8")
    from loadtest import plots  # needs matplotlib, which not everyone has who checks the document

    PLOT.write_text(plots.main_plot(list(runs.values())), encoding="utf-8")
    print(f"{DOCUMENT.relative_to(ROOT)}, {PLOT.relative_to(ROOT)}")
    return 0


def read() -> tuple[dict[str, Any], dict[str, Any]]:
    """The kept runs by name, fewest callers first, and the ablations.

    Raises:
        OSError: There are none.
    """
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in KEPT.glob(RUNS)}
    if not found:
        raise FileNotFoundError(f"{KEPT / RUNS} does not exist")
    runs = dict(sorted(found.items(), key=lambda item: (item[1]["summary"]["callers"], item[0])))
    return runs, json.loads((KEPT / ABLATIONS).read_text("utf-8"))


def compact(found: dict[str, Any]) -> dict[str, Any]:
    """A run without its calls' timelines and what each request said of itself: small enough to be kept."""
    kept = ("kind", "begun_secs", "asked_secs", "success", "cause", "v2v_ms")
    calls = [
        {
            **{key: call[key] for key in ("caller", "begun_secs", "ended_secs", "waited_secs", "refusals")},
            "requests": [{key: request[key] for key in kept} for request in call["requests"]],
        }
        for call in found["calls"]
    ]
    return {"summary": found["summary"], "calls": calls}


def text(runs: Mapping[str, dict[str, Any]], ablations: dict[str, Any]) -> str:
    """The whole document.

    Args:
        runs: What :func:`compact` made, by name.
        ablations: What ``ablate`` wrote.
    """
    summaries = {name: found["summary"] for name, found in runs.items()}
    parts = [
        "# Metrics, ablations, improvements",
        "Made by `python -m loadtest document` from the runs in `docs/loadtest/`; do not edit it by hand. Where a "
        "figure is said to be assumed by the profile it follows from latencies that `emulators/profiles/` states for "
        "vendors; no vendor was called.",
        "## Against the targets, and the first version\n\n" + _side_by_side(summaries),
        "![Voice to voice, and where it goes](loadtest/main.svg)",
        *(
            f"## {_title(summary)}\n\n{_if_any(warning(summary['run']))}{_demoted(summary, first=not number)}"
            for number, summary in enumerate(summaries.values())
        ),
        "## Ablations\n\n" + _if_any(warning(ablations)) + ablate_tables.text(ablations).strip(),
        "## Improvements\n\n" + improvements(next(iter(summaries.values())), ablations),
    ]
    return "\n\n".join(parts) + "\n"


def _if_any(paragraph: str) -> str:
    return f"{paragraph}\n\n" if paragraph else ""


def _title(summary: Mapping[str, Any]) -> str:
    return f"{summary['callers']} callers, {summary['requests']} requests"


def _side_by_side(summaries: Mapping[str, dict[str, Any]]) -> str:
    columns = [targets.compare(summary) for summary in summaries.values()]
    rows = []
    for verdicts in zip(*columns, strict=True):
        target = verdicts[0].target
        bound = ("≥ " if target.at_least else "≤ ") + targets.shown(target.bound, target.unit)
        cells = [
            f"{targets.shown(verdict.value, target.unit)} {'' if verdict.met is None else verdict.word}".strip()
            for verdict in verdicts
        ]
        rows.append((target.name, bound, target.first or "–", *cells))
    header = ("quantity", "target", "first version", *(f"{s['callers']} callers" for s in summaries.values()))
    return table(header, rows)


def _demoted(summary: dict[str, Any], *, first: bool) -> str:
    """A run's report one heading deeper, without its title; what figures mean is told once."""
    body = report_markdown.text(summary).split("\n\n", 1)[1]
    if not first:
        body = re.sub(r"## What the figures mean\n\n.*?\n\n(?=## )", "", body, flags=re.DOTALL)
    return re.sub(r"^## ", "### ", body, flags=re.MULTILINE).strip()


def improvements(summary: dict[str, Any], ablations: dict[str, Any]) -> str:
    """What would help most, from the figures alone."""
    lines: list[str] = []
    stages, whole = summary["stages"]["stages_ms"], summary["stages"]["v2v_ms"]["mean"]
    if stages and whole:
        largest = sorted(NAMES, key=lambda key: -(stages[key]["mean"] or 0))[:3]
        named = ", ".join(
            f"{NAMES[key]} {ms(stages[key]['mean'])} ({percent(stages[key]['mean'] / whole)})" for key in largest
        )
        lines.append(f"- Most of voice to voice is {named}.")
    lines += [
        f"- {variant} would change voice to voice (p50) by {apart:+,.0f} ms; {origin}."
        for variant, apart, origin in _ranked(ablations["runs"])
    ]
    missed = [v for v in targets.compare(summary) if v.met is False]
    lines += [
        f"- Missed: {v.target.name} is {targets.shown(v.value, v.target.unit)}, and should be "
        f"{'at least' if v.target.at_least else 'at most'} {targets.shown(v.target.bound, v.target.unit)}."
        for v in missed
    ]
    return "\n".join(lines)


def _ranked(runs: Sequence[dict[str, Any]]) -> list[tuple[str, float, str]]:
    """Variants by what they save, the most first."""
    base = {run["seed"]: run["figures"]["v2v_p50_ms"] for run in runs if run["study"] == ablate_tables.BASE}
    found = []
    for study, name in dict.fromkeys((run["study"], run["variant"]) for run in runs):
        mine = [run for run in runs if (run["study"], run["variant"]) == (study, name)]
        apart = [
            run["figures"]["v2v_p50_ms"] - base[run["seed"]]
            for run in mine
            if base.get(run["seed"]) is not None and run["figures"]["v2v_p50_ms"] is not None
        ]
        if study != ablate_tables.BASE and apart and mine[0]["against_base"]:
            found.append((f"{study.capitalize()}: {name}", float(np.mean(apart)), mine[0]["origin"]))
    return sorted(found, key=lambda each: each[1])
