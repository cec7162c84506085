"""Two processes behind one port, with callers over real WebRTC."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from loadtest.bot_process import RealBot, real_bot
from loadtest.caller import Caller, CallRefused
from server.supervisor import cores_for
from tests.calls.conftest import SECS, clip, told, until_state, until_told
from tests.calls.test_takeover import Person

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(sys.platform == "win32", reason="there are no signals"),
]

SETTINGS = {"WORKERS": "2", "MAX_CALLS": "2", "GREETING": "", "IDLE_SECS": "0", "HOST": "0.0.0.0", "DRAIN_SECS": "20"}
MAX_GAP_SECS = 0.5
"""How long a caller may be without a packet while somebody else's worker dies, on a machine that may be busy."""


async def until(condition: Callable[[], Awaitable[bool]], secs: float = 2 * SECS) -> None:
    async with asyncio.timeout(secs):
        while not await condition():
            await asyncio.sleep(0.05)


class Deployment:
    """The bot, and what only its operator sees."""

    def __init__(self, bot: RealBot) -> None:
        self.bot = bot
        bot.url = bot.url.replace("0.0.0.0", "127.0.0.1")

    @property
    def pids(self) -> list[int]:
        """The workers' processes, one for each worker."""
        found = re.findall(r"worker (\d+) takes calls: process (\d+)", "\n".join(self.bot.lines))
        return [pid for _, pid in sorted({int(worker): int(pid) for worker, pid in found}.items())]

    async def get(self, path: str, **kwargs: object) -> tuple[int, str]:
        async with aiohttp.ClientSession() as http, http.get(self.bot.url + path, **kwargs) as answer:
            return answer.status, await answer.text()

    async def calls(self) -> list[int]:
        """Calls that go on, of each worker."""
        text = (await self.get("/metrics"))[1]
        live = next(f for f in text_string_to_metric_families(text) if f.name == "parley_calls_live")
        return [
            round(sum(sample.value for sample in live.samples if sample.labels["worker"] == worker))
            for worker in ("0", "1")
        ]

    async def both(self) -> bool:
        return (await self.bot.health()).get("workers_ready") == 2


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")  # where there is one: a zombie is not running
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployment() -> AsyncIterator[Deployment]:
    async with real_bot(**SETTINGS) as bot:
        deployment = Deployment(bot)
        yield deployment
        pids = deployment.pids
    assert not any(is_running(pid) for pid in pids)


async def converses(caller: Caller) -> None:
    """The bot hears the caller, and is heard."""
    replies = len(told(caller, "bot-started-speaking"))
    caller.type_text("What is your name?")
    await until_told(caller, "bot-started-speaking", replies + 1)
    await caller.bot_speaks(timeout_secs=SECS)


async def test_it_is_ready_once_and_knows_its_size(deployment: Deployment) -> None:
    assert [line for line in deployment.bot.lines if "Parley is ready" in line] == deployment.bot.lines[-1:]
    assert len(set(deployment.pids)) == 2
    if len(cores := cores_for(2)) == 2:
        assert [os.sched_getaffinity(pid) for pid in deployment.pids] == [{core} for core in cores]
    health = await deployment.bot.health()
    assert health == {"status": "ok", "calls": 0, "max_calls": 4, "workers": 2, "workers_ready": 2}


async def test_four_calls_spread_and_each_is_heard(deployment: Deployment) -> None:
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Caller(deployment.bot.url)) for _ in range(4)]
        assert await deployment.calls() == [2, 2]
        said = callers[3].say(clip("go_forward_ten_meters"))
        await asyncio.gather(*(converses(caller) for caller in callers[:3]), said)
        await until_told(callers[3], "bot-started-speaking")
        assert any("forward" in said["text"].lower() for said in told(callers[3], "user-transcription"))
    await deployment.bot.until_calls(0)


async def test_what_concerns_a_call_reaches_its_worker(deployment: Deployment) -> None:
    async with Person(deployment.bot) as first, Person(deployment.bot) as second:
        mine = await first.call()
        page = await second.call()
        await until_told(page, "bot-ready")
        assert await deployment.calls() == [1, 1]
        await converses(page)
        again = await second.call(pc_id=page.pc_id, restart_pc=True)  # the same page, over a new connection
        await until_told(again, "bot-ready")
        other = await second.call()  # another tab takes the call over
        await until_told(other, "conversation")
        await until_told(again, "call-moved")
        assert (await deployment.bot.health())["calls"] == 2
        with pytest.raises(CallRefused) as moved:
            await second.call(pc_id=page.pc_id, restart_pc=True)
        assert (moved.value.status, moved.value.body["code"]) == (409, "call_moved")
        await converses(other)
        assert await second.bye(other) == 200

        async def gone() -> bool:
            return await deployment.calls() == [1, 0]

        await until(gone)
        assert await first.bye(mine) == 200


async def position_of(person: Person) -> int:
    """Their place in the line; 0: they got in."""
    try:
        await person.call()
    except CallRefused as refused:
        return refused.body["queue_position"]
    return 0


async def test_a_full_bot_has_one_queue_and_the_first_in_it_gets_the_next_place(deployment: Deployment) -> None:
    async with AsyncExitStack() as stack:
        inside = [await stack.enter_async_context(Caller(deployment.bot.url)) for _ in range(4)]
        waiting = [Person(deployment.bot), Person(deployment.bot)]
        for position, person in enumerate(waiting, 1):
            with pytest.raises(CallRefused) as full:
                await person.call()
            assert (full.value.status, full.value.body["code"]) == (503, "at_capacity")
            assert full.value.body["queue_position"] == position
        assert (await deployment.bot.health())["status"] == "full"
        await inside[1].hangup()  # the second worker's

        async def gets_in() -> bool:
            assert await position_of(waiting[1]) == 2, "not before the first"
            return await position_of(waiting[0]) == 0

        await until(gets_in)
        assert await deployment.calls() == [2, 2]
        await converses(waiting[0].pages[-1])
        assert await waiting[0].bye(waiting[0].pages[-1]) == 200

        async def gets_in_too() -> bool:
            return await position_of(waiting[1]) == 0

        await until(gets_in_too)
        assert await waiting[1].bye(waiting[1].pages[-1]) == 200
        for person in waiting:
            await person.pages[-1].hangup()
    await deployment.bot.until_calls(0)


async def test_from_elsewhere_nothing_is_told_without_the_token(deployment: Deployment) -> None:
    asked = [("http://127.0.0.1", {"X-Forwarded-For": "203.0.113.9"})]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("203.0.113.9", 9))  # sends nothing; a machine without a network has no such route
        asked.append((f"http://{probe.getsockname()[0]}", {"Host": "localhost"}))
    port = deployment.bot.url.rpartition(":")[2]
    async with aiohttp.ClientSession() as http:
        for url, headers in asked:
            for path in ("/api/calls", "/api/events", "/metrics", "/workers/1/api/calls"):
                async with http.get(f"{url}:{port}{path}", headers=headers) as answer:
                    assert answer.status == 403
                    assert (await answer.json())["code"] == "no_token_set"


@pytest.mark.timed
async def test_a_worker_that_is_killed_is_replaced_and_the_others_do_not_notice(deployment: Deployment) -> None:
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Caller(deployment.bot.url)) for _ in range(4)]
        assert await deployment.calls() == [2, 2]
        victims, others = callers[0::2], callers[1::2]
        for caller in others:
            caller.type_text("what can you do")
        await asyncio.gather(*(until_state(caller, "speaking") for caller in others))
        old = deployment.pids
        os.kill(old[0], signal.SIGKILL)

        async def noticed() -> bool:
            return any("worker 0 was killed by SIGKILL" in line for line in deployment.bot.lines)

        await until(noticed)
        with pytest.raises(CallRefused) as refused:
            await Caller(deployment.bot.url).connect()
        assert (refused.value.status, refused.value.body["code"]) == (503, "at_capacity"), "the other one is full"
        goodbye = {"pc_id": victims[0].pc_id}
        async with (
            aiohttp.ClientSession() as http,
            http.delete(f"{deployment.bot.url}/api/offer", json=goodbye) as answer,
        ):
            assert answer.status == 404, "nobody knows that call any more"
        await until(deployment.both)
        assert deployment.pids[1] == old[1]
        assert deployment.pids[0] != old[0]
        again = await stack.enter_async_context(Caller(deployment.bot.url))
        assert await deployment.calls() == [1, 2]
        await converses(again)
        for caller in others:
            assert not any(played["cut"] for played in told(caller, "reply-played"))
            await converses(caller)
            arrivals = np.array([packet.arrival_secs for packet in caller.recording.packets])
            assert np.max(np.diff(arrivals)) <= MAX_GAP_SECS
    await deployment.bot.until_calls(0)


async def test_a_stop_lets_the_calls_of_all_workers_come_to_an_end(deployment: Deployment) -> None:
    """The last of those who share the bot."""
    bot, pids = deployment.bot, deployment.pids
    async with Caller(bot.url) as speaking, Caller(bot.url) as listening:
        speaking.type_text("When are you open?")
        await until_state(speaking, "speaking")
        for pid in (bot.pid, *pids):  # as a supervisor does that signals all processes of a service
            os.kill(pid, signal.SIGTERM)

        async def refuses() -> bool:
            with pytest.raises(CallRefused) as refused:
                await Caller(bot.url).connect()
            return refused.value.body["code"] == "stopping"

        await until(refuses)

        async def parted() -> bool:
            last = [told(caller, "reply-played")[-1:] for caller in (speaking, listening)]
            return all(played and played[0]["heard"].strip().endswith("Goodbye.") for played in last)

        await until(parted)
    assert not told(speaking, "reply-played")[0]["cut"]

    async def gone() -> bool:
        return not any(is_running(pid) for pid in (bot.pid, *pids))

    await until(gone)


async def kill_what_started(workers: list[int]) -> None:
    async with real_bot(**SETTINGS) as bot:
        workers += Deployment(bot).pids
        os.kill(bot.pid, signal.SIGKILL)


async def test_workers_die_with_what_started_them() -> None:
    pids: list[int] = []
    with pytest.raises(AssertionError, match="did not stop cleanly"):
        await kill_what_started(pids)

    async def gone() -> bool:
        return not any(is_running(pid) for pid in pids)

    assert len(pids) == 2
    await until(gone)
