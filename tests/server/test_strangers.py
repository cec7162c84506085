"""What strangers send to a call's UDP ports, from the first moment on, costs the call nothing; real sockets."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiortc import RTCPeerConnection, RTCSessionDescription

from admission.packet_gate import Drop, dropped
from tests.server.test_signalling import calls, offer, post, server

ALERT = bytes.fromhex("15fefd000000000000000000020228")
MALFORMED_STUN = bytes.fromhex("000100042112a442") + bytes(12) + bytes.fromhex("80280000")
UNKNOWN_STUN = bytes.fromhex("0fff00042112a442") + bytes(12) + bytes.fromhex("80280000")
HELLO = bytes.fromhex("16fefd00000000000000000020") + bytes(32)
RTP = bytes([0x80, 111]) + bytes(40)
RTCP = bytes([0x80, 200]) + bytes(40)
EVERYTHING = (b"", b"\x00", b"\xff" * 1400, ALERT, MALFORMED_STUN, UNKNOWN_STUN, HELLO, RTP, RTCP)


def media_ports(sdp: str) -> set[int]:
    """UDP ports of a description's loopback candidates."""
    return {int(port) for port in re.findall(r"a=candidate:\S+ \d udp \d+ 127\.0\.0\.1 (\d+) typ host", sdp)}


@contextmanager
def stranger() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        yield sock


@asynccontextmanager
async def answered(client) -> AsyncIterator[tuple[RTCPeerConnection, dict]]:
    pc, body = await offer()
    try:
        status, answer = await post(client, body)
        assert status == 200
        yield pc, answer
    finally:
        await pc.close()


async def connect(pc: RTCPeerConnection, answer: dict) -> None:
    await pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
    async with asyncio.timeout(10):
        while pc.connectionState != "connected":
            assert pc.connectionState in ("new", "connecting")
            await asyncio.sleep(0.02)


async def echo(pc: RTCPeerConnection) -> None:
    """The data channel works: the bot's side acknowledges what is sent."""
    channel = pc.createDataChannel("still-there")
    async with asyncio.timeout(10):
        while channel.readyState != "open":
            assert pc.connectionState == "connected"
            await asyncio.sleep(0.02)


async def test_no_datagram_of_a_stranger_ends_a_call():
    async with server() as client, answered(client) as (pc, answer):
        await connect(pc, answer)
        before = dropped.total()
        with stranger() as sock:
            for packet in EVERYTHING:
                for port in media_ports(answer["sdp"]):
                    sock.sendto(packet, ("127.0.0.1", port))
                await asyncio.sleep(0.02)
        await echo(pc)
        assert await calls(client) == 1
        assert dropped.total() >= before + len(EVERYTHING)


async def test_no_datagram_of_a_stranger_keeps_a_call_from_connecting():
    async with server() as client, answered(client) as (pc, answer):
        done = asyncio.Event()

        async def flood() -> None:
            with stranger() as sock:
                while not done.is_set():
                    for packet in EVERYTHING:
                        for port in media_ports(answer["sdp"]):
                            sock.sendto(packet, ("127.0.0.1", port))
                    await asyncio.sleep(0.001)

        flooding = asyncio.create_task(flood())
        await asyncio.sleep(0.1)
        await connect(pc, answer)
        done.set()
        await flooding
        await echo(pc)


async def test_malformed_stun_is_dropped_and_counted_without_a_word(caplog):
    async with server() as client, answered(client) as (pc, answer):
        errors = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        before = dropped[Drop.STRANGER] + dropped[Drop.MALFORMED]
        with stranger() as sock:
            for _ in range(50):
                for packet in (MALFORMED_STUN, UNKNOWN_STUN):
                    for port in media_ports(answer["sdp"]):
                        sock.sendto(packet, ("127.0.0.1", port))
            await asyncio.sleep(0.2)
            assert received(sock) == 0, "nothing is sent back"
        assert errors == []
        assert caplog.records == []
        assert dropped[Drop.STRANGER] + dropped[Drop.MALFORMED] >= before + 100
        await connect(pc, answer)


def received(sock: socket.socket) -> int:
    count = 0
    while True:
        try:
            sock.recv(2048)
        except BlockingIOError:
            return count
        count += 1
