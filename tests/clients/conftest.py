"""Browsers and clients that we did not write, against the real bot."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Playwright, async_playwright

from loadtest.bot_process import RealBot, real_bot

GREETING = "Hello, this is the help line. What can I do for you?"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playwright_driver() -> AsyncIterator[Playwright]:
    async with async_playwright() as driver:
        yield driver


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def greeting_bot() -> AsyncIterator[RealBot]:
    """One bot for all clients that wait for its greeting; nothing may go wrong in it."""
    async with real_bot(GREETING=GREETING, IDLE_SECS="0") as bot:
        yield bot
    assert_no_errors(bot)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def silent_bot() -> AsyncIterator[RealBot]:
    """One bot for all clients that speak first."""
    async with real_bot(GREETING="", IDLE_SECS="0") as bot:
        yield bot
    assert_no_errors(bot)


def assert_no_errors(bot: RealBot, since: int = 0) -> None:
    """Nothing has gone wrong in the lines that it has printed, but the first so many."""
    lines = bot.lines[since:]
    assert not any("ERROR" in line or "Traceback" in line for line in lines), "\n".join(lines)
