"""The widget on somebody else's page: another origin, the real server's signalling, a real call."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page

from contracts.frames import ClientReadyFrame, TurnStateFrame
from processors import compat
from server.calls import CALLS
from server.request_guard import GuardParams, RequestGuard
from server.signalling import make_app
from tests.browser.visit import visit
from tests.processors.chain import running
from tests.server.test_signalling import Limits
from tests.transports.phone.test_call import play, reply

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE = """<!doctype html><html lang="en"><head><title>A shop</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src BOT 'sha256-HASH'; connect-src BOT;
  media-src blob: mediastream:">
<script>SCRIPT</script>
<script type="module" src="BOT/widget.js"></script></head>
<body><h1>A shop</h1><parley-call label="Ask us"></parley-call></body></html>"""

SCRIPT = """
window.told = [];
for (const name of ["parley-state", "parley-transcript", "parley-message"])
  document.addEventListener(name, (event) => told.push([name, event.detail]));
"""


@asynccontextmanager
async def shop(*, allowed: bool = True) -> AsyncIterator[tuple[str, web.Application]]:
    """A page elsewhere with the widget on it, and the bot, which greets in six words."""
    compat.install()

    async def start_call(call) -> None:
        async with running(call.input(), call.output()) as chain:
            await chain.until(ClientReadyFrame, timeout_secs=30)
            await chain.processors[-1].queue_frame(TurnStateFrame("speaking", 1))
            await play(chain, reply(6)[1])
            await call.closed.wait()

    host: dict[str, str] = {}

    async def page(_: web.Request) -> web.Response:
        digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
        text = PAGE.replace("BOT", host["bot"]).replace("SCRIPT", SCRIPT).replace("HASH", digest)
        return web.Response(text=text, content_type="text/html")

    elsewhere = web.Application()
    elsewhere.router.add_get("/", page)
    async with TestServer(elsewhere, host="127.0.0.1") as shop_server:
        origin = f"http://127.0.0.1:{shop_server.port}"
        guard = RequestGuard(GuardParams(allowed_origins=[origin] if allowed else []))
        app = make_app(Limits(connect_timeout_secs=15.0), start_call, guard=guard)
        async with TestServer(app, host="127.0.0.1") as bot_server:
            host["bot"] = f"http://127.0.0.1:{bot_server.port}"
            yield origin, app


async def until(page: Page, expression: str) -> None:
    try:
        await page.wait_for_function(f"() => {expression}", timeout=30_000)
    except Exception as error:  # a boundary: say what was told instead
        raise AssertionError(f"not {expression}: {await page.evaluate('JSON.stringify(told)')}") from error


async def test_a_call_from_another_origin(browser: Browser) -> None:
    async with shop() as (origin, app), visit(browser, origin) as v:
        button = v.page.get_by_role("button", name="Ask us")
        await button.click()
        await until(v.page, "document.querySelector('parley-call').state === 'speaking'")
        assert len(app[CALLS]) == 1
        heard = "told.some(([name, d]) => name === 'parley-transcript' && d.who === 'bot' && d.text.endsWith('word5'))"
        await until(v.page, heard)
        states = await v.page.evaluate("told.filter(([name]) => name === 'parley-state').map(([, d]) => d.state)")
        assert states[:2] == ["asking", "connecting"]
        assert "speaking" in states
        await v.page.get_by_role("button", name="Mute").click()
        await v.page.get_by_role("button", name="Unmute").wait_for()
        await v.page.get_by_role("button", name="Hang up").click()
        await until(v.page, "document.querySelector('parley-call').state === 'idle'")
        async with asyncio.timeout(10):
            while len(app[CALLS]):
                await asyncio.sleep(0.05)
        await button.wait_for()


async def test_its_looks_are_the_pages_choice(browser: Browser) -> None:
    async with shop() as (origin, _), visit(browser, origin) as v:
        button = v.page.get_by_role("button", name="Ask us")
        await button.wait_for()
        call = v.page.locator("parley-call")
        await call.evaluate("el => el.style.setProperty('--parley-accent', 'rgb(1, 2, 3)')")
        assert await button.evaluate("el => getComputedStyle(el).backgroundColor") == "rgb(1, 2, 3)"
        await call.evaluate("el => el.remove()")


async def test_a_page_that_is_not_allowed_is_told_so_and_gets_no_call(browser: Browser) -> None:
    async with shop(allowed=False) as (origin, app), visit(browser, origin, expect_failed_requests=True) as v:
        await v.page.get_by_role("button", name="Ask us").click()
        await until(v.page, "told.some(([name, d]) => name === 'parley-message' && d.tone === 'error')")
        assert len(app[CALLS]) == 0
        v.errors.clear()  # the browser's own words for a refusal across origins
