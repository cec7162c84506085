"""The bot behind real proxies: with the configurations that it ships, and with one that tells nothing of itself."""

import asyncio
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from observe.call_registry import CallRegistry
from processors import compat
from server.access import Access
from server.dashboard import Sources, add_dashboard
from server.request_guard import GuardParams, RequestGuard
from server.signalling import make_app
from tests.server.test_phone import phones, stream_path, twilio_signature
from tests.server.test_signalling import Limits, offer
from transports.webrtc import WebRTCCall

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "bot.example.org"
TOKEN = "a-token-of-some-length"
HERE = ipaddress.ip_network("127.0.0.0/8")
START_SECS = 10.0


def need(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        if os.environ.get("PARLEY_REQUIRE_PEERS"):
            pytest.fail(f"{program} is missing")
        pytest.skip(f"{program} is missing")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Certificate, key, and both in one file."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key, both = (folder / name for name in ("fullchain.pem", "key.pem", "parley.pem"))
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subject = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run([*command.split(), *subject, "-keyout", key, "-out", cert], check=True, capture_output=True)
    both.write_text(cert.read_text() + key.read_text())
    return cert, key, both


@asynccontextmanager
async def bot(*, token: str = "", offers_per_minute: int = 3, **params: object) -> AsyncIterator[int]:
    compat.install()

    async def wait(call: WebRTCCall) -> None:
        await call.closed.wait()

    guard = RequestGuard(GuardParams(**params))  # type: ignore[arg-type]
    access = Access(SecretStr(token), faces_others=bool(params))
    app = make_app(Limits(max_calls=9, offers_per_minute=offers_per_minute), wait, guard=guard, access=access)
    add_dashboard(
        app, Sources(CallRegistry(), lambda: 9, SecretStr(token), faces_others=bool(params)), period_secs=0.05
    )
    async with TestServer(app) as server:
        assert server.port is not None
        yield server.port


@asynccontextmanager
async def running(port: int, *command: str | Path) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(START_SECS):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    assert process.returncode is None, (await process.stdout.read()).decode()  # type: ignore[union-attr]
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def nginx(folder: Path, include: str) -> list[str | Path]:
    """nginx with one file within its http block."""
    temp = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "parley.conf").write_text(include)
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off; {temp} include {folder}/parley.conf; }}\n"
    )
    return [need("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]


@dataclass
class Shipped:
    """A configuration as it is shipped, on other ports and with another certificate."""

    program: str
    command: Callable[[Path, str, tuple[Path, Path, Path], int], list[str | Path]]
    path: Path


def _nginx(folder: Path, text: str, tls: tuple[Path, Path, Path], port: int) -> list[str | Path]:
    text = text.replace("/etc/ssl/parley/fullchain.pem", str(tls[0])).replace("/etc/ssl/parley/key.pem", str(tls[1]))
    return nginx(folder, text.replace("listen 443", f"listen 127.0.0.1:{port}"))


def _haproxy(folder: Path, text: str, tls: tuple[Path, Path, Path], port: int) -> list[str | Path]:
    config = folder / "haproxy.cfg"
    text = text.replace("/etc/haproxy/parley.pem", str(tls[2]))
    config.write_text(text.replace("bind :443", f"bind 127.0.0.1:{port}"))
    return [need("haproxy"), "-db", "-f", config]


def _caddy(folder: Path, text: str, tls: tuple[Path, Path, Path], port: int) -> list[str | Path]:
    config = folder / "Caddyfile"
    text = text.replace(f"{NAME} {{", f"{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {tls[0]} {tls[1]}", 1)
    config.write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{text}")
    return [need("caddy"), "run", "--adapter", "caddyfile", "--config", config]


SHIPPED = [
    Shipped("nginx", _nginx, DEPLOY / "nginx" / "parley.conf"),
    Shipped("haproxy", _haproxy, DEPLOY / "haproxy" / "haproxy.cfg"),
    Shipped("caddy", _caddy, DEPLOY / "caddy" / "Caddyfile"),
]


@asynccontextmanager
async def behind(
    shipped: Shipped, folder: Path, tls: tuple[Path, Path, Path], bot_port: int
) -> AsyncIterator[Callable[..., AsyncIterator]]:
    """Asks through a proxy: ``async with ask(method, path, ...) as answer``."""
    port = free_port()
    text = shipped.path.read_text()
    assert "127.0.0.1:7860" in text
    command = shipped.command(folder, text.replace("127.0.0.1:7860", f"127.0.0.1:{bot_port}"), tls, port)
    context = ssl.create_default_context(cafile=str(tls[0]))
    async with running(port, *command), aiohttp.ClientSession() as http:

        def ask(method: str, path: str, name: str = NAME, **kwargs):
            headers = {"Host": name, **kwargs.pop("headers", {})}
            url = f"https://127.0.0.1:{port}{path}"
            return http.request(method, url, headers=headers, ssl=context, server_hostname=NAME, **kwargs)

        if shipped.program == "haproxy":  # its first check of the bot
            async with asyncio.timeout(START_SECS):
                while True:
                    async with ask("GET", "/health") as answer:
                        if answer.status == 200:
                            break
                    await asyncio.sleep(0.1)
        yield ask


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda shipped: shipped.program)
async def test_as_shipped_callers_are_told_apart_and_the_dashboard_asks_for_its_token(shipped, tmp_path, tls):
    settings = {"trusted_proxies": [HERE], "allowed_hosts": [NAME]}
    async with bot(token=TOKEN, **settings) as bot_port, behind(shipped, tmp_path, tls, bot_port) as ask:
        own_page = {"Origin": f"https://{NAME}"}
        async with ask("GET", "/") as page:
            assert (page.status, page.content_type) == (200, "text/html")
        pc, body = await offer()
        async with ask("POST", "/api/offer", json=body, headers=own_page) as answered:
            assert answered.status == 200, await answered.text()
            assert (await answered.json())["pc_id"]
        await pc.close()
        # Whatever a client writes of itself, it stays one client: three offers a minute are all that it has.
        for number, status in ((1, 400), (2, 400), (3, 429)):
            lies = {"X-Forwarded-For": f"6.6.6.{number}", "Forwarded": f"for=7.7.7.{number}", "X-Real-IP": "8.8.8.8"}
            async with ask("POST", "/api/offer", json={"sdp": "v=0", "type": "offer"}, headers=lies) as answer:
                assert answer.status == status
        async with ask("POST", "/api/offer", json={}, headers={"Origin": "https://evil.example"}) as foreign:
            assert foreign.status == 403
        async with ask("GET", "/api/calls") as shut, ask("GET", "/metrics") as too:
            assert shut.status == too.status == 401
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with ask("GET", "/api/calls", headers=headers) as opened:
            assert opened.status == 200
        async with asyncio.timeout(5), ask("GET", "/api/events", headers=headers) as events:
            while not (line := await events.content.readline()).startswith(b"data: "):
                assert line, "the events ended"


@pytest.mark.parametrize("shipped", SHIPPED[:2], ids=lambda shipped: shipped.program)
async def test_as_shipped_other_names_get_nothing(shipped, tmp_path, tls):
    settings = {"trusted_proxies": [HERE], "allowed_hosts": [NAME]}
    async with (
        bot(token=TOKEN, **settings) as bot_port,
        behind(shipped, tmp_path, tls, bot_port) as ask,
        ask("GET", "/", name="evil.example") as answer,
    ):
        assert answer.status == 421


async def test_a_plain_nginx_that_nobody_has_told_the_bot_of_opens_nothing(tmp_path):
    """``proxy_pass`` alone: no header tells of it, and it asks by the address that only this machine has."""
    async with bot(offers_per_minute=2) as bot_port:
        port = free_port()
        plain = f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{bot_port}; }} }}"
        async with running(port, *nginx(tmp_path, plain)), aiohttp.ClientSession() as http:
            for path in ("/api/calls", "/metrics", "/api/events", "/stats"):
                async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
                    assert answer.status == 403, path
            for status in (400, 400, 429):
                sdp = {"sdp": "v=0", "type": "offer"}
                async with http.post(f"http://127.0.0.1:{port}/api/offer", json=sdp) as answer:
                    assert answer.status == status, "behind a proxy nobody is unlimited"
            async with http.get(f"http://127.0.0.1:{bot_port}/api/calls") as straight:
                assert straight.status == 200


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda shipped: shipped.program)
async def test_as_shipped_carriers_streams_pass(shipped, tmp_path, tls):
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    async with phones() as (client, calls, _), behind(shipped, tmp_path, tls, client.port) as ask:
        form = {"CallSid": "CA1", "From": "+33612345678"}
        headers = {"X-Twilio-Signature": twilio_signature(f"https://{NAME}/phone/twilio", form)}
        async with ask("POST", "/phone/twilio", data=form, headers=headers) as answer:
            path = stream_path(await answer.text())
        async with ask("GET", path + "x", headers=upgrade) as refused:
            assert refused.status == 403
        async with ask("GET", path, headers=upgrade) as stream:
            assert stream.status == 101
            assert len(calls) == 1
