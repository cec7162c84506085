"""``python -m loadtest simulate``: simulated callers on the real pipeline in virtual time, judged by rules."""

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from emulators.known_clips import KnownClip, Library
from emulators.profile import load_profile
from loadtest import virtual_time
from loadtest.emulated_bot import emulated_bot
from loadtest.simulated_call import CallOutcome, pieces, spoken, talk
from loadtest.simulated_judging import Judged, judge, pass_hat
from loadtest.simulated_scenario import SimulatedCaller, SimulatedCallerError, load_caller, shipped

PROFILE: Final = "paid"
LONGEST_CALL_SECS: Final = 600.0


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's options."""
    command.add_argument("scenarios", nargs="*", metavar="NAME", help="names, or files; default: all")
    command.add_argument("--trials", type=int, default=1, metavar="K", help="calls of each scenario; default: 1")


def simulate(name: str, caller: SimulatedCaller, trial: int = 0) -> Judged:
    """Make one call and judge it. Blocks for as long as the computing takes."""
    texts = {piece for act in caller.acts for piece in pieces(act)}
    clips = Library([KnownClip(text, spoken(text)) for text in sorted(texts)])
    with tempfile.TemporaryDirectory() as folder:
        bank = Path(folder) / "bank.sqlite"

        async def run() -> CallOutcome:
            async with emulated_bot(load_profile(PROFILE), {"bank_file": str(bank)}, clips) as bot:
                return await talk(bot.services, caller, f"{name} {trial}")

        outcome = virtual_time.run(run(), limit_secs=LONGEST_CALL_SECS)
        return judge(caller, outcome, _appointments(bank))


def _appointments(bank: Path) -> int:
    if not bank.exists():
        return 0  # no tool has asked for the bank
    with sqlite3.connect(bank) as db:
        return int(db.execute("SELECT count(*) FROM appointments").fetchone()[0])


def table(judged: Mapping[str, Sequence[Judged]]) -> str:
    """The results as Markdown."""
    lines = [
        "| scenario | passed | takeover rate | latency (ms) | backchannels | interruptions | first failure |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, trials in judged.items():
        failure = next((each.failures[0] for each in trials if each.failures), "")
        lines.append(
            f"| {name} | {sum(each.passed for each in trials)} of {len(trials)} {_measures(trials)} {failure} |"
        )
    everything = [each for trials in judged.values() for each in trials]
    passed = sum(each.passed for each in everything)
    lines.append(f"| **all** | {passed} of {len(everything)} {_measures(everything)}  |")
    return "\n".join(lines)


def _measures(trials: Sequence[Judged]) -> str:
    latencies = [ms for each in trials for ms in each.latencies_ms]
    stop_ms = [ms for each in trials for ms in each.stop_ms]
    stops = _share([each.stops for each in trials])
    cells = (
        _share([each.takeovers for each in trials]),
        f"{median(latencies):.0f}" if latencies else "",
        _share([each.backchannels for each in trials]),
        f"{stops}, {median(stop_ms):.0f} ms" if stop_ms else stops,
    )
    return "| " + " | ".join(cells) + " |"


def _share(counts: Sequence[tuple[int, int]]) -> str:
    good, of = sum(good for good, _ in counts), sum(of for _, of in counts)
    return f"{good} of {of}" if of else ""


def main(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code: 0 if the calls could be made."""
    if options.trials < 1:
        print("error: --trials is at least 1", file=sys.stderr)
        return 2
    try:
        known = shipped()
        names = options.scenarios or list(known)
        chosen = {Path(name).stem: known[name] if name in known else load_caller(Path(name)) for name in names}
    except SimulatedCallerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    judged: dict[str, list[Judged]] = {}
    for name, caller in chosen.items():
        judged[name] = [simulate(name, caller, trial) for trial in range(options.trials)]
        print(f"{name}: {'; '.join(judged[name][0].failures) or 'passed'}", file=sys.stderr)
    print(table(judged))
    trials = [[each.passed for each in found] for found in judged.values()]
    print("\n" + ", ".join(f"pass^{k} {pass_hat(trials, k):.2f}" for k in range(1, options.trials + 1)))
    return 0
