"""The real bot as its own process, called over real WebRTC."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from loadtest.audio import Clip, clip_from_wav
from loadtest.bot_process import RealBot, real_bot
from loadtest.caller import Caller

DATA = Path(__file__).parents[1] / "data"

SECS = 30.0
"""Longest wait for anything: generous, since the machine may be busy."""


def clip(name: str) -> Clip:
    return clip_from_wav(DATA / f"{name}.wav")


def told(caller: Caller, type_: str) -> list[dict]:
    """The data of all messages of one type."""
    return [m.data for m in caller.recording.messages if m.type == type_]


async def until_told(caller: Caller, type_: str, count: int = 1) -> None:
    async with asyncio.timeout(SECS):
        while len(told(caller, type_)) < count:
            await asyncio.sleep(0.02)


async def until_state(caller: Caller, state: str) -> None:
    """Wait until the call has come to a state; it may have gone on to the next since."""
    async with asyncio.timeout(SECS):
        while state not in [entered["state"] for entered in told(caller, "turn-state")]:
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def bot() -> AsyncIterator[RealBot]:
    """One bot for all tests of this package, without a greeting; it must stop cleanly in the end."""
    async with real_bot(GREETING="", CONNECT_TIMEOUT_SECS="2") as bot:
        yield bot
