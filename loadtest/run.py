"""``python -m loadtest run``: many callers at once, real WebRTC, scored from what they hear.

Phases, in this order: health check, one caller alone (who also hears the long answers undisturbed, as references),
callers one after the other until all are on the line or wait to get in, the load, the scoring. Ctrl-C ends the load,
and what was heard so far is reported. With ``--virtual`` the same runs without WebRTC in virtual time
(:mod:`loadtest.run_virtual`).
"""

import argparse
import asyncio
import datetime
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import tqdm
import uvloop

from emulators.profile import ProfileError, load_profile
from loadtest import cost, report
from loadtest.acts import Conversation, Phone
from loadtest.audio import Samples
from loadtest.bot_under_test import NotHealthy, Setup, Watched, bot_under_test
from loadtest.caller import Caller
from loadtest.capabilities import known
from loadtest.crowd import Crowd, Job, Progress
from loadtest.judging import CallScore, RequestScore
from loadtest.material import Material, MaterialError, gather
from loadtest.scenario import Kind, Scenario, ScenarioError, load_scenario
from loadtest.summary import summarise
from loadtest.whole_calls import references_of
from observe.prices import PRICES, PriceError, load_prices

STAGGER_SECS: Final = 0.4
"""Between two callers' starts: not all callers call in the same second."""

REQUEST_SECS: Final = 45.0
"""What one request may take in all, the longest answer included; bounds the run."""

AUTO: Final = "auto"
"""The bot works out itself how many calls it takes."""

SUSTAINED_CALLS: Final = 6
"""Calls at once that it will take at least then, for the time that a run may last."""

BURST_CALLERS: Final = 10
"""So few callers are all let in at once, unless told otherwise: their requests fit the account's reserve."""

CALLERS_PER_PROCESS: Final = 25
SCORING_SECS: Final = 600.0
LOOK_SECS: Final = 0.25


@dataclass
class Run:
    """A run, as it goes.

    Attributes:
        options: The command line.
        scenario: What callers do.
        material: What they say.
        phases: Name and seconds of each phase that is over.
        epoch_secs: Monotonic time at which the load began.
        interrupted: Whether somebody ended it before its end.
    """

    options: argparse.Namespace
    scenario: Scenario
    material: Material
    phases: list[dict[str, Any]] = field(default_factory=list)
    epoch_secs: float = 0.0
    interrupted: bool = False

    @property
    def profile(self) -> str | None:
        """The emulated vendors' profile; None without emulated vendors."""
        options = self.options
        return None if options.url or options.profile == "none" else str(options.profile)

    @property
    def knows_clips(self) -> bool:
        """Whether the vendors know what callers say, since recognising it would cost more than all the rest."""
        wanted = self.options.stt or ("clips" if self.options.callers > BURST_CALLERS else "recogniser")
        return self.profile is not None and wanted == "clips"

    @property
    def recogniser(self) -> str:
        """How the vendors hear, for the report."""
        return "; its recogniser knows the callers' clips" if self.knows_clips else ""

    @property
    def limit_secs(self) -> float:
        """How long the load may take at most."""
        options = self.options
        at_once = SUSTAINED_CALLS if options.max_calls == AUTO else options.max_calls
        rounds = -(-options.callers // at_once)
        return options.limit_secs or rounds * options.requests * REQUEST_SECS + options.callers * STAGGER_SECS + 30

    def bar(self) -> "tqdm.tqdm[Any]":
        """What shows the progress; in a file a line now and then."""
        total = self.options.callers * self.options.requests
        return tqdm.tqdm(total=total, unit="request", mininterval=0.2 if sys.stderr.isatty() else 15.0)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A phase, timed and announced."""
        began = time.monotonic()
        tqdm.tqdm.write(f"{name} ...", file=sys.stderr)
        try:
            yield
        finally:
            self.phases.append({"name": name, "secs": round(time.monotonic() - began, 1)})


async def call(run: Run, bot: Watched) -> tuple[list[RequestScore], list[CallScore], dict[str, Any]]:
    """All phases; returns the scores, and what else is known of the run."""
    with run.phase("health check"):
        health = await bot.health()
        providers = (await bot.info()).get("providers", {})
        round_trip_ms = await bot.round_trip_ms()
    with run.phase("one caller alone"):
        references = await record_references(run, lambda: Caller(bot.url))
    before, prepared = await bot.vendors(), await bot.preemptive()
    watching = asyncio.create_task(bot.watch())
    crowd = Crowd(_jobs(run, bot.url, references))
    try:
        with run.phase("load"):
            await _load(run, crowd)
        with run.phase("scoring"):
            deadline = time.monotonic() + SCORING_SECS
            while not crowd.over and time.monotonic() < deadline:
                crowd.reports()
                await asyncio.sleep(LOOK_SECS)
    finally:
        watching.cancel()
        died = crowd.close()
    requests = [request for result in crowd.results for request in result.requests]
    calls = sorted((c for result in crowd.results for c in result.calls), key=lambda c: (c.caller, c.begun_secs))
    about = {
        "bot": {"url": bot.url, "setup": bot.setup, "providers": providers, "max_calls": health.get("max_calls")},
        "round_trip_ms": round(round_trip_ms, 2),
        "interrupted": run.interrupted,
        "unfinished_requests": sum(result.unfinished for result in crowd.results),
        "caller_processes_died": died,
        "references": sorted(references),
        "vendors": _difference(await bot.vendors(), before),
        "preemptive": _difference(await bot.preemptive(), prepared),
        "usage": [[round(at - run.epoch_secs, 1), cpu, mb] for at, cpu, mb in bot.usage],
    }
    return requests, calls, about


async def record_references(run: Run, new_phone: Callable[[], Phone]) -> Mapping[str, Samples]:
    """One caller alone: proves that the bot answers, and hears each long answer undisturbed.

    Raises:
        NotHealthy: It does not answer.
    """
    found: dict[str, Samples] = {}
    for clip in run.material.long_answers:
        only = Material("", (clip,), (clip,), (clip,), (clip,), (clip,))
        alone = Conversation(-1, [Kind.LONG_ANSWER], run.scenario, only, new_phone)
        await alone.run()
        (request,) = alone.requests
        if request.refusal or request.phone is None:
            raise NotHealthy(f"the first call did not come about: {request.refusal}")
        found |= references_of([request])
        if request.quick_answer_ms() is None and not len(request.phone.recording.sound().loud_secs):
            raise NotHealthy(f"nobody answered the first question ({clip.name!r})")
    return found


def _jobs(run: Run, url: str, references: Mapping[str, Samples]) -> list[Job]:
    options = run.options
    run.epoch_secs = time.monotonic() + 3.0  # processes need so long to start
    dealt = run.scenario.deal(options.callers, options.requests)
    callers = [(number, run.epoch_secs + number * STAGGER_SECS, kinds) for number, kinds in enumerate(dealt)]
    processes = min(options.processes, -(-options.callers // CALLERS_PER_PROCESS))
    until = run.epoch_secs + run.limit_secs
    return [
        Job(url, callers[part::processes], run.scenario, run.material, references, run.epoch_secs, until)
        for part in range(processes)
    ]


async def _load(run: Run, crowd: Crowd) -> None:
    """Until all requests are made, or somebody has had enough."""
    total = run.options.callers * run.options.requests
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, enough.set)
    done: list[Progress] = []
    deadline = time.monotonic() + run.limit_secs + 30
    crowd.start()
    try:
        with run.bar() as bar:
            while len(done) < total and not crowd.over and time.monotonic() < deadline:
                fresh = crowd.reports()
                done += fresh
                if fresh:
                    bar.set_postfix_str(live(done), refresh=False)
                    bar.update(len(fresh))
                try:
                    async with asyncio.timeout(LOOK_SECS):
                        await enough.wait()
                    break
                except TimeoutError:
                    continue
    finally:
        run.interrupted = enough.is_set()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)
        if run.interrupted or len(done) < total:
            crowd.stop()


def live(done: Sequence[Progress]) -> str:
    """Figures so far, in a few words."""
    answers = [each.answer_ms for each in done if each.answer_ms is not None]
    if not answers:
        return "no answers yet"
    return f"{len(answers)}/{len(done)} answered, about {np.percentile(answers, 50):.0f} ms (p50)"


def _difference(after: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What the vendors served since ``before``."""
    return {
        vendor: {
            name: round(value - before.get(vendor, {}).get(name, 0), 1) if isinstance(value, int | float) else value
            for name, value in totals.items()
        }
        for vendor, totals in after.items()
    }


def command_line() -> str:
    """The command, without where its report goes."""
    words = iter(sys.argv[1:])
    kept: list[str] = []
    for word in words:
        if word == "--report":
            next(words, None)
        elif not word.startswith("--report="):
            kept.append(word)
    return " ".join(["python -m loadtest", *kept])


def machine() -> dict[str, str]:
    """Where the figures come from."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    return {
        "cpu": cpu,
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        **{name: version(name) for name in ("pipecat-ai", "aiortc", "onnxruntime", "numpy")},
    }


async def run_all(run: Run) -> dict[str, Any]:
    """The whole test; returns what ``summary.json`` holds."""
    options = run.options
    clips = run.material.known_clips() if run.knows_clips else None
    setup = Setup(run.profile, options.max_calls, clips, options.voice, options.bot_core)
    async with bot_under_test(options.url, setup) as bot:
        try:
            requests, calls, about = await call(run, bot)
        finally:
            if bot.log:
                options.report.mkdir(parents=True, exist_ok=True)
                (options.report / "bot.log").write_text("\n".join(bot.log) + "\n", encoding="utf-8")
    return put_together(run, requests, calls, about)


def put_together(
    run: Run, requests: Sequence[RequestScore], calls: Sequence[CallScore], about: dict[str, Any]
) -> dict[str, Any]:
    """What ``summary.json`` holds."""
    options = run.options
    summary = summarise(requests, calls, round_trip_ms=about["round_trip_ms"])
    used = cost.used(calls, about["vendors"])
    summary |= {
        "callers": options.callers,
        "requests_each": options.requests,
        "vendor_refused_rate": _refused_rate(about["vendors"]),
        "unheard_tokens": unheard_tokens(about.get("preemptive", {}), len(requests)),
        "unheard_uncached_tokens": unheard_tokens(about.get("preemptive", {}), len(requests), uncached=True),
        "early_changed_rate": changed_rate(about.get("preemptive", {})),
        "cost": cost.costs(used, len(requests), load_prices(options.prices)),
        "run": {
            "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "command": command_line(),
            "clock": "virtual" if options.virtual else "real",
            "scenario": run.scenario.name,
            "seed": run.scenario.seed,
            "profile": run.profile,
            "audio": run.material.source,
            "phases": run.phases,
            "machine": machine(),
            "capabilities": known(),
            **about,
        },
    }
    return {"summary": summary, "calls": [each.as_dict() for each in calls]}


def _refused_rate(vendors: Mapping[str, Any]) -> float | None:
    """Share of the requests to the model that its vendor answered with 429; None without emulated vendors."""
    model = vendors.get("groq")
    if not model or not model["requests"]:
        return None
    return round(model["statuses"].get("429", 0) / model["requests"], 4)


def _calls(text: str) -> int | str:
    """A number of calls, or ``auto``."""
    return text if text == AUTO else int(text)


def unheard_tokens(preemptive: Mapping[str, Any], requests: int, *, uncached: bool = False) -> float | None:
    """Tokens per request for replies that nobody heard, as the bot counts them; None if it does not tell.

    Args:
        preemptive: What the bot tells.
        requests: How many were made.
        uncached: Without those that the vendor had in its cache.
    """
    prepared = preemptive.get("preemptive")
    if not prepared or not requests:
        return None
    cached = prepared.get("wasted_cached_tokens", 0) if uncached else 0
    return round((prepared["wasted_tokens"] + prepared["unheard_tokens"] - cached) / requests, 1)


def changed_rate(preemptive: Mapping[str, Any]) -> float | None:
    """Share of the turns that were ended early whose final words were others; None if none was."""
    early = preemptive.get("early_turns") or {}
    total = sum(early.values())
    return round(early["changed"] / total, 4) if total else None


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.add_argument("--url", help="a bot that runs already; default: one is started, with emulated vendors")
    command.add_argument(
        "--virtual",
        action="store_true",
        help="callers without WebRTC, in virtual time: exact and repeatable on any machine, but silent on what a "
        "machine can carry; vendors are emulated in the same process",
    )
    command.add_argument("--callers", type=int, default=10, help="callers; default: 10")
    command.add_argument(
        "--max-calls",
        type=_calls,
        metavar="NUMBER|auto",
        help="calls that the started bot takes at once, the other callers wait in the queue; default: auto, or all "
        f"of up to {BURST_CALLERS} callers",
    )
    command.add_argument("--requests", type=int, default=5, help="requests of each caller; default: 5")
    command.add_argument("--scenario", default="seed", metavar="NAME|FILE", help="what callers do; default: seed")
    command.add_argument(
        "--profile",
        default="seed",
        metavar="NAME|FILE",
        help="what the emulated vendors are like; none: local speech and scripted answers; default: seed",
    )
    command.add_argument(
        "--stt",
        choices=("recogniser", "clips"),
        help="how emulated vendors hear: a recogniser reads the audio, or it is compared with the clips, which costs a "
        f"hundredth; default: recogniser for up to {BURST_CALLERS} callers",
    )
    command.add_argument("--ears", dest="stt", choices=("recogniser", "clips"), help=argparse.SUPPRESS)  # its old name
    command.add_argument("--report", type=Path, default=Path("report"), metavar="DIR", help="default: report")
    command.add_argument(
        "--audio", type=Path, metavar="DIR", help="folder with a manifest.jsonl; default: the tests' own clips"
    )
    command.add_argument(
        "--voice", choices=("gtts", "elevenlabs"), default="gtts", help="the bot's emulated voice; default: gtts"
    )
    command.add_argument(
        "--bot-core",
        type=int,
        metavar="CORE",
        help="run the started bot on this core alone, and emulators and callers on the others (Linux)",
    )
    command.add_argument("--prices", type=Path, default=PRICES, metavar="FILE", help="prices of the vendors")
    command.add_argument("--processes", type=int, default=2, help="processes for the callers at most; default: 2")
    command.add_argument("--limit-secs", type=float, help="end the load after this time; default: by its size")
    command.add_argument("--min-success", type=float, metavar="RATE", help="exit with 1 below this success (0 to 1)")


def _can_pin(options: argparse.Namespace) -> bool:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    return options.bot_core in cores and len(cores) > 1 and not options.virtual and not options.url


def main(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code: 0 if the run completed."""
    if options.max_calls is None:
        options.max_calls = options.callers if options.callers <= BURST_CALLERS else AUTO
    most = 1 if options.max_calls == AUTO else options.max_calls
    if min(options.callers, options.requests, options.processes, most) < 1:
        print("error: --callers, --requests, --processes and --max-calls are at least 1", file=sys.stderr)
        return 2
    if options.virtual and (options.url or options.profile == "none"):
        print("error: --virtual emulates the vendors of a profile, and calls no other bot", file=sys.stderr)
        return 2
    if options.bot_core is not None and not _can_pin(options):
        print("error: --bot-core needs Linux, that core, and another one for the callers", file=sys.stderr)
        return 2
    if find_spec("matplotlib") is None:
        print("error: plots need matplotlib; run: pip install -e '.[loadtest]'", file=sys.stderr)
        return 2
    try:
        scenario = load_scenario(options.scenario)
        load_prices(options.prices)  # only to fail early
        if not options.url and options.profile != "none":
            load_profile(options.profile)
        material = gather(scenario.ask, options.audio)
    except (ScenarioError, MaterialError, PriceError, ProfileError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"scenario {scenario.name}: {material.source}", file=sys.stderr)
    try:
        run = Run(options, scenario, material)
        if options.virtual:
            from loadtest import run_virtual  # loads the whole bot, which callers over WebRTC do without

            found = run_virtual.run_all(run)
        else:
            found = uvloop.run(run_all(run))
    except (NotHealthy, AssertionError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nended before any request: there is nothing to report", file=sys.stderr)
        return 130
    report.write(options.report, found)
    print(report.in_short(found["summary"]))
    print(f"report: {options.report / 'report.html'}")
    rate = found["summary"]["success_rate"]
    if options.min_success is not None and (rate is None or rate < options.min_success):
        print(f"error: success {rate} is below {options.min_success}", file=sys.stderr)
        return 1
    return 0
