"""The page against a stub bot: what a person sees, hears and sends in a call that goes well."""

import asyncio

import pytest
from playwright.async_api import Browser, expect

from tests.browser.stub_bot import StubBot
from tests.browser.visit import visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

COUNT_FRAMES = """
window.frames_drawn = 0;
const request = window.requestAnimationFrame;
window.requestAnimationFrame = (run) => request((at) => { window.frames_drawn += 1; run(at); });
"""


# --- a call ------------------------------------------------------------------


async def test_talk_connects_over_the_wire_that_the_server_speaks(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        assert await v.state() == "listening"
        offer = bot.offers[0]
        assert offer["type"] == "offer"
        assert "pc_id" not in offer
        media = [line for line in offer["sdp"].splitlines() if line.startswith("m=")]
        assert [line.split()[0] for line in media] == ["m=audio", "m=application"]
        assert "a=sendrecv" in offer["sdp"]
        codecs = {line.split()[1].split("/")[0] for line in offer["sdp"].splitlines() if "a=rtpmap" in line}
        assert codecs == {"opus"}
        await bot.until(lambda: bool(bot.patches), "trickled a candidate")
        assert {patch["pc_id"] for patch in bot.patches} == {"peer-1"}
        assert bot.patches[0]["candidates"][0]["candidate"].startswith("candidate:")
        await bot.until(lambda: bot.pings >= 2, "pinged twice")
        # The bot's tone and the fake microphone's beeps both move their meters.
        for level in ("--bot-level", "--user-level"):
            await v.until("name => Number(document.body.style.getPropertyValue(name)) > 0.2", level)
        assert v.hosts == {f"localhost:{bot.port}"}


async def test_the_microphone_is_asked_for_with_echo_and_noise_taken_out(browser: Browser, bot: StubBot) -> None:
    script = """
    const open = navigator.mediaDevices.getUserMedia;
    navigator.mediaDevices.getUserMedia = function (wish) {
        window.wish = wish;
        return open.call(navigator.mediaDevices, wish);
    };
    """
    async with visit(browser, bot.url, script=script) as v:
        await v.in_call(bot)
        assert await v.page.evaluate("window.wish.audio") == {
            "echoCancellation": True,
            "noiseSuppression": True,
            "autoGainControl": True,
            "channelCount": 1,
        }
        assert not await v.page.evaluate("Boolean(window.wish.video)")


async def test_an_answer_that_takes_long_is_seen_and_softly_heard_to_be_worked_on(
    browser: Browser, bot: StubBot
) -> None:
    count_tones = """
    window.tones = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...at) { window.tones += 1; return start.apply(this, at); };
    """
    async with visit(browser, bot.url, script=count_tones) as v:
        await v.in_call(bot)
        before = await v.page.evaluate("window.tones")
        bot.tell("turn-state", state="thinking", turn_id=1)
        await expect(v.part("state")).to_have_text("Thinking")
        hints = []
        for count in (1, 2):
            bot.tell("still-thinking")
            await v.until(f"window.tones === {before + count}")
            await expect(v.part("state")).to_have_text("Still thinking")
            hints.append(await v.page.locator("#hint").text_content())
        assert len(set(hints)) == 2
        bot.tell("turn-state", state="speaking", turn_id=1)
        await expect(v.part("state")).to_have_text("Speaking")


async def test_words_are_shown_as_they_are_heard_and_unheard_ones_grey(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        bot.tell("turn-state", state="user_speaking", turn_id=1)
        bot.send("user-transcription", {"text": "tell me", "final": False, "segment": 1})
        await v.until_transcript([{"who": "user", "text": "tell me", "final": False}])
        bot.send("user-transcription", {"text": "Tell me about Rome.", "final": True, "segment": 1})
        await v.until_transcript([{"who": "user", "text": "Tell me about Rome.", "final": True}])
        bot.tell("turn-state", state="thinking", turn_id=1)
        await v.until_state("thinking")
        bot.tell("turn-state", state="speaking", turn_id=1)
        bot.tell("time-to-answer", reply_id=1, turn_id=1, ms=830)
        for word in ("Rome ", "is ", "old. "):
            bot.tell("word-heard", reply_id=1, text=word)
        await v.until_state("speaking")
        bot.tell("turn-state", state="paused", turn_id=1)
        await expect(v.part("state")).to_have_text("Paused")
        bot.tell("reply-played", reply_id=1, heard="Rome is old.", unheard="It has seven hills.", cut=True)
        bot.tell("turn-state", state="user_speaking", turn_id=2)
        heard = {"who": "bot", "text": "Rome is old.", "unheard": "It has seven hills.", "cut": True, "answer_ms": 830}
        await v.until_transcript([{"who": "user", "text": "Tell me about Rome."}, heard])
        reply = v.part("transcript").locator("li").nth(1)
        await expect(reply.locator(".heard")).to_have_text("Rome is old.")
        await expect(reply.locator(".unheard")).to_have_text("It has seven hills.")
        await expect(reply).to_contain_text("interrupted")
        await expect(reply).to_contain_text("0.8 s")
        await expect(v.part("timing")).to_have_text("Answered in 0.8 s · median 0.8 s")
        colours = "el => getComputedStyle(el).color"
        assert await reply.locator(".unheard").evaluate(colours) != await reply.locator(".heard").evaluate(colours)


async def test_time_to_answer_is_measured_here_when_the_server_does_not_tell(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        bot.send("user-started-speaking")
        bot.send("user-transcription", {"text": "Hello?", "user_id": "", "timestamp": "", "final": True})
        bot.send("user-stopped-speaking")
        await v.until_state("thinking")
        await asyncio.sleep(0.2)
        bot.send("bot-started-speaking")
        for word in ("Hello", "there."):
            bot.send("bot-tts-text", {"text": word})
        bot.send("bot-stopped-speaking")
        await v.until_transcript(
            [{"who": "user", "text": "Hello?"}, {"who": "bot", "text": "Hello there.", "done": True}]
        )
        answer_ms = (await v.transcript())[1]["answer_ms"]
        assert 150 < answer_ms < 3_000
        assert await v.state() == "listening"


async def test_decisions_are_listed_and_a_later_one_replaces_its_earlier(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        decision = {"sound_id": 1, "verdict": "resume", "reason": "only an acknowledgement", "text": "mhm"}
        bot.tell(
            "interruption-decision",
            decision={**decision, "verdict_ms": 310, "silence_ms": 0, "sound_ms": 280, "wrong": None},
        )
        bot.tell(
            "interruption-decision",
            decision={"sound_id": 2, "verdict": "cancel", "reason": "stop word", "verdict_ms": 95},
        )
        panel = v.part("decisions")
        await panel.locator("summary").click()
        await expect(panel.locator("li")).to_have_count(2)
        await expect(panel.locator("li").nth(0)).to_contain_text("Stopped for you")
        await expect(panel.locator("li").nth(1)).to_contain_text("“mhm” · only an acknowledgement")
        await expect(panel.locator("li").nth(1)).to_contain_text("280 ms")
        bot.tell("interruption-decision", decision={**decision, "verdict_ms": 310, "wrong": True})
        await expect(panel.locator("li").nth(1)).to_contain_text("was wrong")
        await expect(panel.locator("li")).to_have_count(2)


async def test_hang_up_ends_the_call_for_both_and_stops_drawing(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=COUNT_FRAMES) as v:
        assert await v.page.evaluate("window.frames_drawn") == 0
        await v.in_call(bot)
        await v.until("window.frames_drawn > 5")
        await v.part("hangup").click()
        assert await v.state() == "idle"
        assert not await v.page.evaluate("parley.connected")
        await bot.until_peers_are_gone()
        drawn = await v.page.evaluate("window.frames_drawn")
        await asyncio.sleep(0.3)
        assert await v.page.evaluate("window.frames_drawn") <= drawn + 1
        await expect(v.part("talk")).to_be_visible()
        bot.received.clear()
        await v.in_call(bot)


async def test_leaving_the_page_hangs_up(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        await v.page.goto("about:blank")
        await bot.until_peers_are_gone()


async def test_mute_sends_silence(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        await v.part("mute").click()
        await expect(v.part("mute")).to_have_attribute("aria-pressed", "true")
        await expect(v.part("mute")).to_have_text("Unmute")
        await v.until("Number(document.body.style.getPropertyValue('--user-level')) < 0.01")
        await asyncio.sleep(1.2)  # the fake microphone beeps once a second
        assert float(await v.page.evaluate("document.body.style.getPropertyValue('--user-level')")) < 0.01


async def test_the_bot_can_end_the_call(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        bot.signal("peerLeft")
        await v.until_state("idle")
        assert (await v.transcript())[-1] == {"who": "note", "text": "Parley ended the call"}
        assert len(bot.offers) == 1


async def test_a_wish_to_renegotiate_brings_an_offer_for_the_same_connection(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        bot.signal("renegotiate")
        await bot.until(lambda: len(bot.offers) == 2, "offered again")
        assert (bot.offers[1]["pc_id"], bot.offers[1]["restart_pc"]) == ("peer-1", False)
        bot.tell("turn-state", state="thinking", turn_id=1)
        await v.until_state("thinking")


async def test_what_the_server_reports_as_a_fault_is_shown_and_can_be_dismissed(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        bot.send("error", {"message": "The language model is busy.", "fatal": False})
        await expect(v.part("message")).to_contain_text("The language model is busy.")
        await expect(v.part("announcer")).to_have_text("The language model is busy.")
        await v.page.get_by_role("button", name="Dismiss").click()
        await expect(v.part("message")).to_be_hidden()


# --- typing and keys ---------------------------------------------------------


async def test_a_typed_text_is_sent_and_shown_once(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        await v.part("text-input").fill("  What is the time?  ")
        await v.part("send").click()
        assert (await bot.message("send-text"))["content"] == "What is the time?"
        await expect(v.part("text-input")).to_have_value("")
        bot.send("user-transcription", {"text": "What is the time?", "final": True, "segment": 7})
        bot.tell("word-heard", reply_id=3, text="Noon.")
        said = {"who": "user", "text": "What is the time?", "source": "typed"}
        await v.until_transcript([said, {"who": "bot", "text": "Noon."}])


async def test_typing_without_a_call_places_one_with_the_microphone_off(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script="delete MediaDevices.prototype.getUserMedia;") as v:
        await v.part("text-input").fill("Hello")
        await v.part("text-input").press("Enter")
        assert (await bot.message("send-text"))["content"] == "Hello"
        types = [message["type"] for message in bot.received]
        assert types == ["client-ready", "send-text"]
        await expect(v.part("mute")).to_be_disabled()


async def test_phone_keys_are_sent_one_by_one(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        await v.page.get_by_text("Keypad", exact=True).click()
        for key in ("1", "Star", "Hash"):
            await v.part("keypad").get_by_role("button", name=key, exact=True).click()
        await v.page.keyboard.press("4")
        await bot.until(lambda: len(bot.received) == 5, "sent four keys")
        sent = [message["data"] for message in bot.received[1:]]
        assert sent == [{"t": "dtmf", "d": {"key": key}} for key in ("1", "*", "#", "4")]
        await v.until_transcript([{"who": "user", "text": "1 * # 4", "source": "key"}])


async def test_a_call_uses_the_ice_servers_that_the_bot_names(browser: Browser, bot: StubBot) -> None:
    script = """
    const Plain = window.RTCPeerConnection;
    window.RTCPeerConnection = function (configuration) { window.configuration = configuration; return new Plain(); };
    """
    turn = {"urls": "turn:turn.example.org:3478", "username": "4000000000:parley", "credential": "secret"}
    bot.info = {**bot.info, "ice_servers": [turn]}
    async with visit(browser, bot.url, script=script) as v:
        await v.in_call(bot)
        assert await v.page.evaluate("window.configuration.iceServers") == [turn]
