"""``python -m loadtest faults``: every fault of every vendor, in every state of the call, and what the caller heard."""

import argparse
import asyncio
import json
import multiprocessing
import queue
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from loguru import logger

from loadtest import virtual_time
from loadtest.faults_matrix import Cell, Role, TurnState, cells
from loadtest.faults_scoring import LIMIT_MS, Outcome, Score
from processors.models.files import usable_cores

AT_ONCE: Final = 3
"""Calls side by side in one process, where they take real time; one of them takes an eighth of a core."""

WALKS_FOR: Final = ("gtts",)
"""The threads in which gTTS waits for its server."""

LATE_MS: Final = 150
"""A cell that fails on a machine that was later than this is measured once more, alone."""

Result = tuple[int, Score]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.description = (
        "Makes one call for each cell of the matrix provider x fault x state of the call in which the fault begins: "
        "the real pipeline and the vendor's own package, against the vendor's emulator on loopback. Where the package "
        "lives on the event loop, time is virtual: the figures do not depend on what else the machine does. Azure's "
        "has threads of its own and takes real time. "
        f"A cell is right when the caller was never left for more than {LIMIT_MS} ms without a sound or a sign while "
        "something was owed, never heard two voices at once, got an answer or was told, and was answered again after "
        "the fault. Nor may machine text be heard, words be doubled, history hold what was not heard, another call "
        "notice, or one turn be asked about again and again. Exit code 1 if any cell is not."
    )
    parser.add_argument("--provider", default="", metavar="PART", help="only providers whose name contains this")
    parser.add_argument("--fault", default="", metavar="PART", help="only faults whose name contains this")
    parser.add_argument("--state", default="", metavar="PART", help="only states whose name contains this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all cells to it")
    parser.add_argument(
        "--at-once",
        type=int,
        default=AT_ONCE,
        metavar="N",
        help=f"calls at once for each core, where time is real ({AT_ONCE})",
    )
    parser.add_argument("--list", action="store_true", help="only print the cells")
    parser.add_argument("--log", action="store_true", help="show the bot's own log; for a cell or two")


def main(options: argparse.Namespace) -> int:
    """Run; returns the exit code."""
    chosen = list(cells(options.provider, options.fault, options.state))
    if not chosen:
        print("error: no cell has such a name; see --list", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(map(str, chosen)))
        return 0
    if options.log:
        logger.add(sys.stderr, level="DEBUG", filter=lambda record: not (record["name"] or "").startswith("pipecat"))
    began = time.monotonic()
    scores = _measure_all(chosen, options.at_once, in_process=options.log)
    again = [cell for cell in chosen if not scores[cell].ok and scores[cell].late_ms > LATE_MS]
    if again:
        print(f"{len(again)} cells failed on a machine that was too busy; once more, alone:")
        scores |= _measure_all(again, 1, in_process=options.log)
    print()
    print(table(scores))
    print(f"{summary(scores)}; {time.monotonic() - began:.0f} s")
    if options.json is not None:
        options.json.write_text(json.dumps({"cells": [as_dict(cell, scores[cell]) for cell in chosen]}, indent=1))
    return 0 if all(score.ok for score in scores.values()) else 1


# --- measuring -----------------------------------------------------------------------------


def _measure_all(chosen: Sequence[Cell], at_once: int, *, in_process: bool) -> dict[Cell, Score]:
    """Measure in a process for each core, some cells at once in each; prints each as it is known."""
    processes = 1 if in_process else min(usable_cores(), len(chosen)) if at_once > 1 else 1
    results: Any = multiprocessing.get_context("spawn").Queue()
    if in_process:
        _work(list(enumerate(chosen)), at_once, results)
        workers = []
    else:
        context = multiprocessing.get_context("spawn")
        shares = [list(enumerate(chosen))[number::processes] for number in range(processes)]
        workers = [context.Process(target=_work, args=(share, at_once, results), daemon=True) for share in shares]
    for worker in workers:
        worker.start()
    scores: dict[Cell, Score] = {}
    while len(scores) < len(chosen):
        try:
            index, score = results.get(timeout=2.0)
        except queue.Empty:
            if workers and not any(worker.is_alive() for worker in workers):
                break
            continue
        cell = chosen[index]
        scores[cell] = score
        print(f"{len(scores):4}/{len(chosen)}  {line(cell, score)}", flush=True)
    for worker in workers:
        worker.join(5)
    lost = Score(Outcome.BROKEN, problem="the measuring process died")
    return {cell: scores.get(cell, lost) for cell in chosen}


def _work(share: Sequence[tuple[int, Cell]], at_once: int, results: Any) -> None:
    """One process's share."""
    # What the vendors' packages need to be loaded is no business of whoever only prints the list.
    from loadtest.faults_call import measure, watching

    async def one(index: int, cell: Cell) -> None:
        results.put((index, await measure(cell)))

    with watching():
        parent = multiprocessing.parent_process()
        for index, cell in share:
            if parent is not None and not parent.is_alive():
                return
            if not cell.provider.in_real_time:
                virtual_time.run(one(index, cell), loop=virtual_loop(cell))
        asyncio.run(_some_at_once(at_once, [one(*each) for each in share if each[1].provider.in_real_time]))


def virtual_loop(cell: Cell | None = None) -> virtual_time.VirtualTimeLoop:
    """The clock of a cell: models answer as late as on an idle machine, however long a busy one takes for them.

    Minutes of talk without a pause are read again and again here, which no vendor's recogniser does: that is not
    charged.
    """
    charged = 0.0 if cell is not None and cell.provider.role is Role.CALLER else 1.0
    return virtual_time.VirtualTimeLoop(charge_jobs=charged, walks_for=WALKS_FOR, stuck_after_secs=300.0)


async def _some_at_once(number: int, works: Sequence[Coroutine[Any, Any, None]]) -> None:
    places = asyncio.Semaphore(number)

    async def placed(work: Coroutine[Any, Any, None]) -> None:
        async with places:
            await work

    await asyncio.gather(*map(placed, works))


# --- telling -------------------------------------------------------------------------------


def as_dict(cell: Cell, score: Score) -> dict[str, Any]:
    """A cell as the JSON file has it."""
    return {
        "provider": cell.provider.name,
        "fault": cell.fault.name,
        "state": cell.state.value,
        "outcome": score.outcome.value,
        "longest_silence_ms": score.longest_silence_ms,
        "longest_unheard_ms": score.longest_unheard_ms,
        "voices_at_once_ms": score.voices_at_once_ms,
        "recovered": score.recovered,
        "late_ms": score.late_ms,
        "ok": score.ok,
        "requests": score.requests,
        "faults": score.faults,
    }


def line(cell: Cell, score: Score) -> str:
    """A cell as one line."""
    verdict = "ok" if score.ok else "NOT OK: " + ", ".join(score.faults)
    return f"{cell}: {score.outcome.value}, silence {score.longest_silence_ms} ms, {verdict}"


def table(scores: dict[Cell, Score]) -> str:
    """Longest silences in milliseconds, a row for each provider and fault, a column for each state."""
    letters = {Outcome.VENDOR: "v", Outcome.NEXT: "n", Outcome.TOLD: "t"}
    rows: dict[tuple[str, str], dict[TurnState, str]] = {}
    for cell, score in scores.items():
        mark = letters.get(score.outcome, "-") + ("" if score.ok else "!")
        rows.setdefault((cell.provider.name, cell.fault.name), {})[cell.state] = f"{score.longest_silence_ms}{mark:3}"
    head = f"{'provider':14} {'fault':28}" + "".join(f"{state.value:>18}" for state in TurnState)
    lines = [
        f"{provider:14} {fault:28}" + "".join(f"{row.get(state, ''):>18}" for state in TurnState)
        for (provider, fault), row in rows.items()
    ]
    legend = (
        "Longest silence without sound or sign, in ms. v: answered by the vendor, n: by the next provider, "
        "t: told what is wrong, -: neither, !: breaks the rule."
    )
    return "\n".join([legend, head, *lines])


def summary(scores: dict[Cell, Score]) -> str:
    """All cells in one line."""
    outcomes = Counter(score.outcome.value for score in scores.values())
    right = sum(score.ok for score in scores.values())
    longest = max(score.longest_silence_ms for score in scores.values())
    unheard = max(score.longest_unheard_ms for score in scores.values())
    named = ", ".join(f"{number} {name}" for name, number in outcomes.most_common())
    return (
        f"{right} of {len(scores)} cells right ({named}); longest silence {longest} ms without sound or sign, "
        f"{unheard} ms without sound"
    )
