"""Calls over SIP to the real bot, from programs that we did not write: baresip and sipp."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from loadtest.audio import load_wav
from loadtest.bot_process import RealBot, real_bot
from tests.calls.baresip import free_port, need, phone
from tests.calls.conftest import DATA, SECS

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timed]  # alone: sound is heard as it comes

CALLS = 20
"""Calls of sipp's at once; many more are held on a machine that does nothing else."""

AGENT_PORT = free_port(socket.SOCK_DGRAM)
"""Where the person answers whom callers are put through to."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sip_bot() -> AsyncIterator[RealBot]:
    settings = {"SIP_PEERS": "127.0.0.1", "SIP_HOST": "127.0.0.1", "SIP_PORT": "0", "MAX_CALLS": str(CALLS)}
    settings["TRANSFER_SECS"] = "6"
    settings["TRANSFER_TO"] = f"sip:agent@127.0.0.1:{AGENT_PORT}"
    async with real_bot(
        LOG_LEVEL="DEBUG", TRANSCRIPTS="full", GREETING="", CALLS_PER_ADDRESS="0", OFFERS_PER_MINUTE="0", **settings
    ) as bot:
        yield bot
    assert not any("ERROR" in line or "Traceback" in line for line in bot.lines), "\n".join(bot.lines)


def sip_address(bot: RealBot) -> str:
    return next(found[1] for line in bot.lines if (found := re.search(r"calls are taken at (\S+)", line)))


async def until_logged(bot: RealBot, pattern: str, since: int) -> None:
    async with asyncio.timeout(2 * SECS):
        while not any(re.search(pattern, line, re.IGNORECASE) for line in bot.lines[since:]):
            await asyncio.sleep(0.05)


async def test_baresip_talks_interrupts_presses_keys_holds_and_hangs_up(sip_bot: RealBot, tmp_path) -> None:
    since = len(sip_bot.lines)
    async with phone(tmp_path) as caller:
        caller.order("dial", f"sip:bot@{sip_address(sip_bot)}")
        await caller.until("CALL_ESTABLISHED")
        caller.say(load_wav(DATA / "book_a_room.wav"))
        began = await caller.until_loud(0)
        await until_logged(sip_bot, "turn 1: .*room", since)
        silent = await caller.until_quiet(began)

        caller.order("sndcode", "5")  # what cannot be understood is answered, too
        began = await caller.until_loud(silent)
        await asyncio.sleep(0.5)
        caller.say(load_wav(DATA / "stop.wav"))
        await until_logged(sip_bot, r"sound \d+ .*cancel", since)
        await caller.until_quiet(began)

        caller.order("sndcode", "7")
        await until_logged(sip_bot, r"turn \d+: '[^']*7'", since)

        # What baresip decodes after a hold it does not write down any more: that the call goes on tells its answer.
        caller.order("hold")
        await caller.until("CALL_REMOTE_SDP", 2)
        caller.order("resume")
        await caller.until("CALL_REMOTE_SDP", 3)
        caller.say(load_wav(DATA / "go_forward_ten_meters.wav"))
        await until_logged(sip_bot, r"turn \d+: '.*forward", since)

        caller.order("hangup")
        await caller.until("CALL_CLOSED")
    await sip_bot.until_calls(0)
    assert any("closes: the caller hung up" in line for line in sip_bot.lines[since:])


async def test_baresip_is_put_through_to_a_person_and_the_bot_comes_back_when_nobody_is_there(
    sip_bot: RealBot, tmp_path
) -> None:
    since = len(sip_bot.lines)
    (tmp_path / "caller").mkdir()
    (tmp_path / "agent").mkdir()
    async with phone(tmp_path / "caller") as caller:
        caller.order("dial", f"sip:bot@{sip_address(sip_bot)}")
        await caller.until("CALL_ESTABLISHED")
        caller.order("sndcode", "0")
        await until_logged(sip_bot, r"turn 1: '0' -> .*putting you through.*nobody answered", since)
        async with phone(tmp_path / "agent", "agent", AGENT_PORT, "answermode=auto") as agent:
            caller.order("sndcode", "0")
            await agent.until("CALL_ESTABLISHED")
            await until_logged(sip_bot, "closes: the caller was put through", since)
            await sip_bot.until_calls(0)


async def test_sipp_holds_many_calls_and_one_more_is_told_to_come_later(sip_bot: RealBot, tmp_path) -> None:
    program = need("sipp")

    async def sipp(calls: int, *options: str) -> asyncio.subprocess.Process:
        # -r is calls a second, -l those at once, -m those in all, -d how long each is held, in milliseconds.
        many = ("-m", str(calls), "-l", str(calls), "-r", str(calls), "-timeout", "120", "-nostdin")
        return await asyncio.create_subprocess_exec(
            *(program, "-sn", "uac", *many, *options, "-i", "127.0.0.1", sip_address(sip_bot)),
            cwd=tmp_path,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    holding = await sipp(CALLS, "-d", "12000")
    await sip_bot.until_calls(CALLS, 2 * SECS)
    assert await holding.wait() == 0  # every one was taken, held and ended as the scenario wants
    await sip_bot.until_calls(0)
