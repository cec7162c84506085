"""Several processes, one real Redis: what they share, and how they go on without it."""

import asyncio
import contextlib
import shutil
import socket

import pytest
import redis.asyncio

from admission.shared_places import RedisPlaces
from contracts.llm import Finish, InQueue, Quota, TextDelta
from gateway.model import Endpoint, Gateway
from gateway.policy import Charge, Choice
from gateway.shared_budget import RedisBudget

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")

RPM, TPM = Quota.REQUESTS_PER_MINUTE, Quota.TOKENS_PER_MINUTE
LIMITS = {RPM: (5.0, 60.0), TPM: (10_000.0, 60.0)}


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    """A real Redis that can be stopped and started again."""

    def __init__(self):
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            "redis-server",
            "--port",
            str(self.port),
            "--save",
            "",
            "--appendonly",
            "no",
            stdout=asyncio.subprocess.DEVNULL,
        )
        client = redis.asyncio.from_url(self.url)
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(redis.ConnectionError):
                    if await client.ping():
                        break
                await asyncio.sleep(0.05)
        await client.aclose()

    async def stop(self):
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@contextlib.asynccontextmanager
async def running_redis():
    server = Server()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.mark.timed
async def test_no_two_processes_take_the_same_last_request():
    async with running_redis() as server:
        budgets = [RedisBudget.at(server.url) for _ in range(4)]
        loop = asyncio.get_running_loop()
        began = loop.time()
        waits = await asyncio.gather(*(budget.reserve("m", Charge(100, LIMITS)) for budget in budgets * 3))
        took_secs = loop.time() - began
        assert sorted(waits)[:5] == [0.0] * 5
        assert all(12 - took_secs - 0.1 <= wait <= 12.1 for wait in sorted(waits)[5:])
        assert await budgets[0].reserve("another model", Charge(100, LIMITS)) == 0.0
        for budget in budgets:
            await budget.close()


async def test_all_limits_are_taken_from_or_none():
    async with running_redis() as server:
        budget = RedisBudget.at(server.url)
        assert await budget.reserve("m", Charge(9_000, LIMITS)) == 0.0
        assert await budget.reserve("m", Charge(2_000, LIMITS)) == pytest.approx(6, abs=0.5)
        for _ in range(4):  # what was refused cost no request
            assert await budget.reserve("m", Charge(1, LIMITS)) == 0.0
        await budget.close()


@pytest.mark.timed
async def test_without_redis_each_counts_for_itself():
    async with running_redis() as server:
        budget = RedisBudget.at(server.url)
        assert await budget.reserve("m", Charge(100, LIMITS)) == 0.0
        await server.stop()
        began = asyncio.get_running_loop().time()
        assert await budget.reserve("m", Charge(100, LIMITS)) == 0.0
        assert asyncio.get_running_loop().time() - began < 1.0
        assert budget.away
        assert [await budget.reserve("m", Charge(100, LIMITS)) for _ in range(20)] == [0.0] * 20
        await budget.close()


class Model:
    """Answers at once."""

    def __init__(self, name):
        self.name = name
        self.asked = 0

    async def warm(self, system_prompt, tools=()):
        pass

    async def stream(self, messages, tools=()):
        self.asked += 1
        yield TextDelta("Yes.")
        yield Finish("stop")

    async def close(self):
        pass


async def test_two_gateways_share_one_vendors_budget():
    async with running_redis() as server:
        models, gates = [Model("m"), Model("m")], []
        for model in models:
            choice = Choice("m", {RPM: 4.0})
            gates.append(Gateway([Endpoint(choice, model)], shared=RedisBudget.at(server.url)))
        for gate in gates:
            for _ in range(2):
                assert [delta async for delta in gate.stream([])] == [TextDelta("Yes."), Finish("stop")]
        stream = gates[0].stream([])
        first = await anext(stream)
        assert isinstance(first, InQueue), "two of its own are left, but the other has had them"
        assert first.wait_secs == pytest.approx(15, abs=1.5)
        assert sum(model.asked for model in models) == 4
        await stream.aclose()
        for gate in gates:
            await gate.close()


async def test_two_processes_share_the_calls():
    async with running_redis() as server:
        one, other = (RedisPlaces.at(server.url, 3) for _ in range(2))
        assert [await one.take("a"), await other.take("b"), await one.take("c")] == [True] * 3
        assert [await one.take("d"), await other.take("e")] == [False, False]
        await one.give_back("a")
        assert await other.take("e")
        await other.close()
        assert [await one.take("f"), await one.take("g"), await one.take("h")] == [True, True, False]
        await server.stop()
        assert await one.take("h"), "without Redis calls go on"
        await one.close()


@pytest.mark.timed
async def test_a_process_that_dies_gives_its_places_back(monkeypatch):
    monkeypatch.setattr("admission.shared_places.HELD_SECS", 0.3)
    monkeypatch.setattr("admission.shared_places.SAY_AGAIN_SECS", 0.1)
    async with running_redis() as server:
        dead, alive = (RedisPlaces.at(server.url, 2) for _ in range(2))
        assert await dead.take("a")
        assert await alive.take("b")
        dead._holding.cancel()
        await asyncio.sleep(0.5)
        assert await alive.take("c")
        assert not await alive.take("d"), "what is held is said again"
        await alive.close()
