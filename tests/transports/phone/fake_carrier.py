"""A carrier on the other side of a stream: Twilio's messages, a buffer that is played by its own clock, marks, clear.

It keeps the product's promises to account: what it has played is what its caller heard.
"""

import asyncio
import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import WSMessage, WSMsgType

RATE_HZ = 8_000


@dataclass
class FakeTwilio:
    """One stream; the socket of a :class:`~transports.phone.call.PhoneCall`.

    Attributes:
        way_secs: How long a message takes one way, as a function.
        buffer_secs: How long it waits before it plays, when its buffer was empty.
        loses: Whether a mark is lost.
        chunks: What was played: when it began to sound, and the payload.
    """

    way_secs: Callable[[], float] = lambda: 0.02
    buffer_secs: float = 0.0
    loses: Callable[[], bool] = lambda: False
    returns_cleared_marks: bool = True
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    clears: list[float] = field(default_factory=list)
    keeps_open: bool = True

    def __post_init__(self):
        self._loop = asyncio.get_running_loop()
        self._inbox: asyncio.Queue[WSMessage] = asyncio.Queue()
        self._over_at = 0.0
        self._marks: list[tuple[float, str, asyncio.TimerHandle]] = []
        self._arrives = self._comes = 0.0
        self.closed_at = None
        self.marks = 0

    # --- what the bot does with it ----------------------------------------------------------------

    async def receive(self) -> WSMessage:
        return await self._inbox.get()

    async def send_str(self, data: str) -> None:
        self._arrives = max(self._arrives, self._loop.time() + self.way_secs())
        self._loop.call_at(self._arrives, self._take, json.loads(data))

    async def send_bytes(self, data: bytes) -> None:
        raise AssertionError("Twilio takes text")

    async def ping(self, message: bytes) -> None:
        self._loop.call_later(self.way_secs(), self.tell_raw, WSMessage(WSMsgType.PONG, message, None))

    async def pong(self, message: bytes) -> None:
        pass

    async def close(self) -> None:
        self.closed_at = self._loop.time()
        self._inbox.put_nowait(WSMessage(WSMsgType.CLOSED, None, None))

    # --- what the carrier does ----------------------------------------------------------------------

    def tell(self, message: dict) -> None:
        """Send the bot a message."""
        self.tell_raw(WSMessage(WSMsgType.TEXT, json.dumps(message), None))

    def tell_raw(self, message: WSMessage) -> None:
        self._comes = max(self._comes, self._loop.time() + self.way_secs())
        self._loop.call_at(self._comes, self._inbox.put_nowait, message)

    def start(self, call_id: str = "CA1") -> None:
        media = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"streamSid": "MZ1", "accountSid": "AC1", "callSid": call_id, "tracks": ["inbound"]}
        self.tell({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        self.tell({"event": "start", "streamSid": "MZ1", "start": {**start, "mediaFormat": media}})

    def say(self, payload: bytes) -> None:
        """20 ms of the caller's."""
        media = {"track": "inbound", "payload": base64.b64encode(payload).decode()}
        self.tell({"event": "media", "streamSid": "MZ1", "media": media})

    def _take(self, message: dict) -> None:
        now = self._loop.time()
        assert message["streamSid"] == "MZ1"
        match message["event"]:
            case "media":
                payload = base64.b64decode(message["media"]["payload"], validate=True)
                begin = self._over_at if self._over_at > now else now + self.buffer_secs
                self.chunks.append((begin, payload))
                self._over_at = begin + len(payload) / RATE_HZ
            case "mark":
                self.marks += 1
                due = max(now, self._over_at)
                name = message["mark"]["name"]
                self._marks.append((due, name, self._loop.call_at(due, self._return_mark, name)))
            case "clear":
                self._clear(now)
            case other:
                raise AssertionError(other)

    def _return_mark(self, name: str) -> None:
        self._marks = [mark for mark in self._marks if mark[1] != name]
        if not self.loses():
            self.tell({"event": "mark", "streamSid": "MZ1", "mark": {"name": name}})

    def _clear(self, now: float) -> None:
        self.clears.append(now)
        kept = []
        for begin, payload in self.chunks:
            left = max(0, round((now - begin) * RATE_HZ))
            if left:
                kept.append((begin, payload[:left]))
        self.chunks = kept
        self._over_at = now
        for _, name, timer in list(self._marks):
            timer.cancel()
            if self.returns_cleared_marks:  # as Twilio does: they look like those that were played
                self._return_mark(name)
        self._marks.clear()

    # --- what its caller heard ------------------------------------------------------------------------

    def played_secs(self, now: float) -> float:
        """How much sound has been played by a moment, silence between not counted."""
        return sum(min(len(payload) / RATE_HZ, max(0.0, now - begin)) for begin, payload in self.chunks)

    def played(self) -> bytes:
        """All payloads, one after the other."""
        return b"".join(payload for _, payload in self.chunks)

    def silent_since(self) -> float:
        """When the last sound ended."""
        begin, payload = self.chunks[-1]
        return begin + len(payload) / RATE_HZ


def jittery(rng: random.Random, way_secs: float, jitter_secs: float) -> Callable[[], float]:
    """A way that takes longer at times."""
    return lambda: way_secs + jitter_secs * rng.random()
