"""What a caller hears of the real bot, and what a caller who leaves, leaves behind."""

import asyncio

import aiohttp
import pytest

from loadtest import scoring
from loadtest.bot_process import RealBot
from loadtest.caller import Caller
from tests.calls.conftest import clip

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECS = 15.0


def words(caller: Caller, *, final: bool = True) -> list[str]:
    """What the bot understood."""
    return [
        m.data["text"]
        for m in caller.recording.messages
        if m.type == "user-transcription" and m.data["final"] == final and m.data["text"]
    ]


def told(caller: Caller, type_: str) -> list[dict]:
    return [m.data for m in caller.recording.messages if m.type == type_]


async def until_told(caller: Caller, type_: str, count: int = 1) -> None:
    async with asyncio.timeout(SECS):
        while len(told(caller, type_)) < count:
            await asyncio.sleep(0.02)


async def until_state(caller: Caller, state: str) -> None:
    async with asyncio.timeout(SECS):
        while not (states := told(caller, "turn-state")) or states[-1]["state"] != state:
            await asyncio.sleep(0.01)


def text(caller: Caller, content: str) -> None:
    caller.type_text(content)


async def test_two_turns(bot: RealBot) -> None:
    async with Caller(bot.url) as caller:
        for name in ("book_a_room", "go_forward_ten_meters"):
            await caller.say(clip(name))
            await caller.bot_speaks(timeout_secs=SECS)
            await caller.bot_is_silent(for_secs=0.8, timeout_secs=SECS)
    first, second = words(caller)
    assert "room" in first.lower()
    assert "forward" in second.lower()
    sound = caller.recording.sound()
    for said in caller.recording.said:
        answer_ms = scoring.voice_to_voice_ms(said, sound)
        assert answer_ms is not None
        assert 0 < answer_ms < 5000
    heard = [played["heard"] for played in told(caller, "reply-played")]
    assert len(heard) == 2
    spoken = "".join(word["text"] for word in told(caller, "word-heard"))
    assert spoken == "".join(heard)
    assert [answer["turn_id"] for answer in told(caller, "time-to-answer")] == [1, 2]
    await bot.until_calls(0, 5)


async def test_an_interruption_stops_the_voice_and_an_acknowledgement_does_not(bot: RealBot) -> None:
    async with Caller(bot.url) as caller:
        text(caller, "what can you do")
        await caller.bot_speaks(timeout_secs=SECS)
        await asyncio.sleep(1.5)
        await caller.say(clip("okay"))
        await asyncio.sleep(1.5)
        assert told(caller, "reply-played") == []
        await caller.bot_speaks(timeout_secs=1.0)
        await caller.say(clip("stop"))
        await until_told(caller, "reply-played")
        await caller.bot_is_silent(for_secs=0.8, timeout_secs=SECS)
    cut = told(caller, "reply-played")[0]
    assert cut["cut"]
    assert cut["heard"]
    assert cut["unheard"]
    stop_ms = scoring.barge_in_stop_ms(caller.recording.said[-1], caller.recording.sound(), stopped_secs=0.25)
    assert stop_ms is not None
    assert stop_ms < 2000


async def test_texts_that_can_be_spoken_and_texts_that_cannot(bot: RealBot) -> None:
    async with Caller(bot.url) as caller:
        for content in ("x" * 5000, "", "   "):
            text(caller, content)
        await until_told(caller, "error", 3)
        assert [error["message"].split(":")[0] for error in told(caller, "error")] == [
            "The text is too long",
            "There is nothing to send",
            "There is nothing to send",
        ]
        for count, content in enumerate(("🙂🙂", "<b>**# hello**</b>", "a" * 2000), start=1):
            text(caller, content)
            await until_told(caller, "reply-played", count)
    assert all(played["heard"] for played in told(caller, "reply-played"))


@pytest.mark.parametrize("state", ["listening", "user_speaking", "thinking", "speaking", "paused"])
async def test_a_caller_who_vanishes_in_any_state_leaves_nothing(bot: RealBot, state: str) -> None:
    async with Caller(bot.url) as caller:
        saying: asyncio.Future | None = None
        if state in ("speaking", "paused", "thinking"):
            text(caller, "what can you do")
            if state != "thinking":
                await until_state(caller, "speaking")
        if state in ("user_speaking", "paused"):
            saying = caller.say(clip("go_forward_ten_meters"))
            await until_state(caller, state)
        assert (await bot.health())["calls"] == 1
        await caller.vanish()
        if saying is not None:
            saying.cancel()
        await bot.until_calls(0, 5)


async def test_a_caller_who_never_connects_is_freed(bot: RealBot) -> None:
    from aiortc import RTCPeerConnection

    pc = RTCPeerConnection()
    pc.addTransceiver("audio")
    await pc.setLocalDescription(await pc.createOffer())
    body = {"sdp": pc.localDescription.sdp, "type": "offer"}
    async with aiohttp.ClientSession() as client, client.post(f"{bot.url}/api/offer", json=body) as answer:
        assert answer.status == 200
    assert (await bot.health())["calls"] == 1
    await pc.close()
    await bot.until_calls(0, 8)
