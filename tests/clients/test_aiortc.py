"""A plain aiortc client, with aiortc's own tracks, codecs and jitter buffer: it converses, or is only there.

It says what Pipecat's clients say on the data channel. What the bot says is measured on the frames that aiortc decodes.
"""

import asyncio
import contextlib
import fractions
import json
import time
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import soxr
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from loadtest.bot_process import RealBot
from tests.clients.conftest import assert_no_errors
from tests.clients.hearing import as_rows, silent_from_secs, voiced_secs

pytestmark = pytest.mark.asyncio(loop_scope="session")

DATA = Path(__file__).parents[1] / "data"
RATE_HZ, PACKET = 48_000, 960
DEADLINE_SECS = 40.0


class Microphone(MediaStreamTrack):
    """Silence, and what it is told to say, in real time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._at = 0
        self._from: float | None = None
        self._coming = np.zeros(0, np.int16)

    async def say(self, clip: str) -> tuple[float, float]:
        """Say a clip; returns when it began and ended."""
        with wave.open(str(DATA / f"{clip}.wav")) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        self._coming = soxr.resample(samples, 16_000, RATE_HZ)
        start = time.monotonic()
        await asyncio.sleep(len(self._coming) / RATE_HZ)
        return start, time.monotonic()

    async def recv(self) -> AudioFrame:
        now = time.monotonic()
        self._from = self._from or now
        await asyncio.sleep(max(0.0, self._from + self._at / RATE_HZ - now))
        piece, self._coming = self._coming[:PACKET], self._coming[PACKET:]
        frame = AudioFrame.from_ndarray(np.pad(piece, (0, PACKET - len(piece)))[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._at, fractions.Fraction(1, RATE_HZ)
        self._at += PACKET
        return frame


class Client:
    """One call."""

    def __init__(self, pc: RTCPeerConnection) -> None:
        self.pc = pc
        self.microphone = Microphone()
        self.levels: list[tuple[float, float]] = []
        self.messages: list[dict[str, Any]] = []
        self.channel = pc.createDataChannel("chat", ordered=True)
        self.channel.on("message", lambda text: self.messages.append(json.loads(text)))

    def send(self, type_: str, **data: Any) -> None:
        self.channel.send(json.dumps({"label": "rtvi-ai", "type": type_, "id": "1", "data": data}))

    def mute(self, muted: bool) -> None:
        status = {"type": "trackStatus", "receiver_index": 0, "enabled": not muted}
        self.channel.send(json.dumps({"type": "signalling", "message": status}))

    async def listen(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                samples = frame.to_ndarray().astype(np.float32) / 32768  # type: ignore[union-attr]
                self.levels.append((time.monotonic(), float(np.sqrt(np.mean(samples**2)))))

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE_SECS):
            while not condition():
                await asyncio.sleep(0.05)

    async def until_loud(self) -> None:
        since = time.monotonic()
        await self.until(lambda: any(at > since and level >= 0.02 for at, level in self.levels[-50:]))

    async def until_quiet(self, secs: float = 0.8) -> None:
        since = time.monotonic()
        await self.until(
            lambda: (
                time.monotonic() - since > secs
                and all(level < 0.005 for at, level in self.levels if at > max(since, time.monotonic() - secs))
            )
        )

    def understood(self) -> list[str]:
        said = [message["data"] for message in self.messages if message["type"] == "user-transcription"]
        return [each["text"].lower() for each in said if each["final"] and each["text"]]

    def told(self, type_: str) -> list[dict[str, Any]]:
        ours = [message["data"] for message in self.messages if message["type"] == "server-message"]
        return [data for data in ours if data["type"] == type_]


@asynccontextmanager
async def aiortc_client(bot: RealBot, *, speaks: bool) -> AsyncIterator[Client]:
    pc = RTCPeerConnection()
    client = Client(pc)
    listening: list[asyncio.Task[None]] = []
    opened = asyncio.Event()
    client.channel.on("open", opened.set)
    pc.on("track", lambda track: listening.append(asyncio.create_task(client.listen(track))))
    try:
        if speaks:
            pc.addTrack(client.microphone)
        else:
            pc.addTransceiver("audio", direction="recvonly")
        await pc.setLocalDescription(await pc.createOffer())
        offer = {"sdp": pc.localDescription.sdp, "type": "offer"}
        async with aiohttp.ClientSession() as http, http.post(f"{bot.url}/api/offer", json=offer) as answer:
            told = await answer.json()
        await pc.setRemoteDescription(RTCSessionDescription(told["sdp"], told["type"]))
        async with asyncio.timeout(DEADLINE_SECS):
            await opened.wait()
        client.mute(False)
        client.send("client-ready", version="2.1.0", about={"library": "somebody's"})
        yield client
    finally:
        for task in listening:
            task.cancel()
        await pc.close()


async def test_two_turns_an_interruption_and_mute(silent_bot: RealBot) -> None:
    bot, printed = silent_bot, len(silent_bot.lines)
    async with aiortc_client(bot, speaks=True) as client:
        client.mute(True)
        await client.microphone.say("book_a_room")
        await asyncio.sleep(1.5)
        assert client.understood() == []
        client.mute(False)
        for clip, word in (("book_a_room", "room"), ("go_forward_ten_meters", "forward")):
            _, end = await client.microphone.say(clip)
            await client.until(lambda word=word: any(word in said for said in client.understood()))
            await client.until_loud()
            await client.until_quiet()
            assert voiced_secs(as_rows(client.levels), end, time.monotonic()) > 0.8
        assert len(client.understood()) == 2
        client.send("send-text", content="what can you do")
        await client.until_loud()
        await asyncio.sleep(1.5)
        start, _ = await client.microphone.say("stop")
        await client.until(lambda: any(reply["cut"] for reply in client.told("reply-played")))
        await client.until_quiet()
        rows = as_rows(client.levels)
        assert voiced_secs(rows, start - 1.2, start) > 0.5, "the bot was not speaking"
        quiet_from = silent_from_secs(rows, start, 0.4)
        assert quiet_from is not None
        assert quiet_from - start < 2.0
    await bot.until_calls(0)
    assert_no_errors(bot, printed)


async def test_who_sends_nothing_at_all_but_is_there_is_not_hung_up_on(silent_bot: RealBot) -> None:
    """A hidden page in which somebody types: no sound, no ping, hardly an RTCP report; only ICE answers."""
    bot = silent_bot
    async with aiortc_client(bot, speaks=False) as client:
        await client.until(lambda: any(message["type"] == "bot-ready" for message in client.messages))
        getattr(client.pc.getReceivers()[0], "_RTCRtpReceiver__rtcp_task").cancel()  # noqa: B009
        await asyncio.sleep(9.0)
        assert (await bot.health())["calls"] == 1
        client.send("send-text", content="what can you do")
        await client.until_loud()
        client.send("disconnect-bot")
        await bot.until_calls(0)
