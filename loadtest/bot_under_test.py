"""The bot that is called, and what it runs on: started here with emulated vendors, or somebody's at a URL."""

import asyncio
import contextlib
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from emulators.known_clips import KnownClip, write_library
from emulators.profile import load_profile
from loadtest.bot_process import ROOT, START_SECS, STOP_SECS, real_bot
from loadtest.process_figures import cpu_secs, rss_mb

PREEMPTIVE: Final = r"^parley_gateway_(preemptive|early_turns|early_stt)_(\w+)\S* (\S+)$"
"""The bot's figures of replies that are prepared and of turns that end early, among its metrics."""

SAMPLE_SECS: Final = 1.0
ROUND_TRIPS: Final = 9


class NotHealthy(Exception):
    """The bot does not take calls; one line that says why."""


@dataclass
class Watched:
    """The bot under test.

    Attributes:
        url: Where.
        setup: How it was set up, in words.
        pid: Its process, if it runs here and was started here.
        admin_url: Where the emulators tell what they did; empty without them.
        usage: (seconds of monotonic time, CPU percent of one core, MB) once a second.
        log: What it has printed; grows.
    """

    url: str
    setup: str
    pid: int | None = None
    admin_url: str = ""
    usage: list[tuple[float, float, float]] = field(default_factory=list)
    log: Sequence[str] = ()

    async def health(self) -> dict[str, Any]:
        """What ``GET /health`` says.

        Raises:
            NotHealthy: Nothing, or not that it takes calls.
        """
        try:
            timeout = aiohttp.ClientTimeout(total=10)
            async with aiohttp.ClientSession(timeout=timeout) as client, client.get(f"{self.url}/health") as answer:
                body = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NotHealthy(f"{self.url}/health: {error or type(error).__name__}") from None
        if not isinstance(body, dict) or body.get("status") != "ok":
            raise NotHealthy(f"{self.url}/health says {body}")
        return body

    async def info(self) -> dict[str, Any]:
        """What ``GET /api/info`` says; empty if it says nothing."""
        try:
            async with aiohttp.ClientSession() as client, client.get(f"{self.url}/api/info") as answer:
                return await answer.json(content_type=None)
        except (aiohttp.ClientError, ValueError):
            return {}

    async def round_trip_ms(self) -> float:
        """Median time of a small request on a warm connection: the network's way there and back."""
        times: list[float] = []
        async with aiohttp.ClientSession() as client:
            for _ in range(ROUND_TRIPS + 1):
                began = time.perf_counter()
                async with client.get(f"{self.url}/health") as answer:
                    await answer.read()
                times.append(1000 * (time.perf_counter() - began))
        return sorted(times[1:])[ROUND_TRIPS // 2]

    async def vendors(self) -> dict[str, Any]:
        """What the emulated vendors have served, by vendor; empty without them."""
        if not self.admin_url:
            return {}
        async with aiohttp.ClientSession() as client, client.get(f"{self.admin_url}/totals") as answer:
            return await answer.json()

    async def preemptive(self) -> dict[str, dict[str, float]]:
        """What the bot counts of replies that it prepares and of turns that end early; empty if it tells nothing."""
        try:
            async with aiohttp.ClientSession() as client, client.get(f"{self.url}/metrics") as answer:
                text = await answer.text() if answer.status == 200 else ""
        except aiohttp.ClientError:
            return {}
        found: dict[str, dict[str, float]] = {}
        for group, name, value in re.findall(PREEMPTIVE, text, re.MULTILINE):
            found.setdefault(group, {})[name] = float(value)
        return found

    async def watch(self) -> None:
        """Note the process's CPU and memory each second, until cancelled."""
        if self.pid is None:
            return
        before, at = cpu_secs(self.pid), time.monotonic()
        while True:
            await asyncio.sleep(SAMPLE_SECS)
            cpu, now = cpu_secs(self.pid), time.monotonic()
            self.usage.append((now, round(100 * (cpu - before) / (now - at), 1), round(rss_mb(self.pid), 1)))
            before, at = cpu, now


@dataclass(frozen=True)
class Setup:
    """How a bot of our own is set up.

    Attributes:
        profile: A profile of the emulators; None: local speech and the scripted responder.
        max_calls: How many calls it takes at once; ``auto``: what it works out itself.
        clips: What callers may say, if the vendor need not recognise it.
        voice: Its voice: ``gtts`` or ``elevenlabs``.
        core: The core that it has for itself; None: it shares all.
    """

    profile: str | None
    max_calls: int | str
    clips: Sequence[KnownClip] | None = None
    voice: str = "gtts"
    core: int | None = None

    def variables(self) -> dict[str, str]:
        """The bot's settings, but for where the vendors are."""
        stated = {"MAX_CALLS": str(self.max_calls), "GREETING": "", "BANK_FILE": ":memory:", "LOG_LEVEL": "WARNING"}
        if self.profile is None:
            return stated | {"LLM": "scripted"}
        stated |= {"LLM": "groq", "GROQ_API_KEY": "emulated", "TTS": self.voice}
        stated |= {"DEEPGRAM_STREAMS": str(load_profile(self.profile).deepgram_streams)}
        return stated | ({"ELEVENLABS_API_KEY": "emulated"} if self.voice == "elevenlabs" else {})


@asynccontextmanager
async def bot_under_test(url: str | None, setup: Setup) -> AsyncIterator[Watched]:
    """The bot at a URL, or one of our own, with the vendors of a profile emulated where one is named.

    Args:
        url: Somebody's bot; None: start one.
        setup: How that is set up.
    """
    if url is not None:
        yield Watched(url.rstrip("/"), "a bot that runs already")
        return
    stated = setup.variables()
    if setup.profile is None:
        async with _on_its_core(setup.core), real_bot(**stated) as bot:
            yield Watched(bot.url, "local recogniser, local voice, scripted answers", bot.pid, log=bot.lines)
        return
    others = _others(setup.core)
    if others:
        os.sched_setaffinity(0, others)  # emulators and callers inherit it
    async with _emulators(setup.profile, setup.clips) as (variables, admin_url):
        if "DEEPGRAM_URL" in variables:
            stated |= {"STT": "deepgram", "DEEPGRAM_API_KEY": "emulated"}
        async with _on_its_core(setup.core), real_bot(**stated, **variables) as bot:
            if others:
                os.sched_setaffinity(0, others)
            recogniser = "Deepgram" if "STT" in stated else "local recogniser"
            known = "; its recogniser knows the callers' clips" if setup.clips is not None else ""
            alone = f"; the bot on core {setup.core} alone" if setup.core is not None else ""
            voice = {"gtts": "gTTS", "elevenlabs": "ElevenLabs"}[setup.voice]
            told = f"{recogniser}, Groq and {voice} as emulated vendors (profile {setup.profile}{known}){alone}"
            yield Watched(bot.url, told, bot.pid, admin_url, log=bot.lines)


def _others(core: int | None) -> set[int]:
    """All cores of this process but one; empty if none is set aside, or none would be left."""
    return set() if core is None else os.sched_getaffinity(0) - {core}


@asynccontextmanager
async def _on_its_core(core: int | None) -> AsyncIterator[None]:
    """What is started first thing inside has a core for itself, with all its threads."""
    before = os.sched_getaffinity(0) if core is not None else set()
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        if before:
            os.sched_setaffinity(0, before)


@asynccontextmanager
async def _emulators(profile: str, clips: Sequence[KnownClip] | None) -> AsyncIterator[tuple[dict[str, str], str]]:
    """Run the emulators; yields the bot's settings for them and the address of their log.

    Args:
        profile: What they are like.
        clips: What callers may say, if it need not be recognised.

    Raises:
        NotHealthy: They did not start.
    """
    with contextlib.ExitStack() as stack:
        known: list[str] = []
        if clips is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            write_library(clips, folder / "clips.npz")
            known = ["--clips", str(folder / "clips.npz")]
        async with _emulators_process(profile, known) as found:
            yield found


@asynccontextmanager
async def _emulators_process(profile: str, more: Sequence[str]) -> AsyncIterator[tuple[dict[str, str], str]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "emulators", "--profile", profile, "--port", "0", *more),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    variables: dict[str, str] = {}
    lines: list[str] = []
    admin_url = ""

    async def drain() -> None:
        assert process.stdout is not None
        while await process.stdout.readline():
            pass

    draining: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(START_SECS):
            while not admin_url and (raw := await process.stdout.readline()):
                line = raw.decode(errors="replace").rstrip()
                lines.append(line)
                if setting := re.fullmatch(r"([A-Z][A-Z_]+)=(\S*)", line):
                    variables[setting[1]] = setting[2]
                elif found := re.search(r"admin: (http://\S+)", line):
                    admin_url = found[1]
        if not admin_url:
            raise NotHealthy("the emulators did not start: " + " | ".join(lines[-3:]))
        draining = asyncio.create_task(drain())
        yield variables, admin_url
    finally:
        if process.returncode is None:
            process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECS):
                await process.wait()
        if process.returncode is None:
            process.kill()
        if draining is not None:
            await draining
