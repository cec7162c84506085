"""``python -m loadtest cluster``: several nodes, and what their callers notice when parts of the cluster die."""

import argparse
import asyncio
import signal
import sys

from loadtest.cluster_programs import missing_programs
from loadtest.cluster_rows import ROWS, Figure
from loadtest.emulated_cluster import emulated_cluster


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.description = (
        "Starts nodes, HAProxy, Redis and its Sentinels (Debian: redis-server, redis-sentinel, haproxy) with emulated "
        "vendors, calls them over real WebRTC, and kills, stops and restarts parts of it. Prints each figure beside "
        "its bar. Exit code 1 if one is not met."
    )
    parser.add_argument("--callers", type=int, default=30, metavar="N", help="calls at once (30)")
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="bots (3)")
    parser.add_argument("--row", action="append", choices=list(ROWS), help="only this; may be given several times")


def main(options: argparse.Namespace) -> int:
    """Run; returns the exit code."""
    if missing := missing_programs():
        print(f"error: not installed: {', '.join(missing)}", file=sys.stderr)
        return 2
    figures = asyncio.run(_run(options.nodes, options.callers, options.row or list(ROWS)))
    return 0 if all(figure.met for figure in figures) else 1


async def _run(nodes: int, callers: int, names: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)  # nothing that was started stays
    print("| quantity | measured | bar | met |\n|---|---|---|---|", flush=True)
    async with emulated_cluster(nodes=nodes) as cluster:
        for name, row in ROWS.items():
            if name not in names:
                continue
            for figure in await row(cluster, callers):
                met = "yes" if figure.met else "**no**"
                print(f"| {figure.quantity} | {figure.value} | {figure.bar} | {met} |", flush=True)
                figures.append(figure)
    return figures
