"""One person's visit to the page: a browser tab, and what went wrong or went out in it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.browser.stub_bot import StubBot

DEADLINE_MS = 30_000
"""Long, because the machine that runs the tests may be busy: no test waits for it to pass."""

expect.set_options(timeout=DEADLINE_MS)


@dataclass
class Visit:
    """A tab.

    Attributes:
        page: Playwright's page.
        errors: Errors that scripts threw or that the console shows.
        hosts: Hosts (with port) that were asked for anything.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def part(self, testid: str) -> Locator:
        """A part of the page by its ``data-testid``."""
        return self.page.get_by_test_id(testid)

    async def talk(self) -> None:
        await self.part("talk").click()

    async def in_call(self, bot: StubBot) -> None:
        """Press Talk, and wait until the bot may greet."""
        await self.talk()
        await bot.message("client-ready")
        await self.until("parley.connected")

    async def state(self) -> str:
        return await self.page.evaluate("parley.state")

    async def until(self, expression: str, argument: Any = None) -> None:
        """Wait until a JavaScript expression, or a function of the argument, is true."""
        if "=>" not in expression:
            # Playwright evals what is no function, and the page's security policy forbids that.
            expression = f"() => {expression}"
        await self.page.wait_for_function(expression, arg=argument, timeout=DEADLINE_MS)

    async def until_state(self, state: str) -> None:
        await self.until("state => parley.state === state", state)

    async def transcript(self) -> list[dict[str, Any]]:
        return await self.page.evaluate("parley.transcript")

    async def until_transcript(self, entries: list[dict[str, Any]]) -> None:
        """Wait until the transcript's entries have (at least) these fields."""
        matches = """wanted => {
            const have = parley.transcript;
            return have.length === wanted.length && wanted.every((fields, at) =>
                Object.entries(fields).every(([name, value]) => have[at][name] === value));
        }"""
        try:
            await self.until(matches, entries)
        except Exception as error:  # a boundary: say what stood there instead
            raise AssertionError(f"the transcript is {json.dumps(await self.transcript())}") from error


@asynccontextmanager
async def visit(
    browser: Browser, url: str, *, script: str = "", expect_failed_requests: bool = False, **options: Any
) -> AsyncIterator[Visit]:
    """Open the page in a tab that shares nothing with others; at the end no error may have been reported.

    Parameters:
        browser: The browser.
        url: The page.
        script: JavaScript that runs before the page's own.
        expect_failed_requests: The test breaks the server: what the console says of that is no error.
        options: Options of Playwright's ``new_context``.
    """
    context = await browser.new_context(**options)
    try:
        page = await context.new_page()
        visit = Visit(page)

        def on_console(message: ConsoleMessage) -> None:
            if message.type not in ("error", "warning"):
                return
            if not (expect_failed_requests and "Failed to load resource" in message.text):
                visit.errors.append(message.text)

        page.on("console", on_console)
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.on("request", lambda request: visit.hosts.add(urlsplit(request.url).netloc))
        if script:
            await page.add_init_script(script)
        await page.goto(url)
        yield visit
        assert visit.errors == [], visit.errors
    finally:
        await context.close()
