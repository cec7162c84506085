"""The port itself: connections that say nothing, too many of them, and TLS."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from server.site import GuardedSite, TlsError, app_runner, tls_context

HALF = b"GET / HTTP/1.1\r\nHost: local"
WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def port(**options: Any) -> AsyncIterator[int]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = app_runner(app)
    await runner.setup()
    site = GuardedSite(runner, "127.0.0.1", 0, **{"max_connections": 50, "header_secs": 0.3, **options})
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_half_a_request_is_not_waited_for():
    async with port() as number, asyncio.timeout(10):
        silent = [await asyncio.open_connection("127.0.0.1", number) for _ in range(20)]
        for _, writer in silent[:10]:
            writer.write(HALF)
        # One that drips is no better.
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{number}/") as answer:
            assert await answer.text() == "hello"
        for reader, writer in silent:
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            writer.close()


async def test_a_request_that_takes_its_time_to_be_answered_is_not_cut():
    async with port() as number, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(WHOLE)
        assert b"200" in await reader.readline()
        await asyncio.sleep(0.5)  # longer than a header may take: kept for the next request
        writer.write(WHOLE)
        rest = b""
        while b"200" not in rest:
            rest += await reader.readexactly(1)
        writer.close()


async def test_connections_are_counted_and_those_too_many_are_closed_at_once():
    async with port(max_connections=5, header_secs=5.0) as number, asyncio.timeout(10):
        held = [await asyncio.open_connection("127.0.0.1", number) for _ in range(5)]
        await asyncio.sleep(0.05)
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
            assert await reader.read() == b""
            writer.close()
        held.pop()[1].close()
        await asyncio.sleep(0.05)
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{number}/") as answer:
            assert answer.status == 200
        for _, writer in held:
            writer.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *subject, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


async def test_https_is_served_directly_and_a_silent_handshake_holds_nothing(certificate):
    cert, key = certificate
    trusting = ssl.create_default_context(cafile=str(cert))
    async with port(tls=tls_context(cert, key), max_connections=5) as number, asyncio.timeout(10):
        silent = [await asyncio.open_connection("127.0.0.1", number) for _ in range(5)]
        for reader, writer in silent:
            assert await reader.read() == b""
            writer.close()
        async with aiohttp.ClientSession() as http:
            async with http.get(f"https://127.0.0.1:{number}/", ssl=trusting) as answer:
                assert await answer.text() == "hello"
            with pytest.raises(aiohttp.ClientError):
                await http.get(f"http://127.0.0.1:{number}/")


def test_what_cannot_be_used_is_told(certificate, tmp_path):
    cert, key = certificate
    other = tmp_path / "other.pem"
    other.write_text("no key")
    for wrong in ((cert, other), (key, cert), (tmp_path / "none.pem", key)):
        with pytest.raises(TlsError, match="cannot be used"):
            tls_context(*wrong)
