"""What a call costs, against another bot, and how many calls one core holds: ``python -m bench.capacity``.

Both bots run on one core, the callers on the others, in turn and so on for some rounds; the table has medians, with
the range behind them. Ours has emulated services (:mod:`bench.emulated_services`), so that what is measured is the call
itself. The other one, if any is named, must take ``--port`` and answer ``POST /api/offer``, and have such services too.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp
import numpy as np
from aiortc import RTCPeerConnection

from bench.resources import BARE_PIPECAT, add_baseline, baseline_bot, baseline_name, baseline_script
from loadtest import scoring
from loadtest.audio import Clip, clip_from_samples, load_wav, silence
from loadtest.bot_process import ROOT
from loadtest.caller import Caller, CallFailed
from loadtest.process_figures import cpu_secs, rss_mb
from loadtest.recording import Recording, Said, Sound

MODES: Final = ("idle", "user", "bot")
BARS: Final = {"idle": 0.15, "user": 0.15, "bot": 0.25}
"""CPU of a call, as a share of the other bot's."""

WARM_SECS: Final = 4.0
CYCLE_SECS: Final = 9.0
SPEECH: Final = ROOT / "tests" / "data" / "go_forward_ten_meters.wav"
SENTENCE: Final = "sentence"
STOP: Final = ROOT / "tests" / "data" / "stop.wav"
LATE_MS: Final = 60.0
SERVICES_MS: Final = 733.0
"""What the emulated services take of an answer: transcript 150, first word 300, five more 83, first audio 200 ms."""

VERSIONS: Final = ("pipecat-ai", "aiortc", "av", "onnxruntime", "numpy", "uvloop")


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        bot: Whose.
        mode: What happened in the calls.
        calls: How many.
        cpu_ms: CPU milliseconds for each second of each call; 10 are 1 % of a core.
        core: Share of the core that all took.
        rss_mb: Memory of the process.
        threads: Its threads.
        late_p99_ms: How late 1 % of the packets were, at least, in the worst call.
        late: Packets later than 60 ms, and holes, in all calls.
        added_ms: From the end of what was said to the answer, less what the services take; each answer.
        unanswered: What got no answer.
        refused: How often others were told that the bot is full.
        stop_ms: From the first sound of an interruption to the silence of the bot; each.
        unstopped: Interruptions that did not stop it.
        callers_late_p99_ms: How late the callers themselves were, and so what they measured.
    """

    bot: str
    mode: str
    calls: int
    cpu_ms: float
    core: float
    rss_mb: float
    threads: int
    late_p99_ms: float
    late: int
    added_ms: tuple[float, ...] = ()
    unanswered: int = 0
    refused: int = 0
    stop_ms: tuple[float, ...] = ()
    unstopped: int = 0
    callers_late_p99_ms: float = 0.0


def monologue(secs: float) -> Clip:
    """Speech without a pause that would end a turn."""
    speech = load_wav(SPEECH)
    loud = np.flatnonzero(np.abs(speech) > 1500)
    return clip_from_samples("monologue", np.resize(speech[loud[0] : loud[-1]], round(secs * 48_000)))


def sentence() -> Clip:
    """Something to be answered."""
    return clip_from_samples(SENTENCE, np.concatenate([load_wav(SPEECH), silence(0.2)]))


def interruption() -> Clip:
    """Something that is said over the bot, and stops it."""
    return clip_from_samples(STOP.stem, np.concatenate([load_wav(STOP), silence(0.2)]))


async def behave(caller: Caller, mode: str, delay_secs: float) -> None:
    """What a caller does, for ever."""
    await asyncio.sleep(delay_secs)
    match mode:
        case "user":
            while True:
                await caller.say(monologue(20.0))
        case "bot":
            while True:  # the replies of a talkative bot are long; after one, the next is asked for
                await caller.say(sentence())
                await caller.bot_speaks(timeout_secs=20.0)
                await caller.bot_is_silent(for_secs=1.5, timeout_secs=600.0)
        case "conversation":
            while True:
                await caller.say(sentence())
                with contextlib.suppress(CallFailed):
                    await caller.until(lambda: caller.bot_is_speaking, what="an answer", timeout_secs=5.0)
                    await caller.bot_is_silent(for_secs=0.8, timeout_secs=20.0)
        case "barge-in":
            while True:
                await caller.say(sentence())
                with contextlib.suppress(CallFailed):
                    await caller.bot_speaks(timeout_secs=5.0)
                    await asyncio.sleep(1.0)
                    await caller.say(interruption())
                    await caller.bot_is_silent(for_secs=1.0, timeout_secs=20.0)
        case _:
            await asyncio.Event().wait()


async def an_offer() -> dict[str, str]:
    """What a caller sends to be let in."""
    line = RTCPeerConnection()
    line.addTransceiver("audio", direction="sendrecv")
    await line.setLocalDescription(await line.createOffer())
    offer = {"sdp": line.localDescription.sdp, "type": "offer"}
    await line.close()
    return offer


async def ask_in(url: str, offer: dict[str, str], refusals: list[int], delay_secs: float) -> None:
    """Ask to be let in, and again whenever the bot says to."""
    await asyncio.sleep(delay_secs)
    async with aiohttp.ClientSession() as client:
        while True:
            async with client.post(f"{url}/api/offer", json=offer) as answer:
                if answer.status != 503:
                    raise RuntimeError(f"the bot was not full: HTTP {answer.status}")
                refusals.append(answer.status)
                await asyncio.sleep(float(answer.headers["Retry-After"]))


async def measure(url: str, pid: int, bot: str, mode: str, calls: int, secs: float, trying: int = 0) -> Row:
    """Hold so many calls for a while; so many others ask to be let in."""
    refusals: list[int] = []
    offer = await an_offer() if trying else {}
    async with contextlib.AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Caller(url)) for _ in range(calls)]
        spread_secs = CYCLE_SECS if mode in ("conversation", "barge-in") else 1.0
        tasks = [asyncio.create_task(behave(c, mode, spread_secs * i / calls)) for i, c in enumerate(callers)]
        tasks += [asyncio.create_task(ask_in(url, offer, refusals, 2 * i / trying)) for i in range(trying)]
        await asyncio.sleep(spread_secs + WARM_SECS)
        if mode == "bot":
            await asyncio.gather(*(caller.bot_speaks(timeout_secs=20.0) for caller in callers))
        skipped = [len(caller.recording.packets) for caller in callers]
        slips = [len(caller.recording.slip_secs) for caller in callers]
        loop = asyncio.get_running_loop()
        before, began = cpu_secs(pid), loop.time()
        await asyncio.sleep(secs)
        cpu, passed = cpu_secs(pid) - before, loop.time() - began
        memory, threads = rss_mb(pid), len(os.listdir(f"/proc/{pid}/task"))
        for task in tasks:
            task.cancel()
        streams = [caller.recording.packets[skip:] for caller, skip in zip(callers, skipped, strict=True)]
    slipped = [caller.recording.slip_secs[skip:] for caller, skip in zip(callers, slips, strict=True)]
    late_ms = [scoring.lateness_ms(packets) for packets in streams if packets]
    holes = sum(scoring.delivery(packets).holes for packets in streams)
    nothing: tuple[tuple[float, ...], int] = ((), 0)
    recordings = [caller.recording for caller in callers]
    talks, interrupts = mode == "conversation", mode == "barge-in"
    answers, unanswered = outcomes(recordings, scoring.voice_to_voice_ms, 5_000, SENTENCE) if talks else nothing
    stops, unstopped = outcomes(recordings, scoring.barge_in_stop_ms, 2_000, STOP.stem) if interrupts else nothing
    return Row(
        bot=bot,
        mode=mode,
        calls=calls,
        cpu_ms=round(1000 * cpu / passed / calls, 1),
        core=round(cpu / passed, 2),
        rss_mb=round(memory, 1),
        threads=threads,
        late_p99_ms=round(max(float(np.percentile(late, 99)) for late in late_ms), 1),
        late=sum(int(np.sum(late > LATE_MS)) for late in late_ms) + holes,
        added_ms=tuple(round(answer_ms - SERVICES_MS, 1) for answer_ms in answers),
        unanswered=unanswered,
        refused=len(refusals),
        stop_ms=tuple(round(stop_ms, 1) for stop_ms in stops),
        unstopped=unstopped,
        callers_late_p99_ms=round(1000 * float(np.percentile(np.concatenate(slipped), 99)), 1),
    )


def outcomes(
    recordings: Sequence[Recording], measured: Callable[[Said, Sound], float | None], most_ms: float, clip: str
) -> tuple[tuple[float, ...], int]:
    """What came of each time that the clip was said, and how often nothing did; the last of each may still go on.

    Args:
        recordings: Of those who said it.
        measured: Milliseconds until it came; None: it did not.
        most_ms: What comes later counts as nothing.
        clip: Its name.
    """
    came: list[float] = []
    missing = 0
    for recording in recordings:
        sound = recording.sound()
        for said in [one for one in recording.said if one.name == clip][:-1]:
            try:
                after_ms = measured(said, sound)
            except scoring.NotMeasurable:
                continue
            if after_ms is None or after_ms > most_ms:
                missing += 1
            else:
                came.append(after_ms)
    return tuple(came), missing


@asynccontextmanager
async def bot_on_core(
    name: str, mode: str, options: argparse.Namespace, max_calls: int = 500
) -> AsyncIterator[tuple[str, int]]:
    """Start a bot, on a core of its own."""
    if name == "parley":
        modes = {"bot": " --talkative", "barge-in": " --talkative --pause"}
        more = f"--max-calls {max_calls}{modes.get(mode, '')}"
        started = baseline_bot("-m bench.emulated_services", f"{options.args} {more}".split())
    else:
        talkative = options.baseline_talkative or ("--talkative" if options.baseline == BARE_PIPECAT else "")
        more = talkative if mode == "bot" else ""
        started = baseline_bot(baseline_script(options.baseline), f"{options.baseline_args} {more}".split())
    os.sched_setaffinity(0, {options.core})  # the bot inherits it
    async with contextlib.AsyncExitStack() as stack:
        try:
            url, pid = await stack.enter_async_context(started)
        finally:
            os.sched_setaffinity(0, options.other_cores)
        yield url, pid


async def compare(options: argparse.Namespace) -> list[Row]:
    """All modes, one bot after the other, round after round."""
    rows: list[Row] = []
    names = ["parley"] + ([baseline_name(options.baseline)] if options.baseline else [])
    for _ in range(options.rounds):
        for name in names:
            async with bot_on_core(name, "idle", options) as (url, pid):
                rows.append(await measure(url, pid, name, "idle", 1, 2.0))
                rows.append(await measure(url, pid, name, "idle", options.calls, options.secs))
                rows.append(await measure(url, pid, name, "user", options.calls, options.secs))
            async with bot_on_core(name, "bot", options) as (url, pid):
                rows.append(await measure(url, pid, name, "bot", options.calls, options.secs))
    return rows


async def interrupt(options: argparse.Namespace) -> list[Row]:
    """Callers who speak over the bot, more and more of them, on one core; the voice pauses at once."""
    rows: list[Row] = []
    for calls in options.barge_in:
        async with bot_on_core("parley", "barge-in", options) as (url, pid):
            rows.append(await measure(url, pid, "parley", "barge-in", calls, options.secs))
        row = rows[-1]
        print(
            f"{calls:>4} callers who interrupt: silence after p50/p95 {p50_p95(row.stop_ms)} ms of {len(row.stop_ms)},"
            f" {row.unstopped} not stopped; {row.core:.2f} of the core, late by p99 {row.late_p99_ms:.0f} ms",
            flush=True,
        )
    return rows


async def fill(options: argparse.Namespace) -> list[Row]:
    """Conversations, more and more of them, on one core."""
    rows: list[Row] = []
    for calls in options.capacity:
        for trying in (0, calls) if options.overload else (0,):
            async with bot_on_core("parley", "conversation", options, calls) as (url, pid):
                rows.append(await measure(url, pid, "parley", "conversation", calls, options.secs, trying))
            others = f"     while {calls} others try to call, refused {rows[-1].refused} times: " if trying else ""
            print(others + told(rows[-1]), flush=True)
    return rows


def p50_p95(values: Sequence[float]) -> str:
    """Median and 95th percentile; a dash of none."""
    return f"{np.percentile(values, 50):.0f}/{np.percentile(values, 95):.0f}" if values else "-"


def told(row: Row) -> str:
    """One row of conversations, in words."""
    return (
        f"{row.calls:>4} conversations: {row.core:.2f} of the core, {row.cpu_ms:.1f} ms/s each; late by p99"
        f" {row.late_p99_ms:.0f} ms (the callers themselves by {row.callers_late_p99_ms:.0f}), late or missing packets"
        f" {row.late}; added p50/p95 {p50_p95(row.added_ms)} ms,"
        f" {row.unanswered} unanswered of {len(row.added_ms) + row.unanswered}; {row.rss_mb:.0f} MB,"
        f" {row.threads} threads"
    )


def table(rows: Sequence[Row], ours: str, other: str | None, calls: int) -> str:
    """The comparison, as Markdown."""

    def figures(bot: str, mode: str, field: str, count: int = calls) -> list[float]:
        return [getattr(row, field) for row in rows if (row.bot, row.mode, row.calls) == (bot, mode, count)]

    def spread(values: Sequence[float]) -> str:
        return f"{median(values):.1f} ({min(values):.1f}-{max(values):.1f})"

    lines = ["| quantity | ours | other | ratio | bar |", "| --- | --- | --- | --- | --- |"]
    for mode in MODES:
        own = figures(ours, mode, "cpu_ms")
        theirs = figures(other, mode, "cpu_ms") if other else []
        ratio = f"{median(own) / median(theirs):.2f}" if theirs else "-"
        name = f"CPU ms/s of a call, {mode}, {calls} calls"
        lines.append(f"| {name} | {spread(own)} | {spread(theirs) if theirs else '-'} | {ratio} | {BARS[mode]:.2f} |")
    for name, field, bar in (
        ("MB of each further call", "rss_mb", "1.0"),
        ("threads of each further call", "threads", "0"),
    ):
        cells = []
        for bot in (ours, other):
            many, one = (figures(bot, "idle", field, n) if bot else [] for n in (calls, 1))
            each = [(a - b) / (calls - 1) for a, b in zip(many, one, strict=True)]
            cells.append(f"{median(each):.2f} ({min(each):.2f}-{max(each):.2f})" if each else "-")
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | - | {bar} |")
    return "\n".join(lines)


def machine() -> str:
    """What it ran on."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    return f"{os.cpu_count()} cores of {cpu}; Python {platform.python_version()}, {versions}"


async def run(options: argparse.Namespace) -> list[Row]:
    """All that is asked for."""
    print(machine(), flush=True)
    rows: list[Row] = []
    if options.rounds:
        rows += await compare(options)
        print(
            table(rows, "parley", baseline_name(options.baseline) if options.baseline else None, options.calls),
            flush=True,
        )
    return rows + await fill(options) + await interrupt(options)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=(__doc__ or "").splitlines()[0])
    add_baseline(parser)
    parser.add_argument("--baseline-args", default="", help="arguments for it")
    parser.add_argument("--baseline-talkative", default="", help="further ones, with which it talks all the time")
    parser.add_argument("--args", default="", help="arguments for ours; see bench.emulated_services")
    parser.add_argument("--calls", type=int, default=8, help="calls at once, for the comparison; default: 8")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the comparison; default: 3; 0: none")
    parser.add_argument("--secs", type=float, default=10.0, help="how long each is measured; default: 10")
    parser.add_argument("--capacity", type=int, nargs="*", default=[], help="numbers of conversations on one core")
    parser.add_argument("--barge-in", type=int, nargs="*", default=[], help="numbers of callers who interrupt")
    parser.add_argument("--overload", action="store_true", help="and with as many others who ask to be let in")
    parser.add_argument("--knock", dest="overload", action="store_true", help=argparse.SUPPRESS)  # its old name
    parser.add_argument("--core", type=int, default=0, help="the bot's core; default: 0")
    parser.add_argument("--json", type=Path, help="write all measurements here")
    options = parser.parse_args()
    options.other_cores = os.sched_getaffinity(0) - {options.core} or {options.core}
    rows = asyncio.run(run(options))
    if options.json:
        text = json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
