"""The real bot as its own process, called over real WebRTC."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from loadtest.audio import Clip, clip_from_wav
from loadtest.bot_process import RealBot, real_bot

DATA = Path(__file__).parents[1] / "data"


def clip(name: str) -> Clip:
    return clip_from_wav(DATA / f"{name}.wav")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def bot() -> AsyncIterator[RealBot]:
    """One bot for all tests of this package, without a greeting."""
    async with real_bot(GREETING="", CONNECT_TIMEOUT_SECS="2") as bot:
        yield bot
