"""One call over WebRTC: the peer's audio and messages into the pipeline, the bot's voice and messages out.

Built on Pipecat's :class:`SmallWebRTCConnection` (offer and answer, data channel) with audio of our own on both sides:
packets are decoded as they arrive, and the voice is encoded as it is played. See ``transports/receive.py`` and
``transports/track.py``.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiortc import MediaStreamTrack, RTCIceCandidate, RTCIceServer, RTCRtpSender
from aiortc.rtp import RtpPacket
from loguru import logger
from pipecat.frames.frames import CancelFrame, EndFrame, Frame, InputAudioRawFrame, StartFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection

from processors.compat import take_audio
from processors.frames import INPUT_SAMPLE_RATE_HZ, ClientReadyFrame
from transports import rtvi
from transports.opus import OpusEncoder
from transports.output import PlayoutOutput
from transports.receive import SILENCE, AudioReceiver
from transports.sdp import OfferError, ask_for_fec, check_offer
from transports.track import RTP_CLOCK_HZ, PlayoutTrack

CLOSE_TIMEOUT_SECS: Final = 5.0
"""How long a peer connection may take to close before it is left to the garbage collector."""

ANSWER_TIMEOUT_SECS: Final = 8.0
"""How long an answer may take; gathering candidates from a dead STUN server takes 5 s."""

_SPARSE_FACTOR: Final = 4
"""A peer with neither microphone nor data channel sends only an RTCP report now and then: it gets more time."""

_WATCH_SECS: Final = 0.5
RTP_TICKS_PER_MS: Final = RTP_CLOCK_HZ // 1000
_NEVER_SECS: Final = 10**6


@dataclass(frozen=True)
class Answer:
    """What a peer gets for its offer.

    Parameters:
        sdp: The session description.
        pc_id: The name by which the peer speaks of this connection from now on.
        type: Always ``"answer"``.
    """

    sdp: str
    pc_id: str
    type: str = "answer"


def line_quality(reports: Iterable[Any]) -> dict[str, float]:
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


class CallInput(FrameProcessor):
    """The pipeline's first processor: pushes what comes from the peer, while the pipeline runs."""

    def __init__(self) -> None:
        super().__init__()
        self._running = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass every frame on; the start frame opens the door for the peer, end and cancel close it."""
        await super().process_frame(frame, direction)
        if isinstance(frame, (EndFrame, CancelFrame)):
            self._running = False
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._running = True

    async def take(self, frame: Frame) -> None:
        """Push a frame from the peer; dropped before the pipeline has started and after it has ended."""
        if self._running:
            await self.push_frame(frame)

    async def hear(self, pcm: bytes) -> None:
        """Push 20 ms of 16 kHz mono 16-bit PCM."""
        if self._running:
            await self.push_frame(InputAudioRawFrame(audio=pcm, sample_rate=INPUT_SAMPLE_RATE_HZ, num_channels=1))


class _Peer(SmallWebRTCConnection):
    """Pipecat's connection with one audio section, ours; whatever else is offered is declined."""

    def __init__(
        self,
        ice_servers: Sequence[RTCIceServer],
        voice: MediaStreamTrack,
        on_packet: Callable[[RtpPacket], Awaitable[None]],
    ) -> None:
        # Its own timeout closes the connection from a task that the closing itself cancels midway,
        # and never ends; the call keeps the time instead.
        super().__init__(list(ice_servers), connection_timeout_secs=_NEVER_SECS)
        self.voice = voice
        self._audio = self.pc.addTransceiver(voice, direction="sendrecv")
        opus = [c for c in RTCRtpSender.getCapabilities("audio").codecs if c.mimeType == "audio/opus"]
        self._audio.setCodecPreferences(opus)
        take_audio(self._audio.receiver, on_packet)

    def force_transceivers_to_send_recv(self) -> None:
        """Decline all media but the one audio section (called between the offer and the answer)."""
        for transceiver in self.pc.getTransceivers():
            transceiver.direction = "sendrecv" if transceiver is self._audio else "inactive"

    def is_connected(self) -> bool:
        """Whether the peer can be reached; decides also whether its messages are delivered or kept."""
        return self.pc.connectionState == "connected"

    def has_said_goodbye(self) -> bool:
        """Whether the peer has closed its side."""
        return self._audio.sender.transport.state == "closed"

    async def measure(self) -> tuple[int, dict[str, float]]:
        """Datagrams of any kind that came from the peer (media, RTCP, data channel), and how good the line is."""
        report = await self._audio.receiver.getStats()
        datagrams = sum(stats.packetsReceived for stats in report.values() if stats.type == "transport")
        return datagrams, line_quality([*report.values(), *(await self._audio.sender.getStats()).values()])


class WebRTCCall:
    """A call from its first offer to its end. Use ``input()`` and ``output()`` as the ends of a pipeline.

    The call closes itself when the peer does not connect in time, closes, fails, or has sent nothing for a while.

    Parameters:
        ice_servers: STUN and TURN servers for our candidates, as URLs where they need no credentials.
        connect_timeout_secs: How long the peer may take to connect.
        silent_timeout_secs: A connected peer that sends no datagram for so long is gone. A page sends 50 audio packets
            a second and a ping each second, so 3 s leave room for a hiccup of the network.
        encoder: What encodes the bot's voice: 24 kHz mono.
    """

    GAP_SECS: Final = 0.4
    """After so long without audio (a microphone unplugged, a burst of loss) silence is heard instead, so that whoever
    was speaking comes to an end."""

    MAX_FILL_SECS: Final = 2.0
    """How much silence is heard at most; any turn has ended by then."""

    READY_SECS: Final = 2.0
    """A peer that is connected and has not said that it is ready by then never will: it counts as ready."""

    def __init__(
        self,
        *,
        ice_servers: Sequence[str | RTCIceServer] = (),
        connect_timeout_secs: float = 15.0,
        silent_timeout_secs: float = 3.0,
        encoder: OpusEncoder | None = None,
    ) -> None:
        self.connected = asyncio.Event()
        self.closed = asyncio.Event()
        self.close_reason = ""
        self.quality: dict[str, float] = {}
        """How good the line is: see :func:`line_quality`."""

        self._ice_servers = [RTCIceServer(urls=s) if isinstance(s, str) else s for s in ice_servers]
        self._connect_timeout_secs = connect_timeout_secs
        self._silent_timeout_secs = silent_timeout_secs
        self._encoder = encoder or OpusEncoder()
        self._input = CallInput()
        self._output = PlayoutOutput(self.send_message)
        self._receiver = AudioReceiver()
        self._heard_at = 0.0
        self._filled_secs = 0.0
        self._ready = False
        self._steady = False
        self._peer: _Peer | None = None
        self._negotiating = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def pc_id(self) -> str:
        """Name of the current peer connection; changes when the peer restarts it. Empty before the first answer."""
        return self._peer.pc_id if self._peer else ""

    def input(self) -> CallInput:
        """The processor that pushes the peer's audio (16 kHz mono, 20 ms) and the frames its messages stand for."""
        return self._input

    def output(self) -> PlayoutOutput:
        """The processor whose audio the peer hears."""
        return self._output

    def send_message(self, message: dict[str, Any]) -> None:
        """Send a message over the data channel; kept until that opens, dropped if it does not or the call is over."""
        if self._peer is not None and self._closing is None:
            self._peer.send_app_message(message)

    async def answer(self, sdp: str, *, restart_pc: bool = False) -> Answer:
        """Answer the peer's first offer, or a later one.

        Parameters:
            sdp: The offer.
            restart_pc: The peer has made a new connection: ours is replaced, the call goes on.

        Returns:
            The answer, with our candidates.

        Raises:
            OfferError: The offer cannot be answered. A first offer closes the call, a later one leaves it as it was.
        """
        async with self._negotiating:
            try:
                check_offer(sdp)
                async with asyncio.timeout(ANSWER_TIMEOUT_SECS):
                    return await self._answer(sdp, restart_pc)
            except TimeoutError:
                raise await self._refused(OfferError("too_slow", "the answer took too long")) from None
            except OfferError as error:
                raise await self._refused(error) from None
            except Exception as error:  # a boundary: aiortc meets hostile text with whatever it raises
                logger.debug(f"offer refused: {error!r}")
                raise await self._refused(OfferError("bad_sdp", "the offer cannot be answered")) from error

    async def _answer(self, sdp: str, restart_pc: bool) -> Answer:
        if self._closing is not None:
            raise OfferError("call_over", "the call is over")
        peer = self._peer
        if peer is None or restart_pc:
            peer = await self._replace_peer()
        await peer.initialize(sdp, "offer")
        answer = peer.get_answer()
        if answer is None:
            raise OfferError("bad_sdp", "the offer cannot be answered")
        return Answer(sdp=ask_for_fec(answer["sdp"]), pc_id=peer.pc_id)

    async def _refused(self, error: OfferError) -> OfferError:
        if self._peer is None or self._peer.get_answer() is None:
            await self.close(error.reason)
        return error

    async def add_candidate(self, candidate: RTCIceCandidate | None) -> None:
        """Take a trickled candidate of the peer; None says that no more are coming."""
        if self._peer is not None and self._closing is None:
            await self._peer.add_ice_candidate(candidate)

    def hang_up(self) -> None:
        """End the call from our side; does not wait for it."""
        self._end("the bot hung up")

    async def close(self, reason: str = "closed") -> None:
        """End the call and free all that it holds; returns when that is done. May be called from anywhere, at any time.

        Parameters:
            reason: Why, for the log; the first one counts.
        """
        await asyncio.shield(self._end(reason))

    def _end(self, reason: str) -> asyncio.Task[None]:
        if self._closing is None:
            self.close_reason = reason
            # A task of its own: the caller may be one of the tasks that closing cancels.
            self._closing = asyncio.create_task(self._close())
        return self._closing

    async def _close(self) -> None:
        logger.info(f"call {self.pc_id or '(unanswered)'} closes: {self.close_reason}")
        if self._watching is not None:
            self._watching.cancel()
        if self._peer is not None:
            await self._drop(self._peer)
        self.closed.set()

    async def _replace_peer(self) -> _Peer:
        old = self._peer
        self.connected.clear()
        self._receiver = AudioReceiver()
        self._steady = False
        peer = self._peer = _Peer(self._ice_servers, PlayoutTrack(self._output.pull, self._encoder), self._on_packet)
        peer.voice.once("ended", lambda: self._on_voice_ended(peer))
        peer.pc.once("datachannel", self._on_data_channel)
        peer.add_event_handler("connected", self._on_connected)
        peer.add_event_handler("failed", self._on_ended)
        peer.add_event_handler("closed", self._on_ended)
        peer.add_event_handler("app-message", self._on_message)
        await peer.connect()  # only says that its events are wanted; the peer connects when it does
        if self._watching is not None:
            self._watching.cancel()
        self._watching = asyncio.create_task(self._watch(peer))
        if old is not None:
            old.voice.stop()  # at once: two tracks would pull the voice at twice its pace
            await self._drop(old)
        return peer

    async def _drop(self, peer: _Peer) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECS):
                await peer.disconnect()
        except TimeoutError:
            logger.warning(f"peer connection {peer.pc_id} did not close within {CLOSE_TIMEOUT_SECS} s")

    async def _on_connected(self, peer: SmallWebRTCConnection) -> None:
        if peer is self._peer:
            self.connected.set()

    async def _on_ended(self, peer: SmallWebRTCConnection) -> None:
        if peer is self._peer:
            self._end("the peer closed" if self.connected.is_set() else "the peer could not connect")

    def _on_voice_ended(self, peer: _Peer) -> None:
        if peer is self._peer:
            # aiortc ends the voice of a peer that closes before it says that the peer has closed.
            self._end("the peer closed" if peer.has_said_goodbye() else "the voice failed")

    def _on_data_channel(self, _: object) -> None:
        self._steady = True

    async def _on_message(self, peer: SmallWebRTCConnection, message: Any) -> None:
        for frame in rtvi.parse(message):
            self._ready = self._ready or isinstance(frame, ClientReadyFrame)
            await self._input.take(frame)

    async def _on_packet(self, packet: RtpPacket) -> None:
        self._heard_at = time.monotonic()
        self._steady = True
        self._filled_secs = 0.0
        for pcm in self._receiver.push(packet.ssrc, packet.sequence_number, packet.payload):
            await self._input.hear(pcm)

    async def _watch(self, peer: _Peer) -> None:
        """Close the call when the peer does not connect, or is gone; bridge gaps in its audio."""
        try:
            async with asyncio.timeout(self._connect_timeout_secs):
                await self.connected.wait()
        except TimeoutError:
            self._end("the peer did not connect in time")
            return
        connected_at = alive_at = time.monotonic()
        packets = 0
        while True:
            await asyncio.sleep(_WATCH_SECS)
            now = time.monotonic()
            received, self.quality = await peer.measure()
            if received != packets:
                packets, alive_at = received, now
            elif now - alive_at >= self._silent_timeout_secs * (1 if self._steady else _SPARSE_FACTOR):
                self._end("the peer fell silent")
                return
            if not self._ready and now - connected_at >= self.READY_SECS:
                self._ready = True
                await self._input.take(ClientReadyFrame())
            await self._bridge_gap(now)

    async def _bridge_gap(self, now: float) -> None:
        if not self._heard_at or now - self._heard_at < self.GAP_SECS:
            return
        for pcm in self._receiver.flush():
            await self._input.hear(pcm)
        if self._filled_secs < self.MAX_FILL_SECS:
            self._filled_secs += _WATCH_SECS
            for _ in range(round(_WATCH_SECS / 0.02)):
                await self._input.hear(SILENCE)
