"""A caller on a real line: ICE, DTLS, SRTP and a data channel by aiortc; audio sent and received leanly.

aiortc sets the call up and carries the data channel; voice passes it by on both ways
(``processors/compat/caller_media.py``), so that a caller costs about a hundredth of a core.

    async with Caller("http://127.0.0.1:7860") as caller:
        await caller.bot_speaks(timeout_secs=10)
        await caller.bot_is_silent(for_secs=0.5, timeout_secs=30)
        said = await caller.say(clip)
    sound = caller.recording.sound()
"""

import asyncio
import contextlib
import json
import random
import time
import uuid
from collections import deque
from collections.abc import Callable
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import numpy as np
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from audio.opus import OpusDecoder, OpusError
from audio.rtp import RTP_HEADER
from loadtest.audio import LOUD_RMS, PACKET_SECS, Clip, room_packets
from loadtest.recording import Message, ReceivedPacket, Recording, Said
from processors.compat.caller_media import CallerMedia, stay_on_loopback

CONNECT_TIMEOUT_SECS: Final = 15.0
PING_SECS: Final = 1.0
_CLOSE_TIMEOUT_SECS: Final = 5.0
_HOPELESSLY_LATE_SECS: Final = 1.0
_LEVEL_RATE_HZ: Final = 8_000


class CallRefused(Exception):
    """The bot said no.

    Parameters:
        status: HTTP status.
        body: The JSON of the answer.
        retry_after_secs: Its ``Retry-After``, if it had one.
    """

    def __init__(self, status: int, body: dict[str, Any], retry_after_secs: float | None) -> None:
        super().__init__(f"HTTP {status}: {body}")
        self.status = status
        self.body = body
        self.retry_after_secs = retry_after_secs


class CallFailed(Exception):
    """The call could not be set up, or what was waited for did not come."""


class Caller:
    """One caller. Use it as an async context manager, or :meth:`connect` and :meth:`hangup`.

    Parameters:
        url: Where the bot is: ``http://HOST:PORT``.
        offer_extras: Further fields of the offer's JSON.
        ready: Say "client-ready" as soon as the data channel is open, as the page does.
    """

    def __init__(self, url: str, *, offer_extras: dict[str, Any] | None = None, ready: bool = True) -> None:
        self.url = url.rstrip("/")
        self.recording = Recording()
        self.pc_id = ""
        self.connected_secs = 0.0
        """How long connecting took, from the offer to the open data channel."""
        self._offer_extras = offer_extras or {}
        self._ready = ready
        self.connection: RTCPeerConnection | None = None
        self.media: CallerMedia | None = None
        self._clips: deque[tuple[Clip, Said, asyncio.Future[Said]]] = deque()
        self._packet_of_clip = 0
        self.room = room_packets()
        self._packet_of_room = random.randrange(len(self.room))
        self._level_decoder = OpusDecoder(sample_rate_hz=_LEVEL_RATE_HZ)
        self._last_payload = b""
        self._last_loud = False
        self._loud_at: float | None = None
        self._waits: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._due = 0.0
        self._ticking: asyncio.TimerHandle | None = None
        self._pinging: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hangup()

    async def connect(self) -> None:
        """Call, and return when voice and messages can pass both ways.

        Raises:
            CallRefused: The bot said no.
            CallFailed: No connection came about.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECS):
                await self._connect()
        except TimeoutError:
            await self.hangup()
            raise CallFailed(f"not connected within {CONNECT_TIMEOUT_SECS:.0f} s") from None
        except BaseException:
            await self.hangup()
            raise
        self.connected_secs = time.monotonic() - started
        self._due = time.monotonic()
        self._tick()
        self._ping()

    async def _connect(self) -> None:
        pc = self.connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        transceiver = pc.addTransceiver("audio", direction="sendrecv")
        if _is_loopback(self.url):
            stay_on_loopback(transceiver)
        channel = self.channel = pc.createDataChannel("rtvi", ordered=True)
        opened, connected = asyncio.Event(), asyncio.Event()
        channel.on("open", opened.set)
        channel.on("message", self._on_message)

        @pc.on("connectionstatechange")
        def on_change() -> None:
            if pc.connectionState in ("connected", "failed", "closed"):
                connected.set()

        await pc.setLocalDescription(await pc.createOffer())
        answer = await self._post_offer(pc.localDescription.sdp)
        self.pc_id = answer.get("pc_id", "")
        await pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        await connected.wait()
        if pc.connectionState != "connected":
            raise CallFailed(f"the connection is {pc.connectionState}")
        self.media = CallerMedia(transceiver, self._on_packet)
        await opened.wait()
        if self._ready:
            self.send_message("client-ready", {"version": "2.0.0", "about": {"library": "parley-loadtest"}})

    async def _post_offer(self, sdp: str) -> dict[str, Any]:
        offer = {"sdp": sdp, "type": "offer", **self._offer_extras}
        async with aiohttp.ClientSession() as http, http.post(self.url + "/api/offer", json=offer) as response:
            try:
                body = await response.json(content_type=None)
            except ValueError:
                body = {}
            if response.status != 200:
                retry_after = response.headers.get("Retry-After")
                raise CallRefused(response.status, body, float(retry_after) if retry_after else None)
            return body

    async def hangup(self) -> None:
        """End the call; returns when all that it held is freed."""
        for timer in (self._ticking, self._pinging):
            if timer is not None:
                timer.cancel()
        for *_, future in self._clips:
            future.cancel()
        for _, future in self._waits:
            future.cancel()
        self._clips.clear()
        self._waits.clear()
        pc, self.connection, self.media = self.connection, None, None
        if pc is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_SECS):
                    await pc.close()

    def cut_connection(self) -> None:
        """Nothing passes either way from now on, until :meth:`mend_connection`."""
        if self.media is not None:
            self.media.cut()

    def mend_connection(self) -> None:
        """The path is back, as when a train leaves a tunnel."""
        if self.media is not None:
            self.media.mend()

    async def vanish(self) -> None:
        """Be gone without a goodbye, as when a battery dies."""
        if self.media is not None:
            self.media.cut()
        await self.hangup()

    # --- talking

    def say(self, clip: Clip) -> "asyncio.Future[Said]":
        """Say a clip, from the next packet on, or after what is being said. Await the result to know that it is out."""
        said = Said(clip.name)
        self.recording.said.append(said)
        future: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self._clips.append((clip, said, future))
        return future

    def send_message(self, kind: str, data: dict[str, Any] | None = None) -> None:
        """Send an RTVI message."""
        message = {"label": "rtvi-ai", "type": kind, "id": uuid.uuid4().hex[:8], "data": data or {}}
        self.channel.send(json.dumps(message))

    def type_text(self, text: str) -> None:
        """Type a text, as on the page."""
        self.send_message("send-text", {"content": text})

    def press_key(self, key: str) -> None:
        """Press a phone key: ``0`` to ``9``, ``*`` or ``#``."""
        self.send_message("client-message", {"t": "dtmf", "d": {"key": key}})

    def _tick(self) -> None:
        if self.connection is not None and self.connection.connectionState == "closed":
            self.media = None  # the bot has closed it, and aiortc its socket
        now = time.monotonic()
        late = now - self._due
        self.recording.slip_secs.append(late)
        if late > _HOPELESSLY_LATE_SECS:
            # A burst of so much audio would be heard as nothing that a person does.
            missed = int(late / PACKET_SECS)
            self._due += missed * PACKET_SECS
            if self.media is not None:
                self.media.skip(missed)
        if self.media is not None:
            self.media.send(self._next_payload(now))
        self._due += PACKET_SECS
        self._ticking = asyncio.get_running_loop().call_at(self._due, self._tick)
        if self._waits:
            self._settle_waits()

    def _next_payload(self, now: float) -> bytes:
        if not self._clips:
            self._packet_of_room = (self._packet_of_room + 1) % len(self.room)
            return self.room[self._packet_of_room]
        clip, said, future = self._clips[0]
        start = self._packet_of_clip * PACKET_SECS
        if self._packet_of_clip == clip.first_loud_packet:
            said.first_loud_secs = now - PACKET_SECS + clip.first_loud_secs - start
        if self._packet_of_clip == clip.last_loud_packet:
            said.last_loud_secs = now - PACKET_SECS + clip.last_loud_secs - start
        payload = clip.packets[self._packet_of_clip]
        self._packet_of_clip += 1
        if self._packet_of_clip == len(clip.packets):
            self._packet_of_clip = 0
            self._clips.popleft()
            if not future.done():
                future.set_result(said)
        return payload

    def _ping(self) -> None:
        if self.channel.readyState == "open":
            self.channel.send("ping")
        self._pinging = asyncio.get_running_loop().call_later(PING_SECS, self._ping)

    # --- listening

    def _on_packet(self, packet: bytes) -> None:
        now = time.monotonic()
        first, _, sequence, timestamp, _ = RTP_HEADER.unpack_from(packet)
        start = 12 + 4 * (first & 0x0F)
        if first & 0x10:  # a header extension (RFC 3550 section 5.3.1): its length in words stands in it
            start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4])
        payload = packet[start:]
        self.recording.packets.append(ReceivedPacket(now, sequence, timestamp, payload))
        if payload != self._last_payload:  # silence is one packet over and over
            self._last_payload = payload
            self._last_loud = self._is_loud(payload)
        if self._last_loud:
            self._loud_at = now

    def _is_loud(self, payload: bytes) -> bool:
        try:
            samples = np.frombuffer(self._level_decoder.decode(payload), np.int16).astype(np.float32)
        except OpusError:
            return False
        return bool(np.dot(samples, samples) >= LOUD_RMS**2 * len(samples))

    def _on_message(self, text: str | bytes) -> None:
        try:
            message = json.loads(text)
        except ValueError:  # "pong"
            return
        if not isinstance(message, dict):
            return
        data = message.get("data")
        data = data if isinstance(data, dict) else {}
        kind = str(message.get("type"))
        if kind == "server-message":
            kind = str(data.get("type", kind))
        self.recording.messages.append(Message(time.monotonic(), kind, data))

    @property
    def bot_is_speaking(self) -> bool:
        """Whether the bot's last 100 ms were not silent."""
        return self._loud_at is not None and time.monotonic() - self._loud_at < 0.1

    async def until(self, condition: Callable[[], bool], *, what: str, timeout_secs: float) -> None:
        """Wait until a condition holds; it is looked at each 20 ms.

        Raises:
            CallFailed: It did not hold in time; ``what`` says what was waited for.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waits.append((condition, future))
        try:
            async with asyncio.timeout(timeout_secs):
                await future
        except TimeoutError:
            raise CallFailed(f"timed out after {timeout_secs} s waiting for: {what}") from None

    def _settle_waits(self) -> None:
        for wait in list(self._waits):
            condition, future = wait
            if future.done() or condition():
                self._waits.remove(wait)
                if not future.done():
                    future.set_result(None)

    async def bot_speaks(self, *, timeout_secs: float) -> None:
        """Wait until the bot is heard.

        Raises:
            CallFailed: It was not.
        """
        await self.until(lambda: self.bot_is_speaking, what="the bot's voice", timeout_secs=timeout_secs)

    async def bot_is_silent(self, *, for_secs: float, timeout_secs: float) -> None:
        """Wait until the bot has been silent for a while.

        Raises:
            CallFailed: It went on and on.
        """

        def silent() -> bool:
            return self._loud_at is None or time.monotonic() - self._loud_at >= for_secs

        await self.until(silent, what=f"{for_secs} s of silence", timeout_secs=timeout_secs)

    async def message(self, kind: str, *, after: int = 0, timeout_secs: float) -> Message:
        """Wait for a message.

        Parameters:
            kind: Its type; see :class:`Message`.
            after: Look only at messages from this index on; ``len(recording.messages)`` means "from now on".
            timeout_secs: How long to wait.

        Raises:
            CallFailed: None came.
        """

        def find() -> Message | None:
            return next((m for m in self.recording.messages[after:] if m.type == kind), None)

        await self.until(lambda: find() is not None, what=f"message of type {kind}", timeout_secs=timeout_secs)
        found = find()
        assert found is not None
        return found


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name
        return False
