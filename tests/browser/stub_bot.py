"""A bot's server for tests of the page: it speaks the wire over a real aiortc peer and says what a test tells it to."""

import asyncio
import fractions
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp
from av import AudioFrame

WEB = Path(__file__).parents[2] / "web"
SAMPLE_RATE_HZ = 48_000
PACKET_SAMPLES = 960
TONE_HZ = 440
DEADLINE_SECS = 30.0


class Tone(MediaStreamTrack):
    """An endless tone at a twentieth of full scale, in real time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._position = 0
        self._started_at: float | None = None

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        if self._started_at is None:
            self._started_at = loop.time()
        await asyncio.sleep(max(0.0, self._started_at + self._position / SAMPLE_RATE_HZ - loop.time()))
        at = np.arange(self._position, self._position + PACKET_SAMPLES)
        samples = (1600 * np.sin(2 * np.pi * TONE_HZ * at / SAMPLE_RATE_HZ)).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, self._position
        frame.time_base = fractions.Fraction(1, SAMPLE_RATE_HZ)
        self._position += PACKET_SAMPLES
        return frame


class StubBot:
    """The server, and the bot behind it.

    Attributes:
        info: What ``GET /api/info`` answers.
        full: Answers of the next offers: each entry is a place in the line, sent as 503 "at_capacity".
        retry_after_secs: When to come back, with those.
        offers: Bodies of all offers.
        patches: Bodies of all candidate batches.
        goodbyes: Bodies of all hang-ups.
        received: RTVI messages of the page, oldest first.
        pings: Keep-alives of the page.
    """

    def __init__(self) -> None:
        self.info: dict[str, Any] = {
            "providers": {"stt": "Moonshine", "llm": "Llama", "tts": "Hibari"},
            "warnings": [],
        }
        self.full: list[int] = []
        self.retry_after_secs = 1
        self.offers: list[dict[str, Any]] = []
        self.patches: list[dict[str, Any]] = []
        self.goodbyes: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        self.pings = 0
        self.port = 0
        self._peers: dict[str, RTCPeerConnection] = {}
        self._channel: RTCDataChannel | None = None
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/api/info", self._info)
        app.router.add_post("/api/offer", self._offer)
        app.router.add_patch("/api/offer", self._candidates)
        app.router.add_delete("/api/offer", self._goodbye)
        app.router.add_static("/", WEB)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "localhost", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Go down: the port is closed and calls are cut. ``start`` comes back on the same port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await asyncio.gather(*(peer.close() for peer in self._peers.values()))
        self._peers.clear()
        self._channel = None

    def send(self, type: str, data: dict[str, Any] | None = None) -> None:
        """Send an RTVI message to the page that called last."""
        assert self._channel is not None, "nobody has called"
        self._channel.send(json.dumps({"label": "rtvi-ai", "type": type, "id": "1", "data": data or {}}))

    def tell(self, type: str, **fields: Any) -> None:
        """Send one of our own messages, which travel in ``server-message``."""
        self.send("server-message", {"type": type, **fields})

    def signal(self, type: str) -> None:
        """Send a signalling message."""
        assert self._channel is not None, "nobody has called"
        self._channel.send(json.dumps({"type": "signalling", "message": {"type": type}}))

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until what the page does makes a condition true."""
        try:
            async with asyncio.timeout(DEADLINE_SECS):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"the page never {what}; received: {self.received}") from None

    async def message(self, type: str) -> dict[str, Any]:
        """Data of the page's first message of a type, which may be still to come."""
        await self.until(lambda: any(m["type"] == type for m in self.received), f"sent {type}")
        return next(m["data"] for m in self.received if m["type"] == type)

    async def until_peers_are_gone(self) -> None:
        """Wait until every page has closed its connection."""
        await self.until(lambda: all(peer.connectionState == "closed" for peer in self._peers.values()), "hung up")

    async def _page(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(WEB / "index.html")

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response(self.info)

    async def _offer(self, request: web.Request) -> web.Response:
        offer = await request.json()
        self.offers.append(offer)
        self._changed.set()
        if self.full:
            body = {
                "code": "at_capacity",
                "retry_after_secs": self.retry_after_secs,
                "queue_position": self.full.pop(0),
            }
            return web.json_response(body, status=503, headers={"retry-after": str(self.retry_after_secs)})
        pc_id = offer.get("pc_id") if offer.get("restart_pc") is False else None
        peer = self._peers.get(pc_id or "") or self._new_peer()
        await peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
        await peer.setLocalDescription(await peer.createAnswer())
        name = next(name for name, one in self._peers.items() if one is peer)
        return web.json_response({"sdp": peer.localDescription.sdp, "type": peer.localDescription.type, "pc_id": name})

    def _new_peer(self) -> RTCPeerConnection:
        peer = RTCPeerConnection()
        self._peers[f"peer-{len(self.offers)}"] = peer
        peer.addTrack(Tone())

        @peer.on("connectionstatechange")
        def on_change() -> None:
            self._changed.set()

        @peer.on("datachannel")
        def on_channel(channel: RTCDataChannel) -> None:
            self._channel = channel
            channel.on("message", self._heard)

        return peer

    def _heard(self, text: str) -> None:
        if text == "ping":
            self.pings += 1
        else:
            self.received.append(json.loads(text))
        self._changed.set()

    async def _goodbye(self, request: web.Request) -> web.Response:
        self.goodbyes.append(await request.json())
        self._changed.set()
        return web.json_response({"status": "success"})

    async def _candidates(self, request: web.Request) -> web.Response:
        patch = await request.json()
        self.patches.append(patch)
        for found in patch["candidates"]:
            candidate = candidate_from_sdp(found["candidate"].removeprefix("candidate:"))
            candidate.sdpMid, candidate.sdpMLineIndex = found["sdp_mid"], found["sdp_mline_index"]
            await self._peers[patch["pc_id"]].addIceCandidate(candidate)
        return web.json_response({"status": "ok"})


@asynccontextmanager
async def running_bot() -> AsyncIterator[StubBot]:
    """A stub bot on a free port of loopback, taken down at the end."""
    bot = StubBot()
    await bot.start()
    try:
        yield bot
    finally:
        await bot.stop()
