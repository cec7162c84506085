"""Everything private to Pipecat, aiortc and aioice that Parley leans on, in one place.

Each private name stands in :data:`PRIVATE_NAMES` or :data:`PRIVATE_INSTANCE_NAMES`. :func:`install` checks that the
installed versions have them and stops the start with one plain sentence if not, rather than letting a call fail later;
``tests/test_compat.py`` checks also that they still *mean* the same.
"""

import asyncio
import inspect
import random
import struct
import time
from collections.abc import Awaitable, Callable
from types import MethodType
from typing import Any, Final, Literal

import aioice.ice
import pylibsrtp
import websockets.legacy.protocol
from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.rtcdtlstransport import RTCDtlsTransport, State
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import HeaderExtensions, RtpPacket
from deepgram.listen.v1.socket_client import AsyncV1SocketClient
from deepgram.listen.v2.socket_client import AsyncV2SocketClient
from pipecat.frames.frames import Frame, InputAudioRawFrame
from pipecat.pipeline.worker_observer import WorkerObserver
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.base_object import BaseObject
from pipecat.utils.errors import ErrorCategory

from processors.rtp import RTP_HEADER, AudioPacket, is_rtp, parse_rtp

FrameCallback = Callable[[FrameProcessor, Frame, FrameDirection], Awaitable[None]]

# Names that the compiler mangles; read with getattr.
_INPUT_QUEUE: Final = "_FrameProcessor__input_queue"
_INPUT_TASK: Final = "_FrameProcessor__input_frame_task"
_INPUT_PAUSED: Final = "_FrameProcessor__should_block_system_frames"
_PROCESS: Final = "_FrameProcessor__process_frame"
_RX_STARTED: Final = "_RTCRtpReceiver__started"
_RX_CODECS: Final = "_RTCRtpReceiver__codecs"
_RX_RTCP_TASK: Final = "_RTCRtpReceiver__rtcp_task"
_RX_STREAMS: Final = "_RTCRtpReceiver__remote_streams"
_TX_STARTED: Final = "_RTCRtpSender__rtp_started"
_TX_EXITED: Final = "_RTCRtpSender__rtp_exited"
_TX_EXTENSIONS: Final = "_RTCRtpSender__rtp_header_extensions_map"
_TX_MID: Final = "_RTCRtpSender__mid"
_TX_NTP_TIME: Final = "_RTCRtpSender__ntp_timestamp"
_TX_RTP_TIME: Final = "_RTCRtpSender__rtp_timestamp"
_TX_OCTETS: Final = "_RTCRtpSender__octet_count"
_TX_PACKETS: Final = "_RTCRtpSender__packet_count"
_DTLS_RX_OCTETS: Final = "_RTCDtlsTransport__rx_bytes"
_DTLS_RX_PACKETS: Final = "_RTCDtlsTransport__rx_packets"
_DTLS_TX_OCTETS: Final = "_RTCDtlsTransport__tx_bytes"
_DTLS_TX_PACKETS: Final = "_RTCDtlsTransport__tx_packets"

PRIVATE_NAMES: Final[tuple[tuple[Any, str, tuple[str, ...]], ...]] = (
    (FrameProcessor, _PROCESS, ("self", "frame", "direction", "callback")),
    (FrameProcessor, "queue_frame", ("self", "frame", "direction", "callback")),
    (RTCRtpReceiver, "_run_rtcp", ("self",)),
    (RTCRtpReceiver, "_handle_rtp_packet", ("self", "packet", "arrival_time_ms")),
    (RTCRtpReceiver, "receive", ("self", "parameters")),
    (RTCRtpSender, "_run_rtp", ("self", "codec")),
    (RTCDtlsTransport, "_register_rtp_receiver", ("self", "receiver", "parameters")),
    (StreamStatistics, "__init__", ("self", "clockrate")),
    (StreamStatistics, "add", ("self", "packet")),
    (aioice.ice.StunProtocol, "datagram_received", ("self", "data", "addr")),
    (aioice.ice, "get_host_addresses", ("use_ipv4", "use_ipv6")),
)
"""Owner, name and parameters of each function that is called, or replaced, though it is private."""

PRIVATE_INSTANCE_NAMES: Final[tuple[tuple[type, tuple[str, ...]], ...]] = (
    (FrameProcessor, (_INPUT_QUEUE, _INPUT_TASK, _INPUT_PAUSED, "_cancelling", "_next", "_setup")),
    (BaseObject, ("_event_handlers",)),
    (WorkerObserver, ("_proxies",)),
    (RTCRtpReceiver, (_RX_STARTED, _RX_CODECS, _RX_RTCP_TASK, _RX_STREAMS, "_enabled")),
    (
        RTCRtpSender,
        (_TX_STARTED, _TX_EXITED, _TX_EXTENSIONS, _TX_MID, _TX_NTP_TIME, _TX_RTP_TIME, _TX_OCTETS, _TX_PACKETS)
        + ("_ssrc", "_enabled"),
    ),
    (
        RTCDtlsTransport,
        (_DTLS_RX_OCTETS, _DTLS_RX_PACKETS, _DTLS_TX_OCTETS, _DTLS_TX_PACKETS, "_rx_srtp", "_tx_srtp", "_state"),
    ),
    (RTCIceTransport, ("_connection",)),
    (aioice.ice.Connection, ("_nominated", "_protocols")),
    (asyncio.Queue, ("_unfinished_tasks",)),
    (AsyncV1SocketClient, ("_websocket",)),
    (AsyncV2SocketClient, ("_websocket",)),
)
"""Class and private attributes of its instances that are read or set."""


class CompatError(RuntimeError):
    """The installed Pipecat, aiortc or aioice is not one that Parley knows."""


def install() -> None:
    """Check the private names, and apply the one patch that holds for the whole process; idempotent.

    The patch: aioice leaves the loopback address out of the ICE candidates, so that a browser on the same machine
    connects only where some other interface is up. It is added after all the others.

    Raises:
        CompatError: A private name is gone or has another signature.
    """
    missing = missing_names()
    if missing:
        raise CompatError(
            "the installed pipecat-ai, aiortc or aioice is not a version that Parley supports; changed: "
            + ", ".join(missing)
        )
    if not hasattr(aioice.ice.get_host_addresses, "without_loopback"):
        aioice.ice.get_host_addresses = _with_loopback(aioice.ice.get_host_addresses)


def missing_names() -> list[str]:
    """Private names that are gone, or functions among them whose parameters changed."""
    missing = []
    for owner, name, parameters in PRIVATE_NAMES:
        function = getattr(owner, name, None)
        if function is None or tuple(inspect.signature(function).parameters) != parameters:
            missing.append(f"{owner.__name__}.{name}")
    for owner, names in PRIVATE_INSTANCE_NAMES:
        # Instances need an event loop or a live transport; what a constructor assigns can be read from its code.
        assigned = vars(owner)["__init__"].__code__.co_names
        missing += [f"{owner.__name__}.{name}" for name in names if name not in assigned]
    return missing


def _with_loopback(original: Callable[..., list[str]]) -> Callable[..., list[str]]:
    def get_host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        addresses = original(use_ipv4=use_ipv4, use_ipv6=use_ipv6)
        if use_ipv4 and "127.0.0.1" not in addresses:
            addresses.append("127.0.0.1")
        return addresses

    setattr(get_host_addresses, "without_loopback", original)  # noqa: B010 - functions have no such field
    return get_host_addresses


class InlineAudio(FrameProcessor):
    """A processor that takes audio in the caller's task where that changes nothing but the cost.

    Pipecat queues each frame for a task of the receiving processor; for 50 audio frames a second, at each processor
    of each call, those hops cost more than the signal processing. Audio frames (:class:`InputAudioRawFrame` and its
    subclasses, all system frames) are processed at once when this processor has started, is neither paused nor
    cancelled, and nothing that came earlier waits in its input queue or is being processed from it. Frames that
    arrive while an audio frame is being processed inline wait behind it, as they would in the queue.

    So order, exceptions, interruptions, pauses, events and observers are as ever; but the pusher's ``push_frame``
    returns only when the audio has been processed: whoever uses this must not wait long meanwhile.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._audio_inline = False
        self._behind_audio: list[tuple[Frame, FrameDirection, FrameCallback | None]] = []
        self._inline_queue: asyncio.Queue[Any] = getattr(self, _INPUT_QUEUE)
        self._inline_process: Callable[..., Awaitable[None]] = getattr(self, _PROCESS)

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = FrameDirection.DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Process an audio frame now if that is safe, else queue the frame as Pipecat does."""
        if self._audio_inline:
            self._behind_audio.append((frame, direction, callback))
        elif isinstance(frame, InputAudioRawFrame) and self._nothing_ahead():
            await self._process_inline(frame, direction, callback)
        else:
            await super().queue_frame(frame, direction, callback)

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        """Push a frame; audio that nobody observes goes straight to the next processor's door."""
        if (
            isinstance(frame, InputAudioRawFrame)
            and direction is FrameDirection.DOWNSTREAM
            and self._next is not None
            and self._is_unobserved("push")
        ):
            await self._next.queue_frame(frame, direction)
        else:
            await super().push_frame(frame, direction)

    async def process_audio(self, frame: InputAudioRawFrame, direction: FrameDirection) -> None:
        """Process an audio frame that is processed inline and observed by nobody.

        Override it to do what ``process_frame`` does, past Pipecat's base class, which for audio only tells observers.
        """
        await self.process_frame(frame, direction)

    def _is_unobserved(self, what: Literal["push", "process"]) -> bool:
        observer = self._setup.observer if self._setup else None
        events = self._event_handlers
        return (
            (observer is None or (type(observer) is WorkerObserver and not observer._proxies))
            and not events[f"on_before_{what}_frame"].handlers
            and not events[f"on_after_{what}_frame"].handlers
        )

    def _nothing_ahead(self) -> bool:
        # The queue counts a frame as unfinished until its processing, not just its removal, is done.
        return (
            getattr(self._inline_queue, "_unfinished_tasks") == 0  # noqa: B009 - private to asyncio
            and getattr(self, _INPUT_TASK) is not None
            and not getattr(self, _INPUT_PAUSED)
            and not self._cancelling
        )

    async def _process_inline(
        self, frame: InputAudioRawFrame, direction: FrameDirection, callback: FrameCallback | None
    ) -> None:
        self._audio_inline = True
        try:
            if callback is None and self._is_unobserved("process"):
                try:
                    await self.process_audio(frame, direction)
                except Exception as error:  # Pipecat's own boundary: a frame's failure is told, and no more
                    await self.push_error(
                        error_msg=f"Error processing frame: {error}", exception=error, category=ErrorCategory.UNKNOWN
                    )
            else:
                await self._inline_process(frame, direction, callback)
        finally:
            self._audio_inline = False
            if self._behind_audio:
                waiting, self._behind_audio = self._behind_audio, []
                for item in waiting:
                    await super().queue_frame(*item)  # never blocks: the queue is unbounded


OnPacket = Callable[[AudioPacket], None]
"""Given each packet that carries a negotiated codec, in order of arrival, duplicates included."""


def take_audio(receiver: RTCRtpReceiver, on_packet: OnPacket) -> None:
    """Hand a receiver's audio packets to ``on_packet``, past aiortc's queue, task, jitter buffer and decoder thread.

    aiortc holds four packets (80 ms) before it plays the first, stalls for 16 (320 ms) at each lost one, and decodes
    in a thread for each call. Here a packet is decrypted where the socket delivers it. Statistics and RTCP receiver
    reports stay aiortc's. The receiver's track gets no frames.

    Parameters:
        receiver: An audio receiver that has not been started. Taking it again only changes ``on_packet``.
        on_packet: Called from the socket; whatever it raises is the event loop's to report.

    Raises:
        CompatError: The receiver has started, so that its thread runs already.
    """
    if getattr(receiver, _RX_STARTED) and "receive" not in vars(receiver):
        raise CompatError("the receiver has started already")

    async def receive(self: RTCRtpReceiver, parameters: RTCRtpReceiveParameters) -> None:
        if getattr(self, _RX_STARTED):
            return
        codecs = getattr(self, _RX_CODECS)
        for codec in parameters.codecs:
            codecs[codec.payloadType] = codec
        self.transport._register_rtp_receiver(self, parameters)
        setattr(self, _RX_RTCP_TASK, asyncio.ensure_future(self._run_rtcp()))
        setattr(self, _RX_STARTED, True)
        _listen_at_the_socket(self.transport, take)

    def take(payload_type: int, packet: AudioPacket) -> None:
        codec = getattr(receiver, _RX_CODECS).get(payload_type)
        if codec is None or not receiver._enabled:
            return
        streams = getattr(receiver, _RX_STREAMS)
        if packet.ssrc not in streams:
            streams[packet.ssrc] = StreamStatistics(codec.clockRate)
        streams[packet.ssrc].add(packet)
        on_packet(packet)

    async def handle(self: RTCRtpReceiver, packet: RtpPacket, arrival_time_ms: int) -> None:
        # Only what came before the receiver listened at the socket takes this way.
        take(packet.payload_type, AudioPacket(packet.ssrc, packet.sequence_number, packet.timestamp, packet.payload))

    # On the instance, not the class: aiortc peers elsewhere in the process stay as they are.
    setattr(receiver, "receive", MethodType(receive, receiver))  # noqa: B010
    setattr(receiver, "_handle_rtp_packet", MethodType(handle, receiver))  # noqa: B010


def _listen_at_the_socket(dtls: RTCDtlsTransport, take: Callable[[int, AudioPacket], None]) -> None:
    """Take RTP where datagrams come in; all else (STUN, DTLS, RTCP) goes aiortc's way."""
    fields = vars(dtls)

    def datagram_received(self: aioice.ice.StunProtocol, data: bytes, addr: tuple[Any, ...]) -> None:
        if dtls._state is not State.CONNECTED or not is_rtp(data):
            type(self).datagram_received(self, data, addr)
            return
        fields[_DTLS_RX_PACKETS] += 1
        fields[_DTLS_RX_OCTETS] += len(data)
        try:
            parsed = parse_rtp(dtls._rx_srtp.unprotect(data))
        except pylibsrtp.Error:
            return  # forged, damaged, or a packet that came before
        if parsed is not None:
            take(*parsed)

    for protocol in dtls.transport._connection._protocols:
        setattr(protocol, "datagram_received", MethodType(datagram_received, protocol))  # noqa: B010


SendRtp = Callable[[bytes, int], None]
"""Sends a payload at an RTP time, from 0 on in ticks of the codec's clock; ConnectionError: the connection is over."""

_NTP_UNIX_EPOCH: Final = 2_208_988_800 << 32
"""1970 in NTP time: seconds since 1900 in units of 2^-32 s (RFC 5905 section 6)."""


def take_voice(sender: RTCRtpSender, on_begin: Callable[[SendRtp], None], on_end: Callable[[], None]) -> None:
    """Send a sender's packets by plain calls, past aiortc's task, timer and packet objects for each.

    SRTP and RTCP sender reports stay aiortc's. There is no track to pull from, and no retransmission, which aiortc
    does not negotiate for Opus. Packets carry the media section's name, as aiortc's do, but not the sending time.

    Parameters:
        sender: An audio sender that has not been started.
        on_begin: Called when packets can be sent.
        on_end: Called once after that, when the sender stops.
    """

    async def run_rtp(self: RTCRtpSender, codec: RTCRtpCodecParameters) -> None:
        fields = vars(self)
        fields[_TX_STARTED].set()
        try:
            on_begin(_rtp_to(self, codec))
            await asyncio.get_running_loop().create_future()
        finally:
            on_end()
            fields[_TX_EXITED].set()  # aiortc waits for it when it stops the sender

    setattr(sender, "_run_rtp", MethodType(run_rtp, sender))  # noqa: B010


def _rtp_to(sender: RTCRtpSender, codec: RTCRtpCodecParameters) -> SendRtp:
    dtls = sender.transport
    ice = dtls.transport._connection
    fields, dtls_fields = vars(sender), vars(dtls)
    profile, extension = fields[_TX_EXTENSIONS].set(HeaderExtensions(mid=fields[_TX_MID]))
    after_header = struct.pack("!HH", profile, len(extension) >> 2) + extension if extension else b""
    flags = 0x90 if extension else 0x80
    assert codec.payloadType is not None  # it has been negotiated
    marked_type = 0x80 | codec.payloadType  # marked as aiortc does
    # The lower half: libsrtp could not tell a wrap among the first packets from reordering.
    sequence_number, origin = random.randrange(1 << 15), random.randrange(1 << 32)

    def send(payload: bytes, rtp_time: int) -> None:
        nonlocal sequence_number
        if not sender._enabled:
            return
        pair = ice._nominated.get(1)
        if dtls._state is not State.CONNECTED or pair is None:
            raise ConnectionError("the peer connection is over")
        timestamp = (origin + rtp_time) & 0xFFFF_FFFF
        header = RTP_HEADER.pack(flags, marked_type, sequence_number, timestamp, sender._ssrc)
        data = dtls._tx_srtp.protect(header + after_header + payload)
        pair.protocol.transport.sendto(data, pair.remote_addr)
        sequence_number = (sequence_number + 1) & 0xFFFF
        fields[_TX_NTP_TIME] = int(time.time() * (1 << 32)) + _NTP_UNIX_EPOCH
        fields[_TX_RTP_TIME] = timestamp
        fields[_TX_OCTETS] += len(payload)
        fields[_TX_PACKETS] += 1
        dtls_fields[_DTLS_TX_OCTETS] += len(data)
        dtls_fields[_DTLS_TX_PACKETS] += 1

    return send


# --- deepgram-sdk: its sockets offer neither a ping nor a way out that does not wait --------------------------------

DeepgramSocket = AsyncV1SocketClient | AsyncV2SocketClient


def _websocket(socket: DeepgramSocket) -> websockets.legacy.protocol.WebSocketCommonProtocol:
    return socket._websocket


async def deepgram_ping(socket: DeepgramSocket) -> None:
    """Send a WebSocket ping and wait for its pong (RFC 6455 section 5.5.2); the caller sets the deadline.

    Raises:
        ConnectionClosed: The connection is gone.
    """
    pong = await _websocket(socket).ping()
    await pong


def deepgram_abort(socket: DeepgramSocket) -> None:
    """Drop the connection at once: a close in good order waits for a peer that may be frozen."""
    transport = _websocket(socket).transport
    if transport is not None:
        transport.abort()
