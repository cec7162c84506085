"""Signalling over HTTP: what is answered, what is refused and why, and what is freed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiortc import RTCPeerConnection, RTCSessionDescription

from processors import compat
from server.calls import CALLS
from server.ice_servers import IceServers
from server.signalling import make_app
from transports.client_messages import MessageLimits
from transports.webrtc import WebRTCCall


@dataclass
class Limits:
    max_calls: int = 2
    ice_servers: IceServers = field(default_factory=IceServers)
    connect_timeout_secs: float = 1.0
    hold_secs: float = 30.0
    max_loop_lag_ms: float = 0.0
    offers_per_minute: int = 0
    calls_per_address: int = 0
    calls_per_caller: int = 0
    message_limits: MessageLimits = field(default_factory=MessageLimits)


@asynccontextmanager
async def server(limits: Limits | None = None, start_call=None, places=None) -> AsyncIterator[TestClient]:
    compat.install()

    async def wait(call: WebRTCCall) -> None:
        await call.closed.wait()

    app = make_app(limits or Limits(), start_call or wait, info=lambda: {"warnings": ["one"]}, places=places)
    async with TestClient(TestServer(app)) as client:
        yield client


async def offer(*, audio=True, video=False) -> tuple[RTCPeerConnection, dict]:
    pc = RTCPeerConnection()
    pc.createDataChannel("chat")
    if audio:
        pc.addTransceiver("audio")
    if video:
        pc.addTransceiver("video")
    await pc.setLocalDescription(await pc.createOffer())
    return pc, {"sdp": pc.localDescription.sdp, "type": pc.localDescription.type}


async def post(client, body, **kwargs):
    data = body if isinstance(body, bytes) else json.dumps(body)
    headers = {"Content-Type": "application/json", **kwargs.pop("headers", {})}
    answer = await client.post("/api/offer", data=data, headers=headers, **kwargs)
    return answer.status, await answer.json()


async def calls(client) -> int:
    return (await (await client.get("/health")).json())["calls"]


async def until_calls(client, wanted, secs=10.0):
    async with asyncio.timeout(secs):
        while await calls(client) != wanted:
            await asyncio.sleep(0.02)


async def test_an_offer_is_answered_and_connects_and_hanging_up_frees_it():
    async with server() as client:
        pc, body = await offer()
        status, answer = await post(client, {**body, "requestData": {"who": "me"}})
        assert status == 200
        assert set(answer) == {"sdp", "type", "pc_id"}
        assert "127.0.0.1" in answer["sdp"]
        assert "useinbandfec=1" in answer["sdp"]
        await pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        async with asyncio.timeout(10):
            while pc.connectionState != "connected":
                await asyncio.sleep(0.02)
        assert await calls(client) == 1
        await pc.close()
        await until_calls(client, 0)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"not json", 400, "bad_json"),
        (b"", 400, "bad_json"),
        ({}, 422, "bad_field"),
        ([], 422, "bad_field"),
        ({"sdp": "", "type": "offer"}, 422, "bad_field"),
        ({"sdp": 5, "type": "offer"}, 422, "bad_field"),
        ({"sdp": "v=0", "type": "answer"}, 422, "bad_field"),
        ({"sdp": "hello", "type": "offer"}, 400, "no_audio"),
        ({"sdp": "v=0\r\nm=audio x y z\r\n", "type": "offer"}, 400, "bad_sdp"),
        ({"sdp": "v=0", "type": "offer", "pc_id": "nobody"}, 404, "unknown_pc_id"),
        (b'{"sdp": "' + b"x" * 70_000 + b'", "type": "offer"}', 413, "too_large"),
    ],
)
async def test_what_is_no_offer_is_refused_with_a_reason(body, status, code):
    async with server() as client:
        got, answer = await post(client, body)
        assert (got, answer["code"]) == (status, code)
        assert answer["reason"]
        assert await calls(client) == 0


async def test_video_alone_is_refused_and_beside_audio_declined():
    async with server() as client:
        pc, body = await offer(audio=False, video=True)
        status, answer = await post(client, body)
        assert (status, answer["code"]) == (400, "no_audio")
        await pc.close()
        pc, body = await offer(video=True)
        status, answer = await post(client, body)
        assert status == 200
        video = answer["sdp"].split("m=video")[1]
        assert "a=inactive" in video
        await pc.close()


async def test_a_full_bot_says_so_and_when_to_come_back():
    async with server(Limits(max_calls=1)) as client:
        pc, body = await offer()
        assert (await post(client, body))[0] == 200
        answer = await client.post("/api/offer", json=body)
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "2"
        assert await answer.json() == {
            "code": "at_capacity",
            "reason": "all lines are busy",
            "retry_after_secs": 2,
            "queue_position": 1,
        }
        assert (await (await client.get("/health")).json())["status"] == "full"
        await pc.close()


async def test_the_queue_is_kept_in_order():
    async with server(Limits(max_calls=1)) as client:
        pc, body = await offer()
        _, first = await post(client, body)
        names = ["anna-0123456789abcdefghijk", "ben-0123456789abcdefghijkl"]
        asked = [{**body, "requestData": {"caller_token": name}} for name in names]
        for position, each in enumerate(asked, 1):
            assert (await post(client, each))[1]["queue_position"] == position
        await client.delete("/api/offer", json={"pc_id": first["pc_id"]})
        await until_calls(client, 0)
        assert (await post(client, asked[1]))[1]["queue_position"] == 2, "the free line is for the first"
        assert (await post(client, asked[0]))[0] == 200
        assert (await post(client, asked[1]))[1]["queue_position"] == 1
        await pc.close()


async def test_processes_that_share_a_limit_share_the_calls():
    class Places:
        left = 1
        given_back = 0

        async def take(self, name):
            self.left -= 1
            return self.left >= 0

        async def give_back(self, name):
            self.given_back += 1

    places = Places()
    async with server(Limits(max_calls=5), places=places) as client:
        pc, body = await offer()
        _, first = await post(client, body)
        status, told = await post(client, body)
        assert (status, told["code"], told["queue_position"]) == (503, "at_capacity", 1)
        await client.delete("/api/offer", json={"pc_id": first["pc_id"]})
        await until_calls(client, 0)
        assert places.given_back == 1
        await pc.close()


async def test_one_address_may_not_ask_without_end(monkeypatch):
    monkeypatch.setattr("server.signalling.address_of", lambda request: "203.0.113.7")
    async with server(Limits(offers_per_minute=3)) as client:
        for _ in range(3):
            assert (await post(client, {"sdp": "v=0", "type": "offer"}))[0] == 400
        status, told = await post(client, {"sdp": "v=0", "type": "offer"})
        assert (status, told["code"]) == (429, "too_many_offers")
        assert 1 <= told["retry_after_secs"] <= 20


async def test_a_server_that_stops_takes_no_calls_and_lets_the_others_part():
    parted = []

    async def parts(call):
        call.part = lambda: (parted.append(call), call.hang_up())
        await call.closed.wait()

    async with server(Limits(max_calls=3), start_call=parts) as client:
        pc, body = await offer()
        assert (await post(client, body))[0] == 200
        await asyncio.sleep(0)
        await client.app[CALLS].drain(5.0)
        assert len(parted) == 1
        assert await calls(client) == 0
        answer = await client.post("/api/offer", json=body)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        assert (await answer.json())["code"] == "stopping"
        await pc.close()


async def test_a_stop_lets_calls_come_to_their_own_end_and_tells_the_balancer_first(monkeypatch):
    monkeypatch.setattr("server.calls.PARTING_SECS", 0.3)
    began, parted = [], []

    async def runs(call):
        began.append(call)
        call.part = lambda: (parted.append((call, asyncio.get_running_loop().time())), call.hang_up())
        await call.closed.wait()

    async with server(Limits(max_calls=3), start_call=runs) as client:
        assert (await client.get("/ready")).status == 200
        pcs = []
        for _ in range(3):
            pc, body = await offer()
            pcs.append(pc)
            assert (await post(client, body))[0] == 200
        loop = asyncio.get_running_loop()
        at = loop.time()
        draining = asyncio.create_task(client.app[CALLS].drain(0.9))
        await asyncio.sleep(0)
        ready = await client.get("/ready")
        assert (ready.status, (await ready.json())["status"]) == (503, "draining")
        health = await client.get("/health")
        assert (health.status, (await health.json())["status"]) == (200, "draining")
        assert (await post(client, body))[1]["code"] == "stopping"
        began[0].hang_up()  # the caller's own end, which nobody hurried
        await until_calls(client, 2)
        assert not parted
        await draining
        assert [call for call, _ in parted] == began[1:]
        assert all(0.55 <= when - at <= 0.9 for _, when in parted), "shortly before the end, and not before"
        for pc in pcs:
            await pc.close()


async def test_a_stop_waits_no_longer_than_for_the_last_call():
    async with server(Limits(max_calls=3)) as client:
        pc, body = await offer()
        _, answer = await post(client, body)
        loop = asyncio.get_running_loop()
        at = loop.time()
        draining = asyncio.create_task(client.app[CALLS].drain(60.0))
        await client.delete("/api/offer", json={"pc_id": answer["pc_id"]})
        await draining
        assert loop.time() - at < 10.0
        await pc.close()


async def test_an_offer_that_never_connects_is_freed():
    async with server(Limits(connect_timeout_secs=0.5)) as client:
        pc, body = await offer()
        assert (await post(client, body))[0] == 200
        assert await calls(client) == 1
        await until_calls(client, 0, 8)
        await pc.close()


async def test_a_pipeline_that_ends_or_breaks_ends_the_call():
    async def breaks(call):
        raise RuntimeError("inside")

    async with server(start_call=breaks) as client:
        pc, body = await offer()
        assert (await post(client, body))[0] == 200
        await until_calls(client, 0)
        await pc.close()


async def test_candidates():
    async with server() as client:
        pc, body = await offer()
        pc_id = (await post(client, body))[1]["pc_id"]
        line = "candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host"
        good = {"candidate": line, "sdp_mid": "0", "sdp_mline_index": 0}
        for candidates, status in (([good], 200), ([{**good, "candidate": ""}], 200), ([{"candidate": "x"}], 400)):
            answer = await client.patch("/api/offer", json={"pc_id": pc_id, "candidates": candidates})
            assert answer.status == status, await answer.text()
        answer = await client.patch("/api/offer", json={"pc_id": "nobody", "candidates": [good]})
        assert answer.status == 404
        await pc.close()


async def test_the_page_is_served_and_nothing_beside_it():
    async with server() as client:
        page = await client.get("/")
        assert page.status == 200
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert (await client.get("/main.js")).headers["Content-Type"] == "text/javascript; charset=utf-8"
        for path in ("/../bot.py", "/%2e%2e/bot.py", "/.env", "/nothing.html", "/\0"):
            answer = await client.get(path)
            assert answer.status == 404, path
        assert (await client.put("/api/offer")).status == 405
        assert (await (await client.get("/api/info")).json()) == {"warnings": ["one"]}
