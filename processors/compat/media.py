"""Audio in and out of aiortc, past its queues, tasks and threads."""

import asyncio
import random
import struct
import time
from collections.abc import Callable
from types import MethodType
from typing import Final, Protocol

import pylibsrtp
from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.rtcdtlstransport import RTCDtlsTransport, State
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import HeaderExtensions, RtpPacket
from loguru import logger
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection

from admission.packet_gate import Drop, SourceLimit
from audio.rtp import RTP_HEADER, AudioPacket, parse_rtp
from processors.compat import ice
from processors.compat.contract import CompatError, PrivateFields, PrivateFunctions

# Names that the compiler mangles; read with getattr.
_RX_STARTED: Final = "_RTCRtpReceiver__started"
_RX_CODECS: Final = "_RTCRtpReceiver__codecs"
_RX_RTCP_EXITED: Final = "_RTCRtpReceiver__rtcp_exited"
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

FUNCTIONS: Final[PrivateFunctions] = (
    (RTCRtpReceiver, "_run_rtcp", ("self",)),
    (RTCRtpReceiver, "_handle_rtp_packet", ("self", "packet", "arrival_time_ms")),
    (RTCRtpReceiver, "receive", ("self", "parameters")),
    (RTCRtpSender, "_run_rtp", ("self", "codec")),
    (SmallWebRTCConnection, "_close", ("self",)),
    (RTCDtlsTransport, "_register_rtp_receiver", ("self", "receiver", "parameters")),
    (StreamStatistics, "__init__", ("self", "clockrate")),
    (StreamStatistics, "add", ("self", "packet")),
)

FIELDS: Final[PrivateFields] = (
    (RTCRtpReceiver, (_RX_STARTED, _RX_CODECS, _RX_RTCP_EXITED, _RX_RTCP_TASK, _RX_STREAMS)),
    (
        RTCRtpSender,
        (_TX_STARTED, _TX_EXITED, _TX_EXTENSIONS, _TX_MID, _TX_NTP_TIME, _TX_RTP_TIME, _TX_OCTETS, _TX_PACKETS)
        + ("_ssrc", "_enabled"),
    ),
    (
        RTCDtlsTransport,
        (_DTLS_RX_OCTETS, _DTLS_RX_PACKETS, _DTLS_TX_OCTETS, _DTLS_TX_PACKETS, "_rx_srtp", "_tx_srtp", "_state"),
    ),
)

OnPacket = Callable[[AudioPacket], None]
"""Given each packet that carries a negotiated codec, in order of arrival, duplicates included."""


def take_audio(receiver: RTCRtpReceiver, on_packet: OnPacket) -> None:
    """Hand a receiver's audio packets to ``on_packet``, past aiortc's queue, task, jitter buffer and decoder thread.

    aiortc holds four packets (80 ms) before it plays the first, stalls for 16 (320 ms) at each lost one, and decodes
    in a thread for each call. Here a packet is decrypted where the socket delivers it. Statistics and RTCP receiver
    reports stay aiortc's. The receiver's track gets no frames, and whether it wants any does not matter here.

    Parameters:
        receiver: An audio receiver that has not been started. Taking it again only changes ``on_packet``.
        on_packet: Called from the socket; whatever it raises is the event loop's to report.

    Raises:
        CompatError: The receiver has started, so that its thread runs already.
    """
    if getattr(receiver, _RX_STARTED) and "receive" not in vars(receiver):
        raise CompatError("the receiver has started already")
    if not ice.is_installed():
        raise CompatError("install() has not been called")
    sources = SourceLimit()

    async def receive(self: RTCRtpReceiver, parameters: RTCRtpReceiveParameters) -> None:
        if getattr(self, _RX_STARTED):
            return
        codecs = getattr(self, _RX_CODECS)
        for codec in parameters.codecs:
            codecs[codec.payloadType] = codec
        self.transport._register_rtp_receiver(self, parameters)
        reports = asyncio.ensure_future(self._run_rtcp())
        reports.add_done_callback(reports_ended)
        setattr(self, _RX_RTCP_TASK, reports)
        setattr(self, _RX_STARTED, True)
        _listen_at_the_socket(self.transport, sources, take)

    def reports_ended(task: "asyncio.Future[None]") -> None:
        getattr(receiver, _RX_RTCP_EXITED).set()  # aiortc waits for it when it stops the receiver
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning(f"no more RTCP receiver reports are sent: {error!r}")

    def take(payload_type: int, packet: AudioPacket) -> None:
        codec = getattr(receiver, _RX_CODECS).get(payload_type)
        if codec is None:
            return
        streams = getattr(receiver, _RX_STREAMS)
        if packet.ssrc not in streams:
            taken, forgotten = sources.take(packet.ssrc, asyncio.get_running_loop().time())
            if not taken:
                return
            if forgotten is not None:
                streams.pop(forgotten, None)
                receiver.transport._rx_srtp.remove_stream(forgotten)
            streams[packet.ssrc] = _Statistics(codec.clockRate)
        streams[packet.ssrc].add(packet)
        on_packet(packet)

    async def handle(self: RTCRtpReceiver, packet: RtpPacket, arrival_time_ms: int) -> None:
        # Only what came before the receiver listened at the socket takes this way.
        take(packet.payload_type, AudioPacket(packet.ssrc, packet.sequence_number, packet.timestamp, packet.payload))

    # On the instance, not the class: aiortc peers elsewhere in the process stay as they are.
    setattr(receiver, "receive", MethodType(receive, receiver))  # noqa: B010
    setattr(receiver, "_handle_rtp_packet", MethodType(handle, receiver))  # noqa: B010


class _Statistics(StreamStatistics):
    """aiortc's own, within the 32 bits of a receiver report (RFC 3550 section 6.4.1), whatever a peer's clock does."""

    @property
    def jitter(self) -> int:
        return min(super().jitter, 0xFFFF_FFFF)


def _listen_at_the_socket(
    dtls: RTCDtlsTransport, sources: SourceLimit, take: Callable[[int, AudioPacket], None]
) -> None:
    """Take RTP where datagrams come in; all else (STUN, DTLS, RTCP) goes aiortc's way."""
    fields = vars(dtls)
    loop = asyncio.get_running_loop()

    def on_rtp(data: bytes) -> Drop | None:
        if dtls._state is not State.CONNECTED:
            return None  # it comes early, or late: there are no keys for it
        if not sources.may_take(int.from_bytes(data[8:12]), loop.time()):
            return Drop.SOURCES
        fields[_DTLS_RX_PACKETS] += 1
        fields[_DTLS_RX_OCTETS] += len(data)
        try:
            parsed = parse_rtp(dtls._rx_srtp.unprotect(data))
        except pylibsrtp.Error:
            return None  # forged, damaged, or a packet that came before
        if parsed is not None:
            take(*parsed)
        return None

    ice.on_rtp(dtls.transport, on_rtp)


class SendRtp(Protocol):
    """Sends a payload at an RTP time, from 0 on in ticks of the codec's clock; ConnectionError: the connection is over.

    The payload type is that of the negotiated codec, if none is given.
    """

    def __call__(self, payload: bytes, rtp_time: int, payload_type: int | None = None) -> None:
        """Send one packet."""
        ...


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

    def send(payload: bytes, rtp_time: int, payload_type: int | None = None) -> None:
        nonlocal sequence_number
        if not sender._enabled:
            return
        pair = ice._nominated.get(1)
        if dtls._state is not State.CONNECTED or pair is None:
            raise ConnectionError("the peer connection is over")
        timestamp = (origin + rtp_time) & 0xFFFF_FFFF
        type_byte = marked_type if payload_type is None else 0x80 | payload_type
        header = RTP_HEADER.pack(flags, type_byte, sequence_number, timestamp, sender._ssrc)
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
