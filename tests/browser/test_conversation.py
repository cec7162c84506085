"""A person's conversation with the real bot: Chromium with a recording as its microphone, real recogniser and voice.

What the bot says is measured on the track that the page receives, not in anybody's log.
"""

import asyncio
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Playwright

from loadtest.bot_process import RealBot, real_bot
from tests.browser.conftest import GRANT_MICROPHONE, launch
from tests.browser.visit import Visit, visit
from tests.clients.hearing import LEVEL_METER

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DATA = Path(__file__).parents[1] / "data"
RATE_HZ = 16_000

LISTEN_TO_THE_BOT = (
    LEVEL_METER
    + """
const open = navigator.mediaDevices.getUserMedia;
navigator.mediaDevices.getUserMedia = async function (wish) {
    const stream = await open.call(navigator.mediaDevices, wish);
    window.microphone_from = performance.now() / 1000;
    return stream;
};
"""
)
"""Measures the received voice, and tells when the microphone was opened."""

CONCEALED = """async () => {
    const heard = [...(await window.line.getStats()).values()].find(({ type }) => type === "inbound-rtp");
    return heard.concealedSamples / heard.totalSamplesReceived;
}"""
"""The share of the received voice, its silence included, that the browser had to invent."""

LOUD = 0.005


def microphone(path: Path, *parts: float | str) -> dict[str, tuple[float, float]]:
    """Write what the fake microphone hears: silences (seconds) and clips (names), in order.

    Returns:
        For each clip, its first and last second within the recording.
    """
    pieces: list[np.ndarray] = []
    spans: dict[str, tuple[float, float]] = {}
    at = 0
    for part in parts:
        if isinstance(part, str):
            with wave.open(str(DATA / f"{part}.wav")) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            spans[part] = (at / RATE_HZ, (at + len(samples)) / RATE_HZ)
        else:
            samples = np.zeros(round(part * RATE_HZ), np.int16)
        pieces.append(samples)
        at += len(samples)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.concatenate(pieces).tobytes())
    return spans


@asynccontextmanager
async def caller(playwright: Playwright, bot: RealBot, recording: Path) -> AsyncIterator[Visit]:
    """A person who has pressed Talk, and says what is in the recording."""
    browser = await launch(
        playwright,
        GRANT_MICROPHONE,
        f"--use-file-for-fake-audio-capture={recording}%noloop",
        "--autoplay-policy=no-user-gesture-required",
    )
    try:
        async with visit(browser, bot.url, script=LISTEN_TO_THE_BOT) as v:
            await v.talk()
            await v.until("parley.connected")
            yield v
    finally:
        await browser.close()


async def levels(v: Visit) -> np.ndarray:
    """The voice as received: rows of (seconds since the microphone was opened, level)."""
    rows = np.array(await v.page.evaluate("window.levels"))
    rows[:, 0] -= await v.page.evaluate("window.microphone_from")
    return rows


def voiced_secs(rows: np.ndarray, start: float, end: float) -> float:
    """How long the voice was heard between two instants, in seconds."""
    between = rows[(rows[:, 0] >= start) & (rows[:, 0] < end)]
    assert len(between) > 10 * (end - start), "the page did not measure"
    return (end - start) * float(np.mean(between[:, 1] >= LOUD))


def longest_silence(rows: np.ndarray, start: float, end: float) -> float:
    """Seconds of the longest silence between two instants."""
    loud = [start, *rows[(rows[:, 1] >= LOUD) & (rows[:, 0] >= start) & (rows[:, 0] < end), 0], end]
    return float(np.max(np.diff(loud)))


def has_words(text: str, words: Sequence[str]) -> bool:
    return all(word in text.lower() for word in words)


async def converse(playwright: Playwright, bot: RealBot, recording: Path, answer_secs: float) -> list[dict]:
    """Two turns; checks that each was understood, and that its answer was heard after it.

    Returns:
        The page's transcript.
    """
    spans = microphone(recording, 7.0, "book_a_room", 4.0 + answer_secs, "go_forward_ten_meters", 4.0 + answer_secs)
    async with caller(playwright, bot, recording) as v:
        done = """() => parley.transcript.filter((one) => one.who === "user" && one.final).length >= 2
            && parley.transcript.at(-1).who === "bot" && parley.transcript.at(-1).done"""
        await v.page.wait_for_function(done, timeout=1000 * (30 + 2 * answer_secs))
        rows, transcript = await levels(v), await v.transcript()
        concealed = await v.page.evaluate(CONCEALED)
        await v.part("hangup").click()
    assert concealed < 0.1, "silence is sent as silence, not as packets that stay away"
    users = [entry["text"] for entry in transcript if entry["who"] == "user"]
    assert has_words(users[0], ["book", "room"]), users
    assert has_words(users[1], ["forward", "meters"]), users
    for clip in ("book_a_room", "go_forward_ten_meters"):
        end = spans[clip][1]
        assert voiced_secs(rows, end, end + 2.0 + answer_secs) > 1.0, f"no answer was heard after {clip}"
    replies = [entry for entry in transcript if entry["who"] == "bot"]
    assert len(replies) >= 3  # the greeting, and two answers
    assert all(reply["text"] and not reply["cut"] for reply in replies)
    return transcript


@pytest.mark.timed
async def test_a_conversation_of_two_turns(playwright_driver: Playwright, tmp_path: Path) -> None:
    async with real_bot(TRANSCRIPTS="full") as bot:
        transcript = await converse(playwright_driver, bot, tmp_path / "microphone.wav", 6.0)
        await bot.until_calls(0)
    assert "help line" in transcript[0]["text"]
    # Asked for a booking, the help line wants the day; what was said next named none.
    assert transcript[-1]["text"].startswith("Gladly. On which day")
    assert any("answer_ms=" in line for line in bot.lines)
    assert any("Book a room" in line for line in bot.lines)


@pytest.mark.timed
async def test_speaking_over_the_bot(playwright_driver: Playwright, tmp_path: Path) -> None:
    recording = tmp_path / "microphone.wav"
    spans = microphone(recording, 8.0, "okay", 3.0, "typing", 3.0, "sneeze", 4.0, "stop", 8.0)
    greeting = (
        "Hello, this is the help line, and this is a long greeting, so that there is something to be spoken over. "
        "Our branches are open from Monday to Friday, from nine in the morning until five in the afternoon, and on "
        "the first Saturday of every month from ten until one. The telephone line is open day and night, also on "
        "holidays. If you have lost a card, you can block it on this line at any time, and a new one is sent to you "
        "within five working days. Statements are sent by e-mail at the end of each month, and older ones can be had "
        "for the last ten years. Transfers within the country arrive on the next working day, and transfers to other "
        "countries take between two and four days, depending on the bank that receives them."
    )
    async with real_bot(GREETING=greeting) as bot, caller(playwright_driver, bot, recording) as v:
        cut = "() => parley.transcript.some((one) => one.who === 'bot' && one.cut)"
        await v.page.wait_for_function(cut, timeout=45_000)
        answered = (
            "() => parley.transcript.at(-1).who === 'bot' && parley.transcript.at(-1).text.startsWith('All right')"
        )
        await v.page.wait_for_function(answered, timeout=20_000)
        await asyncio.sleep(1.0)
        rows, transcript = await levels(v), await v.transcript()
    for clip in ("okay", "typing", "sneeze"):
        start, end = spans[clip]
        # It may fall silent for a moment, and it pauses between sentences; but it goes on.
        assert longest_silence(rows, start, end + 2.0) < 1.2, f"silent after {clip}: {bot.lines}"
        assert voiced_secs(rows, end + 0.4, end + 2.0) > 0.64, f"not heard after {clip}: {bot.lines}"
    stop = spans["stop"][0]
    assert longest_silence(rows, stop - 1.0, stop + 2.5) > 0.25, f"it spoke on after a stop: {bot.lines}"
    speaking = next(entry for entry in transcript if entry["who"] == "bot")
    assert speaking["cut"]
    assert speaking["unheard"]
    assert transcript[-1]["text"].startswith("All right")


@pytest.mark.llm
async def test_a_conversation_with_the_local_language_model(playwright_driver: Playwright, tmp_path: Path) -> None:
    async with real_bot(LLM="local") as bot:
        assert not any("scripted responder" in line for line in bot.lines), "\n".join(bot.lines)
        await converse(playwright_driver, bot, tmp_path / "microphone.wav", 14.0)
