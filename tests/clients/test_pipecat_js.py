"""Pipecat's JavaScript client, as its package has it, in Chromium: a conversation with the real bot.

What the bot says is measured on the track that the client receives.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.async_api import Page, Playwright, Route

from loadtest.bot_process import RealBot
from tests.browser.conftest import launch
from tests.clients.bundle import pipecat_client
from tests.clients.conftest import assert_no_errors
from tests.clients.hearing import as_rows, longest_silence_secs, silent_from_secs, voiced_secs

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DATA = Path(__file__).parents[1] / "data"
DEADLINE_MS = 45_000
TOKEN = "kept-by-the-app-0123456789abcdef"


class Client:
    """A page that runs Pipecat's client."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def call(self, name: str, *arguments: Any) -> Any:
        return await self.page.evaluate("([name, args]) => sdk[name](...args)", [name, list(arguments)])

    async def events(self, type_: str) -> list[dict[str, Any]]:
        return [event for event in await self.page.evaluate("events") if event["type"] == type_]

    async def until(self, expression: str, argument: Any = None) -> None:
        await self.page.wait_for_function(expression, arg=argument, timeout=DEADLINE_MS)

    async def count(self, type_: str) -> int:
        return len(await self.events(type_))

    async def until_more(self, type_: str, than: int) -> None:
        await self.until("([type, than]) => events.filter((e) => e.type === type).length > than", [type_, than])

    async def rows(self) -> np.ndarray:
        return as_rows(await self.page.evaluate("levels"))

    async def now(self) -> float:
        return await self.call("now")

    async def understood(self) -> list[str]:
        """What the bot has understood."""
        said = [event["data"] for event in await self.events("user")]
        return [each["text"].lower() for each in said if each["final"] and each["text"]]

    async def until_understood(self, *words: str) -> None:
        """Wait until a sentence with all these words has come."""
        await self.until(
            """(words) => events.some(({ type, data }) => type === "user" && data.final
                && words.every((word) => data.text.toLowerCase().includes(word)))""",
            list(words),
        )

    async def until_loud(self) -> None:
        """Wait until the bot is heard from now on."""
        await self.until(
            "([since, loud]) => levels.some(([at, level]) => at > since && level >= loud)", [await self.now(), 0.02]
        )

    async def until_quiet(self, for_secs: float = 0.8) -> None:
        """Wait until nothing is heard for so long."""
        since = await self.now()
        await self.until(
            """([since, secs]) => {
                const recent = levels.filter(([at]) => at > Math.max(since, sdk.now() - secs));
                return sdk.now() - since > secs && recent.every(([, level]) => level < 0.005);
            }""",
            [since, for_secs],
        )


@asynccontextmanager
async def pipecat(playwright: Playwright, bot: RealBot) -> AsyncIterator[Client]:
    """A page on the bot's own origin that has connected."""
    files = {
        "/client/": ("text/html", b'<!doctype html><script type="module" src="client.js"></script>'),
        "/client/client.js": ("text/javascript", pipecat_client().encode()),
        **{f"/client/{wav.name}": ("audio/wav", wav.read_bytes()) for wav in DATA.glob("*.wav")},
    }

    async def serve(route: Route) -> None:
        kind, body = files[urlsplit(route.request.url).path]
        await route.fulfill(content_type=kind, body=body)

    browser = await launch(playwright, "--autoplay-policy=no-user-gesture-required")
    try:
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.route("**/client/**", serve)
        await page.goto(f"{bot.url}/client/")
        client = Client(page)
        await client.until("window.sdk")
        yield client
        assert faults == []
    finally:
        await browser.close()


async def test_a_conversation_with_an_interruption(playwright_driver: Playwright, greeting_bot: RealBot) -> None:
    bot, printed = greeting_bot, len(greeting_bot.lines)
    async with pipecat(playwright_driver, bot) as client:
        await client.call("connect")
        assert await client.call("state") == "ready"
        await client.until_loud()
        await client.until_quiet()
        for clip, words in (("book_a_room", ["room"]), ("go_forward_ten_meters", ["forward", "meters"])):
            said = await client.call("hear", clip)
            await client.until_understood(*words)
            await client.until_loud()
            await client.until_quiet()
            rows = await client.rows()
            assert voiced_secs(rows, said["to"], await client.now()) > 0.8, f"no answer was heard to {clip}"
        # A text, and a long answer that is spoken over.
        await client.call("type", "what can you do")
        await client.until_loud()
        await asyncio.sleep(1.5)
        stop = await client.call("hear", "stop")
        await client.until_understood("stop")
        await client.until_quiet()
        rows = await client.rows()
        assert voiced_secs(rows, stop["from"] - 1.2, stop["from"]) > 0.5, "the bot was not speaking"
        quiet_from = silent_from_secs(rows, stop["from"], 0.4)
        assert quiet_from is not None
        assert quiet_from - stop["from"] < 2.0
        cut = [e["data"] for e in await client.events("server") if e["data"]["type"] == "reply-played"]
        assert any(reply["cut"] and reply["heard"] and reply["unheard"] for reply in cut)
        assert await client.events("error") == []
        await client.call("disconnect")
        await bot.until_calls(0)
    assert_no_errors(bot, printed)


async def test_mute_another_microphone_keys_requests_and_a_reconnect(
    playwright_driver: Playwright, silent_bot: RealBot
) -> None:
    bot, printed = silent_bot, len(silent_bot.lines)
    async with pipecat(playwright_driver, bot) as client:
        await client.call("connect", {"caller_token": TOKEN})
        # Mute: the message alone, for the client's track goes on.
        await client.call("mute", True)
        await client.call("hear", "book_a_room")
        await asyncio.sleep(2.0)
        assert await client.understood() == []
        await client.call("mute", False)
        await client.call("hear", "go_forward_ten_meters")
        await client.until_understood("forward")
        assert len(await client.understood()) == 1
        await client.until_loud()
        await client.until_quiet()
        # Another microphone.
        assert await client.call("mics") == ["desk", "headset"]
        await client.call("changeMic", "headset")
        await client.call("hear", "book_a_room")
        await client.until_understood("room")
        await client.until_loud()
        await client.until_quiet()
        # Requests are answered, or refused at once; what is not served is ignored.
        assert await client.call("ask", "hold", {"on": False}) == {"answer": None}
        assert "does not serve" in (await client.call("ask", "weather", {"in": "Rome"}))["refused"]
        await client.call("tell", "scrolled")
        await client.call("snapshot")
        # A key is a turn.
        stopped = await client.count("bot-stopped")
        await client.call("press", "1")
        await client.until_more("bot-stopped", stopped)
        # The line changes in the middle of an answer: the same call, the same answer, nothing lost.
        await client.call("type", "what can you do")
        await client.until_loud()
        await asyncio.sleep(1.0)
        await client.call("reconnect")
        reconnected = await client.now()
        await client.until_more("ready", 1)
        again = await client.now()
        assert again - reconnected < 8
        await client.until_loud()
        stopped = await client.count("bot-stopped")
        await client.until_more("bot-stopped", stopped)
        played = [e["data"] for e in await client.events("server") if e["data"]["type"] == "reply-played"][-1]
        assert (played["cut"], played["unheard"]) == (False, "")
        assert (await bot.health())["calls"] == 1
        assert await client.events("bot-left") == [], "a call that goes on is told no goodbye"
        rows = await client.rows()
        assert longest_silence_secs(rows, again, again + 1.5) < 1.2
        before = len(await client.understood())
        await client.call("hear", "book_a_room")
        said_more = "(n) => events.filter((e) => e.type === 'user' && e.data.final && e.data.text).length > n"
        await client.until(said_more, before)
        # The client asks the bot to leave, and is told that it has.
        await client.call("askBotToLeave")
        await client.until_more("bot-left", 0)
        await bot.until_calls(0)
    assert_no_errors(bot, printed)
