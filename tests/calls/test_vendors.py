"""Whole conversations over WebRTC with each vendor's own package, against the vendor's protocol on loopback."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from loadtest import scoring
from loadtest.bot_process import ROOT, RealBot, real_bot
from loadtest.caller import Caller
from tests.calls.conftest import SECS, clip, told
from tests.calls.test_conversation import understood

# Alone, for the bot has little patience: where a vendor is late, a spare one takes its place.
pytestmark = [pytest.mark.timed, pytest.mark.asyncio(loop_scope="session")]

KEYS = {
    "DEEPGRAM_API_KEY": "dg5f0c2b9a7e4d1386_seen_by_nobody",
    "GROQ_API_KEY": "gsk_7Qm2ZxT9vLr4Kd8W_seen_by_nobody",
    "ELEVENLABS_API_KEY": "sk_41d8a6f3c7e9b250_seen_by_nobody",
    "AZURE_SPEECH_KEY": "9b3e7d5f1a8c4260b7d9e2f4_seen_by_nobody",
}


COVER = ["One", "moment,", "please."]
"""What a slow answer is covered with, on a busy machine."""


def answers(caller: Caller) -> list[dict[str, Any]]:
    """What was played, without what only covers a silence."""
    return [played for played in told(caller, "reply-played") if played["heard"].split() != COVER]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2 * SECS):
        while not condition():
            await asyncio.sleep(0.05)


@dataclass
class Emulators:
    """Running emulators: the settings that lead there, and the address of their log."""

    settings: dict[str, str] = field(default_factory=dict)
    admin: str = ""
    lines: list[str] = field(default_factory=list)

    async def log(self, after: int = 0) -> list[dict[str, Any]]:
        """The requests that the vendors have had, but the first so many."""
        async with aiohttp.ClientSession() as client, client.get(f"{self.admin}/log") as answer:
            return (await answer.json())[after:]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def vendors() -> AsyncIterator[Emulators]:
    """All vendors, for all conversations; at the end they must stop cleanly, and have printed no key."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "emulators", "--profile", "today", "--port", "0"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    found = Emulators()
    try:
        async with asyncio.timeout(60):
            while not found.admin:
                line = (await process.stdout.readline()).decode().strip()
                found.lines.append(line)
                assert line, found.lines
                if line.startswith("# admin: "):
                    found.admin = line.split()[2]
                elif "_URL=" in line:
                    name, _, url = line.partition("=")
                    found.settings[name] = url
        yield found
    finally:
        process.terminate()
        rest, _ = await process.communicate()
        found.lines += rest.decode().splitlines()
    assert process.returncode == 0, found.lines
    assert not keys_in(found.lines)


def keys_in(lines: list[str]) -> list[str]:
    """The names of the keys that stand in these lines."""
    names = [
        name
        for name, key in KEYS.items()
        for part in (key, key.removesuffix("_seen_by_nobody"))
        if any(part in line for line in lines)
    ]
    return sorted(set(names))


async def converse(bot: RealBot) -> Caller:
    """Say two things, and hear each answer to its end."""
    async with Caller(bot.url) as caller:
        for turn, name in enumerate(("book_a_room", "go_forward_ten_meters"), start=1):
            await caller.say(clip(name))
            await until(lambda turn=turn: len(answers(caller)) == turn)
            await caller.bot_is_silent(for_secs=0.8, timeout_secs=SECS)
        return caller


# Recognisers and voices do not know of each other, so each vendor's package converses, not each pair of them.
@pytest.mark.parametrize(
    ("recogniser", "voice"), [("nova-3", "gtts"), ("flux-general-en", "elevenlabs"), ("nova-3", "azure")]
)
async def test_a_conversation_of_two_turns(vendors: Emulators, recogniser: str, voice: str) -> None:
    chosen = {"STT": "deepgram", "DEEPGRAM_MODEL": recogniser, "LLM": "groq", "TTS": voice, "GREETING": ""}
    region = {"AZURE_SPEECH_REGION": "westeurope"}
    earlier = len(await vendors.log())
    async with real_bot(**vendors.settings, **KEYS, **region, **chosen, LOG_LEVEL="DEBUG") as bot:
        try:
            caller = await converse(bot)
        finally:
            print("\n".join(bot.lines))  # shown when something fails
        await bot.until_calls(0)
    log = await vendors.log(after=earlier)
    listened, asked, spoke = [[one for one in log if one["vendor"] == name] for name in ("deepgram", "groq", voice)]

    first, second = understood(caller)
    assert "room" in first.lower()
    assert "forward" in second.lower()
    sound = caller.recording.sound()
    for said in caller.recording.said:
        answer_ms = scoring.voice_to_voice_ms(said, sound)
        assert answer_ms is not None
        assert 0 < answer_ms < 1000 * SECS
    replies = answers(caller)
    assert [(reply["cut"], reply["error"]) for reply in replies] == [(False, None)] * 2
    words = [word for reply in replies for word in reply["heard"].split()]
    heard = "".join(word["text"] for word in told(caller, "word-heard")).replace(" ".join(COVER), "")
    assert heard.split() == "".join(reply["heard"] for reply in replies).split()

    # The vendors did it, not what stands behind them.
    texts = [text for stream in listened for text in stream["detail"].get("texts", ()) if text]
    assert [word in text.lower() for word, text in zip(("room", "forward"), texts, strict=True)] == [True, True]
    assert sum(1 for request in asked if request["completion_tokens"] > 1) >= 2  # words that change are asked anew
    spoken = " ".join(str(request["detail"].get("text", "")).strip() for request in spoke)
    assert all(word in spoken.split() for word in words)
    assert not [entry for entry in listened + asked + spoke if entry["fault"]]

    assert not keys_in(bot.lines)
