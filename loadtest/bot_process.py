"""The real bot as its own process, for whoever meets it as a user would."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

ROOT = Path(__file__).resolve().parents[1]
START_SECS = 300.0  # a first start with the local model reads its prompt, which takes a busy machine minutes
STOP_SECS = 20.0
PATIENCE_SECS = 30.0
"""How long callers are waited for who are about to go."""


@dataclass
class RealBot:
    """A bot that takes calls.

    Attributes:
        pid: Its process.
        url: Where.
        lines: What it has printed.
    """

    pid: int
    url: str = ""
    lines: list[str] = field(default_factory=list)

    async def health(self) -> dict[str, Any]:
        """What ``GET /health`` says."""
        async with aiohttp.ClientSession() as client, client.get(f"{self.url}/health") as answer:
            return await answer.json()

    async def until_calls(self, calls: int, timeout_secs: float = PATIENCE_SECS) -> None:
        """Wait until so many calls take up a place; long by default, since the machine may be busy.

        Raises:
            AssertionError: They don't, within the time.
        """
        deadline = asyncio.get_running_loop().time() + timeout_secs
        while (now := (await self.health())["calls"]) != calls:
            assert asyncio.get_running_loop().time() < deadline, f"{now} calls after {timeout_secs} s, not {calls}"
            await asyncio.sleep(0.1)


REPEATING: Final = {"PARTNER_REPEATS": "0"}
"""Settings for callers that repeat their clips and yet are no answering machines."""


@asynccontextmanager
async def real_bot(**settings: str) -> AsyncIterator[RealBot]:
    """Run ``bot.py serve`` on a free port, with settings as its environment; at the end it must stop by itself.

    Parameters:
        settings: Environment variables.
    """
    # How many calls this machine has room for, beside those who call, is another question than the tests'.
    env = {
        **os.environ,
        "LLM": "scripted",
        "LLM_FALLBACK": "none",
        "MAX_LOOP_LAG_MS": "0",
        "PORT": "0",
        **REPEATING,
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "bot.py", "serve"),
        cwd=ROOT,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    bot = RealBot(process.pid)
    ready = asyncio.Event()

    async def read() -> None:
        assert process.stdout is not None
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            bot.lines.append(line)
            if found := re.search(r"Parley is ready: (http://\S+)", line):
                bot.url = found[1]
                ready.set()
        ready.set()

    reading = asyncio.create_task(read())
    try:
        async with asyncio.timeout(START_SECS):
            await ready.wait()
        assert bot.url, "the bot did not start:\n" + "\n".join(bot.lines)
        yield bot
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECS):
                await process.wait()
        except TimeoutError:
            process.kill()
        await reading
    assert process.returncode == 0, "the bot did not stop cleanly:\n" + "\n".join(bot.lines)
