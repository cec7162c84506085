"""CPU and memory for each call, at some numbers of calls: ``python -m bench.resources``.

Every caller says a clip every ten seconds and listens to the answer, over real WebRTC. With ``--baseline`` another bot
on Pipecat is measured in the same run, for the ratio: it must take ``--port`` and answer ``POST /api/offer``.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import aiohttp

from loadtest import scoring
from loadtest.audio import Clip, clip_from_wav
from loadtest.bot_process import ROOT, real_bot
from loadtest.caller import Caller
from loadtest.process_figures import cpu_secs, rss_mb

CYCLE_SECS = 10.0
WARM_SECS = 5.0
START_SECS = 60.0
STOP_SECS = 10.0


@dataclass(frozen=True)
class Load:
    """What a number of calls cost.

    Attributes:
        calls: How many.
        cpu_percent: Of one core, all calls together.
        cpu_percent_each: For each call.
        rss_mb: Resident memory of the process.
        mb_each: What each call added to the memory that the process had before its first call.
        late_p99_ms: How late 1 % of the bot's packets were, at least.
    """

    calls: int
    cpu_percent: float
    cpu_percent_each: float
    rss_mb: float
    mb_each: float
    late_p99_ms: float


async def measure_all(url: str, pid: int, options: argparse.Namespace) -> list[Load]:
    """Measure each number of calls, one after the other."""
    clip = None if options.silent else clip_from_wav(options.clip)
    idle_mb = rss_mb(pid)
    return [await measure(url, pid, idle_mb, calls, clip, options.secs) for calls in options.calls]


async def measure(url: str, pid: int, idle_mb: float, calls: int, clip: Clip | None, secs: float) -> Load:
    """Hold so many calls for a while; without a clip nobody says anything."""
    async with contextlib.AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Caller(url)) for _ in range(calls)]

        async def talk(caller: Caller, clip: Clip, delay_secs: float) -> None:
            await asyncio.sleep(delay_secs)
            while True:
                await caller.say(clip)
                await asyncio.sleep(CYCLE_SECS - clip.secs)

        talking = [
            asyncio.create_task(talk(caller, clip, index * CYCLE_SECS / calls))
            for index, caller in enumerate(callers)
            if clip is not None
        ]
        await asyncio.sleep(WARM_SECS)
        before = cpu_secs(pid)
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(secs)
        percent = 100 * (cpu_secs(pid) - before) / (asyncio.get_running_loop().time() - began)
        memory = rss_mb(pid)
        for task in talking:
            task.cancel()
        late = max(scoring.delivery(caller.recording.packets).late_p99_ms for caller in callers)
    return Load(
        calls=calls,
        cpu_percent=round(percent, 1),
        cpu_percent_each=round(percent / calls, 2),
        rss_mb=round(memory, 1),
        mb_each=round((memory - idle_mb) / calls, 2),
        late_p99_ms=round(late, 1),
    )


@asynccontextmanager
async def baseline_bot(script: str | Path, arguments: list[str]) -> AsyncIterator[tuple[str, int]]:
    """Run another bot, by its script or as ``-m MODULE``; yields its URL and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *str(script).split(), "--port", str(port), *arguments),
        cwd=None if isinstance(script, Path) else ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(START_SECS), aiohttp.ClientSession() as client:
            while True:
                if process.returncode is not None:
                    raise RuntimeError(f"{script} ended with exit code {process.returncode}")
                with contextlib.suppress(aiohttp.ClientError):
                    async with client.get(f"{url}/stats"):
                        break
                await asyncio.sleep(0.2)
        yield url, process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


BARE_PIPECAT: Final = "bare-pipecat"
"""The name by which ``--baseline`` means ``bench.bare_pipecat``."""


def add_baseline(parser: argparse.ArgumentParser) -> None:
    """The argument that names the bot to set beside ours."""
    parser.add_argument(
        "--baseline",
        nargs="?",
        const=BARE_PIPECAT,
        help="script of another bot to set beside ours; without a value: the bare Pipecat bot of bench.bare_pipecat",
    )


def baseline_script(name: str) -> str | Path:
    """What :func:`baseline_bot` runs for the value of ``--baseline``."""
    return "-m bench.bare_pipecat" if name == BARE_PIPECAT else Path(name)


def baseline_name(name: str) -> str:
    """What tables call the value of ``--baseline``."""
    return Path(name).stem


def show(name: str, loads: list[Load]) -> None:
    """Print one bot's figures."""
    print(name)
    for load in loads:
        print(
            f"  {load.calls:>3} calls: CPU {load.cpu_percent:>6.1f} % of a core, {load.cpu_percent_each:>5.2f} % each;"
            f" {load.rss_mb:>6.0f} MB, {load.mb_each:>4.1f} each; packets late by p99 {load.late_p99_ms:.0f} ms"
        )


async def run(options: argparse.Namespace) -> dict[str, list[Load]]:
    """Measure one bot after the other."""
    found: dict[str, list[Load]] = {}
    async with real_bot(LLM="scripted", GREETING="") as bot:
        found["parley"] = await measure_all(bot.url, bot.pid, options)
    show("Parley", found["parley"])
    if options.baseline is not None:
        async with baseline_bot(baseline_script(options.baseline), options.baseline_args.split()) as (url, pid):
            found["baseline"] = await measure_all(url, pid, options)
        show(f"baseline: {baseline_name(options.baseline)}", found["baseline"])
        for ours, theirs in zip(found["parley"], found["baseline"], strict=True):
            cpu = ours.cpu_percent_each / max(theirs.cpu_percent_each, 0.01)
            memory = ours.rss_mb / theirs.rss_mb
            print(f"  {ours.calls:>3} calls: {cpu:.2f} of the baseline's CPU, {memory:.2f} of its memory")
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.resources", description=(__doc__ or "").splitlines()[0])
    default = Path(__file__).resolve().parents[1] / "tests" / "data" / "go_forward_ten_meters.wav"
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 8], help="numbers of calls; default: 1 8")
    parser.add_argument("--secs", type=float, default=30.0, help="how long each is measured; default: 30")
    parser.add_argument("--clip", type=Path, default=default, help="WAV that the callers say")
    parser.add_argument("--silent", action="store_true", help="the callers say nothing: what a line costs by itself")
    add_baseline(parser)
    parser.add_argument("--baseline-args", default="", help="further arguments for it")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    found = asyncio.run(run(options))
    if options.json:
        text = json.dumps({name: [asdict(load) for load in loads] for name, loads in found.items()}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
