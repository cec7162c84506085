"""The voice path of a caller of load tests, around aiortc's own.

Packets that were encoded before the call are encrypted and handed to the socket; what arrives is decrypted where the
socket delivers it, before any queue, thread or jitter buffer. aiortc keeps what is left: ICE, DTLS, RTCP, the data
channel.
"""

import random
from collections.abc import Callable
from typing import Any, Final

import aioice
from aioice import stun
from aiortc import RTCRtpSender
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from audio.rtp import RTP_HEADER, is_rtp
from processors.compat.contract import PrivateFields, PrivateFunctions

PACKET_SAMPLES: Final = 960
"""20 ms at 48 kHz, the clock of Opus in RTP (RFC 7587 section 4.1)."""

FUNCTIONS: Final[PrivateFunctions] = (
    (aioice.Connection, "data_received", ("self", "data", "component")),
    (aioice.Connection, "get_component_candidates", ("self", "component", "addresses", "timeout")),
)

FIELDS: Final[PrivateFields] = (
    (aioice.Connection, ("_nominated", "_protocols")),
    (RTCDtlsTransport, ("_rx_srtp", "_tx_srtp")),
    (RTCRtpSender, ("_ssrc",)),
    (RTCRtpTransceiver, ("_codecs",)),
)


class CallerMedia:
    """The voice path of a connected aiortc call, around aiortc's own.

    Parameters:
        transceiver: The audio transceiver, connected.
        on_packet: Called with each decrypted RTP packet of the bot.
    """

    def __init__(self, transceiver: RTCRtpTransceiver, on_packet: Callable[[bytes], None]) -> None:
        sender = transceiver.sender
        dtls = sender.transport
        self._ice = dtls.transport._connection
        self._encrypt = dtls._tx_srtp.protect
        decrypt = dtls._rx_srtp.unprotect
        queue_for_aiortc = self._ice.data_received

        def data_received(data: bytes, component: int) -> None:
            if is_rtp(data):
                on_packet(decrypt(data))
            else:
                queue_for_aiortc(data, component)

        self._ice.data_received = data_received
        pair = self._ice._nominated[1]
        self._send = pair.protocol.transport.sendto
        self._address = pair.remote_addr
        self._is_cut = False
        self._ssrc = sender._ssrc
        self._payload_type = transceiver._codecs[0].payloadType
        self._sequence = random.randrange(1 << 15)
        self._timestamp = random.randrange(1 << 31)

    def send(self, payload: bytes) -> None:
        """Send the next 20 ms; over a connection that is cut they are lost."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + PACKET_SAMPLES) & 0xFFFF_FFFF
        header = RTP_HEADER.pack(0x80, self._payload_type, self._sequence, self._timestamp, self._ssrc)
        if not self._is_cut:
            self._send(self._encrypt(header + payload), self._address)

    def skip(self, packets: int) -> None:
        """Let RTP time pass without sending."""
        self._timestamp = (self._timestamp + packets * PACKET_SAMPLES) & 0xFFFF_FFFF

    def cut(self) -> None:
        """Nothing leaves or arrives any more, not even a goodbye, as when a battery dies."""
        for protocol in self._ice._protocols:
            protocol.send_data = _send_no_data
            protocol.send_stun = _send_no_stun
            protocol.datagram_received = _receive_nothing
        self._is_cut = True

    def mend(self) -> None:
        """What is sent gets through again, both ways."""
        for protocol in self._ice._protocols:
            del protocol.send_data, protocol.send_stun, protocol.datagram_received
        self._is_cut = False


async def _send_no_data(data: bytes, addr: tuple[str, int]) -> None:
    """What a dead connection does with data."""


def _send_no_stun(message: stun.Message, addr: tuple[str, int]) -> None:
    """What a dead connection does with keep-alives."""


def _receive_nothing(data: bytes | str, addr: tuple[Any, ...]) -> None:
    """What a dead connection hears."""


def stay_on_loopback(transceiver: RTCRtpTransceiver) -> None:
    """Offer the loopback address and no other: aioice offers every address but that one."""
    ice = transceiver.sender.transport.transport._connection
    gather = ice.get_component_candidates

    async def gather_on_loopback(component: int, addresses: list[str], timeout: int = 5) -> list[aioice.Candidate]:
        return await gather(component, ["127.0.0.1"] if addresses else [], timeout)

    ice.get_component_candidates = gather_on_loopback
