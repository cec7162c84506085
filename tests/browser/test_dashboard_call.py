"""A call's page in a real browser: both voices' levels, words, states, verdicts and vendors, live and afterwards."""

from pathlib import Path

import aiohttp
import numpy as np
import pytest
from playwright.async_api import Browser, Playwright, expect

from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ
from loadtest.bot_process import real_bot
from observe.record import CallRecord
from tests.browser.test_access import CONTRAST, scrolls_sideways
from tests.browser.test_conversation import caller, microphone
from tests.browser.visit import visit
from tests.browser.watched_calls import WatchedCalls, watched_calls
from tests.observe.calls import decision, play, turn

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

VENDORS = {"stt": "deepgram nova-3", "llm": "groq openai/gpt-oss-120b", "tts": "azure"}

LEVEL_WIDTHS = """() => {
    const canvas = document.querySelector("[data-testid=timeline] canvas");
    const { width, height } = canvas;
    const of = (name) => {
        const probe = document.createElement("i");
        probe.style.color = `var(${name})`;
        document.body.append(probe);
        const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
        probe.remove();
        return [r, g, b];
    };
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const pixels = copy.getImageData(0, 0, width, Math.floor(height * 0.4)).data;
    const widest = ([r, g, b]) => {
        const columns = new Array(width).fill(0);
        for (let at = 0; at < pixels.length; at += 4) {
            if (pixels[at] === r && pixels[at + 1] === g && pixels[at + 2] === b) columns[(at / 4) % width] += 1;
        }
        return Math.max(...columns) / devicePixelRatio;
    };
    return { caller: widest(of("--user")), bot: widest(of("--accent")) };
}"""
"""How many pixels wide the levels of either voice are where they are widest; silence is a line."""


def noise(rate_hz: int, secs: float, amplitude: float) -> bytes:
    samples = np.random.default_rng(1).normal(0, amplitude, round(rate_hz * secs))
    return samples.astype(np.int16).tobytes()


def call_so_far(watched: WatchedCalls) -> CallRecord:
    """A call of ten seconds with one turn, begun ten seconds ago."""
    began = watched.now() - 10
    record = watched.registry.open("caller", now=began, quality=lambda: {"lost_in_percent": 0})
    record.ready(began + 0.1)
    record.change_state(began + 2, "user_speaking")
    record.speech_began(began + 2)
    record.said_words(began + 3.9, "how much is in my account", 1)
    record.speech_ended(began + 4)
    record.change_state(began + 4.1, "thinking")
    record.asked(began + 4.1, 1)
    record.first_token(began + 4.35)
    record.model_done(began + 4.9, None)
    record.piece_began(began + 4.4, 1, "You have ten euros.")
    record.first_audio(began + 4.6)
    record.piece_done(began + 4.7, None)
    record.change_state(began + 4.6, "speaking")
    record.playing(began + 4.6, 1)
    for index, word in enumerate(("You", "have", "ten", "euros.")):
        record.word_heard(began + 4.6 + 0.3 * index, word)
    play(record, turn(began=began + 4, answer_ms=600))
    record.played(began + 6, "Anything else?", cut=True, error=None)
    record.decided(began + 5.6, decision(1, "cancel", text="stop", wrong=None))
    return record


async def test_a_live_call_is_followed_and_then_kept(browser: Browser) -> None:
    async with watched_calls(vendors=VENDORS) as watched:
        record = call_so_far(watched)
        async with visit(browser, f"{watched.url}/dashboard/calls/1") as v:
            story, facts = v.part("story"), v.part("facts")
            await expect(v.part("link")).to_have_text("Live")
            await expect(v.part("follow")).to_have_attribute("aria-pressed", "true")
            await expect(story).to_contain_text("Callerhow much is in my account")
            await expect(story).to_contain_text("You have ten euros. Not heard: Anything else?interrupted")
            await expect(story).to_contain_text("600 ms · heard to the end")
            await expect(story).to_contain_text("Stopped for the caller · “stop” · too short · decided after 300 ms")
            await expect(facts).to_contain_text("Bot speaks")
            await expect(facts).to_contain_text("groq openai/gpt-oss-120b")
            await expect(story.locator("[data-kind=vendor]")).to_have_count(0)
            await v.part("everything").check()
            await expect(story.locator("[data-kind=vendor]").first).to_contain_text("first after 250 ms · 800 ms")
            assert await story.locator("[data-kind=state]").all_text_contents() == [
                "0:00.1StateListening",
                "0:02.0StateCaller speaks",
                "0:04.1StateThinking",
                "0:04.6StateBot speaks",
            ]
            for meter, rate_hz, amplitude in (
                (record.caller_level, INPUT_SAMPLE_RATE_HZ, 3000),
                (record.bot_level, OUTPUT_SAMPLE_RATE_HZ, 0),
            ):
                meter.push(noise(rate_hz, 2.0, amplitude))
            record.measure(watched.now())
            await v.until(f"() => ({LEVEL_WIDTHS})().caller > 20")
            assert (await v.page.evaluate(LEVEL_WIDTHS))["bot"] < 6
            record.said_words(watched.now(), "thank you", 2)
            record.over(watched.now(), "the peer closed")
            await expect(story).to_contain_text("thank you")
            await expect(v.part("link")).to_have_text("Over")
            await expect(facts).to_contain_text("EndedThe peer closed")
            await expect(v.part("follow")).to_be_hidden()
            await story.get_by_role("button").first.click()  # looks closer in the timeline
            await v.page.get_by_role("link", name="Dashboard").click()
            await expect(v.part("call-1")).to_contain_text("Over")


async def test_a_call_that_nobody_knows(browser: Browser) -> None:
    async with watched_calls() as watched:
        url = f"{watched.url}/dashboard/calls/77"
        async with visit(browser, url, expect_failed_requests=True) as v:
            await expect(v.part("missing")).to_contain_text("no such call")
            await v.part("missing").get_by_role("link").click()
            await expect(v.part("no-calls")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone(browser: Browser, scheme: str) -> None:
    async with watched_calls(vendors=VENDORS) as watched:
        record = call_so_far(watched)
        record.said_words(watched.now(), "Donaudampfschifffahrt" * 6, 2)
        record.decided(watched.now(), decision(1, "cancel", text="stop", wrong=True))
        record.fault(watched.now(), "no reply after 8 s")
        options = {"viewport": {"width": 360, "height": 700}, "color_scheme": scheme}
        async with visit(browser, f"{watched.url}/dashboard/calls/1", **options) as v:
            await v.part("everything").check()
            await expect(v.part("story")).to_contain_text("was wrong")
            assert not await scrolls_sideways(v.page)
            ratios = await v.page.evaluate(CONTRAST)
            assert len(ratios) > 30
            assert {text: ratio for text, ratio in ratios.items() if ratio < 4.5} == {}


async def test_a_real_call_is_seen_from_its_greeting_to_its_end(
    browser: Browser, playwright_driver: Playwright, tmp_path: Path
) -> None:
    recording = tmp_path / "microphone.wav"
    microphone(recording, 3.5, "book_a_room", 12.0)
    greeting = "Hello, this is the help line."
    async with real_bot(GREETING=greeting) as bot, visit(browser, f"{bot.url}/dashboard") as v:
        await expect(v.part("no-calls")).to_be_visible()
        row = v.part("call-1")
        await v.page.evaluate("""() => {
            window.seen = new Set();
            const calls = document.querySelector("#calls");
            const look = () => calls.querySelectorAll(".state-pill").forEach((one) => seen.add(one.textContent));
            new MutationObserver(look).observe(calls, { subtree: true, childList: true, characterData: true });
        }""")
        async with caller(playwright_driver, bot, recording) as talk:
            await expect(row.locator("[data-cell=answer]")).to_contain_text("ms")
            seen = set(await v.page.evaluate("[...window.seen]"))
            # A state may be shorter than the second between two messages.
            assert seen <= {"Connecting", "Listening", "Caller speaks", "Thinking", "Bot speaks", "Judging a sound"}
            assert len(seen) >= 2
            async with aiohttp.ClientSession() as client, client.get(f"{bot.url}/api/calls") as response:
                live = (await response.json())["live"]
            assert live[0]["answers"] == 1
            await expect(row.locator("[data-cell=answer]")).to_have_text(f"{live[0]['answer_ms']:,} ms")
            async with visit(browser, f"{bot.url}/dashboard/calls/1") as page:
                story = page.part("story")
                await expect(story).to_contain_text("Book a room")
                await expect(story).to_contain_text(greeting)
                await page.part("whole").click()
                await page.until(f"() => Math.min(...Object.values(({LEVEL_WIDTHS})())) > 12")
            await talk.part("hangup").click()
        await expect(v.page.locator("#ended").get_by_test_id("call-1")).to_contain_text("Over")
        await expect(v.part("tile-calls")).to_contain_text("0 of")
