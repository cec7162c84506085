"""One peer connection of a call: the caller's packets and messages in, the bot's voice and messages out.

A call may have several, one after the other; see ``transports/webrtc.py``. Built on Pipecat's
:class:`SmallWebRTCConnection` (offer and answer, data channel) with audio of our own on both sides: packets are decoded
as they arrive, and the voice is encoded as it is played.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from aiortc import RTCDataChannel, RTCIceCandidate, RTCIceServer, RTCRtpSender
from loguru import logger
from pipecat.frames.frames import Frame
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection

from admission.token_bucket import TokenBucket
from audio.opus import OpusEncoder
from audio.rtp import AudioPacket
from contracts.frames import ClientAnswerFrame, ClientMicrophoneFrame, ClientReadyFrame
from processors.compat import (
    ask_whether_there,
    bound_messages,
    close_sockets,
    on_sign_of_life,
    own_interfaces,
    take_audio,
    take_voice,
)
from transports import rtvi
from transports.candidates import CandidateLimit, CandidatePolicy, without_refused
from transports.client_messages import ClientMessages
from transports.reachability import ASK_AFTER_SECS, Reach, Step
from transports.receive import FRAME_MS, SILENCE, AudioReceiver
from transports.sdp import count_candidates
from transports.tap import CallTap
from transports.voice import RTP_CLOCK_HZ, Voice

CLOSE_TIMEOUT_SECS: Final = 5.0
"""How long a peer connection may take to close before it is left to the garbage collector."""

GAP_SECS: Final = 0.4
"""After so long without audio (a microphone unplugged, a burst of loss) silence is heard instead, so that whoever was
speaking comes to an end."""

MAX_FILL_SECS: Final = 2.0
"""How much silence is heard at most; any turn has ended by then."""

READY_SECS: Final = 2.0
"""A peer that is connected and has said nothing at all by then never will: it counts as ready."""

LATE_READY_SECS: Final = 120.0
"""So long a peer that speaks may take to say that it is ready: a page may have to wait for a tap to be heard."""

MAX_PACE: Final = 1.1
"""Audio that comes faster than this multiple of real time is not listened to: a vendor would have to be paid for it."""

BACKLOG_SECS: Final = 3.0
"""So much may come at once nevertheless, if nothing came for as long: a line that stuttered delivers what it held."""

FIRST_BACKLOG_SECS: Final = 0.5
"""The same at the start of a call."""

RESTART_READY_SECS: Final = 1.0
"""So long a peer that takes another one's place may take to say that it is ready, unless it has announced that it will:
Pipecat's clients say so once a call, not once a connection."""

RTP_TICKS_PER_MS: Final = RTP_CLOCK_HZ // 1000

_WATCH_SECS: Final = 0.5
_NEVER_SECS: Final = 10**6


def connection_quality(reports: Iterable[Any]) -> dict[str, float]:
    """How good a line is, from the statistics of its two directions (RFC 3550 §6.4): loss and jitter in, loss and
    round-trip time out; what the peer has not reported yet is left out.

    Parameters:
        reports: aiortc's statistics of one audio receiver and one sender.
    """
    quality: dict[str, float] = {}
    for stats in reports:
        if stats.type == "inbound-rtp" and stats.packetsReceived:
            lost = max(0, stats.packetsLost)
            quality["lost_in_percent"] = round(100 * lost / (lost + stats.packetsReceived), 2)
            quality["jitter_in_ms"] = round(stats.jitter / RTP_TICKS_PER_MS, 1)
        elif stats.type == "remote-inbound-rtp":
            sent = max(1, stats.packetsReceived + stats.packetsLost)
            quality["lost_out_percent"] = round(100 * max(0, stats.packetsLost) / sent, 2)
            if stats.roundTripTime is not None:
                quality["round_trip_ms"] = round(1000 * stats.roundTripTime, 1)
    return quality


class PeerListener(Protocol):
    """Who is told what becomes of a peer."""

    @property
    def tap(self) -> CallTap | None:
        """Who listens in on the call; None: nobody."""
        ...

    async def peer_connected(self, peer: "Peer") -> None:
        """Audio and messages can pass."""
        ...

    def peer_gone(self, peer: "Peer", reason: str) -> None:
        """It could not connect, has closed, or has sent nothing for a while. May be told more than once."""
        ...

    async def peer_sent(self, peer: "Peer", frame: Frame) -> None:
        """A message of its stands for this frame."""
        ...

    def peer_heard(self, peer: "Peer", pcm: bytes) -> None:
        """20 ms of 16 kHz mono 16-bit PCM."""
        ...

    def peer_unreachable(self, peer: "Peer", unheard_secs: float) -> None:
        """Nothing comes through, at least now: so much of what was sent last has not been heard."""
        ...

    def peer_reachable(self, peer: "Peer") -> None:
        """What is sent comes through again."""
        ...


class Peer(SmallWebRTCConnection):
    """A peer connection with one audio section, ours; whatever else is offered is declined.

    Parameters:
        ice_servers: STUN and TURN servers for our candidates.
        pull: Gives the voice; see :class:`~transports.voice.Voice`.
        encoder: What encodes it; None: one of its own.
        messages: What reads the client's messages, and limits them.
        listener: Who is told what becomes of it.
        connect_secs: How long it may take to connect.
        silent_secs: A connected peer that sends no datagram for so long, and answers none, is gone.
        moves: Whether the call moves here from another page.
        ready_secs: How long a peer that speaks may take to say that it is ready.
        node: The process among several, which stands in the connection's name; empty: there is one.
        number: Which of the call's peers it is, from 1.
    """

    def __init__(
        self,
        ice_servers: Sequence[RTCIceServer],
        pull: Callable[["Peer", int], bytes],
        encoder: OpusEncoder | None,
        messages: ClientMessages,
        listener: PeerListener,
        *,
        connect_secs: float,
        silent_secs: float,
        moves: bool = False,
        ready_secs: float = LATE_READY_SECS,
        node: str = "",
        number: int = 1,
    ) -> None:
        # Its own timeout closes the connection from a task that the closing itself cancels midway,
        # and never ends; the call keeps the time instead.
        super().__init__(list(ice_servers), connection_timeout_secs=_NEVER_SECS)
        self.moves = moves
        self._name = f"{node}-{uuid.uuid4().hex}" if node else ""
        self._number = number
        self.ready = False
        self.has_connected = False
        self.quality: dict[str, float] = {}
        self._listener = listener
        self._connect_secs = connect_secs
        self._silent_secs = silent_secs
        self._messages = messages
        self._inbox: asyncio.Queue[Frame] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        self._candidates = CandidatePolicy(own_interfaces())
        self._candidates_left = CandidateLimit()
        self._withheld = False
        self._receiver = AudioReceiver()
        self._pace = TokenBucket(MAX_PACE, BACKLOG_SECS, FIRST_BACKLOG_SECS)
        self._reach = Reach(self._now())
        self._muted = False
        self._heard_at = 0.0
        self._filled_secs = 0.0
        self._late_ready_secs = ready_secs
        self._ready_secs = min(READY_SECS, ready_secs)
        self._patience: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None
        self._reported_at: datetime | None = None
        self._pull = pull
        self._voice = Voice(self._speak, self._on_voice_ended, encoder)
        self._audio = self.pc.addTransceiver("audio", direction="sendrecv")
        opus = [c for c in RTCRtpSender.getCapabilities("audio").codecs if c.mimeType == "audio/opus"]
        self._audio.setCodecPreferences(opus)
        take_audio(self._audio.receiver, self._on_packet)
        take_voice(self._audio.sender, self._voice.begin, self._voice.end)

    @property
    def pc_id(self) -> str:
        """By which name clients speak of this connection: whoever is asked about it can tell where it is."""
        return self._name or super().pc_id

    async def start(self) -> None:
        """Begin to report."""
        self.pc.on("datachannel", self._on_data_channel)
        self._reading = asyncio.create_task(self._read_messages())
        self.add_event_handler("connected", self._on_connected)
        self.add_event_handler("failed", self._on_ended)
        self.add_event_handler("closed", self._on_ended)
        self._patience = asyncio.get_running_loop().call_later(self._connect_secs, self._on_time_out)
        await self.connect()  # only says that its events are wanted; the peer connects when it does

    async def close(self, *, goodbye: bool) -> None:
        """Free all that it holds.

        Parameters:
            goodbye: Tell the client that the call is over. It does not come back then; one that is dropped while its
                call goes on must not hear it, however late.
        """
        for pending in (self._patience, self._watching, self._reading):
            if pending is not None:
                pending.cancel()
        if goodbye:
            self.send_app_message(rtvi.peer_left())
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECS):
                await self._close()
        except TimeoutError:
            logger.warning(f"peer connection {self.pc_id} did not close within {CLOSE_TIMEOUT_SECS} s")
            close_sockets(self.pc)

    async def initialize(self, sdp: str, type: str) -> None:
        """Take an offer, but not the candidates that nothing is sent to.

        Raises:
            OfferError: It has too many candidates.
        """
        self._candidates_left.take(count_candidates(sdp), self._now())
        sdp, withheld = without_refused(sdp, self._candidates)
        self._withheld = self._withheld or withheld
        await super().initialize(sdp, type)
        # A peer that only listens sends no audio, but signs of life all the same.
        on_sign_of_life(self._audio.receiver.transport.transport, self._on_datagram)

    async def add_ice_candidate(self, candidate: RTCIceCandidate | None) -> None:
        """Take a trickled candidate, unless nothing is sent there; None: no more are coming.

        Raises:
            OfferError: The peer has had too many.
        """
        self._candidates_left.take(candidate is not None, self._now())
        if candidate is not None and not self._candidates.allows(candidate.ip, candidate.port):
            self._withheld = True
        elif candidate is not None or not self._withheld:  # else its own checks tell where it is
            await super().add_ice_candidate(candidate)

    def force_transceivers_to_send_recv(self) -> None:
        """Decline all media but the one audio section (called between the offer and the answer)."""
        for transceiver in self.pc.getTransceivers():
            transceiver.direction = "sendrecv" if transceiver is self._audio else "inactive"
        bound_messages(self.pc, lambda: self._listener.peer_gone(self, "the peer broke the rules of the data channel"))

    def may_repeat(self, red_type: int, opus_type: int) -> None:
        """The client takes RED; see :meth:`~transports.voice.Voice.may_repeat`."""
        self._voice.may_repeat(red_type, opus_type)

    def is_connected(self) -> bool:
        """Whether the peer can be reached; decides also whether its messages are delivered or kept."""
        return self.pc.connectionState == "connected"

    @property
    def said_goodbye(self) -> bool:
        """Whether the peer has closed its side."""
        return self._audio.sender.transport.state == "closed"

    async def _on_connected(self, _: SmallWebRTCConnection) -> None:
        if self.has_connected:
            return
        self.has_connected = True
        self._reach.heard(self._now())
        self._watching = asyncio.create_task(self._watch())
        await self._listener.peer_connected(self)

    def _on_time_out(self) -> None:
        if not self.has_connected:
            self._listener.peer_gone(self, "the peer did not connect in time")

    async def _on_ended(self, _: SmallWebRTCConnection) -> None:
        self._listener.peer_gone(self, "the peer closed" if self.has_connected else "the peer could not connect")

    def _on_voice_ended(self) -> None:
        # aiortc ends the voice of a peer that closes before it says that the peer has closed.
        self._listener.peer_gone(self, "the peer closed" if self.said_goodbye else "the voice failed")

    @property
    def unheard_secs(self) -> float:
        """How much of what was sent last has not been heard, as far as is known."""
        return 0.0 if self.said_goodbye else self._reach.unheard_secs(self._now())

    # --- messages ------------------------------------------------------------------------------

    def _on_data_channel(self, channel: RTCDataChannel) -> None:
        channel.remove_all_listeners("message")  # Pipecat's own: without a limit, and deaf after a trackStatus
        channel.on("message", self._on_message)

    def _on_message(self, message: str | bytes) -> None:
        self._ready_secs = self._late_ready_secs
        for frame in self._messages.read(message, self._now()):
            match frame:
                case ClientMicrophoneFrame():
                    self._muted = not frame.on
                case ClientAnswerFrame():
                    self.send_app_message(frame.message)
                case _:
                    self._inbox.put_nowait(frame)

    async def _read_messages(self) -> None:
        while True:
            frame = await self._inbox.get()
            self.ready = self.ready or isinstance(frame, ClientReadyFrame)
            await self._listener.peer_sent(self, frame)

    # --- audio ---------------------------------------------------------------------------------

    def _on_datagram(self) -> None:
        if self._reach.heard(self._now()):
            self._listener.peer_reachable(self)

    def _on_packet(self, packet: AudioPacket) -> None:
        self._on_datagram()
        if self._muted:
            return
        now = self._heard_at = self._now()
        self._filled_secs = 0.0
        if not self._pace.has(FRAME_MS / 1000, now):
            self._receiver.skip()
            if (tap := self._listener.tap) is not None:
                tap.stream(self._number, "skip")
            return
        frames = self._receiver.push(packet.ssrc, packet.sequence_number, packet.payload)
        for pcm in frames:
            if self._pace.take(FRAME_MS / 1000, now):
                self._listener.peer_heard(self, pcm)
        if (tap := self._listener.tap) is not None:
            tap.packet(self._number, packet, len(frames))

    def _speak(self, samples: int) -> bytes:
        pcm = self._pull(self, samples)
        now = self._now()
        # Nearly always that is all: a caller's microphone sends as often as the bot does.
        if now - self._reach.heard_at >= ASK_AFTER_SECS:
            step = self._reach.look(now, speaks=pcm.count(0) != len(pcm))
            if step is not Step.NOTHING:
                ask_whether_there(self._audio.receiver.transport.transport)
            if step is Step.DOWN:
                self._listener.peer_unreachable(self, self._reach.unheard_secs(now))
        return pcm

    # --- watching ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Tell when the peer is gone, or counts as ready; bridge gaps in its audio."""
        connected_at = self._now()
        while True:
            await asyncio.sleep(_WATCH_SECS)
            now = self._now()
            self.quality = await self._measure()
            if "round_trip_ms" in self.quality:
                self._reach.round_trip_secs = self.quality["round_trip_ms"] / 1000
            if self._reach.silent_secs(now) >= self._silent_secs:
                self._listener.peer_gone(self, "the peer fell silent")
                return
            if not self.ready and now - connected_at >= self._ready_secs:
                self.ready = True
                await self._listener.peer_sent(self, ClientReadyFrame())
            self._bridge_gap(now)

    async def _measure(self) -> dict[str, float]:
        received = await self._audio.receiver.getStats()
        sent = await self._audio.sender.getStats()
        for stats in sent.values():
            if stats.type == "remote-inbound-rtp" and stats.timestamp != self._reported_at:
                self._reported_at = stats.timestamp
                self._voice.reported(stats.fractionLost / 256, self._now())  # RFC 3550 section 6.4.1: of 256
        return connection_quality([*received.values(), *sent.values()])

    def _bridge_gap(self, now: float) -> None:
        if not self._heard_at or now - self._heard_at < GAP_SECS:
            return
        for pcm in self._receiver.flush():
            self._listener.peer_heard(self, pcm)
        if (tap := self._listener.tap) is not None:
            tap.stream(self._number, "flush")
        if self._filled_secs < MAX_FILL_SECS:
            self._filled_secs += _WATCH_SECS
            for _ in range(round(_WATCH_SECS / 0.02)):
                self._listener.peer_heard(self, SILENCE)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
