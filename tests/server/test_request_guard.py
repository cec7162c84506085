"""Offers: from which pages, under which names, how often and how many at once; what is wrong is a 4xx."""

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observe.call_registry import CallRegistry
from processors import compat
from server.calls import CALLS
from server.dashboard import Sources, add_dashboard
from server.request_guard import GuardParams, RequestGuard
from server.signalling import make_app
from tests.server.test_signalling import Limits, offer, post
from transports.webrtc import WebRTCCall

NO_AUDIO = {"sdp": "v=0", "type": "offer"}
HERE = ipaddress.ip_network("127.0.0.0/8")


@asynccontextmanager
async def served(limits: Limits | None = None, peer: str = "", **params: Any) -> AsyncIterator[TestClient]:
    compat.install()

    async def wait(call: WebRTCCall) -> None:
        await call.closed.wait()

    app = make_app(limits or Limits(), wait, guard=RequestGuard(GuardParams(**params)))
    add_dashboard(app, Sources(CallRegistry(), lambda: 2))

    @web.middleware
    async def from_peer(request: web.Request, handler: Any) -> web.StreamResponse:
        return await handler(request.clone(remote=peer or request.headers.get("X-Peer", "127.0.0.1")))

    app.middlewares.insert(0, from_peer)
    async with TestClient(TestServer(app)) as client:
        yield client


async def outcome(client: TestClient, body: Any = NO_AUDIO, **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, answer = await post(client, body, headers=named)
    return status, answer.get("code", "")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data"],
)
@pytest.mark.parametrize("method", ["post", "patch", "delete"])
async def test_what_any_page_can_send_unasked_is_no_offer(content_type, method):
    async with served() as client:
        _, body = await offer()
        sent = {"data": json.dumps({**body, "pc_id": "x", "candidates": []}), "headers": {"Content-Type": content_type}}
        answer = await getattr(client, method)("/api/offer", **sent)
        assert (answer.status, (await answer.json())["code"]) == (415, "not_json")
        assert len(client.app[CALLS]) == 0


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "no_audio"),
        ({"Host": "localhost:7860"}, 400, "no_audio"),
        ({"Host": "[::1]:7860"}, 400, "no_audio"),
        ({"Host": "evil.example"}, 403, "foreign_host"),
        ({"Host": "evil.example:7860"}, 403, "foreign_host"),
        ({"Host": "localhost.evil.example"}, 403, "foreign_host"),
        ({"Host": "127.0.0.1.evil.example"}, 403, "foreign_host"),
        ({"Host": "203.0.113.9"}, 403, "foreign_host"),
        ({"Host": "]"}, 400, "bad_host"),
        ({"Host": "[::1"}, 400, "bad_host"),
        ({"Host": "a@localhost"}, 400, "bad_host"),
        ({"Host": ""}, 400, "bad_host"),
        ({"Origin": "https://evil.example"}, 403, "foreign_origin"),
        ({"Origin": "null"}, 403, "foreign_origin"),
        ({"Origin": "http://localhost:1"}, 403, "foreign_origin"),
        ({"Origin": "http://[oops"}, 403, "foreign_origin"),
        ({"Origin": "http://localhost", "Host": "localhost"}, 400, "no_audio"),
        ({"Origin": "http://localhost:7860", "Host": "LOCALHOST:7860"}, 400, "no_audio"),
        ({"Origin": "https://bot.example.org", "Host": "bot.example.org"}, 403, "foreign_host"),
    ],
)
async def test_by_default_only_our_own_page_on_this_machine_may_call(headers, status, code):
    async with served() as client:
        assert await outcome(client, **headers) == (status, code)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "bot.example.org"}, 400),
        ({"Host": "BOT.example.org."}, 400),
        ({"Host": "bot.example.org", "Origin": "https://bot.example.org"}, 400),
        ({"Host": "bot.example.org", "Origin": "https://bot.example.org:8443"}, 400),
        ({"Host": "127.0.0.1", "Origin": "https://bot.example.org"}, 400),
        ({"Origin": "https://www.example.org"}, 400),
        ({"Origin": "https://WWW.example.org"}, 400),
        ({"Origin": "http://www.example.org"}, 403),
        ({"Origin": "https://www.example.org.evil.example"}, 403),
        ({"Host": "www.example.org"}, 403),
    ],
)
async def test_names_and_pages_that_are_allowed(headers, status):
    allowed = {"allowed_hosts": ["bot.example.org"], "allowed_origins": ["https://www.example.org/"]}
    async with served(**allowed) as client:
        assert (await outcome(client, **headers))[0] == status


async def test_a_page_elsewhere_that_is_allowed_is_told_so_and_reads_refusals():
    async with served(allowed_origins=["https://www.example.org"]) as client:
        asked = {"Origin": "https://www.example.org", "Access-Control-Request-Method": "POST"}
        preflight = await client.options("/api/offer", headers=asked)
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://www.example.org"
        assert {"POST", "PATCH", "DELETE"} <= set(preflight.headers["Access-Control-Allow-Methods"].split(", "))
        assert "content-type" in preflight.headers["Access-Control-Allow-Headers"].lower()
        refused = await client.post("/api/offer", json=NO_AUDIO, headers={"Origin": "https://www.example.org"})
        assert refused.status == 400
        assert refused.headers["Access-Control-Allow-Origin"] == "https://www.example.org"
        assert "Origin" in refused.headers["Vary"]
        for other in ("https://evil.example", "null"):
            preflight = await client.options("/api/offer", headers={**asked, "Origin": other})
            assert preflight.status == 403
            assert "Access-Control-Allow-Origin" not in preflight.headers
        # The dashboard is for nobody elsewhere, whoever may call.
        data = await client.get("/api/calls", headers={"Origin": "https://www.example.org"})
        assert "Access-Control-Allow-Origin" not in data.headers


# --- limits ----------------------------------------------------------------------------------


async def test_every_offer_counts_whatever_it_is_for():
    async with served(Limits(offers_per_minute=4), peer="203.0.113.7") as client:
        caller = {"requestData": {"caller_token": "anna-0123456789abcdefghijk"}}
        _, first = await offer()
        status, answer = await post(client, {**first, **caller})
        assert status == 200
        for again in ({"pc_id": answer["pc_id"], "restart_pc": True}, {}, {"pc_id": "unknown"}):
            _, body = await offer()
            assert (await post(client, {**body, **caller, **again}))[0] in (200, 404, 409)
        for again in ({"pc_id": answer["pc_id"], "restart_pc": True}, {}, {"pc_id": "unknown"}):
            assert await outcome(client, {**first, **caller, **again}) == (429, "too_many_offers")


async def test_one_address_cannot_fill_the_bot():
    async with served(Limits(max_calls=3, calls_per_address=2, offers_per_minute=60)) as client:
        for status in (200, 200, 429):
            _, body = await offer()
            answered, code = await outcome(client, body, X_Peer="203.0.113.7")
            assert answered == status, code
        assert code == "too_many_calls"
        _, body = await offer()
        assert (await outcome(client, body, X_Peer="203.0.113.8"))[0] == 200


@pytest.mark.parametrize(
    ("params", "headers", "limited"),
    [
        ({}, {}, False),
        ({}, {"X_Forwarded_For": "203.0.113.7"}, True),
        ({}, {"Forwarded": "for=203.0.113.7"}, True),
        ({}, {"X_Real_IP": "203.0.113.7"}, True),
        ({"trusted_proxies": [HERE]}, {"X_Forwarded_For": "203.0.113.7"}, True),
        ({"trusted_proxies": [HERE]}, {}, True),
        ({"allowed_hosts": ["bot.example.org"]}, {"Host": "bot.example.org"}, True),
    ],
)
async def test_this_machine_is_unlimited_only_where_no_proxy_can_speak_from_it(params, headers, limited):
    async with served(Limits(offers_per_minute=2), **params) as client:
        told = [(await outcome(client, **headers))[0] for _ in range(3)]
        assert told == [400, 400, 429 if limited else 400]


async def test_behind_a_trusted_proxy_each_client_has_its_own_limit():
    async with served(Limits(offers_per_minute=1), trusted_proxies=[HERE]) as client:
        for address, status in (("203.0.113.7", 400), ("203.0.113.8", 400), ("203.0.113.7", 429)):
            # Whatever the client writes before what the proxy appends.
            assert (await outcome(client, X_Forwarded_For=f"6.6.6.{status % 9}, {address}"))[0] == status
        for host, status in ((1, 400), (2, 429)):
            assert (await outcome(client, X_Forwarded_For=f"2001:db8::{host}"))[0] == status


# --- what is wrong is told as wrong, and never as our own failure -----------------------------


@pytest.mark.parametrize("path", ["/api/calls", "/api/calls/1", "/api/events", "/metrics", "/stats", "/"])
@pytest.mark.parametrize("host", ["]", "[", "[::1", "a@b", "x" * 300, "ü"])
async def test_a_host_that_is_none_opens_nothing_and_breaks_nothing(path, host):
    async with served() as client:
        answer = await client.get(path, headers={"Host": host})
        assert answer.status == (200 if path == "/" else 403)
        answer.close()


@pytest.mark.parametrize("number", ["9" * 5_000, "-1", "1e9", "٣", "", "0x10", "1.5", " 1"])
async def test_numbers_that_are_none_are_told(number):
    async with served() as client:
        book_less = await client.get("/api/calls/1", params={"after": number})
        assert book_less.status in (404, 422)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "compress", "nonsense"])
async def test_compressed_bodies_are_refused_without_a_look_at_them(encoding):
    async with served() as client:
        headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
        answer = await client.post("/api/offer", data=b"\x00garbage", headers=headers)
        assert answer.status in (400, 415), await answer.text()


async def test_a_body_that_does_not_come_is_waited_for_no_longer_than_its_deadline(monkeypatch):
    monkeypatch.setattr("server.bodies.BODY_SECS", 0.1)
    async with served() as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        head = ("POST /api/offer HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: 99")
        writer.write("\r\n".join([*head, "", "{"]).encode())
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readline()
        writer.close()


token_chars = st.characters(codec="latin-1", exclude_characters="\r\n\0")
header_values = st.text(token_chars, max_size=60).map(str.strip)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE", "OPTIONS", "PUT", "HEAD"]),
    path=st.sampled_from(
        ["/api/offer", "/api/info", "/api/calls", "/api/calls/1", "/metrics", "/stats", "/health", "/%00", "/x"]
    ),
    query=st.dictionaries(st.sampled_from(["after", "level", "reset", "x"]), st.text(max_size=30), max_size=3),
    headers=st.dictionaries(
        st.sampled_from(
            [
                "Host",
                "Origin",
                "Content-Type",
                "Content-Encoding",
                "X-Forwarded-For",
                "Forwarded",
                "Authorization",
                "Via",
            ]
        ),
        header_values,
        max_size=4,
    ),
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["sdp", "type", "pc_id", "candidates", "requestData"]), inner, max_size=5
                )
            ),
            max_leaves=12,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_no_request_is_ever_our_own_failure(method, path, query, headers, body):
    async def ask() -> None:
        async with served(trusted_proxies=[HERE]) as client:
            for content_type in ({}, {"Content-Type": "application/json"}):
                try:
                    answer = await client.request(
                        method, path, params=query, headers={**headers, **content_type}, data=body
                    )
                except ValueError:  # the client itself will not send such a header
                    return
                assert answer.status < 500, await answer.text()

    asyncio.run(ask())
