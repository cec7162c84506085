"""One call over a carrier's media stream: the caller's sound and keys into the pipeline, the bot's voice out.

The carrier is let in by its webhook first (see ``server/phone.py``); then it opens a WebSocket, which is
the call's line. When that closes the call is over, and when the call is over it is closed, which hangs up: there is
nothing to come back to, other than on the web.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from aiohttp import WSMessage, WSMsgType
from loguru import logger

from admission.token_bucket import TokenBucket
from contracts.caller_identity import CallerIdentity
from contracts.transfer import TransferOutcome
from transports.client_messages import MessageLimits
from transports.phone.carrier import (
    Carrier,
    Event,
    Heard,
    Key,
    MalformedError,
    Played,
    Started,
    Stopped,
    Wire,
)
from transports.phone.line import CLOSE_SECS, WATCH_SECS, TelephoneCall
from transports.phone.sound import Hearing
from transports.phone.voice import PhoneVoice
from transports.receive import ReorderBuffer

MAX_MESSAGE_BYTES: Final = 32 * 1024
"""Longest message of a stream; carriers send 20 ms of sound in each, which take less than 1 kB."""

MESSAGES_PER_SEC: Final = 200.0
"""Messages of a stream that are read; carriers send 50 with sound, and return 17 marks. Further ones are dropped."""

BYTES_PER_SEC: Final = 96 * 1024
"""Their length in all; sound of 16 kHz takes 32 kB."""

MAX_DROPPED: Final = 2_000
"""After so many messages that were dropped, or could not be read, the call ends: this is no carrier."""

SILENT_SECS: Final = 10.0
"""A stream that says nothing at all for so long is gone."""

START_SECS: Final = 5.0
"""How long a stream may take until it says what it is."""

PING_SECS: Final = 5.0
"""How often the way to the carrier is measured."""

OUTBOX: Final = 500
"""Messages that may wait for the network; more, and the carrier has not read for seconds."""


ASKS_SECS: Final = 10.0
"""How much longer than it rings a carrier may take to ask what is next."""

Redirect = Callable[[str, str, float], Awaitable[bool]]
"""Tells a carrier to call somebody else: for which call, whom, and for how many seconds; returns whether it will."""


class Socket(Protocol):
    """The WebSocket, as far as a call needs it; it leaves pings to be answered."""

    async def receive(self) -> WSMessage:
        """The next message; of a type that closes, when it is closed."""
        ...

    async def send_str(self, data: str) -> None:
        """Send text."""
        ...

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes."""
        ...

    async def ping(self, message: bytes) -> None:
        """Ask for a pong."""
        ...

    async def pong(self, message: bytes) -> None:
        """Answer a ping."""
        ...

    async def close(self) -> Any:
        """Close it."""
        ...


class PhoneCall(TelephoneCall):
    """A call from the moment it is let in to its end; see :class:`~transports.phone.line.TelephoneCall`.

    Args:
        carrier: Who carries it.
        name: Our name for it.
        carrier_call_id: The carrier's name.
        identity: Who the caller is, if the number is trusted; None: nobody vouches for it.
        request_data: What is known of the caller; nobody vouches for it.
        connect_timeout_secs: How long its stream may take to come.
        limits: How many keys the caller may press.
    """

    def __init__(
        self,
        carrier: Carrier,
        *,
        name: str,
        carrier_call_id: str,
        identity: CallerIdentity | None = None,
        request_data: Mapping[str, Any] | None = None,
        connect_timeout_secs: float = 15.0,
        limits: MessageLimits | None = None,
    ) -> None:
        super().__init__(name=name, identity=identity, request_data=request_data, limits=limits)
        self.carrier = carrier
        self.carrier_call_id = carrier_call_id
        self._socket: Socket | None = None
        self._stream_voice: PhoneVoice | None = None
        self._hearing: Hearing | None = None
        self._order = ReorderBuffer()
        self._messages = TokenBucket(MESSAGES_PER_SEC, 3 * MESSAGES_PER_SEC)
        self._bytes = TokenBucket(BYTES_PER_SEC, 3 * BYTES_PER_SEC)
        self._dropped = 0
        self._outbox: deque[Wire] = deque()
        self._outbox_filled = asyncio.Event()
        self._streaming: set[asyncio.Task[None]] = set()
        self._spoke_at = 0.0
        self._pinged_at: float | None = None
        self._deadline = asyncio.get_running_loop().call_later(connect_timeout_secs, self._no_stream)
        self._away: asyncio.Future[bool] | None = None
        self.redirect: Redirect | None = None
        """How the carrier is told to call somebody else for the caller; None: it cannot be told."""

    async def transfer(self, target: str, within_secs: float) -> TransferOutcome:
        """Have the carrier call somebody else for the caller, and leave the call if they take it.

        The carrier closes the stream meanwhile. When nobody answers, it asks what is next, and opens another.

        Args:
            target: Their number.
            within_secs: How long they may take.
        """
        if self.redirect is None or self._away is not None or self._stream_voice is None or self.over:
            return TransferOutcome.IMPOSSIBLE
        self._away = asyncio.get_running_loop().create_future()
        try:
            if not await self.redirect(self.carrier_call_id, target, within_secs):
                return TransferOutcome.IMPOSSIBLE
            async with asyncio.timeout(within_secs + ASKS_SECS):
                answered = await self._away
                if answered:
                    self._end("the caller was put through")
        except TimeoutError:
            self._end("the caller was put through")  # else the carrier had asked what is next
            answered = True
        finally:
            self._away = None
            if self._socket is None:  # the carrier has closed the stream, and opens no other
                self._end("the line broke")
        return TransferOutcome.DONE if answered else TransferOutcome.NO_ANSWER

    @property
    def is_away(self) -> bool:
        """Whether the carrier has the caller, and calls somebody else for them."""
        return self._away is not None and not self._away.done()

    def put_through(self) -> None:
        """Somebody has taken the call, and it is over."""
        if self._away is not None and not self._away.done():
            self._away.set_result(True)

    # --- the stream ------------------------------------------------------------------------------

    async def run(self, socket: Socket) -> None:
        """Serve the call's stream until that, or the call, is over."""
        if self._socket is not None or self.over:
            return
        self._socket = socket
        self._hearing = None
        self._outbox.clear()
        self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(START_SECS, self._no_stream)
        self._spoke_at = self._now()
        for work in (self._send_for_ever(socket), self._watch(socket)):
            task = asyncio.create_task(work)
            self._streaming.add(task)
            task.add_done_callback(self._on_task_over)
        reason = "the line broke"
        try:
            reason = await self._receive(socket)
        except OSError as error:
            logger.debug("the stream of call {} broke: {!r}", self.pc_id, error)
        finally:
            if self.is_away:
                await self._leave(socket)
            else:
                self._end(reason)
        if self.over:
            await self.closed.wait()

    async def _leave(self, socket: Socket) -> None:
        """The carrier has taken the caller out of the stream; it may open another."""
        if self._voice is not None:
            self._voice.end()
        for task in list(self._streaming):
            task.cancel()
        self._socket = self._voice = self._stream_voice = None
        self._output.far_end = None
        self._heard_at = 0.0
        await self._close_socket(socket)

    async def _receive(self, socket: Socket) -> str:
        """Read until there is no more to read; returns why."""
        while True:
            message = await socket.receive()
            now = self._now()
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    self._spoke_at = now  # a pong is the machine's, not the line's
                    if (reason := await self._take(message.data, now)) is not None:
                        return reason
                case WSMsgType.PING:
                    await socket.pong(message.data)
                case WSMsgType.PONG:
                    self._measure(now)
                case _:
                    return "the carrier closed the stream"

    async def _take(self, message: Wire, now: float) -> str | None:
        """Take a message; returns why the call ends, if it does."""
        if not self._messages.take(1, now) or not self._bytes.take(len(message), now):
            return self._drop_one("the carrier sends too much")
        try:
            event = self.carrier.read(message)
            if event is not None:
                return await self._on_event(event, now)
        except MalformedError:
            return self._drop_one("the carrier sends what cannot be read")
        return None

    def _drop_one(self, reason: str) -> str | None:
        self._dropped += 1
        return reason if self._dropped >= MAX_DROPPED else None

    async def _on_event(self, event: Event, now: float) -> str | None:
        match event:
            case Started():
                return self._on_start(event)
            case Stopped():
                return "the caller hung up"
            case _ if self._hearing is None:
                raise MalformedError("before the start")
            case Heard():
                await self._on_sound(self._hearing, event, now)
            case Played():
                if self._stream_voice is not None:
                    self._stream_voice.played(event.mark)
            case Key():
                await self._press(event.key, now)
        return None

    def _on_start(self, started: Started) -> str | None:
        if self._hearing is not None:
            raise MalformedError("a second start")
        if started.call_id not in (None, self.carrier_call_id):
            return "the stream belongs to another call"
        self._deadline.cancel()
        if self._away is not None and not self._away.done():
            self._away.set_result(False)
        self._hearing = Hearing(started.encoding)
        self._voice = self._stream_voice = PhoneVoice(
            self.carrier, started, self._output, self._send, self._forget_unsent, self._voice_failed, self._now
        )
        self._spawn(self._begin(self._voice))
        return None

    async def _on_sound(self, hearing: Hearing, heard: Heard, now: float) -> None:
        self._heard_at = now
        self._filled_secs = 0.0
        payloads = [heard.payload] if heard.number is None else self._order.push(heard.number & 0xFFFF, heard.payload)
        for payload in payloads:
            # What comes faster than life is not listened to: a vendor would have to be paid for it.
            if payload and self._pace.take(hearing.secs(payload), now):
                for pcm in hearing.push(payload):
                    await self._hear(pcm)

    # --- sending -----------------------------------------------------------------------------------

    def _send(self, message: Wire) -> None:
        if len(self._outbox) >= OUTBOX:
            self._end("the carrier does not take the voice")
            return
        self._outbox.append(message)
        self._outbox_filled.set()

    def _forget_unsent(self) -> None:
        self._outbox.clear()

    async def _send_for_ever(self, socket: Socket) -> None:
        while True:
            await self._outbox_filled.wait()
            self._outbox_filled.clear()
            while self._outbox:
                message = self._outbox.popleft()
                if isinstance(message, str):
                    await socket.send_str(message)
                else:
                    await socket.send_bytes(message)

    # --- watching ----------------------------------------------------------------------------------

    async def _watch(self, socket: Socket) -> None:
        """Tell when the stream is gone; bridge gaps in its sound; measure the way."""
        pinged_at = -PING_SECS
        while True:
            now = self._now()
            if now - self._spoke_at >= SILENT_SECS:
                self._end("the carrier fell silent")
                return
            if now - pinged_at >= PING_SECS:
                pinged_at = self._pinged_at = now
                await socket.ping(b"")
            await self._bridge_gap(now)
            await asyncio.sleep(WATCH_SECS)

    def _measure(self, now: float) -> None:
        if self._pinged_at is not None and self._stream_voice is not None:
            round_trip_secs = now - self._pinged_at
            self._stream_voice.round_trip(round_trip_secs)
            self.quality = {"round_trip_ms": round(1000 * round_trip_secs, 1)}
        self._pinged_at = None

    def _no_stream(self) -> None:
        self._end("the carrier's stream did not come")

    # --- the end -----------------------------------------------------------------------------------

    def _on_task_over(self, task: asyncio.Task[None]) -> None:
        self._streaming.discard(task)
        if not self.is_away and not task.cancelled() and (error := task.exception()) is not None:
            if not isinstance(error, OSError):
                logger.opt(exception=error).error(f"the stream of call {self.pc_id} failed")
            self._end("the line broke")

    async def _let_go(self) -> None:
        self._deadline.cancel()
        self.put_through()  # nobody waits any longer
        for task in list(self._streaming):
            task.cancel()
        if self._socket is not None:
            await self._close_socket(self._socket)

    @staticmethod
    async def _close_socket(socket: Socket) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECS):
                await socket.close()
        except (TimeoutError, OSError):
            return
