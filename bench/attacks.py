"""What strangers and one bad caller do to a bot; run by :mod:`bench.abuse` in a process of its own, at low priority."""

import argparse
import asyncio
import contextlib
import json
import os
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import psutil
from aiortc import RTCPeerConnection

from loadtest.caller import Caller, CallFailed, CallRefused

PACKETS_PER_SEC: Final = 10_000
OFFERS_PER_SEC: Final = 5.0
MESSAGES_PER_SEC: Final = 200
HALF_REQUESTS: Final = 300
CANDIDATES: Final = 64
"""In each request; as many as one may hold."""

PACKETS: Final = (
    b"",
    b"\x00",
    bytes.fromhex("15fefd000000000000000000020228"),  # a DTLS alert in plain text
    bytes.fromhex("16fefd00000000000000000020") + bytes(32),  # a DTLS handshake message
    bytes.fromhex("000100042112a442") + bytes(12) + bytes.fromhex("80280000"),  # STUN with a short attribute
    bytes.fromhex("0fff00042112a442") + bytes(12) + bytes.fromhex("80280000"),  # STUN of an unknown method
    bytes.fromhex("000100142112a442") + bytes(12) + bytes.fromhex("00060009") + b"abcd:wxyz" + bytes(7),  # a check
    bytes([0x80, 111]) + bytes(160),  # RTP
    bytes([0x80, 200]) + bytes(60),  # RTCP
    os.urandom(1200),
)

MESSAGES: Final = (
    {"label": "rtvi-ai", "type": "dtmf", "id": "1", "data": {"buttons": ["5"] * 6000}},
    {"label": "rtvi-ai", "type": "dtmf", "id": "1", "data": {"buttons": ["5"] * 16_000}},
    {"label": "rtvi-ai", "type": "send-text", "id": "1", "data": {"content": "And what about my balance? " * 70}},
    {"label": "rtvi-ai", "type": "client-message", "id": "1", "data": {"t": "hold", "d": {"on": True}}},
    {"label": "rtvi-ai", "type": "client-message", "id": "1", "data": {"t": "hold", "d": {"on": False}}},
    {"label": "rtvi-ai", "type": "client-ready", "id": "1", "data": {"deep": [[[[[[[[]]]]]]]]}},
)

BAD_REQUESTS: Final = (
    b"POST /api/offer HTTP/1.1\r\nHost: ]\r\n\r\n",
    b"GET /api/calls/1?after=" + b"9" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /api/offer HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    os.urandom(2000),
)

Attack = Callable[["Attacker"], Awaitable[None]]


def udp_ports(pid: int) -> list[tuple[str, int]]:
    """The UDP sockets (IPv4) of a process that runs here: what a sweep over all ports would find, at once."""
    return [
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.Process(pid).net_connections("udp4")
        if connection.laddr
    ]


class Attacker:
    """One stranger with several ideas.

    Args:
        url: The bot, as a stranger reaches it.
        pid: Its process, to find its UDP ports; None: every port is tried.
        secs: For how long.
    """

    def __init__(self, url: str, pid: int | None, secs: float) -> None:
        self.url = url
        self.pid = pid
        self.until = time.monotonic() + secs
        self.done: Counter[str] = Counter()

    @property
    def goes_on(self) -> bool:
        """Whether there is time left."""
        return time.monotonic() < self.until

    def targets(self) -> list[tuple[str, int]]:
        """Where the bot's media may be."""
        if self.pid is not None:
            return udp_ports(self.pid)
        host = urlsplit(self.url).hostname or "127.0.0.1"
        return [(host, port) for port in range(32_768, 61_000)]

    async def run(self, attacks: Iterable[Attack]) -> dict[str, int]:
        """All of them beside each other; returns how often each came to something."""
        await asyncio.gather(*(self._attempt(attack) for attack in attacks))
        return dict(self.done)

    async def _attempt(self, attack: Attack) -> None:
        while self.goes_on:
            try:
                await attack(self)
            except (OSError, aiohttp.ClientError, CallFailed, CallRefused, TimeoutError) as error:
                self.done[f"{attack.__name__} met {type(error).__name__}"] += 1
                await asyncio.sleep(0.5)


async def packets(attacker: Attacker) -> None:
    """Ten thousand datagrams a second to the sockets of live calls."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        while attacker.goes_on:
            targets, began, sent = attacker.targets(), loop.time(), 0
            while loop.time() - began < 2.0 and attacker.goes_on and targets:
                due = int((loop.time() - began) * PACKETS_PER_SEC)
                while sent < due:
                    sent += 1
                    with contextlib.suppress(OSError):
                        sock.sendto(PACKETS[sent % len(PACKETS)], random.choice(targets))
                        attacker.done["packets sent"] += 1
                await asyncio.sleep(0.005)
            if not targets:
                await asyncio.sleep(0.2)


async def offers(attacker: Attacker) -> None:
    """Offers that never connect, some of another site's, some that are none."""
    sdp = await an_offer()
    bodies: list[tuple[bytes, dict[str, str]]] = [
        (json.dumps({"sdp": sdp, "type": "offer"}).encode(), {"Content-Type": "application/json"}),
        (json.dumps({"sdp": sdp, "type": "offer"}).encode(), {"Content-Type": "text/plain", "Origin": "http://evil"}),
        (json.dumps({"sdp": "v=0\r\n" * 2000, "type": "offer"}).encode(), {"Content-Type": "application/json"}),
        (b"{" * 10_000, {"Content-Type": "application/json"}),
    ]
    async with aiohttp.ClientSession() as client:
        while attacker.goes_on:
            body, headers = random.choice(bodies)
            async with client.post(f"{attacker.url}/api/offer", data=body, headers=headers) as answer:
                attacker.done[f"offers answered {answer.status}"] += 1
            await asyncio.sleep(1 / OFFERS_PER_SEC)


async def candidates(attacker: Attacker) -> None:
    """One offer after the other with candidates all over the place."""
    sdp = await an_offer()
    async with aiohttp.ClientSession() as client:
        async with client.post(f"{attacker.url}/api/offer", json={"sdp": sdp, "type": "offer"}) as answer:
            if answer.status != 200:
                attacker.done[f"candidates: offer answered {answer.status}"] += 1
                await asyncio.sleep(1.0)
                return
            pc_id = (await answer.json())["pc_id"]
        for batch in range(60):
            if not attacker.goes_on:
                return
            places = [f"10.{batch}.0.{n}" if n % 2 else f"198.18.{batch}.{n}" for n in range(CANDIDATES)]
            listed = [
                {"candidate": f"candidate:{n} 1 udp 1 {place} {2000 + n} typ host", "sdp_mid": "0"}
                for n, place in enumerate(places)
            ]
            async with client.patch(f"{attacker.url}/api/offer", json={"pc_id": pc_id, "candidates": listed}) as answer:
                attacker.done[f"candidates answered {answer.status}"] += CANDIDATES
            await asyncio.sleep(0.1)


async def messages(attacker: Attacker) -> None:
    """A caller who floods the data channel, and speaks ten times faster than life."""
    async with Caller(attacker.url) as caller:
        line = caller.media
        assert line is not None
        while attacker.goes_on:
            for _ in range(MESSAGES_PER_SEC // 50):
                caller.channel.send(json.dumps(random.choice(MESSAGES)))
                attacker.done["messages sent"] += 1
            for _ in range(10):
                line.send(caller.room[0])
            await asyncio.sleep(0.02)
            if caller.connection is None or caller.connection.connectionState != "connected":
                attacker.done["the bad caller was thrown out"] += 1
                return


async def half_requests(attacker: Attacker) -> None:
    """Requests that never end, and some that are none."""
    host, port = urlsplit(attacker.url).hostname or "", urlsplit(attacker.url).port or 80
    writers: list[asyncio.StreamWriter] = []
    try:
        while attacker.goes_on:
            writers = [writer for writer in writers if not writer.is_closing()]
            while len(writers) < HALF_REQUESTS and attacker.goes_on:
                async with asyncio.timeout(2.0):
                    _, writer = await asyncio.open_connection(host, port)
                writer.write(b"POST /api/offer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n")
                writers.append(writer)
                attacker.done["half requests"] += 1
                if len(writers) % 20 == 0:
                    await asyncio.sleep(0.05)
            for request in BAD_REQUESTS:
                async with asyncio.timeout(2.0):
                    _, writer = await asyncio.open_connection(host, port)
                writer.write(request)
                writers.append(writer)
                attacker.done["bad requests"] += 1
            await asyncio.sleep(1.0)
    finally:
        for writer in writers:
            writer.close()


ATTACKS: Final[dict[str, Attack]] = {
    "packets": packets,
    "offers": offers,
    "messages": messages,
    "half-requests": half_requests,
    "candidates": candidates,
}


async def an_offer() -> str:
    """A session description of somebody who will never connect."""
    line = RTCPeerConnection()
    line.addTransceiver("audio", direction="sendrecv")
    line.createDataChannel("rtvi")
    await line.setLocalDescription(await line.createOffer())
    sdp = line.localDescription.sdp
    await line.close()
    return sdp


def main() -> None:
    """Command line of the process that attacks; prints what it did as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="the bot: http://HOST:PORT")
    parser.add_argument("--pid", type=int, help="its process, where it runs here")
    parser.add_argument("--secs", type=float, default=60.0, help="for how long; default: 60")
    parser.add_argument("--only", nargs="*", choices=list(ATTACKS), default=list(ATTACKS), help="some of them")
    options = parser.parse_args()
    if hasattr(os, "sched_setscheduler"):  # a stranger has a machine of their own
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)
    attacker = Attacker(options.url.rstrip("/"), options.pid, options.secs)
    done: dict[str, Any] = asyncio.run(attacker.run([ATTACKS[name] for name in options.only]))
    json.dump(done, sys.stdout)


if __name__ == "__main__":
    main()
