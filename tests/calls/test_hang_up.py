"""What callers who leave, leave behind: nothing."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web

from loadtest.bot_process import RealBot, real_bot
from loadtest.caller import Caller
from tests.calls.conftest import clip, told, until_state, until_told

pytestmark = pytest.mark.asyncio(loop_scope="session")

STATES = ("listening", "user_speaking", "thinking", "speaking", "paused")


def open_files(bot: RealBot) -> int:
    """Files and sockets that the bot's process holds."""
    return len(os.listdir(f"/proc/{bot.pid}/fd"))


async def bring_to(caller: Caller, state: str) -> None:
    """Return as soon as the bot is in this state with the caller."""
    if state in ("thinking", "speaking", "paused"):
        caller.type_text("what can you do")
        await until_state(caller, "speaking" if state == "paused" else state)
    if state in ("user_speaking", "paused"):
        caller.say(clip("go_forward_ten_meters"))
        await until_state(caller, state)


@pytest.mark.parametrize(
    ("leave", "why"),
    [(Caller.hangup, "the peer closed"), (Caller.vanish, "the peer fell silent")],
    ids=["closes the page", "is gone without a goodbye"],
)
async def test_in_whatever_state(bot: RealBot, leave: Callable[[Caller], Awaitable[None]], why: str) -> None:
    async with Caller(bot.url):
        pass
    await bot.until_calls(0)
    files, lines = open_files(bot), len(bot.lines)
    async with AsyncExitStack() as stack:
        callers = {state: await stack.enter_async_context(Caller(bot.url)) for state in STATES}
        assert (await bot.health())["calls"] == len(STATES)

        async def come_and_go(state: str) -> None:
            await bring_to(callers[state], state)
            await leave(callers[state])

        await asyncio.gather(*map(come_and_go, STATES))
        await bot.until_calls(0, 20)
    assert open_files(bot) <= files + 2  # a connection of the health check may linger
    closed = [line for line in bot.lines[lines:] if " closes: " in line]
    assert [line.rsplit("closes: ", 1)[1] for line in closed] == [why] * len(STATES)


@asynccontextmanager
async def model_that_never_answers() -> AsyncIterator[str]:
    """URL of a server that refuses the warm-up, so that the bot starts soon, and says nothing from then on."""
    asked = itertools.count()

    async def wait(_: web.Request) -> web.Response:
        if next(asked):
            await asyncio.sleep(120)
        return web.Response(status=400)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", wait)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def test_while_the_model_hangs_and_when_the_bot_is_stopped() -> None:
    async with (
        model_that_never_answers() as url,
        real_bot(LLM="ollama", OLLAMA_URL=url, GREETING="Hello, this is the help line, and it is open.") as bot,
    ):
        leaving, staying, hearing = Caller(bot.url), Caller(bot.url), Caller(bot.url)
        for caller in (leaving, staying):
            await caller.connect()
            caller.type_text("hello")
            await until_state(caller, "thinking")
        await leaving.hangup()
        await bot.until_calls(1)
        await hearing.connect()
        await until_state(hearing, "speaking")
        assert told(staying, "turn-state")[-1]["state"] in ("thinking", "speaking")
        # Leaving the block stops the bot with two calls open: it must end by itself, with exit code 0.
    await asyncio.gather(staying.hangup(), hearing.hangup())
    assert any("stopping" in line for line in bot.lines)
    assert not any("Traceback" in line for line in bot.lines), "\n".join(bot.lines)


async def test_the_bot_hangs_up_when_its_goodbye_has_been_heard(bot: RealBot) -> None:
    lines = len(bot.lines)
    async with Caller(bot.url) as caller:
        caller.type_text("Goodbye!")
        await until_told(caller, "reply-played")
        assert (await bot.health())["calls"] == 1
        await bot.until_calls(0, 10)
    (played,) = told(caller, "reply-played")
    assert (played["heard"], played["cut"]) == ("Goodbye, and take care.", False)
    assert [line.rsplit("closes: ", 1)[1] for line in bot.lines[lines:] if " closes: " in line] == ["the bot hung up"]
