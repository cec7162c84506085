"""A telephone call to the real bot: Twilio's side over a real WebSocket, recorded speech through G.711."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from loadtest.audio import SAMPLE_RATE_HZ, load_wav, resampled
from loadtest.bot_process import RealBot, real_bot
from loadtest.phone_caller import RATE_HZ, PhoneCaller
from tests.calls.conftest import DATA, SECS

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN, PUBLIC = "an auth token of twilios", "https://bot.example.org"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def phone_bot() -> AsyncIterator[RealBot]:
    settings = {"PHONE": "twilio", "PHONE_PUBLIC_URL": PUBLIC, "TWILIO_AUTH_TOKEN": TOKEN}
    async with real_bot(LOG_LEVEL="DEBUG", TRANSCRIPTS="full", **settings) as bot:
        yield bot


def words(name: str):
    return resampled(load_wav(DATA / f"{name}.wav"), SAMPLE_RATE_HZ, RATE_HZ)


def turns(bot: RealBot, since: int) -> str:
    return "\n".join(line for line in bot.lines[since:] if "turn " in line and "->" in line).lower()


async def until_logged(bot: RealBot, text: str, since: int) -> None:
    async with asyncio.timeout(SECS):
        while text not in turns(bot, since):
            await asyncio.sleep(0.05)


@pytest.mark.timed
async def test_two_turns_by_telephone(phone_bot: RealBot) -> None:
    since = len(phone_bot.lines)
    async with PhoneCaller(phone_bot.url, TOKEN, PUBLIC) as caller:
        await caller.speaks(0.0, SECS)  # the greeting
        for name, word in (("book_a_room", "room"), ("go_forward_ten_meters", "forward")):
            await caller.silent_for(0.8)
            _, end = caller.say(words(name))
            await caller.speaks(end, SECS)
            await caller.silent_for(0.8)
            await until_logged(phone_bot, word, since)
    await phone_bot.until_calls(0)
    assert any("closes: the carrier closed the stream" in line for line in phone_bot.lines[since:])
    assert "33612345678" not in "\n".join(phone_bot.lines)


@pytest.mark.timed
async def test_an_interruption_by_telephone_stops_the_voice_and_clears_the_line(phone_bot: RealBot) -> None:
    async with PhoneCaller(phone_bot.url, TOKEN, PUBLIC) as caller:
        began = await caller.speaks(0.0, SECS)
        await caller.silent_for(0.8)
        _, end = caller.say(words("book_a_room"))
        began = await caller.speaks(end, SECS)
        await asyncio.sleep(max(0.0, began + 0.4 - asyncio.get_running_loop().time()))
        begin, end = caller.say(words("go_forward_ten_meters"))
        async with asyncio.timeout(SECS):
            while not caller.clears:
                await asyncio.sleep(0.01)
        # Nothing of the old reply sounds after it was cleared; what comes is the next one.
        assert begin < caller.clears[-1]
        assert await caller.speaks(end, SECS) > caller.clears[-1]
    await phone_bot.until_calls(0)


async def test_a_wrong_signature_gets_no_call(phone_bot: RealBot) -> None:
    with pytest.raises(Exception, match="403"):
        async with PhoneCaller(phone_bot.url, "another token", PUBLIC):
            pass
    assert (await phone_bot.health())["calls"] == 0
