"""Microphones that keep people waiting, that vanish, and that come during a call (scenario 38)."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.stub_bot import StubBot
from tests.browser.visit import Visit, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MADE_UP_DEVICES = """
window.connected = ["Desk"];
window.opened = [];
const context = new AudioContext();
const device = (label, deviceId, kind = "audioinput") => ({ deviceId, groupId: label, kind, label });
navigator.mediaDevices.enumerateDevices = async () => [
    device("Default - " + connected[0], "default"),
    ...connected.map((label) => device(label, label)),
].map((one) => ({ ...one, groupId: one.label.replace("Default - ", "") }));
navigator.mediaDevices.getUserMedia = async ({ audio }) => {
    if (window.never) return new Promise((resolve) => (window.answer = resolve));
    const label = connected.find((one) => one === audio.deviceId?.ideal) ?? connected[0];
    const stream = context.createMediaStreamDestination().stream;
    const track = stream.getAudioTracks()[0];
    track.getSettings = () => ({ groupId: label, echoCancellation: window.cancelsEcho ?? true });
    opened.push({ label, track });
    return stream;
};
window.plugIn = (label) => {
    connected.unshift(label);
    navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
};
window.unplug = () => {
    const gone = connected.shift();
    const { track } = opened.findLast((one) => one.label === gone);
    track.stop();
    track.dispatchEvent(new Event("ended"));
    navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
};
const Connection = window.RTCPeerConnection;
window.RTCPeerConnection = function (...args) { return (window.line = new Connection(...args)); };
window.RTCPeerConnection.prototype = Connection.prototype;
window.sends = () => opened.find(({ track }) => track === line.getSenders()[0].track)?.label ?? null;
"""

NEVER_ANSWERS = MADE_UP_DEVICES + "window.never = true;"


async def sends(v: Visit) -> str | None:
    """The microphone whose sound leaves the page."""
    return await v.page.evaluate("window.sends()")


async def test_a_browser_that_never_answers_is_told_of_and_typing_works(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=NEVER_ANSWERS) as v:
        await v.talk()
        await expect(v.part("message")).to_contain_text("has not opened the microphone yet", timeout=10_000)
        await v.part("text-input").fill("What is my balance?")
        await v.part("text-input").press("Enter")
        assert await bot.message("send-text") == {"content": "What is my balance?"}
        await v.until("parley.connected")
        await expect(v.part("message")).to_be_hidden()
        # What opens after all is let go: nobody is listened to who has chosen to type.
        await v.page.evaluate("window.late = new AudioContext().createMediaStreamDestination().stream")
        await v.page.evaluate("window.answer(window.late)")
        await v.until("window.late.getAudioTracks()[0].readyState === 'ended'")
        assert await v.page.evaluate("parley.connected")
        assert await sends(v) is None


async def test_who_answers_late_is_called_with_the_microphone(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=NEVER_ANSWERS) as v:
        await v.talk()
        await expect(v.part("message")).to_contain_text("has not opened the microphone yet", timeout=10_000)
        await v.page.evaluate("""async () => {
            window.never = false;
            window.answer(await navigator.mediaDevices.getUserMedia({ audio: {} }));
        }""")
        await bot.message("client-ready")
        await expect(v.part("message")).to_be_hidden()
        assert await sends(v) == "Desk"


async def test_a_new_system_microphone_is_taken_and_named(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=MADE_UP_DEVICES) as v:
        await v.in_call(bot)
        await v.page.evaluate("plugIn('Headset')")
        await v.until("window.sends() === 'Headset'")
        await expect(v.part("message")).to_contain_text("Parley listens through Headset now.")
        await v.page.get_by_role("button", name="Dismiss").click()
        await expect(v.part("message")).to_be_hidden()
        assert len(bot.offers) == 1, "it is the same call"


async def test_it_is_offered_where_the_setting_says_so(browser: Browser, bot: StubBot) -> None:
    bot.info["new_microphone"] = "offer"
    async with visit(browser, bot.url, script=MADE_UP_DEVICES) as v:
        await expect(v.part("providers")).to_contain_text("Moonshine")
        await v.in_call(bot)
        await v.page.evaluate("plugIn('Headset')")
        await expect(v.part("message")).to_contain_text("There is another microphone: Headset.")
        assert await sends(v) == "Desk"
        await v.page.get_by_role("button", name="Use it").click()
        await v.until("window.sends() === 'Headset'")


async def test_who_has_chosen_a_microphone_keeps_it(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=MADE_UP_DEVICES) as v:
        await v.in_call(bot)
        await v.page.evaluate("connected.push('Webcam')")
        await v.page.evaluate("navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")
        await v.page.locator("#mic-select").select_option("Webcam", force=True)
        await v.until("window.sends() === 'Webcam'")
        await v.page.evaluate("plugIn('Headset')")
        await v.until("document.querySelector('#mic-select').textContent.includes('Headset')")
        assert await sends(v) == "Webcam"
        await expect(v.part("message")).to_be_hidden()


async def test_a_microphone_that_is_unplugged_gives_way_to_the_next(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=MADE_UP_DEVICES) as v:
        await v.in_call(bot)
        await v.page.evaluate("plugIn('Headset')")
        await v.until("window.sends() === 'Headset'")
        await v.page.evaluate("unplug()")
        await v.until("window.sends() === 'Desk'")
        await expect(v.part("message")).to_contain_text("Parley listens through Desk now.")
        assert len(bot.offers) == 1, "it is the same call"


async def test_while_none_answers_the_bot_hears_silence_and_the_call_goes_on(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=MADE_UP_DEVICES) as v:
        await v.in_call(bot)
        await v.page.evaluate("window.never = true")
        await v.page.evaluate("unplug()")
        await v.until("window.line.getSenders()[0].track.readyState === 'live'")
        await expect(v.part("message")).to_contain_text("has not opened the microphone yet", timeout=10_000)
        await v.part("text-input").fill("Are you there?")
        await v.part("text-input").press("Enter")
        assert await bot.message("send-text") == {"content": "Are you there?"}


NO_CANCELLER = MADE_UP_DEVICES + "window.cancelsEcho = false;"


async def test_a_browser_without_an_echo_canceller_is_told_of(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=NO_CANCELLER) as v:
        await v.in_call(bot)
        await expect(v.part("message")).to_contain_text("take the bot's voice out of your microphone")
        await v.part("message").get_by_role("button", name="Dismiss").click()
        await expect(v.part("message")).to_be_hidden()


async def test_a_browser_with_an_echo_canceller_is_told_nothing(browser: Browser, bot: StubBot) -> None:
    async with visit(browser, bot.url, script=MADE_UP_DEVICES) as v:
        await v.in_call(bot)
        await expect(v.part("message")).to_be_hidden()
