"""Firefox with our page: a conversation of two turns with the real bot, and an interruption.

What the bot says is measured on the track that the page receives.
"""

import asyncio
import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.bot_process import RealBot
from tests.clients.bidi import BiDi, firefox
from tests.clients.conftest import assert_no_errors
from tests.clients.hearing import LEVEL_METER, as_rows, silent_from_secs, voiced_secs

pytestmark = pytest.mark.asyncio(loop_scope="session")

DATA = Path(__file__).parents[1] / "data"
CLIPS = ("book_a_room", "go_forward_ten_meters", "stop")

PRELOAD = (
    f"() => {{{LEVEL_METER}"
    + """
    const open = () => {
        window.speech ??= new AudioContext();
        window.mouth ??= window.speech.createMediaStreamDestination();
        return Promise.resolve(window.mouth.stream);
    };
    if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = open;
    window.say = async (base64) => {
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        const buffer = await speech.decodeAudioData(bytes.buffer);
        const source = new AudioBufferSourceNode(speech, { buffer });
        source.connect(mouth);
        source.start();
        const from = performance.now() / 1000;
        await new Promise((resolve) => (source.onended = resolve));
        return [from, performance.now() / 1000];
    };
}"""
)


class Person:
    """Somebody who talks with the page."""

    def __init__(self, tab: BiDi) -> None:
        self.tab = tab

    async def say(self, clip: str) -> tuple[float, float]:
        """Say a clip; returns its first and last second."""
        wav = base64.b64encode((DATA / f"{clip}.wav").read_bytes()).decode()
        start, end = await self.tab.run(f"return await say('{wav}')")
        return start, end

    async def rows(self) -> np.ndarray:
        return as_rows(await self.tab.run("return levels"))

    async def now(self) -> float:
        return await self.tab.run("return performance.now() / 1000")

    async def until_loud(self) -> None:
        since = await self.now()
        await self.tab.until(f"levels.some(([at, level]) => at > {since} && level >= 0.02)")

    async def until_quiet(self, secs: float = 0.8) -> None:
        since = await self.now()
        await self.tab.until(
            f"performance.now() / 1000 - {since} > {secs} && levels.every(([at, level]) => "
            f"at < Math.max({since}, performance.now() / 1000 - {secs}) || level < 0.005)"
        )

    async def transcript(self) -> list[dict[str, Any]]:
        return await self.tab.run("return parley.transcript")

    async def until_understood(self, *words: str) -> None:
        said = "parley.transcript.filter((one) => one.who === 'user' && one.final).map((one) => one.text.toLowerCase())"
        for word in words:
            await self.tab.until(f"{said}.some((text) => text.includes('{word}'))")


async def test_two_turns_and_an_interruption(greeting_bot: RealBot) -> None:
    bot, printed = greeting_bot, len(greeting_bot.lines)
    async with firefox(PRELOAD) as tab:
        await tab.go(bot.url)
        person = Person(tab)
        await tab.run("document.querySelector('[data-testid=talk]').click()")
        await tab.until("parley.connected")
        await person.until_loud()
        await person.until_quiet()
        for clip, words in (("book_a_room", ("room",)), ("go_forward_ten_meters", ("forward", "meters"))):
            _, end = await person.say(clip)
            await person.until_understood(*words)
            await person.until_loud()
            await person.until_quiet()
            assert voiced_secs(await person.rows(), end, await person.now()) > 0.8, f"no answer was heard to {clip}"
        await tab.run(
            "const input = document.querySelector('#text-input'); input.value = 'what can you do';"
            "document.querySelector('#composer').requestSubmit()"
        )
        await person.until_loud()
        await asyncio.sleep(1.5)
        start, _ = await person.say("stop")
        await tab.until("parley.transcript.some((one) => one.who === 'bot' && one.cut && one.unheard)")
        await person.until_quiet()
        rows = await person.rows()
        assert voiced_secs(rows, start - 1.2, start) > 0.5, "the bot was not speaking"
        quiet_from = silent_from_secs(rows, start, 0.4)
        assert quiet_from is not None
        assert quiet_from - start < 2.0
        await tab.run("document.querySelector('[data-testid=hangup]').click()")
        await bot.until_calls(0)
    assert_no_errors(bot, printed)
