"""TURN: credentials that hold for a while, and a call that goes through a real coturn and by no other way."""

import asyncio
import base64
import hashlib
import hmac
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.rtcconfiguration import RTCIceTransportPolicy

from contracts.frames import UserTextFrame
from server.ice_servers import IceServers
from tests.server.test_signalling import Limits, post, server
from tests.transports.test_limits_of_a_call import Heard

SECRET = "a secret of the bot and its TURN server"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[str]:
    """A coturn on loopback that takes credentials made from the secret; its URL."""
    if shutil.which("turnserver") is None:
        assert not os.environ.get("PARLEY_REQUIRE_PEERS"), "coturn is not installed"
        pytest.skip("coturn is not installed")
    port = free_port()
    config = folder / "turnserver.conf"
    config.write_text(
        f"listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlistening-port={port}\nrealm=test\nuse-auth-secret\n"
        f"static-auth-secret={SECRET}\nallow-loopback-peers\nno-cli\nno-tls\nno-dtls\nno-tcp\nlog-file=stdout\n"
        f"pidfile={folder}/pid\nuserdb={folder}/db\nmin-port=20000\nmax-port=29999\n"
    )
    process = await asyncio.create_subprocess_exec(
        *("turnserver", "-c", str(config)), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await listening(port)
        yield f"turn:127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def listening(port: int) -> None:
    """Wait until something answers a STUN request on a port."""
    loop = asyncio.get_running_loop()
    request = bytes.fromhex("000100002112a442") + b"is it there?"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        async with asyncio.timeout(15):
            while True:
                try:
                    await loop.sock_sendall(sock, request)
                    async with asyncio.timeout(0.2):
                        await loop.sock_recv(sock, 1024)
                        return
                except (TimeoutError, ConnectionError):
                    await asyncio.sleep(0.05)


def test_credentials_are_those_of_turn_rest():
    servers = IceServers(["stun:s:1", "turn:t:2"], secret="north", ttl_secs=600, now=lambda: 1_000_000.7)
    plain, turn = servers.for_client()
    assert plain == {"urls": "stun:s:1"}
    assert turn["username"] == "1000600:parley"
    expected = hmac.new(b"north", b"1000600:parley", hashlib.sha1).digest()
    assert turn["credential"] == base64.b64encode(expected).decode()
    named = IceServers(["turn:t:2"], username="me", credential="unused", secret="north", now=lambda: 0.0)
    assert named.for_client()[0]["username"] == "3600:me"


def test_a_fixed_password_and_none_at_all():
    assert IceServers(["turn:t:2"], "me", "word").for_client() == [
        {"urls": "turn:t:2", "username": "me", "credential": "word"}
    ]
    assert IceServers(["stun:s:1", "turn:t:2"]).for_client() == [{"urls": "stun:s:1"}, {"urls": "turn:t:2"}]
    assert IceServers().for_client() == []


async def test_clients_are_told_the_servers_anew_each_time_and_nothing_where_there_are_none():
    clock = iter([100.0, 200.0])
    limits = Limits(ice_servers=IceServers(["turn:t:2"], secret="north", now=lambda: next(clock)))
    async with server(limits) as client:
        told = [(await (await client.get("/api/info")).json())["ice_servers"][0] for _ in range(2)]
        assert [server["username"] for server in told] == ["3700:parley", "3800:parley"]
    async with server() as client:
        assert "ice_servers" not in await (await client.get("/api/info")).json()


async def relay_only(info: dict) -> RTCPeerConnection:
    servers = [RTCIceServer(**server) for server in info["ice_servers"]]
    pc = RTCPeerConnection(
        RTCConfiguration(
            iceServers=servers,
            bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
            iceTransportPolicy=RTCIceTransportPolicy.RELAY,
        )
    )
    pc.addTransceiver("audio")
    pc.createDataChannel("chat")
    await pc.setLocalDescription(await pc.createOffer())
    return pc


async def test_a_call_goes_through_the_relay_alone(tmp_path):
    heard = Heard()
    async with coturn(tmp_path) as url:
        limits = Limits(ice_servers=IceServers([url], secret=SECRET), connect_timeout_secs=10.0)
        async with server(limits, start_call=heard) as client:
            pc = await relay_only(await (await client.get("/api/info")).json())
            try:
                candidates = [line for line in pc.localDescription.sdp.splitlines() if "candidate:" in line]
                assert candidates
                assert all(" typ relay" in line for line in candidates)
                status, answer = await post(client, {"sdp": pc.localDescription.sdp, "type": "offer"})
                assert status == 200
                assert " typ relay" in answer["sdp"], "the bot has a relay of its own"
                channel = pc.createDataChannel("rtvi")
                await pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
                async with asyncio.timeout(15):
                    while pc.connectionState != "connected" or channel.readyState != "open":
                        await asyncio.sleep(0.05)
                    channel.send('{"label": "rtvi-ai", "type": "send-text", "data": {"content": "Through the wall"}}')
                    while not any(isinstance(f, UserTextFrame) and f.text == "Through the wall" for f in heard.sent):
                        await asyncio.sleep(0.05)
                    while heard.call.pc_id == "" or not heard.call.connected.is_set():
                        await asyncio.sleep(0.05)
            finally:
                await pc.close()


@pytest.mark.parametrize("secret", ["another secret", SECRET], ids=["wrong", "expired"])
async def test_coturn_refuses_what_is_wrong_or_too_old(tmp_path, secret):
    now = {"another secret": lambda: 4_000_000_000.0, SECRET: lambda: 1_000_000_000.0}[secret]
    async with coturn(tmp_path) as url:
        pc = await relay_only({"ice_servers": IceServers([url], secret=secret, now=now).for_client()})
        assert "typ relay" not in pc.localDescription.sdp
        await pc.close()
