"""One port before several workers: who gets what, and what the workers believe. The workers run in this process."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from observe.call_registry import CallRegistry
from processors import compat
from server.access import Access
from server.calls import CALLS
from server.dashboard import Sources, add_dashboard
from server.dispatch import Dispatcher
from server.event_stream import EventStream
from server.reverse_proxy import ReverseProxy, make_proxy_app
from server.signalling import make_app
from server.worker import HEADERS, HELD_PATH, PLACE_HEADER, REMOTE_HEADER, SECRET_HEADER, ProxyLink, WorkerConfig
from tests.server.test_signalling import Limits, offer, post
from transports.webrtc import WebRTCCall

SECRET = "the-secret-of-this-start"
TOKEN = "a-token-of-some-length"
ELSEWHERE = {"X-From": "203.0.113.9"}
GUARDED = ["/api/events", "/api/calls", "/api/calls/1", "/metrics", "/workers/1/api/calls", "/workers/1/metrics"]


@dataclass
class Urls:
    """Stands in for :class:`server.workers.Workers`."""

    servers: list[TestServer] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.servers)

    async def look(self) -> None:
        """Nothing is news here."""

    def url(self, index: int) -> str:
        server = self.servers[index]
        return "" if server.closed else str(server.make_url("")).rstrip("/")


@dataclass
class Deployment:
    client: TestClient
    dispatcher: Dispatcher
    workers: list[TestServer]
    streams: list[EventStream]
    limits: list[Limits]
    lost: set[int] = field(default_factory=set)

    def lose(self, worker: int) -> None:
        self.lost.add(worker)
        self.dispatcher.lost(worker)

    async def poll(self) -> None:
        """Tell what the workers hold, as :class:`server.workers.Workers` does."""
        loop = asyncio.get_running_loop()
        while True:
            for index in set(range(len(self.workers))) - self.lost:
                now = loop.time()
                self.dispatcher.told(index, **self.workers[index].app[CALLS].held(), asked_at=now, now=now)
            await asyncio.sleep(0.1)

    def calls(self) -> list[int]:
        return [len(worker.app[CALLS]) for worker in self.workers]


@web.middleware
async def from_elsewhere(request: web.Request, handler: Any) -> web.StreamResponse:
    """A client whose address is what it says."""
    return await handler(request.clone(remote=request.headers.get("X-From", "127.0.0.1")))


@asynccontextmanager
async def deployment(
    count: int = 2, *, token: str = "", max_calls: int = 2, **limits: int
) -> AsyncIterator[Deployment]:
    compat.install()

    async def wait(call: WebRTCCall) -> None:
        await call.closed.wait()

    async with AsyncExitStack() as stack:
        urls, streams, told = Urls(), [], []
        dispatcher = Dispatcher(count, max_calls, **limits)
        for index in range(count):
            told.append(Limits(max_calls=max_calls))
            app = make_app(told[-1], wait, info=lambda index=index: {"worker": index})
            ProxyLink(WorkerConfig(index, count, SECRET), io.BytesIO()).guard(app)
            sources = Sources(CallRegistry(), lambda: max_calls, SecretStr(token))
            streams.append(add_dashboard(app, sources, period_secs=0.02))
            server = await stack.enter_async_context(TestServer(app))
            urls.servers.append(server)
        http = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        proxy = ReverseProxy(dispatcher, urls, http, SECRET)  # type: ignore[arg-type]
        app = make_proxy_app(proxy, Access(SecretStr(token)))
        app.middlewares.insert(0, from_elsewhere)
        client = await stack.enter_async_context(TestClient(TestServer(app)))
        it = Deployment(client, dispatcher, urls.servers, streams, told)
        for index in range(count):
            dispatcher.ready(index, asyncio.get_running_loop().time())
        polling = asyncio.create_task(it.poll())
        stack.callback(polling.cancel)
        yield it


def caller(name: str) -> dict[str, Any]:
    return {"requestData": {"caller_token": (name + "abcdefghijklmnopqrstuvwxyz")[:26]}}


async def test_calls_spread_and_what_is_about_them_reaches_them():
    async with deployment() as it:
        names = []
        *bodies, again = [(await offer())[1] for _ in range(3)]
        for body in bodies:
            status, answer = await post(it.client, body)
            assert status == 200
            names.append(answer["pc_id"])
        assert it.calls() == [1, 1]
        for name in reversed(names):
            body = {"pc_id": name, "candidates": [{"candidate": "", "sdp_mid": "0", "sdp_mline_index": 0}]}
            assert (await it.client.patch("/api/offer", json=body)).status == 200
        status, answer = await post(it.client, {**again, "pc_id": names[1], "restart_pc": True})
        assert status == 200
        assert it.calls() == [1, 1], "an offer of a call that stands begins none"
        assert (await it.client.delete("/api/offer", json={"pc_id": answer["pc_id"]})).status == 200
        assert (await it.client.delete("/api/offer", json={"pc_id": names[0]})).status == 200
        unknown = await it.client.delete("/api/offer", json={"pc_id": "nobody"})
        assert (unknown.status, (await unknown.json())["code"]) == (404, "unknown_pc_id")
        async with asyncio.timeout(5):
            while it.calls() != [0, 0]:
                await asyncio.sleep(0.01)


async def test_a_caller_s_second_page_reaches_the_worker_that_has_the_call():
    async with deployment() as it:
        bodies = [(await offer())[1] for _ in range(4)]
        for name, body in zip(("anna", "ben", "ben", "anna"), bodies, strict=True):
            status, _ = await post(it.client, {**body, **caller(name)})
            assert status == 200
        assert it.calls() == [1, 1]


async def test_many_pages_of_one_caller_at_once_are_one_call():
    async with deployment(max_calls=9) as it:
        bodies = [(await offer())[1] for _ in range(6)]
        answers = await asyncio.gather(*(post(it.client, {**body, **caller("anna")}) for body in bodies))
        assert [status for status, _ in answers] == [200] * 6
        assert sorted(it.calls()) == [0, 1]


async def test_a_full_bot_has_one_queue():
    async with deployment(max_calls=1) as it:
        bodies = [(await offer())[1] for _ in range(4)]  # before the first, which is not connected, is given up
        for _ in range(2):
            assert (await post(it.client, bodies.pop()))[0] == 200
        for position, name in enumerate(("anna", "ben"), 1):
            answer = await it.client.post("/api/offer", json={**bodies.pop(), **caller(name)})
            body = await answer.json()
            assert (answer.status, body["code"], body["queue_position"]) == (503, "at_capacity", position)
            assert answer.headers["Retry-After"] == str(body["retry_after_secs"])


async def test_a_worker_that_refuses_leads_to_the_next():
    async with deployment(max_calls=2) as it:
        it.limits[0].max_calls = 0  # full of what the proxy knows nothing of
        assert (await post(it.client, (await offer())[1]))[0] == 200
        assert it.calls() == [0, 1]
        it.limits[1].max_calls = 0
        status, body = await post(it.client, {**(await offer())[1], **caller("anna")})
        assert (status, body["code"], body["queue_position"]) == (503, "at_capacity", 1)


async def test_a_worker_that_is_gone_leads_to_the_next_and_without_any_there_is_a_reason():
    async with deployment(max_calls=9) as it:
        await it.workers[0].close()
        assert (await post(it.client, (await offer())[1]))[0] == 200
        it.lose(0)
        assert (await it.client.get("/health")).status == 200
        it.lose(1)
        answer = await it.client.post("/api/offer", json=(await offer())[1])
        assert (answer.status, (await answer.json())["code"]) == (503, "no_worker")
        assert answer.headers["Retry-After"]
        down = await it.client.get("/health")
        assert (down.status, (await down.json())["status"]) == (503, "down")


async def test_what_is_wrong_is_told_as_by_one_process_and_counted():
    async with deployment(max_calls=9, offers_per_minute=1) as it:
        assert (await post(it.client, b"not json"))[1]["code"] == "bad_json"
        assert (await post(it.client, {"sdp": "hello", "type": "offer"}))[1]["code"] == "no_audio"
        assert it.dispatcher.taken(0) == it.dispatcher.taken(1) == 0
        weak = {"requestData": {"caller_token": "1234"}}
        assert (await post(it.client, {**(await offer())[1], **weak}))[1]["code"] == "weak_token"
        for status in (200, 429):
            answer = await it.client.post("/api/offer", json=(await offer())[1], headers=ELSEWHERE)
            assert answer.status == status
        assert (await answer.json())["code"] == "too_many_offers"
        text = await (await it.client.get("/metrics")).text()
        assert 'parley_calls_refused_total{worker="proxy",code="too_many_offers"} 1.0' in text
        assert 'parley_calls_refused_total{worker="0",code="no_audio"} 1.0' in text


async def test_who_is_sent_on_by_a_worker_is_not_counted_as_refused_there():
    async with deployment(max_calls=2) as it:
        it.limits[0].max_calls = 0
        bodies = [{**(await offer())[1], **caller("anna")} for _ in range(2)]
        status, answer = await post(it.client, bodies[0])
        assert status == 200
        goodbye = {"pc_id": answer["pc_id"], **caller("anna")}
        assert (await it.client.delete("/api/offer", json=goodbye)).status == 200
        it.limits[1].max_calls = 0
        assert (await post(it.client, bodies[1]))[1]["code"] == "at_capacity"
        text = await (await it.client.get("/metrics")).text()
        refused = [line for line in text.splitlines() if line.startswith("parley_calls_refused_total")]
        assert refused == ['parley_calls_refused_total{worker="proxy",code="at_capacity"} 1.0']


@pytest.mark.parametrize("path", GUARDED)
async def test_from_elsewhere_the_token_is_asked_for_through_the_front_too(path):
    async with deployment() as it:
        here = await it.client.get(path)
        assert here.status == (404 if path.endswith("/calls/1") else 200)
        here.close()
        for headers in (ELSEWHERE, {"X-Forwarded-For": "203.0.113.9"}, {"Host": "evil.example"}):
            refused = await it.client.get(path, headers=headers)
            assert (refused.status, (await refused.json())["code"]) == (403, "no_token_set")
    async with deployment(token=TOKEN) as it:
        refused = await it.client.get(path, headers=ELSEWHERE)
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"]
        passed = await it.client.get(path, headers={**ELSEWHERE, "Authorization": f"Bearer {TOKEN}"})
        assert passed.status != 401
        passed.close()


async def test_nobody_speaks_for_the_front():
    async with deployment() as it:
        # Straight to a worker, from this machine: neither without the secret nor with a guess.
        async with aiohttp.ClientSession() as http:
            for path in ("/api/calls", "/metrics", HELD_PATH, "/", "/api/offer"):
                for headers in ({}, {SECRET_HEADER: "guess"}, {REMOTE_HEADER: "127.0.0.1"}):
                    async with http.get(it.workers[0].make_url(path), headers=headers) as answer:
                        assert (answer.status, (await answer.json())["code"]) == (403, "not_the_front")
        # Through the proxy: what a client says in the proxy's place goes no further.
        lies = {REMOTE_HEADER: "127.0.0.1", SECRET_HEADER: SECRET, PLACE_HEADER: "mine"}
        assert (await it.client.get("/api/calls", headers={**ELSEWHERE, **lies})).status == 403
        assert set(lies) == set(HEADERS)
        # Nor may a client have a proxy's headers taken away as if they were for one hop only.
        hop = {"X-Forwarded-For": "203.0.113.9", "Connection": "X-Forwarded-For"}
        assert (await it.client.get("/api/calls", headers=hop)).status == 403
        # Nor is what only the proxy may ask to be had from it.
        assert (await it.client.get(HELD_PATH)).status == 404
        assert (await it.client.get(f"/workers/0{HELD_PATH}")).status == 404


@pytest.mark.parametrize("host", [b"", b"Host:\r\n"])
async def test_a_request_that_does_not_say_what_it_asked_for_is_not_from_here(host):
    async with deployment() as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.client.port)
        writer.write(b"GET /api/calls HTTP/1.0\r\n" + host + b"\r\n")
        assert b" 403 " in await reader.readline()
        writer.close()


async def test_figures_are_put_together():
    async with deployment(max_calls=3) as it:
        bodies = [(await offer())[1] for _ in range(3)]
        for body in bodies:
            assert (await post(it.client, body))[0] == 200
        health = await (await it.client.get("/health")).json()
        assert health == {"status": "ok", "calls": 3, "max_calls": 6, "workers": 2, "workers_ready": 2}
        stats = await (await it.client.get("/stats?reset=1")).json()
        assert stats["calls"] == 3
        assert stats["lag_max_ms"] >= stats["lag_p50_ms"] >= 0
        answer = await it.client.get("/metrics")
        families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
        most = {sample.labels["worker"]: sample.value for sample in families["parley_calls_max"].samples}
        assert most == {"0": 3, "1": 3}
        (ready,) = families["parley_workers_ready"].samples
        assert (ready.labels, ready.value) == ({"worker": "proxy"}, 2)


async def test_a_balancer_learns_when_new_calls_must_not_come():
    async with deployment(max_calls=1) as it:
        assert (await it.client.get("/ready")).status == 200
        it.dispatcher.stop()
        ready = await it.client.get("/ready")
        assert (ready.status, (await ready.json())["status"]) == (503, "draining")
        assert (await (await it.client.get("/health")).json())["status"] == "draining"
        it.lose(0)
        it.lose(1)
        assert (await (await it.client.get("/ready")).json())["status"] == "down"


async def test_each_worker_has_its_dashboard():
    async with deployment() as it:
        for path in ("/", "/dashboard", "/dashboard/calls/1", "/workers/1/dashboard", "/workers/1/dashboard/calls/1"):
            answer = await it.client.get(path)
            assert (answer.status, answer.content_type) == (200, "text/html")
        assert (await it.client.get("/workers/1/dashboard/access.js")).content_type == "text/javascript"
        talk = await it.client.get("/workers/1/", allow_redirects=False)
        assert (talk.status, talk.headers["Location"]) == (302, "../../")
        assert (await it.client.get("/workers/7/api/calls")).status == 404
        assert (await it.client.post("/workers/1/api/offer", json=(await offer())[1])).status in (404, 405)
        assert (await (await it.client.get("/api/info")).json())["worker"] == 0
        it.lose(0)
        assert (await (await it.client.get("/api/info")).json())["worker"] == 1


async def test_events_stream_until_the_client_goes():
    async with deployment() as it:
        for path, stream in (("/api/events", it.streams[0]), ("/workers/1/api/events", it.streams[1])):
            async with it.client.get(path) as answer:
                assert answer.headers["Content-Type"] == "text/event-stream"
                seen = 0
                async for line in answer.content:
                    if line.startswith(b"data: "):
                        assert json.loads(line.removeprefix(b"data: "))["calls"] == []
                        seen += 1
                    if seen == 3:
                        break
                assert stream._watchers == 1
                answer.close()
            async with asyncio.timeout(5):
                while stream._watchers:
                    await asyncio.sleep(0.01)
