"""A bot on plain aiortc that speaks when told to and keeps what it hears: the truth to measure callers against."""

import asyncio
import contextlib
import fractions
import json
import time
from collections.abc import AsyncIterator

import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler, Packet

from audio.opus import OpusEncoder
from loadtest.audio import SAMPLE_RATE_HZ

PACKET_SAMPLES = 960


def tone(secs: float, hz: float = 440.0, rms: float = 3_000.0) -> np.ndarray:
    """A sine at 48 kHz."""
    t = np.arange(round(secs * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (rms * np.sqrt(2) * np.sin(2 * np.pi * hz * t)).astype(np.int16)


def sweep(secs: float) -> np.ndarray:
    """A sine that rises from 300 to 2500 Hz: like speech, and unlike a tone, no part of it looks like another."""
    t = np.arange(round(secs * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (4_000 * np.sin(2 * np.pi * (300 * t + 1_100 * t**2 / secs))).astype(np.int16)


class Voice(MediaStreamTrack):
    """Sends silence, or what it is given to speak, and notes when each packet with sound left."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.encoder = OpusEncoder(sample_rate_hz=SAMPLE_RATE_HZ)
        self.pending = np.empty(0, np.int16)
        self.spoke_at: list[float] = []
        self.due = time.monotonic()
        self.pts = 0

    async def recv(self) -> Packet:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(max(0.0, self.due - time.monotonic()))
        self.due += 0.02
        samples, self.pending = self.pending[:PACKET_SAMPLES], self.pending[PACKET_SAMPLES:]
        if len(samples):
            self.spoke_at.append(time.monotonic())
        padded = np.pad(samples, (0, PACKET_SAMPLES - len(samples)))
        packet = Packet(self.encoder.encode(padded.astype(np.int16).tobytes()))
        packet.pts, packet.time_base = self.pts, fractions.Fraction(1, SAMPLE_RATE_HZ)
        self.pts += PACKET_SAMPLES
        return packet


class KnownBot:
    """The bot's calls and what came in them."""

    def __init__(self) -> None:
        self.url = ""
        self.refusal: web.Response | None = None
        self.voice = Voice()
        self.heard: list[np.ndarray] = []
        self.texts: list[str] = []
        self.closed = asyncio.Event()
        self.offers: list[dict] = []
        self.pcs: list[RTCPeerConnection] = []
        self.channel = None

    async def offer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.offers.append(body)
        if self.refusal is not None:
            return self.refusal
        pc = RTCPeerConnection()
        self.pcs.append(pc)
        pc.addTrack(self.voice)
        pc.on("track", lambda track: asyncio.ensure_future(self.listen(track)))
        pc.on("datachannel", self.on_channel)
        pc.on("connectionstatechange", lambda: pc.connectionState == "closed" and self.closed.set())
        await pc.setRemoteDescription(RTCSessionDescription(body["sdp"], "offer"))
        await pc.setLocalDescription(await pc.createAnswer())
        answer = {"sdp": pc.localDescription.sdp, "type": "answer", "pc_id": "known-1"}
        return web.json_response(answer)

    def on_channel(self, channel) -> None:
        self.channel = channel
        channel.on("message", self.texts.append)

    async def listen(self, track: MediaStreamTrack) -> None:
        resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                self.heard += [part.to_ndarray()[0].copy() for part in resampler.resample(frame)]

    def tell(self, message: dict) -> None:
        self.channel.send(json.dumps(message))


@contextlib.asynccontextmanager
async def known_bot() -> AsyncIterator[KnownBot]:
    bot = KnownBot()
    app = web.Application()
    app.router.add_post("/api/offer", bot.offer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    bot.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield bot
    finally:
        await asyncio.gather(*(pc.close() for pc in bot.pcs))
        await runner.cleanup()
