"""The page when something is wrong: microphone, server, line, sound."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.stub_bot import StubBot
from tests.browser.visit import visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NO_MICROPHONE = """
navigator.mediaDevices.getUserMedia =
    () => Promise.reject(new DOMException("Requested device not found", "NotFoundError"));
"""
INSECURE_ORIGIN = """
Object.defineProperty(Navigator.prototype, "mediaDevices", { get: () => undefined });
"""
SILENT_UNTIL_TAPPED = """
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
    if (!window.tapped) return Promise.reject(new DOMException("Tap first", "NotAllowedError"));
    return play.call(this);
};
document.addEventListener("click", (e) => { window.tapped ||= e.target.closest("#tap-to-hear") !== null; }, true);
"""
RECORD_SPEECH = """
window.spoken = [];
Object.defineProperty(window, "speechSynthesis", {
    value: { speak: (utterance) => window.spoken.push(utterance.text), cancel() {} },
});
"""
UNREACHABLE = """
const real = window.fetch;
window.fetch = (...request) => (window.up ? real(...request) : Promise.reject(new TypeError("Failed to fetch")));
"""

NEVER_NEGOTIATES = """
RTCPeerConnection.prototype.setLocalDescription = () => {
    window.negotiating = true;
    return new Promise(() => {});
};
"""
"""What a browser answers when a connection is closed meanwhile."""


async def test_a_refused_microphone_is_explained_and_typing_still_works(
    refusing_browser: Browser, bot: StubBot
) -> None:
    async with visit(refusing_browser, bot.url) as v:
        await v.talk()
        await expect(v.part("message")).to_contain_text("The microphone was refused.")
        assert await v.state() == "idle"
        assert bot.offers == []
        await v.page.get_by_role("button", name="Type instead").click()
        await bot.message("client-ready")
        await expect(v.part("message")).to_be_hidden()
        await expect(v.part("text-input")).to_be_focused()


async def test_a_missing_microphone_is_explained(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=NO_MICROPHONE) as v:
        await v.talk()
        await expect(v.part("message")).to_contain_text("No microphone was found.")
        await expect(v.part("announcer")).to_contain_text("No microphone was found.")
        await expect(v.part("talk")).to_be_focused()
        await v.page.evaluate("delete navigator.mediaDevices.getUserMedia")
        await v.page.get_by_role("button", name="Try again").click()
        await bot.message("client-ready")


async def test_an_insecure_page_is_explained(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=INSECURE_ORIGIN) as v:
        await v.talk()
        await expect(v.part("message")).to_contain_text("only on secure pages: https, or localhost")


async def test_a_call_comes_back_by_itself_when_the_server_does(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, expect_failed_requests=True) as v:
        await v.in_call(bot)
        bot.tell("word-heard", reply_id=1, text="Hello. ")
        await v.until("parley.transcript.length === 1")
        bot.received.clear()
        await bot.stop()
        await v.until_state("reconnecting")
        await expect(v.part("message")).to_contain_text("The server does not answer.")
        await expect(v.part("message")).to_contain_text("Trying again in")
        assert not await v.page.evaluate("parley.connected")
        await bot.start()
        await bot.message("client-ready")
        await v.until("parley.connected")
        await expect(v.part("message")).to_be_hidden()
        assert (bot.offers[-1]["pc_id"], bot.offers[-1]["restart_pc"]) == ("peer-1", True)
        # Another bot may count its replies from the start again.
        bot.tell("word-heard", reply_id=1, text="Back.")
        await v.until_transcript([{"text": "Hello."}, {"who": "note", "text": "Connected again"}, {"text": "Back."}])


async def test_hanging_up_ends_the_wait_for_a_dead_server(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, expect_failed_requests=True) as v:
        await v.in_call(bot)
        await bot.stop()
        await v.until_state("reconnecting")
        await v.page.keyboard.press("Escape")
        await v.until_state("idle")
        await expect(v.part("message")).to_be_hidden()


async def test_hanging_up_ends_a_negotiation_that_is_never_answered(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=NEVER_NEGOTIATES) as v:
        await v.talk()
        await v.until("window.negotiating")
        await v.page.keyboard.press("Escape")
        await v.until_state("idle")


async def test_a_page_whose_server_is_down_says_so_until_it_is_up(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=UNREACHABLE) as v:
        await expect(v.part("message")).to_contain_text("The server does not answer.")
        await v.page.evaluate("window.up = true")
        await v.page.get_by_role("button", name="Try now").click()
        await expect(v.part("message")).to_be_hidden()
        await expect(v.part("providers")).to_have_text("Moonshine · Llama · Hibari")


async def test_a_full_bot_is_told_aloud_and_the_caller_gets_in_by_itself(browser: Browser, bot: StubBot) -> None:
    bot.full = [2, 1]
    async with visit(browser, bot.url, script=RECORD_SPEECH, expect_failed_requests=True) as v:
        await v.talk()
        await expect(v.part("message")).to_contain_text("You are number 2 in line.")
        await expect(v.part("message")).to_contain_text("Trying again in 1 s.")
        assert await v.state() == "waiting"
        await expect(v.part("hangup")).to_have_text("Leave line")
        await bot.message("client-ready")
        await expect(v.part("message")).to_be_hidden()
        said = "All lines are busy. You are number {} in line. You will be connected by itself."
        assert await v.page.evaluate("window.spoken") == [said.format(2), said.format(1)]
        places = {offer["requestData"]["client_id"] for offer in bot.offers}
        assert len(bot.offers) == 3
        assert len(places) == 1


async def test_the_line_can_be_left(browser: Browser, bot: StubBot) -> None:
    bot.full, bot.retry_after_secs = [1] * 9, 30
    async with visit(browser, bot.url, expect_failed_requests=True) as v:
        await v.talk()
        await v.until_state("waiting")
        await v.part("hangup").click()
        await v.until_state("idle")
        assert len(bot.offers) == 1


async def test_the_greeting_waits_until_the_voice_can_be_heard(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=SILENT_UNTIL_TAPPED) as v:
        await v.talk()
        await expect(v.part("tap-to-hear")).to_be_visible()
        await bot.until(lambda: bot.pings >= 2, "pinged")
        assert bot.received == []
        assert await v.state() == "held"
        await v.part("tap-to-hear").click()
        await bot.message("client-ready")
        await expect(v.part("tap-to-hear")).to_be_hidden()
        await v.until_state("listening")


async def test_warnings_of_the_server_are_shown(browser: Browser, bot: StubBot) -> None:
    bot.info["warnings"] = ["There are no weights of the local language model: answers come from a phrase book."]
    async with visit(browser, bot.url) as v:
        await expect(v.part("warnings")).to_contain_text("no weights of the local language model")
