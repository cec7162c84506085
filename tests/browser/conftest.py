"""A real headless Chromium for tests of the page.

Without a Chromium these tests are skipped; with ``PARLEY_REQUIRE_BROWSER=1`` in the environment, as in continuous
integration, they fail instead.
"""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright

from tests.browser.stub_bot import StubBot, running_bot

CHROMIUM_ARGS = [
    "--headless=new",
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]
GRANT_MICROPHONE = "--use-fake-ui-for-media-stream"
REFUSE_MICROPHONE = "--use-fake-ui-for-media-stream=deny"


def chromium_path() -> str:
    """Path of the installed Chromium; skips or fails the test if there is none."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        reason = "no chromium on the PATH"
        if os.environ.get("PARLEY_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


async def launch(playwright: Playwright, *args: str) -> Browser:
    return await playwright.chromium.launch(
        executable_path=chromium_path(), args=[*CHROMIUM_ARGS, *args], headless=True
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playwright_driver() -> AsyncIterator[Playwright]:
    async with async_playwright() as driver:
        yield driver


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(playwright_driver: Playwright) -> AsyncIterator[Browser]:
    """A browser whose microphone is allowed and hears a beep each second."""
    browser = await launch(playwright_driver, GRANT_MICROPHONE)
    yield browser
    await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def refusing_browser(playwright_driver: Playwright) -> AsyncIterator[Browser]:
    """A browser in which the person always refuses the microphone."""
    browser = await launch(playwright_driver, REFUSE_MICROPHONE)
    yield browser
    await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def bot() -> AsyncIterator[StubBot]:
    async with running_bot() as bot:
        yield bot
