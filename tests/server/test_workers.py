"""Processes that are kept running, with small programs in the place of the bot."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from loguru import logger

from server import workers as workers_module
from server.dispatch import Dispatcher
from server.worker import WorkerConfig
from server.workers import Workers

READY = """
import json, sys, time
index = json.loads(sys.stdin.readline())["index"]
def ready():
    print("Parley is ready: http://127.0.0.1:9", flush=True)
"""
DIES = READY + "ready(); sys.exit(3)"
STAYS = READY + "ready(); time.sleep(60)"
OBEYS = READY + "ready(); sys.stdin.readline()"
NEVER_READY = READY + "sys.exit(2)"
SECOND_NEVER_READY = READY + "sys.exit(2) if index else (ready(), time.sleep(60))"


@pytest.fixture
def log() -> AsyncIterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="INFO")
    yield lines
    logger.remove(sink)


@asynccontextmanager
async def running(program: str, count: int = 2) -> AsyncIterator[Workers]:
    configs = [WorkerConfig(index, count, "secret") for index in range(count)]
    async with aiohttp.ClientSession() as http:
        workers = Workers([sys.executable, "-c", program], os.environ, configs, Dispatcher(count, 1), http)
        try:
            yield workers
        finally:
            await workers.kill()


async def until(log: list[str], *words: str) -> None:
    async with asyncio.timeout(10):
        while not all(any(word in line for line in log) for word in words):
            await asyncio.sleep(0.01)


async def test_one_that_dies_comes_back_later_each_time(log, monkeypatch):
    monkeypatch.setattr(workers_module, "FIRST_PAUSE_SECS", 0.01)
    monkeypatch.setattr(workers_module, "MOST_PAUSE_SECS", 0.03)
    async with running(DIES, 1) as workers:
        assert await workers.start() == 0
        await until(
            log, *(f"worker 0 ended with code 3; another one starts in {secs} s" for secs in (0.01, 0.02, 0.03))
        )


async def test_one_that_hangs_is_killed(log, monkeypatch):
    monkeypatch.setattr(workers_module, "HUNG_SECS", 0.1)
    async with running(STAYS, 1) as workers:
        assert await workers.start() == 0
        await until(log, "worker 0 has not answered", "worker 0 was killed by SIGKILL")


@pytest.mark.parametrize("program", [NEVER_READY, SECOND_NEVER_READY])
async def test_a_start_that_fails_tells_how_and_is_not_tried_again(log, program):
    async with running(program) as workers:
        assert await workers.start() == 2
    assert not any("another one starts" in line for line in log)


async def test_an_order_to_stop_reaches_all():
    async with running(OBEYS) as workers:
        assert await workers.start() == 0
        workers.stop()
        async with asyncio.timeout(10):
            await workers.ended()


async def test_what_cannot_be_started_is_told(log):
    async with aiohttp.ClientSession() as http:
        workers = Workers(["/no/such/program"], os.environ, [WorkerConfig(0, 1, "secret")], Dispatcher(1, 1), http)
        assert await workers.start() == 1
        await workers.kill()
    assert log == ["worker 0 cannot be started: No such file or directory"]
