"""One call over SIP: its sound comes and goes as RTP at a port of its own.

What is pulled from the output leaves as a packet at once, at the pace that the other side plays it: so the words that
were heard are known as they are over WebRTC, and a pause or a cut is heard with the next packet.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from loguru import logger

from contracts.caller_identity import CallerIdentity
from contracts.frames import CallHoldFrame
from contracts.transfer import TransferOutcome
from transports.client_messages import MessageLimits
from transports.output import PlayoutOutput
from transports.pacer import shared_pacer
from transports.phone.line import WATCH_SECS, TelephoneCall
from transports.sip.media import Media
from transports.sip.rtp_stream import PACKET_SAMPLES, RtpStream

PROBE_SECS: Final = 15.0
"""After so long without a packet it is asked whether the other side is still there."""

SILENT_SECS: Final = 60.0
"""A call whose line brings nothing for so long ends, unless the caller has put it on hold."""

HOLD_SECS: Final = 1_800.0
"""So long a call may be on hold."""

MAX_PACKETS_PER_SEC: Final = 150
"""More are not read; 20 ms of sound each make 50, and the shortest usual packets of 10 ms make 100."""


class SipLine:
    """What a call asks of its user agent; all of it may be called at any time.

    Args:
        hang_up: Ends the call at the other side.
        probe: Asks whether that is still there.
        transfer: Asks it to call somebody else; returns whether it was asked.
    """

    def __init__(self, hang_up: Callable[[], None], probe: Callable[[], None], transfer: Callable[[str], bool]) -> None:
        self.hang_up = hang_up
        self.probe = probe
        self.transfer = transfer


class SipVoice:
    """Sends the voice at the 20 ms tick that all calls share.

    Args:
        stream: Makes packets.
        output: What is played.
        send: Sends one.
        on_end: Called when it fails.
    """

    def __init__(
        self,
        stream: RtpStream,
        output: PlayoutOutput,
        send: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._output = output
        self._send = send
        self._on_end = on_end

    def begin(self) -> None:
        """Speak from the next tick on."""
        shared_pacer().join(self.on_tick)

    def end(self) -> None:
        """Speak no more; does nothing the second time."""
        shared_pacer().leave(self.on_tick)

    def on_tick(self, ticks: int) -> None:
        """20 ms have passed, or more."""
        try:
            packet = self._stream.packet(self._output.pull(PACKET_SAMPLES), ticks)
            if self._stream.media.hears:
                self._send(packet)
        except Exception:
            self.end()
            self._on_end()
            raise


class SipCall(TelephoneCall, asyncio.DatagramProtocol):
    """A call from the moment it is let in to its end; the protocol of its RTP port.

    Args:
        line: Its user agent.
        name: Our name for it.
        identity: Who the caller is, if the number is trusted; None: nobody vouches for it.
        request_data: What is known of the caller; nobody vouches for it.
        connect_timeout_secs: How long it may take from its taking to the first sound.
        limits: How many keys the caller may press.
    """

    def __init__(
        self,
        line: SipLine,
        *,
        name: str,
        identity: CallerIdentity | None = None,
        request_data: Mapping[str, Any] | None = None,
        connect_timeout_secs: float = 15.0,
        limits: MessageLimits | None = None,
    ) -> None:
        super().__init__(name=name, identity=identity, request_data=request_data, limits=limits)
        self._line = line
        self._stream: RtpStream | None = None
        self._socket: asyncio.DatagramTransport | None = None
        self._on_hold_since: float | None = None
        self._watching: asyncio.Task[None] | None = None
        self._probed_at = 0.0
        self._packets = 0
        self._gone = False
        self._peer = ""
        self._transferred: asyncio.Future[int] | None = None
        self._deadline = asyncio.get_running_loop().call_later(connect_timeout_secs, self._not_connected)

    # --- what the user agent tells ---------------------------------------------------------------------

    def confirmed(self, media: Media, peer: str) -> None:
        """The other side knows that the call was taken."""
        if self.over or self._socket is None or self._stream is not None:
            return
        self._deadline.cancel()
        self._peer = f"[{peer}]" if ":" in peer else peer
        self._stream = RtpStream(media, secrets.randbits(31), peer)
        self._heard_at = self._probed_at = self._now()
        self._voice = SipVoice(self._stream, self._output, self._send, self._voice_failed)
        self._watching = asyncio.create_task(self._watch())
        self._spawn(self._begin(self._voice))
        if media.on_hold:
            self.changed(media)

    def changed(self, media: Media) -> None:
        """The other side has put the call on hold, or comes back, or has moved."""
        if self.over or self._stream is None:
            return
        self._stream.change(media)
        if media.on_hold != (self._on_hold_since is not None):
            self._on_hold_since = self._now() if media.on_hold else None
            self._heard_at = self._now()
            self._spawn(self._input.take(CallHoldFrame(media.on_hold)))

    def pressed(self, key: str) -> None:
        """A key was pressed."""
        self._spawn(self._press(key, self._now()))

    async def transfer(self, target: str, within_secs: float) -> TransferOutcome:
        """Put the caller through to somebody else, and leave the call if they take it.

        Args:
            target: Their SIP URI, or their number at the machine that the call came from.
            within_secs: How long they may take.
        """
        if self._transferred is not None or self.over:
            return TransferOutcome.IMPOSSIBLE
        if not target.startswith(("sip:", "sips:")):
            target = f"sip:{target}@{self._peer}"
        self._transferred = asyncio.get_running_loop().create_future()
        try:
            if not self._line.transfer(target):
                return TransferOutcome.IMPOSSIBLE
            async with asyncio.timeout(within_secs):
                status = await self._transferred
        except TimeoutError:
            return TransferOutcome.NO_ANSWER
        finally:
            self._transferred = None
        if status >= 300:
            return TransferOutcome.IMPOSSIBLE if status in (405, 501) else TransferOutcome.REFUSED
        self._end("the caller was put through")
        return TransferOutcome.DONE

    def transfer_told(self, status: int) -> None:
        """How a transfer stands; somebody may take the call after the bot has come back, too."""
        if status >= 200 and self._transferred is not None and not self._transferred.done():
            self._transferred.set_result(status)
        elif 200 <= status < 300 and self._transferred is None:
            self._end("the caller was put through")

    def gone(self, reason: str) -> None:
        """The other side has ended the call."""
        self._gone = True
        self._end(reason)
        self.transfer_told(200)  # many exchanges say no more than this when somebody has taken the call

    # --- RTP -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The port is open."""
        self._socket = cast("asyncio.DatagramTransport", transport)  # uvloop's own does not derive from it
        if self.over:
            self._socket.close()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """A packet came, from whomever."""
        if self._stream is None or self.over:
            return
        self._packets += 1
        if self._packets > MAX_PACKETS_PER_SEC * WATCH_SECS:
            return
        received = self._stream.received(data, (addr[0], addr[1]))
        if received is None:
            return
        now = self._now()
        self._heard_at, self._filled_secs = now, 0.0
        if received.key:
            self.pressed(received.key)
        # What comes faster than life is not listened to: a vendor would have to be paid for it.
        if received.frames and self._pace.take(received.secs, now):
            for pcm in received.frames:
                if not self._input.hear_directly(pcm):
                    self._spawn(self._input.hear(pcm))

    def error_received(self, exc: Exception) -> None:
        """The other side's port is closed for now: whether it is gone is told by its silence."""

    def _send(self, packet: bytes) -> None:
        if self._socket is not None and self._stream is not None and not self._socket.is_closing():
            self._socket.sendto(packet, self._stream.destination)

    async def _watch(self) -> None:
        """Tell when the other side is gone; bridge gaps in its sound."""
        assert self._stream is not None
        while not self.over:
            await asyncio.sleep(WATCH_SECS)
            self._packets = 0
            now = self._now()
            if self._on_hold_since is not None:
                if now - self._on_hold_since >= HOLD_SECS:
                    self._end("the caller left it on hold")
            elif now - self._heard_at >= SILENT_SECS:
                self._end("the line fell silent")
            else:
                await self._bridge_gap(now)
            if now - max(self._heard_at, self._probed_at) >= PROBE_SECS:
                self._probed_at = now
                self._line.probe()
            self.quality = {"lost_in_percent": self._stream.lost_percent}

    def _not_connected(self) -> None:
        self._end("the other side did not connect")

    # --- the end -----------------------------------------------------------------------------------------

    async def _let_go(self) -> None:
        self._deadline.cancel()
        if self._watching is not None:
            self._watching.cancel()
        self.transfer_told(487)
        if not self._gone:
            self._line.hang_up()
        if self._socket is not None:
            self._socket.close()
        if self._stream is not None and self._stream.strange:
            logger.warning(
                "call {}: {} packets of sound came from elsewhere than was agreed, or were malformed, and were dropped",
                self.pc_id,
                self._stream.strange,
            )
