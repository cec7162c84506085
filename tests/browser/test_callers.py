"""Callers as they are: on hold, with a phone's habits, with two tabs, with a finger on reload."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.stub_bot import StubBot
from tests.browser.visit import Visit, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

KEEP_PARTS = """
window.contexts = []; window.tracks = []; window.refuses = false;
const Context = window.AudioContext;
window.AudioContext = class extends Context {
    constructor() { super(); window.contexts.push(this); }
    get state() { return window.stolen ?? super.state; }
    resume() { if (!window.refuses) window.stolen = undefined; return super.resume(); }
};
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wish) => {
    const stream = await open(wish);
    window.tracks.push(...stream.getAudioTracks());
    return stream;
};
"""
STEAL_SOUND = """
window.refuses = true; window.stolen = "interrupted";
window.contexts[0].dispatchEvent(new Event("statechange"));
"""
GIVE_SOUND_BACK = """
window.refuses = false; window.stolen = undefined;
window.contexts[0].dispatchEvent(new Event("statechange"));
"""


def holds(bot: StubBot) -> list[bool]:
    """What the page has asked for, in order."""
    asked = [m["data"] for m in bot.received if m["type"] == "client-message"]
    return [message["d"]["on"] for message in asked if message["t"] == "hold"]


def token(offer: dict) -> str:
    return offer["requestData"]["caller_token"]


# --- hold ------------------------------------------------------------------------------------


async def test_a_call_is_put_on_hold_and_taken_up_again(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=KEEP_PARTS) as v:
        await v.in_call(bot)
        await v.part("hold").click()
        await bot.until(lambda: holds(bot) == [True], "put the call on hold")
        await expect(v.part("state")).to_have_text("On hold")
        await expect(v.part("hold")).to_have_attribute("aria-pressed", "true")
        assert await v.page.evaluate("tracks.map(track => track.enabled)") == [False], "nothing leaves the page"
        bot.tell("turn-state", state="speaking", turn_id=1)
        bot.tell("word-heard", reply_id=1, text="Late ")
        await v.until("parley.transcript.length === 1")
        await expect(v.part("state")).to_have_text("On hold")
        await v.part("hold").click()
        await bot.until(lambda: holds(bot) == [True, False], "took the call off hold")
        await expect(v.part("state")).to_have_text("Speaking")
        assert await v.page.evaluate("tracks.map(track => track.enabled)") == [True]


async def test_the_bot_may_end_a_hold_and_mute_outlives_it(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=KEEP_PARTS) as v:
        await v.in_call(bot)
        await v.part("mute").click()
        await v.part("hold").click()
        await bot.until(lambda: holds(bot) == [True], "put the call on hold")
        bot.tell("call-hold", on=False)
        await expect(v.part("hold")).to_have_attribute("aria-pressed", "false")
        await expect(v.part("state")).to_have_text("Listening")
        assert await v.page.evaluate("tracks.map(track => track.enabled)") == [False], "still muted"


# --- phones ----------------------------------------------------------------------------------


async def test_when_another_app_takes_the_sound_the_bot_waits(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=KEEP_PARTS) as v:
        await v.in_call(bot)
        await v.page.evaluate(STEAL_SOUND)
        await bot.until(lambda: holds(bot) == [True], "let the bot wait")
        await expect(v.part("tap-to-hear")).to_be_visible()
        await v.page.evaluate(GIVE_SOUND_BACK)
        await bot.until(lambda: holds(bot) == [True, False], "let the bot go on")
        await expect(v.part("tap-to-hear")).to_be_hidden()
        await expect(v.part("state")).to_have_text("Listening")


async def test_sound_that_does_not_come_back_by_itself_comes_with_a_tap(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=KEEP_PARTS) as v:
        await v.in_call(bot)
        await v.page.evaluate(STEAL_SOUND)
        await bot.until(lambda: holds(bot) == [True], "let the bot wait")
        await v.page.evaluate("window.refuses = false")
        await v.part("tap-to-hear").click()
        await bot.until(lambda: holds(bot) == [True, False], "let the bot go on")
        await expect(v.part("state")).to_have_text("Listening")


async def test_a_paused_element_is_played_again(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        await v.page.evaluate("document.getElementById('voice').pause()")
        await bot.until(lambda: holds(bot) == [True, False], "waited and went on")
        assert not await v.page.evaluate("document.getElementById('voice').paused")


async def test_a_microphone_that_is_taken_away_is_told_of(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=KEEP_PARTS) as v:
        await v.in_call(bot)
        await v.page.evaluate("tracks[0].dispatchEvent(new Event('mute'))")
        await expect(v.part("message")).to_contain_text("Another app is using your microphone")
        await v.page.evaluate("tracks[0].dispatchEvent(new Event('unmute'))")
        await expect(v.part("message")).to_be_hidden()
        assert holds(bot) == []


async def test_the_voice_plays_inside_the_page(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        assert await v.page.evaluate("document.getElementById('voice').hasAttribute('playsinline')")
        assert await v.page.evaluate("document.querySelectorAll('audio').length") == 1


# --- reloads and tabs ------------------------------------------------------------------------


async def until_offers(bot: StubBot, count: int) -> None:
    await bot.until(lambda: len(bot.offers) >= count, f"made offer number {count}")


async def test_a_reload_goes_on_with_the_call_by_itself(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        await v.page.reload()
        await until_offers(bot, 2)
        await v.until("parley.connected")
        first, second = bot.offers
        assert token(first) == token(second)
        assert re.fullmatch(r"[A-Za-z0-9_-]{32}", token(first))
        assert bot.goodbyes == [], "a reload is no goodbye"
        lines = [{"who": "user", "text": "Tell me about Rome."}, {"who": "bot", "text": "Rome is old."}]
        bot.tell("conversation", lines=lines)
        await v.until_transcript(
            [{"who": "user", "text": "Tell me about Rome."}, {"who": "bot", "text": "Rome is old."}]
        )


async def test_hanging_up_is_a_goodbye_and_the_next_call_is_another(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        await v.part("hangup").click()
        await bot.until(lambda: bool(bot.goodbyes), "said goodbye")
        assert bot.goodbyes == [{"pc_id": "peer-1", "requestData": bot.offers[0]["requestData"]}]
        await v.page.reload()
        await expect(v.part("talk")).to_be_visible()
        await v.talk()
        await until_offers(bot, 2)
        assert token(bot.offers[0]) != token(bot.offers[1])


async def test_a_second_tab_has_the_same_token_and_the_first_is_told(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        other = Visit(await v.page.context.new_page())
        await other.page.goto(bot.url)
        assert await other.state() == "idle", "a tab that has not called does not call by itself"
        bot.tell("call-moved")
        await expect(v.part("message")).to_contain_text("This call goes on in another tab.")
        await v.until_state("idle")
        assert bot.goodbyes == []
        await other.talk()
        await until_offers(bot, 2)
        await other.until("parley.connected")
        await v.page.get_by_role("button", name="Go on here").click()
        await until_offers(bot, 3)
        assert len({token(offer) for offer in bot.offers}) == 1
        await other.part("hangup").click()
