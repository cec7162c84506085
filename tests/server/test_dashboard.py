"""The dashboard's addresses: what they answer, and to whom."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from loguru import logger
from pydantic import SecretStr

from contracts import provider_failures as vendors
from observe.call_registry import CallRegistry
from processors import compat
from server.dashboard import Sources, add_dashboard
from server.signalling import make_app
from tests.observe.calls import decision, opened, play, turn
from tests.server.test_signalling import Limits
from transports.webrtc import WebRTCCall

TOKEN = "a-token-of-some-length"
PAGES = ["/dashboard", "/dashboard/calls/1"]
ADDRESSES = [
    "/api/events",
    "/api/calls",
    "/api/calls/1",
    "/metrics",
]
FROM_ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}


@asynccontextmanager
async def dashboard(registry: CallRegistry, **sources: Any) -> AsyncIterator[TestClient]:
    compat.install()

    async def wait(call: WebRTCCall) -> None:
        await call.closed.wait()

    app = make_app(Limits(), wait)
    add_dashboard(app, Sources(registry, lambda: 2, **sources))
    async with TestClient(TestServer(app)) as client:
        yield client


async def first_event(client: TestClient) -> dict[str, Any]:
    async with client.get("/api/events") as response:
        assert response.headers["Cache-Control"] == "no-store"
        while not (line := await response.content.readline()).startswith(b"data: "):
            pass
        return json.loads(line.removeprefix(b"data: "))


@pytest.mark.parametrize("address", ADDRESSES)
async def test_from_elsewhere_everything_needs_the_token(address):
    async with dashboard(CallRegistry()) as client:
        refused = await client.get(address, headers=FROM_ELSEWHERE)
        body = await refused.json()
        assert (refused.status, body["code"]) == (403, "no_token_set")
        assert "DASHBOARD_TOKEN" in body["reason"]
    lines: list[str] = []
    sink = logger.add(lines.append, level="TRACE")
    registry = CallRegistry()
    async with dashboard(registry, token=SecretStr(TOKEN)) as client:
        opened(registry)
        refused = await client.get(address, headers={**FROM_ELSEWHERE, "Authorization": "Bearer guess"})
        assert (refused.status, (await refused.json())["code"]) == (401, "wrong_token")
        async with client.get(address, headers={**FROM_ELSEWHERE, "Authorization": f"Bearer {TOKEN}"}) as passed:
            assert passed.status == 200
        async with client.get(address) as from_here:
            assert from_here.status == 401, "a token that is set is asked for on this machine too"
    logger.remove(sink)
    assert TOKEN not in "".join(lines)


@pytest.mark.parametrize("address", PAGES)
async def test_the_pages_hold_nothing_of_a_call_and_ask_for_the_token_themselves(address):
    registry = CallRegistry()
    async with dashboard(registry, token=SecretStr(TOKEN)) as client:
        opened(registry, "a-name-of-a-call")
        page = await client.get(address, headers=FROM_ELSEWHERE)
        text = await page.text()
        assert page.status == 200
        assert 'id="door"' in text
        assert "a-name-of-a-call" not in text
        assert "'unsafe" not in text


async def test_calls_are_listed_and_told_one_by_one():
    registry = CallRegistry(lambda: {"llm": "groq"})
    async with dashboard(registry) as client:
        live, over = opened(registry, "first"), opened(registry, "second")
        play(live, turn())
        live.decided(103.0, decision())
        over.over(105.0, "the peer closed")
        body = await (await client.get("/api/calls")).json()
        assert [call["id"] for call in body["live"]] == ["1"]
        assert [(call["id"], call["end_reason"]) for call in body["ended"]] == [("2", "the peer closed")]
        assert (body["live"][0]["answer_ms"], body["live"][0]["verdicts"]) == (600, {"resume": 1})
        whole = await (await client.get("/api/calls/first")).json()
        assert [moment["kind"] for moment in whole["moments"]] == ["turn", "decision"]
        newer = await (await client.get(f"/api/calls/1?after={whole['revision']}&level=3")).json()
        assert (newer["moments"], newer["levels"]["first"]) == ([], 3)
        assert (await client.get("/api/calls/nobody")).status == 404
        assert (await client.get("/api/calls/1?after=x")).status == 422


async def test_an_event_tells_everything_at_once():
    registry = CallRegistry()
    gateway = {"queue": {"length": 3}}
    sources = {"info": lambda: {"providers": {"llm": "groq"}, "warnings": ["one"]}, "gateway": lambda: gateway}
    async with dashboard(registry, **sources, cost=lambda: {"groq": 0.5}) as client:
        record = opened(registry)
        play(record, turn(answer_ms=900))
        play(record, turn(2), error="HTTP 500")
        record.decided(103.0, decision(wrong=None))
        registry.refused("at_capacity")
        vendors.report_failure("tts", "azure", "no audio")
        event = await first_event(client)
    assert [call["id"] for call in event["calls"]] == ["1"]
    assert event["providers"] == {"llm": "groq"}
    assert event["warnings"] == ["one"]
    assert (event["capacity"]["live"], event["capacity"]["max"], event["capacity"]["left"]) == (1, 2, 1)
    assert event["latency"]["voice_to_voice"]["p95"] == 900
    assert [answer[1] for answer in event["recent"]] == [900, 600]
    assert event["success"] == {"answered": 1, "failed": 1, "share": 0.5, "least": 0.995}
    assert event["failures"] == {"HTTP #": 1}
    assert event["refused"] == {"at_capacity": 1}
    assert event["vendor_errors"] == {"tts azure: no audio": 1}
    assert event["interruptions"] == {"resume": {"open": 1, "right": 0, "wrong": 0}}
    assert event["decisions"][0]["text"] == "mhm"
    assert (event["gateway"], event["cost"]) == (gateway, {"groq": 0.5})
    assert event["process"]["resident_mb"] > 0
    assert {"lag_p50_ms", "lag_p99_ms"} <= set(event["process"])


async def test_prometheus_reads_what_happened_over_http():
    registry = CallRegistry()
    async with dashboard(registry) as client:
        await client.post("/api/offer", data=b"not json", headers={"Content-Type": "application/json"})
        await client.post("/api/offer", json={})
        answer = await client.get("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    assert 'parley_calls_refused_total{code="bad_json"} 1.0' in text
    assert 'parley_calls_refused_total{code="bad_field"} 1.0' in text
    assert "process_cpu_seconds_total" in text
