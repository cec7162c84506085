"""Callers who reload, open a second tab, lose the line and come back: over real WebRTC (scenario 24)."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self

import aiohttp
import numpy as np
import pytest
import pytest_asyncio

from loadtest.audio import BLOCK_SECS
from loadtest.bot_process import RealBot, real_bot
from loadtest.caller import Caller, CallRefused
from tests.calls.conftest import SECS, clip, told, until_state, until_told
from transports.peer import READY_SECS

pytestmark = pytest.mark.asyncio(loop_scope="session")

GREETING = (
    "Hello, this is the help line of the bank, which is open from Monday to Friday, from nine in the morning until "
    "five in the afternoon. What can I do for you?"
)
HOLD_SECS = 4.0

MAX_GAP_SECS = 0.2
"""How long a reply may be silent when it moves from one connection to another."""

MOST_SAID_AGAIN_SECS = 4.5
"""A line that dies is found out after 3 s; what was said into it is said again, as far as it is still there."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small_bot() -> AsyncIterator[RealBot]:
    """A bot with two lines, and a long greeting."""
    async with real_bot(GREETING=GREETING, MAX_CALLS="2", HOLD_SECS=str(HOLD_SECS), IDLE_SECS="0") as bot:
        yield bot


class Person:
    """Somebody who calls the bot from one page or several, and who has said goodbye in the end."""

    def __init__(self, bot: RealBot, token: str | None = None) -> None:
        self.bot = bot
        self.token = token or secrets.token_urlsafe(24)
        self.pages: list[Caller] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for page in reversed(self.pages):
            await self.bye(page)
            await page.hangup()
        await self.bot.until_calls(0)

    def page(self, **fields: object) -> Caller:
        page = Caller(self.bot.url, offer_extras={"requestData": {"caller_token": self.token}, **fields})
        self.pages.append(page)
        return page

    async def call(self, **fields: object) -> Caller:
        page = self.page(**fields)
        await page.connect()
        return page

    async def bye(self, page: Caller) -> int:
        """Hang up as the page does; the HTTP status."""
        body = {"pc_id": page.pc_id, "requestData": {"caller_token": self.token}}
        async with aiohttp.ClientSession() as http, http.delete(f"{self.bot.url}/api/offer", json=body) as answer:
            return answer.status


def words(caller: Caller) -> str:
    return "".join(heard["text"] for heard in told(caller, "word-heard"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def greeting(small_bot: RealBot) -> Caller:
    """A caller who has heard the greeting in one piece, and gone."""
    async with Caller(small_bot.url) as caller:
        await until_told(caller, "reply-played")
    return caller


def at(caller: Caller, type_: str) -> float:
    return next(message.arrival_secs for message in caller.recording.messages if message.type == type_)


def gap_secs(first: Caller, second: Caller) -> float:
    """The longest time without a packet of the voice, around the moment at which it moved from page to page."""
    moved_at = at(second, "bot-ready")
    heard = [packet.arrival_secs for packet in first.recording.packets if packet.arrival_secs < moved_at]
    heard += [packet.arrival_secs for packet in second.recording.packets if packet.arrival_secs >= moved_at]
    around = np.array([secs for secs in heard if abs(secs - moved_at) < 1.0])
    return float(np.max(np.diff(around)))


def stretched_secs(whole: Caller, first: Caller, second: Caller) -> float:
    """How much longer the greeting took because it was begun at one page and ended at another."""
    took = at(second, "reply-played") - at(first, "bot-started-speaking")
    return took - (at(whole, "reply-played") - at(whole, "bot-started-speaking"))


def loud_secs(caller: Caller) -> float:
    """How long the bot was loud."""
    return len(caller.recording.sound().loud_secs) * BLOCK_SECS


@pytest.mark.timed
async def test_a_second_tab_takes_the_call_over_with_what_was_being_said(small_bot: RealBot, greeting: Caller) -> None:
    async with Person(small_bot) as person:
        first = await person.call()
        await until_state(first, "speaking")
        await asyncio.sleep(2.0)
        second = await person.call()
        await until_told(first, "call-moved")
        assert (await small_bot.health())["calls"] == 1
        await until_told(second, "reply-played")
        (played,) = told(second, "reply-played")
        assert (played["heard"], played["cut"]) == (GREETING, False)
        assert (words(first) + words(second)).strip() == GREETING, "every word was told to one of them, and once"
        assert gap_secs(first, second) <= MAX_GAP_SECS
        assert stretched_secs(greeting, first, second) <= 3 * MAX_GAP_SECS, "on a machine that may be busy"
        assert [state["state"] for state in told(second, "turn-state")][0] == "speaking"
        # The first page comes back by itself, as it does when its line was lost: it is told, and stays away.
        with pytest.raises(CallRefused) as refused:
            await person.call(pc_id=first.pc_id, restart_pc=True)
        assert (refused.value.status, refused.value.body["code"]) == (409, "call_moved")


async def test_a_reload_keeps_the_conversation(small_bot: RealBot) -> None:
    async with Person(small_bot) as person:
        first = await person.call()
        await until_state(first, "speaking")
        first.type_text("What is your name?")
        await until_told(first, "reply-played", 2)
        last = told(first, "reply-played")[-1]
        await first.hangup()
        second = await person.call()
        await until_told(second, "conversation")
        (conversation,) = told(second, "conversation")
        assert {"who": "user", "text": "What is your name?"} in conversation["lines"]
        assert conversation["lines"][-1] == {"who": "bot", "text": last["heard"].strip()}
        assert told(second, "bot-started-speaking") == [], "nobody is greeted twice"


@pytest.mark.timed
@pytest.mark.parametrize("leave", [Caller.hangup, Caller.vanish], ids=["closed", "vanished"])
async def test_a_lost_line_is_held_and_goes_on_where_it_was(
    small_bot: RealBot, greeting: Caller, leave: Callable[[Caller], Awaitable[None]]
) -> None:
    async with Person(small_bot) as person:
        first = await person.call()
        await until_state(first, "speaking")
        await asyncio.sleep(2.0)
        lines = len(small_bot.lines)
        await leave(first)
        async with asyncio.timeout(SECS):
            while not any("is held for its caller" in line for line in small_bot.lines[lines:]):
                await asyncio.sleep(0.05)
        assert (await small_bot.health())["calls"] == 1
        await asyncio.sleep(1.0)
        second = await person.call(pc_id=first.pc_id, restart_pc=True)
        await until_told(second, "reply-played")
        assert told(second, "reply-played")[0]["heard"] == GREETING
        again_secs = 0.0 if leave is Caller.hangup else MOST_SAID_AGAIN_SECS
        heard_secs = loud_secs(first) + loud_secs(second)
        assert loud_secs(greeting) - 0.3 <= heard_secs <= loud_secs(greeting) + again_secs + 0.3


@pytest.mark.timed
@pytest.mark.parametrize("down_secs", [1.0, 2.3])
async def test_what_is_said_while_the_line_is_down_for_a_moment_is_said_afterwards(
    small_bot: RealBot, greeting: Caller, down_secs: float
) -> None:
    async with Person(small_bot) as person:
        caller = await person.call()
        await until_state(caller, "speaking")
        await asyncio.sleep(2.0)
        caller.cut_connection()
        await asyncio.sleep(down_secs)
        caller.mend_connection()
        mended_at = time.monotonic()
        await caller.bot_speaks(timeout_secs=SECS)
        back_secs = time.monotonic() - mended_at
        await until_told(caller, "reply-played")
        (played,) = told(caller, "reply-played")
        assert (played["heard"], played["cut"]) == (GREETING, False)
        assert told(caller, "call-hold") == []
        assert (await small_bot.health())["calls"] == 1
    assert back_secs <= 1.5
    assert loud_secs(greeting) - 0.1 <= loud_secs(caller) <= loud_secs(greeting) + 0.6


async def test_who_does_not_come_back_in_time_is_gone_and_so_is_the_place(small_bot: RealBot) -> None:
    async with Person(small_bot) as person:
        first = await person.call()
        await until_state(first, "speaking")
        await first.hangup()
        await asyncio.sleep(HOLD_SECS - 1.0)
        assert (await small_bot.health())["calls"] == 1
        await small_bot.until_calls(0)
        assert any("the caller did not come back" in line for line in small_bot.lines)
        # It is a new call then, with nothing of the old one's.
        again = await person.call()
        await until_state(again, "speaking")
        assert told(again, "conversation") == []


@pytest.mark.timed
async def test_a_new_offer_in_mid_reply_is_not_heard(small_bot: RealBot, greeting: Caller) -> None:
    async with Person(small_bot) as person:
        first = await person.call()
        await until_state(first, "speaking")
        await asyncio.sleep(1.5)
        second = await person.call(pc_id=first.pc_id, restart_pc=True)
        await until_told(second, "reply-played")
        assert told(first, "call-moved") == [], "it is the same page"
        assert gap_secs(first, second) <= MAX_GAP_SECS
        assert stretched_secs(greeting, first, second) <= 3 * MAX_GAP_SECS, "on a machine that may be busy"


async def test_the_greeting_waits_for_a_page_that_cannot_be_heard_yet(small_bot: RealBot) -> None:
    async with Caller(small_bot.url, ready=False) as caller:
        await asyncio.sleep(READY_SECS + 1.5)
        assert told(caller, "bot-started-speaking") == []
        caller.send_message("client-ready", {"version": "2.0.0"})
        await until_state(caller, "speaking")


async def test_fifty_quick_reloads_are_never_refused(small_bot: RealBot) -> None:
    ways = [Caller.hangup, Caller.vanish, None]
    async with Person(small_bot) as person, Person(small_bot) as stranger:
        other = await stranger.call()
        for number in range(50):
            page = await person.call()
            assert (await small_bot.health())["calls"] == 2
            leave = ways[number % 3] if number < 49 else None
            if leave is not None:
                await leave(page)
        with pytest.raises(CallRefused) as refused:
            await Caller(small_bot.url).connect()
        assert refused.value.status == 503
        await until_told(person.pages[-1], "bot-ready")
        assert told(other, "call-moved") == [], "somebody else's reloads are none of theirs"
        assert await person.bye(person.pages[-1]) == await stranger.bye(other) == 200


async def test_reloads_that_do_not_wait_for_their_answer(small_bot: RealBot) -> None:
    async with Person(small_bot) as person:
        tries = [asyncio.create_task(person.call()) for _ in range(10)]
        await asyncio.sleep(0.3)
        assert (await small_bot.health())["calls"] == 1
        last = await person.call()
        await until_told(last, "bot-ready")
        for waiting in tries:
            waiting.cancel()
        await asyncio.gather(*tries, return_exceptions=True)
        assert (await small_bot.health())["calls"] == 1


async def test_a_guessed_token_gets_nothing(small_bot: RealBot) -> None:
    async with Person(small_bot) as person, Person(small_bot) as intruder:
        mine = await person.call()
        await until_state(mine, "speaking")
        mine.type_text("My secret number is 4711.")
        await until_told(mine, "reply-played", 2)
        theirs = await intruder.call()
        await until_state(theirs, "speaking")
        assert (await small_bot.health())["calls"] == 2, "a call of their own"
        assert "4711" not in str(theirs.recording.messages)
        assert told(theirs, "conversation") == []
        # Nor does the name of the connection help, with a wrong token or none.
        for extras in ({"requestData": {"caller_token": intruder.token}}, {}):
            thief = Caller(small_bot.url, offer_extras={"pc_id": mine.pc_id, "restart_pc": True, **extras})
            with pytest.raises(CallRefused) as refused:
                await thief.connect()
            assert (refused.value.status, refused.value.body["code"]) == (404, "unknown_pc_id")
        assert await intruder.bye(mine) == 404
        for weak in ("1234", "0" * 32, "a" * 200, "x y", "", 7, ["a"]):
            guess = Caller(small_bot.url, offer_extras={"requestData": {"caller_token": weak}})
            with pytest.raises(CallRefused) as refused:
                await guess.connect()
            assert (refused.value.status, refused.value.body["code"]) == (400, "weak_token")
        assert told(mine, "call-moved") == []
        assert await person.bye(mine) == await intruder.bye(theirs) == 200
    for secret in (person.token, intruder.token):
        assert not any(secret in line for line in small_bot.lines)


@pytest.mark.parametrize("state", ["listening", "user_speaking", "thinking", "speaking", "paused"])
async def test_who_says_goodbye_is_not_waited_for(bot: RealBot, state: str) -> None:
    lines = len(bot.lines)
    async with Person(bot) as person:
        page = await person.call()
        if state in ("thinking", "speaking", "paused"):
            page.type_text("what can you do")
            await until_state(page, "speaking" if state == "paused" else state)
        if state in ("user_speaking", "paused"):
            page.say(clip("go_forward_ten_meters"))
            await until_state(page, state)
        assert await person.bye(page) == 200
        await bot.until_calls(0, 10)
    assert any("the caller hung up" in line for line in bot.lines[lines:])
