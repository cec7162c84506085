"""What live calls lose while strangers attack the bot: ``python -m bench.abuse``.

Ten callers talk with a bot whose services are emulated; first undisturbed, then while another process sends it ten
thousand datagrams a second, offers, candidates, half requests, and the messages of one bad caller. The bar: no call
lost, no hole of more than 60 ms in any voice, and answers that are later by 20 ms at most (95th percentile). The exit
code is 1 if it is not met.

Where this machine has an address beside loopback, the attack comes from there: limits on addresses are for others than
this machine's own.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import numpy as np

from bench.attacks import ATTACKS
from bench.capacity import CYCLE_SECS, LATE_MS, SENTENCE, behave, outcomes
from bench.resources import baseline_bot
from loadtest import scoring
from loadtest.bot_process import ROOT
from loadtest.caller import Caller, CallFailed
from loadtest.process_figures import cpu_secs
from loadtest.recording import Recording

BAR_ADDED_MS: Final = 20.0
LOST_SECS: Final = 2.0
"""A call from which nothing came for so long is lost."""


@dataclass(frozen=True)
class Phase:
    """What the callers met in one stretch of time.

    Attributes:
        calls_lost: Calls that ended.
        holes: Packets of the bot's voice that came more than 60 ms late or were never made, where the callers' own
            process was not the late one.
        holes_of_callers: Those that came so late because the callers' process did not look.
        late_max_ms: The latest of all.
        answer_p50_ms: From the end of what was said to the answer.
        answer_p95_ms: The same, 95th percentile.
        answers: How many there were.
        unanswered: What got no answer.
        core: Share of a core that the bot took.
        callers_late_p99_ms: How late the callers themselves were, and so what they measured.
    """

    calls_lost: int
    holes: int
    holes_of_callers: int
    late_max_ms: float
    answer_p50_ms: float
    answer_p95_ms: float
    answers: int
    unanswered: int
    core: float
    callers_late_p99_ms: float


def other_address() -> str | None:
    """An address of this machine beside loopback, which a packet to the internet would leave from; None: none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("203.0.113.1", 9))  # nothing is sent
        except OSError:
            return None
        address = sock.getsockname()[0]
    return None if address.startswith("127.") else address


@dataclass(frozen=True)
class Mark:
    """A moment, as each caller's recording knows it.

    Attributes:
        at_secs: Monotonic time.
        cpu_secs: What the bot has used of the processor.
        lengths: Of each caller: packets, clips said, slips.
    """

    at_secs: float
    cpu_secs: float
    lengths: tuple[tuple[int, int, int], ...]

    @classmethod
    def now(cls, callers: Sequence[Caller], pid: int | None) -> "Mark":
        """This moment."""
        recordings = [caller.recording for caller in callers]
        lengths = tuple((len(r.packets), len(r.said), len(r.slip_secs)) for r in recordings)
        return cls(time.monotonic(), cpu_secs(pid) if pid else 0.0, lengths)


def judge(callers: Sequence[Caller], begin: Mark, end: Mark) -> Phase:
    """What these callers met between two moments; takes a while, so when the calls are over."""
    parts: list[Recording] = []
    lost = late = late_by_callers = 0
    late_max_ms = 0.0
    for caller, (p0, s0, l0), (p1, s1, l1) in zip(callers, begin.lengths, end.lengths, strict=True):
        whole = caller.recording
        part = Recording(packets=whole.packets[p0:p1], said=whole.said[s0:s1], slip_secs=whole.slip_secs[l0:l1])
        parts.append(part)
        lost += p1 == p0 or end.at_secs - whole.packets[p1 - 1].arrival_secs > LOST_SECS
        late_ms = scoring.lateness_ms(part.packets)
        late_max_ms = max(late_max_ms, float(late_ms.max(initial=0.0)))
        of_bot_ms = late_ms - callers_lateness_ms(part, begin.at_secs, end.at_secs)
        late += int(np.sum(of_bot_ms > LATE_MS))
        late_by_callers += int(np.sum((late_ms > LATE_MS) & (of_bot_ms <= LATE_MS)))
    answers, unanswered = outcomes(parts, scoring.voice_to_voice_ms, 5_000, SENTENCE)
    slipped = np.concatenate([part.slip_secs for part in parts])
    return Phase(
        calls_lost=lost,
        holes=late + sum(scoring.delivery(part.packets).holes for part in parts),
        holes_of_callers=late_by_callers,
        late_max_ms=round(late_max_ms, 1),
        answer_p50_ms=_percentile(answers, 50),
        answer_p95_ms=_percentile(answers, 95),
        answers=len(answers),
        unanswered=unanswered,
        core=round((end.cpu_secs - begin.cpu_secs) / (end.at_secs - begin.at_secs), 2),
        callers_late_p99_ms=round(1000 * _percentile(slipped, 99), 1),
    )


def callers_lateness_ms(part: Recording, begin_secs: float, end_secs: float) -> np.ndarray:
    """How late the callers' own process was when each packet came: the worst of the 120 ms around it.

    A packet is stamped when the process looks; a process that was late itself can't tell how late the packet was.

    Args:
        part: A caller's recording between two moments; it sends, and notes its lateness, every 20 ms.
        begin_secs: The first moment, monotonic.
        end_secs: The second.

    Returns:
        Milliseconds, one value for each packet.
    """
    slips_ms = 1000 * np.asarray(part.slip_secs or [0.0])
    worst_ms = np.lib.stride_tricks.sliding_window_view(np.pad(slips_ms, 3), 7).max(axis=1)
    arrivals = np.array([packet.arrival_secs for packet in part.packets])
    share = (arrivals - begin_secs) / (end_secs - begin_secs)
    return worst_ms[np.clip((share * len(slips_ms)).astype(int), 0, len(slips_ms) - 1)]


def _percentile(values: Sequence[float] | np.ndarray, share: float) -> float:
    return float(np.percentile(values, share)) if len(values) else float("nan")


async def attack(url: str, pid: int | None, secs: float, only: Sequence[str]) -> dict[str, Any]:
    """Attack from another process; returns what it says that it did."""
    arguments = [url, "--secs", str(secs), *(["--pid", str(pid)] if pid else []), *(["--only", *only] if only else [])]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.attacks", *arguments), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return json.loads(output or b"{}")


async def run(options: argparse.Namespace) -> int:
    """Both phases; prints them, and returns the exit code."""
    async with contextlib.AsyncExitStack() as stack:
        outside = other_address()
        if options.url:
            url, pid, outside_url = options.url.rstrip("/"), None, options.url.rstrip("/")
        else:
            host = "127.0.0.1" if outside is None else "0.0.0.0"
            more = f"--max-calls {4 * options.calls} --host {host}".split()
            url, pid = await stack.enter_async_context(baseline_bot("-m bench.emulated_services", more))
            outside_url = url if outside is None else f"http://{outside}:{urlsplit(url).port}"
        callers = [await stack.enter_async_context(Caller(url)) for _ in range(options.calls)]
        talks = [
            asyncio.create_task(behave(c, "conversation", CYCLE_SECS * i / options.calls))
            for i, c in enumerate(callers)
        ]
        await asyncio.sleep(CYCLE_SECS + 2.0)
        print(f"{options.calls} calls; undisturbed for {options.secs:g} s, then attacked for as long", flush=True)
        marks = [Mark.now(callers, pid)]
        await asyncio.sleep(options.secs)
        marks.append(Mark.now(callers, pid))
        attacking = asyncio.create_task(attack(outside_url, pid, options.secs, options.only))
        await asyncio.sleep(options.secs)
        marks.append(Mark.now(callers, pid))
        done = await attacking
        for talk in talks:
            talk.cancel()
        results = await asyncio.gather(*talks, return_exceptions=True)
        failed = [r for r in results if isinstance(r, Exception) and not isinstance(r, CallFailed)]
        if not options.url:
            async with aiohttp.ClientSession() as client, client.get(f"{url}/metrics") as answer:
                lines = [ln for ln in (await answer.text()).splitlines() if ln.startswith("parley_datagrams_dropped")]
                print("\n".join(lines), flush=True)
    before, during = (judge(callers, begin, end) for begin, end in itertools.pairwise(marks))
    print(told("undisturbed", before), flush=True)
    print(told("attacked", during), flush=True)
    print("the attack: " + ", ".join(f"{what} {count}" for what, count in sorted(done.items())), flush=True)
    if failed:
        print(f"callers that failed: {failed}", flush=True)
    if options.json:
        text = json.dumps({"undisturbed": asdict(before), "attacked": asdict(during), "attack": done}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return verdict(before, during)


def told(name: str, phase: Phase) -> str:
    """One phase in words."""
    return (
        f"{name:>12}: {phase.calls_lost} calls lost, {phase.holes} holes over {LATE_MS:.0f} ms and"
        f" {phase.holes_of_callers} while the callers' own process was late (latest packet"
        f" {phase.late_max_ms:.0f} ms), answers p50/p95 {phase.answer_p50_ms:.0f}/{phase.answer_p95_ms:.0f} ms of"
        f" {phase.answers}, {phase.unanswered} unanswered; {phase.core:.2f} of a core;"
        f" callers late by p99 {phase.callers_late_p99_ms:.0f} ms"
    )


def verdict(before: Phase, during: Phase) -> int:
    """What the live calls lost, against the bar; the exit code."""
    added_ms = during.answer_p95_ms - before.answer_p95_ms
    holes = during.holes
    met = during.calls_lost == 0 and holes == 0 and added_ms <= BAR_ADDED_MS and during.unanswered == 0
    print(
        f"the live calls lost: {during.calls_lost} calls (bar 0), {holes} holes over {LATE_MS:.0f} ms (bar 0;"
        f" undisturbed {before.holes}), p95 {added_ms:+.1f} ms (bar {BAR_ADDED_MS:+.0f}):"
        f" {'met' if met else 'NOT met'}",
        flush=True,
    )
    return 0 if met else 1


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.abuse", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=10, help="live calls; default: 10")
    parser.add_argument("--secs", type=float, default=60.0, help="length of each of the two phases; default: 60")
    parser.add_argument("--url", help="a bot that runs already, instead of one that is started here")
    parser.add_argument("--only", nargs="*", default=[], choices=list(ATTACKS), help="some of the attacks")
    parser.add_argument("--json", type=Path, help="write the figures here")
    sys.exit(asyncio.run(run(parser.parse_args())))


if __name__ == "__main__":
    main()
