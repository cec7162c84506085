"""The page for everybody: by keyboard, on a phone, with little sight, with other devices."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.stub_bot import StubBot
from tests.browser.visit import visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def scrolls_sideways(page: Page) -> bool:
    return await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


async def test_a_whole_call_by_keyboard_alone(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        press = v.page.keyboard.press
        await press("Tab")
        await expect(v.part("talk")).to_be_focused()
        outline = await v.part("talk").evaluate("el => getComputedStyle(el).outlineStyle")
        assert outline == "solid"
        await press("Enter")
        await bot.message("client-ready")
        await expect(v.part("hangup")).to_be_focused()
        await press("Shift+Tab")
        await expect(v.part("hold")).to_be_focused()
        await press("Shift+Tab")
        await expect(v.part("mute")).to_be_focused()
        await press("Space")
        await expect(v.part("mute")).to_have_attribute("aria-pressed", "true")
        for _ in range(4):  # hold, hang up, transcript, text box
            await press("Tab")
        await expect(v.part("text-input")).to_be_focused()
        await v.page.keyboard.type("Good evening")
        await press("Enter")
        assert (await bot.message("send-text"))["content"] == "Good evening"
        await v.page.keyboard.type("never mind")
        await press("Escape")
        await expect(v.part("text-input")).to_have_value("")
        assert await v.page.evaluate("parley.connected")
        await press("Escape")
        await v.until_state("idle")


async def test_every_control_has_a_name(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        for panel in await v.page.locator("details").all():
            await panel.evaluate("el => { el.open = true; }")
        nameless = await v.page.evaluate("""
            [...document.querySelectorAll("button, input, select, summary, [tabindex]")]
                .filter((el) => !(el.textContent.trim() || el.getAttribute("aria-label") || el.labels?.length))
                .map((el) => el.outerHTML)
        """)
        assert nameless == []
        for testid in ("mic-select", "speaker-select", "text-input"):
            assert await v.part(testid).evaluate("el => el.labels.length") == 1


async def test_devices_can_be_chosen_and_are_remembered(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url) as v:
        await v.in_call(bot)
        await v.page.get_by_text("Microphone and speaker").click()
        await v.until("document.querySelector('#mic-select').options.length > 1")
        for testid, kind in (("mic-select", "microphone"), ("speaker-select", "speaker")):
            wished = await v.part(testid).evaluate("el => el.options[el.options.length - 1].value")
            await v.part(testid).select_option(wished)
            await v.until("([kind, id]) => JSON.parse(localStorage['parley.devices'])[kind] === id", [kind, wished])
        sink = "document.querySelector('audio').sinkId"
        await v.until(f"{sink} === document.querySelector('#speaker-select').value && {sink} !== ''")
        await v.until("Number(document.body.style.getPropertyValue('--user-level')) > 0.2")
        assert await v.page.evaluate("parley.connected")
        bot.received.clear()
        await v.page.reload()
        await bot.message("client-ready")
        await v.until("document.querySelector('#mic-select').value !== ''")


@pytest.mark.parametrize("width", [320, 360, 414])
async def test_a_phone_shows_everything_without_sideways_scrolling(browser: Browser, bot: StubBot, width: int) -> None:
    bot.info["warnings"] = ["a-very-long-name-of-a-file-without-any-spaces-" * 3]
    async with visit(browser, bot.url, viewport={"width": width, "height": 700}, has_touch=True) as v:
        assert not await scrolls_sideways(v.page)
        await v.in_call(bot)
        bot.send("user-transcription", {"text": "Donaudampfschifffahrt" * 6, "final": True, "segment": 1})
        bot.tell("reply-played", reply_id=1, heard="https://example.com/" + "x" * 90, unheard="y" * 90, cut=True)
        bot.send("error", {"message": "Something went wrong with the voice, and text is shown instead."})
        await v.until("parley.transcript.length === 2")
        for panel in await v.page.locator("details").all():
            await panel.evaluate("el => { el.open = true; }")
        assert not await scrolls_sideways(v.page)
        for testid in ("hangup", "mute", "send", "text-input"):
            await expect(v.part(testid)).to_be_visible()
            box = await v.part(testid).bounding_box()
            assert box is not None
            assert box["height"] >= 44
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width


async def test_nothing_moves_for_who_asked_for_less_motion(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, reduced_motion="reduce") as v:
        await v.in_call(bot)
        bot.tell("turn-state", state="thinking", turn_id=1)
        await v.until_state("thinking")
        assert await v.page.evaluate("document.getAnimations().length") == 0
        assert await v.page.locator(".halo-bot").evaluate("el => getComputedStyle(el).transform") == "none"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_enough_contrast(browser: Browser, bot: StubBot, scheme: str) -> None:
    """WCAG 2.2, 1.4.3 (AA): 4.5 to 1 for text of this size."""
    bot.info["warnings"] = ["No local weights."]
    async with visit(browser, bot.url, color_scheme=scheme) as v:
        await v.in_call(bot)
        bot.send("user-transcription", {"text": "Hello", "final": False, "segment": 1})
        bot.tell("reply-played", reply_id=1, heard="Hello", unheard="and more", cut=True)
        bot.tell(
            "interruption-decision", decision={"sound_id": 1, "verdict": "cancel", "reason": "words", "wrong": True}
        )
        bot.send("error", {"message": "A fault."})
        await expect(v.part("message")).to_be_visible()
        for panel in await v.page.locator("details").all():
            await panel.evaluate("el => { el.open = true; }")
        ratios = await v.page.evaluate(CONTRAST)
        assert len(ratios) > 25
        assert {text: ratio for text, ratio in ratios.items() if ratio < 4.5} == {}


CONTRAST = """() => {
    const parse = (colour) => {
        const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
        return { rgb: [r, g, b], a };
    };
    const luminance = (rgb) => {
        const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (el) => {
        for (; el; el = el.parentElement) {
            const { rgb, a } = parse(getComputedStyle(el).backgroundColor);
            if (a === 1) return rgb;
        }
        return [255, 255, 255];
    };
    const ratios = {};
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const el = node.parentElement;
        if (!node.data.trim() || !el.checkVisibility() || el.closest(".visually-hidden, noscript, option")) continue;
        const ink = parse(getComputedStyle(el).color).rgb;
        const [hi, lo] = [luminance(ink), luminance(ground(el))].sort((a, b) => b - a);
        ratios[`${el.className}: ${node.data.trim().slice(0, 40)}`] = (hi + 0.05) / (lo + 0.05);
    }
    return ratios;
}"""
