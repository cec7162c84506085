"""Server-sent events: made once for all, and not at all for nobody."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from server import event_stream
from server.event_stream import EventStream, TooManyWatchersError

PERIOD_SECS = 0.05


class Counter:
    def __init__(self) -> None:
        self.made = 0
        self.broken = False

    def __call__(self) -> dict[str, int]:
        if self.broken:
            raise ValueError("no figure")
        self.made += 1
        return {"number": self.made}


@asynccontextmanager
async def serving(make: Counter) -> AsyncIterator[tuple[TestClient, EventStream]]:
    stream = EventStream(make, period_secs=PERIOD_SECS)

    async def events(request: web.Request) -> web.StreamResponse:
        try:
            return await stream.serve(request)
        except TooManyWatchersError:
            return web.Response(status=503)

    app = web.Application()
    app.router.add_get("/", events)
    async with TestClient(TestServer(app)) as client:
        try:
            yield client, stream
        finally:
            stream.close()


async def next_number(response: ClientResponse) -> int:
    async with asyncio.timeout(5):
        while not (line := await response.content.readline()).startswith(b"data: "):
            pass
    return json.loads(line.removeprefix(b"data: "))["number"]


async def until_quiet(make: Counter) -> int:
    """Wait until messages are no longer made; returns how many there were."""
    async with asyncio.timeout(5):
        while True:
            before = make.made
            await asyncio.sleep(4 * PERIOD_SECS)
            if make.made == before:
                return before


async def test_nothing_is_made_before_somebody_watches_or_after_everybody_left():
    make = Counter()
    async with serving(make) as (client, _):
        await asyncio.sleep(2 * PERIOD_SECS)
        assert make.made == 0
        response = await client.get("/")
        assert response.headers["Content-Type"] == "text/event-stream"
        assert [await next_number(response) for _ in range(3)] == [1, 2, 3]
        response.close()
        made = await until_quiet(make)
        again = await client.get("/")
        assert await next_number(again) == made + 1
        again.close()


async def test_one_message_serves_all_watchers():
    make = Counter()
    async with serving(make) as (client, _):
        watchers = [await client.get("/") for _ in range(5)]
        for _ in range(4):
            numbers = [await next_number(watcher) for watcher in watchers]
        assert max(numbers) - min(numbers) <= 1
        assert make.made <= max(numbers) + 1
        for watcher in watchers:
            watcher.close()


async def test_a_figure_that_fails_does_not_end_the_stream():
    make = Counter()
    async with serving(make) as (client, _):
        response = await client.get("/")
        assert await next_number(response) == 1
        make.broken = True
        await asyncio.sleep(2 * PERIOD_SECS)
        make.broken = False
        before = make.made
        while await next_number(response) <= before:
            pass
        response.close()


async def test_when_the_server_stops_all_are_let_go():
    async with serving(Counter()) as (client, stream):
        response = await client.get("/")
        await next_number(response)
        stream.close()
        async with asyncio.timeout(5):
            await response.content.read()


async def test_there_is_a_limit(monkeypatch):
    monkeypatch.setattr(event_stream, "MAX_WATCHERS", 1)
    async with serving(Counter()) as (client, _):
        first = await client.get("/")
        assert (await client.get("/")).status == 503
        first.close()
