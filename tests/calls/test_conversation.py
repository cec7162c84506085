"""What a caller hears of the real bot, by voice and by text."""

import asyncio

import pytest

from loadtest import scoring
from loadtest.bot_process import RealBot
from loadtest.caller import Caller
from tests.calls.conftest import SECS, clip, told, until_told

pytestmark = pytest.mark.asyncio(loop_scope="session")


def understood(caller: Caller) -> list[str]:
    """What the bot has understood, in the end."""
    return [said["text"] for said in told(caller, "user-transcription") if said["final"] and said["text"]]


def heard_of_reply(caller: Caller, number: int) -> str:
    """The words of one of the bot's replies that have sounded so far."""
    words = told(caller, "word-heard")
    replies = list(dict.fromkeys(word["reply_id"] for word in words))
    return "".join(word["text"] for word in words if number < len(replies) and word["reply_id"] == replies[number])


async def until_words(caller: Caller, reply: int, words: int) -> str:
    """Wait until so many words of a reply have sounded; returns them."""
    async with asyncio.timeout(SECS):
        while len((heard := heard_of_reply(caller, reply)).split()) < words:
            await asyncio.sleep(0.02)
    return heard


@pytest.mark.timed
async def test_two_turns(bot: RealBot) -> None:
    async with Caller(bot.url) as caller:
        for name in ("book_a_room", "go_forward_ten_meters"):
            await caller.say(clip(name))
            await caller.bot_speaks(timeout_secs=SECS)
            await caller.bot_is_silent(for_secs=0.8, timeout_secs=SECS)
    first, second = understood(caller)
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
    await bot.until_calls(0)


@pytest.mark.timed
async def test_an_interruption_stops_the_voice_and_an_acknowledgement_does_not(bot: RealBot) -> None:
    async with Caller(bot.url) as caller:
        caller.type_text("what can you do")
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


async def test_a_question_is_understood_from_the_one_before(bot: RealBot) -> None:
    async with Caller(bot.url) as caller:
        caller.type_text("What is the balance of my savings account?")
        await until_words(caller, 0, 4)
        caller.type_text("And the balance now?")
        second = await until_words(caller, 1, 5)
    assert "savings" in second


async def test_texts_that_can_be_spoken_and_texts_that_cannot(bot: RealBot) -> None:
    async with Caller(bot.url) as caller:
        for content in ("x" * 5000, "", "   "):
            caller.type_text(content)
        await until_told(caller, "error", 3)
        assert [error["message"].split(":")[0] for error in told(caller, "error")] == [
            "The text is too long",
            "There is nothing to send",
            "There is nothing to send",
        ]
        assert "5000" in told(caller, "error")[0]["message"]
        for reply, content in enumerate(("🙂🙂", "<b>**# hello**</b>", "a" * 2000)):
            caller.type_text(content)
            await until_words(caller, reply, 3)  # each next text cuts the answer to the one before
        await caller.bot_speaks(timeout_secs=SECS)
    assert [played["cut"] for played in told(caller, "reply-played")] == [True, True]
