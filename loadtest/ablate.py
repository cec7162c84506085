"""``python -m loadtest ablate``: one change at a time against the base, in virtual time, with the spread over seeds."""

import argparse
import asyncio
import datetime
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from loadtest import ablate_tables
from loadtest.ablations import VARIANTS, prompt_tokens, run_strategy, run_variant
from loadtest.capabilities import known
from loadtest.interruptions import ManifestError, read_manifest
from loadtest.material import OWN_CLIPS
from loadtest.run import command_line, machine
from loadtest.strategies import STRATEGIES
from processors.models.files import usable_cores

HISTORY: Final = {"5 turns": 5, "10 turns": 10, "20 turns (base)": 20, "all turns": 200}
SEEDS: Final = 3
CLIPS: Final = 8

Clip = tuple[Path, str, str]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.description = (
        "Runs the bot in virtual time against emulated vendors, with one change at a time against the base: strategy "
        "for interruptions, history, language model, voice, recogniser, reply cache. All variants get the same seeds, "
        "in alternating order. Writes ablations.json and ablations.md."
    )
    command.add_argument("--profile", default="seed", metavar="NAME|FILE", help="the emulated vendors; default: seed")
    command.add_argument("--seeds", type=int, default=SEEDS, help=f"runs of each variant; default: {SEEDS}")
    command.add_argument("--report", type=Path, default=Path("report"), metavar="DIR", help="default: report")
    command.add_argument(
        "--audio",
        type=Path,
        default=OWN_CLIPS,
        metavar="DIR",
        help="folder with a manifest.jsonl of sounds over the bot's voice; default: the tests' own clips",
    )
    command.add_argument("--clips", type=int, default=CLIPS, help=f"clips of each class at most; default: {CLIPS}")
    command.add_argument("--jobs", type=int, default=usable_cores(), help="runs at once; default: one per core")


def main(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    if min(options.seeds, options.clips, options.jobs) < 1:
        print("error: --seeds, --clips and --jobs are at least 1", file=sys.stderr)
        return 2
    try:
        listed = [(clip.path, clip.name, clip.class_) for clip in read_manifest(options.audio)]
        clips = some_of(listed, options.clips)
    except ManifestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    runs, sounds = _measure(options, clips)
    found = {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command_line(),
        "profile": options.profile,
        "seeds": options.seeds,
        "machine": machine(),
        "capabilities": known(),
        "runs": runs,
        "sounds": sounds,
        "history": {name: asyncio.run(prompt_tokens(turns)) for name, turns in HISTORY.items()},
    }
    options.report.mkdir(parents=True, exist_ok=True)
    text = ablate_tables.text(found)
    (options.report / "ablations.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (options.report / "ablations.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def some_of(clips: Sequence[Clip], most: int) -> list[Clip]:
    """At most so many clips of each class, from all over the list."""
    kept: list[Clip] = []
    for class_ in sorted({class_ for *_, class_ in clips}):
        mine = [clip for clip in clips if clip[2] == class_]
        count = min(most, len(mine))
        kept += [mine[index * len(mine) // count] for index in range(count)]
    return kept


def order(seeds: int) -> list[tuple[int, int]]:
    """(variant, seed) in the order of their runs: there and back, so that no variant always comes first."""
    there = range(len(VARIANTS))
    return [(variant, seed) for seed in range(1, seeds + 1) for variant in (there if seed % 2 else reversed(there))]


def _measure(options: argparse.Namespace, clips: Sequence[Clip]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All runs; Ctrl-C gives those that are done."""
    os.environ.setdefault("LOGURU_LEVEL", "WARNING")  # Pipecat greets at its import
    runs: list[dict[str, Any]] = []
    sounds: list[dict[str, Any]] = []
    jobs: dict[Future[dict[str, Any]], dict[str, Any]] = {}
    with ProcessPoolExecutor(options.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for number, seed in order(options.seeds):
            variant = VARIANTS[number]
            about = {
                "study": variant.study,
                "variant": variant.name,
                "origin": variant.origin,
                "against_base": variant.against_base,
                "seed": seed,
            }
            jobs[pool.submit(run_variant, variant, options.profile, seed)] = about
        for path, name, class_ in clips:
            for strategy in STRATEGIES:
                jobs[pool.submit(run_strategy, strategy, path, name, class_)] = {"strategy": strategy}
        try:
            with tqdm(total=len(jobs), unit="run", mininterval=0.2 if sys.stderr.isatty() else 15.0) as bar:
                for job, about in jobs.items():
                    found = job.result()
                    if "strategy" in about:
                        sounds.append({**about, **_row(found)})
                    else:
                        runs.append({**about, "figures": found})
                    bar.update()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            print("\nended early: the tables hold what was measured so far", file=sys.stderr)
    return runs, sounds


def _row(found: dict[str, Any]) -> dict[str, Any]:
    kept = ("file", "class", "outcome", "stuck", "samples_lost", "stop_ms", "verdict_ms", "gap_ms")
    return {name: found[name] for name in kept}
