"""``python -m bench.many_callers``: many callers at once, in virtual time: each bar, and whether it is met.

Each row is a load test of its own (:mod:`loadtest.run_virtual`): the real pipeline, the real gateway, the vendors' own
packages against their protocols on loopback. Times are those of the profile and the bot's own waiting; computing takes
none. ``--rows`` picks some; ``--requests`` makes them longer.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Run:
    """A load test.

    Attributes:
        name: In the table.
        callers: Callers.
        profile: What the vendors are like.
        max_calls: Calls at once; ``auto``: what the bot works out.
    """

    name: str
    callers: int
    profile: str
    max_calls: str


RUNS: Final = (
    Run("paid, one caller alone", 1, "paid", "1"),
    Run("paid, 50 at once", 50, "paid", "50"),
    Run("paid-100, 100 at once", 100, "paid-100", "100"),
    Run("seed (a free account), MAX_CALLS=auto", 50, "seed", "auto"),
)


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        run: The row that it belongs to.
        what: What is measured.
        value: The figure; None: it was not measured.
        bound: The bar.
        at_least: Whether more is better.
    """

    run: str
    what: str
    value: float | None
    bound: float
    at_least: bool

    @property
    def met(self) -> bool | None:
        """Whether it is met; None: it was not measured."""
        if self.value is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def load_test(run: Run, requests: int, folder: Path) -> dict[str, Any]:
    """Run one; returns its summary.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    requests = requests * 10 if run.callers == 1 else requests
    command = [sys.executable, "-m", "loadtest", "run", "--virtual", "--stt", "clips", "--callers", str(run.callers)]
    command += ["--requests", str(requests), "--profile", run.profile, "--max-calls", run.max_calls]
    subprocess.run([*command, "--report", str(folder)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return json.loads((folder / "summary.json").read_text("utf-8"))["summary"]


def bars(found: dict[str, dict[str, Any]]) -> list[Bar]:
    """The bars, by the summaries of the runs."""
    alone, made = found.get(RUNS[0].name), []
    for run, ratio in ((RUNS[1], 1.15), (RUNS[2], 1.25)):
        if (summary := found.get(run.name)) is not None:
            made.append(Bar(run.name, "answered, %", _percent(summary["success_rate"]), 99.5, True))
            made.append(Bar(run.name, "voice to voice p95 / one caller alone", _ratio(summary, alone), ratio, False))
    if (seed := found.get(RUNS[3].name)) is not None:
        name, calls, answer = RUNS[3].name, seed["calls"], seed["answer_ms"]
        made += [
            Bar(name, "answered, %", _percent(seed["success_rate"]), 99.5, True),
            Bar(name, "answer itself p50, s", _secs(answer["p50"]), 3, False),
            Bar(name, "answer itself p95, s", _secs(answer["p95"]), 8, False),
            Bar(name, "answers a minute", seed["answers_per_minute"], 50, True),
            Bar(name, "wait to get in p50, s", calls["waited_secs"]["p50"], 120, False),
            Bar(name, "longest wait / median", calls["wait_ratio"], 2, False),
        ]
    for run in RUNS[1:]:
        if (summary := found.get(run.name)) is not None:
            tool, alarms = summary["by_kind"].get("tool", {}), summary["false_alarms"]
            made += [
                Bar(run.name, "tool questions answered, %", _percent(tool.get("success_rate")), 99, True),
                Bar(run.name, "false alarms resumed, %", _percent(alarms["resume_rate"]), 100, True),
                Bar(run.name, "false alarm: gap p95, ms", alarms["gap_ms"]["p95"], 250, False),
                Bar(run.name, "silent failures", summary["silent_failures"], 0, False),
                Bar(run.name, "calls that the gateway remembers after their end", _remembered(summary), 0, False),
            ]
    return made


def _remembered(summary: dict[str, Any]) -> float | None:
    return summary.get("run", {}).get("preemptive", {}).get("calls_remembered")


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _secs(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def _ratio(summary: dict[str, Any], alone: dict[str, Any] | None) -> float | None:
    if alone is None or not alone["v2v_ms"]["p95"] or summary["v2v_ms"]["p95"] is None:
        return None
    return summary["v2v_ms"]["p95"] / alone["v2v_ms"]["p95"]


def table(made: list[Bar], found: dict[str, dict[str, Any]]) -> str:
    """The bars as Markdown."""
    lines = ["| run | in a call, most / mean | quantity | measured | bar | |", "|---|---|---|---|---|---|"]
    for bar in made:
        at_once = found[bar.run]["calls"]["at_once"]
        value = "–" if bar.value is None else f"{bar.value:.2f}"
        word = {True: "met", False: "MISSED", None: "not measured"}[bar.met]
        sign = "≥" if bar.at_least else "≤"
        calls = f"{at_once['most']} / {at_once['mean']}"
        lines.append(f"| {bar.run} | {calls} | {bar.what} | {value} | {sign} {bar.bound:g} | {word} |")
    return "\n".join(lines)


def main() -> int:
    """Print the table; returns 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.many_callers", description=__doc__)
    parser.add_argument("--requests", type=int, default=5, help="requests of each caller (default: 5)")
    parser.add_argument("--rows", default="", metavar="TEXT", help="only runs whose name holds this text")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, run in enumerate(RUNS):
            if options.rows in run.name or (run.callers == 1 and "paid" in options.rows):
                found[run.name] = load_test(run, options.requests, Path(folder) / str(number))
    made = bars(found)
    print(table(made, found))
    if options.json:
        options.json.write_text(json.dumps([asdict(bar) | {"met": bar.met} for bar in made], indent=1))
    return int(any(bar.met is False for bar in made))


if __name__ == "__main__":
    sys.exit(main())
