"""RTP packets (RFC 3550 section 5.1): what matters of them. Pure."""

import struct
from typing import Final, NamedTuple

RTP_HEADER: Final = struct.Struct("!BBHII")
"""Flags, payload type with the marker bit, sequence number, timestamp, source."""

_CSRC_COUNT: Final = 0x0F
_EXTENSION: Final = 0x10
_PADDING: Final = 0x20


class AudioPacket(NamedTuple):
    """One packet of a stream."""

    ssrc: int
    sequence_number: int
    timestamp: int
    payload: bytes


def is_rtp(datagram: bytes) -> bool:
    """Whether a datagram is an RTP packet, encrypted or not, among RTCP, STUN and DTLS on the same socket.

    RTP and RTCP begin with version 2, the others do not (RFC 7983); RTCP's types are 192 to 223 (RFC 5761 section 4).
    """
    return len(datagram) >= RTP_HEADER.size and datagram[0] >> 6 == 2 and not 192 <= datagram[1] <= 223


def parse_rtp(packet: bytes) -> tuple[int, AudioPacket] | None:
    """Payload type and content of a decrypted packet; None: it is malformed."""
    if len(packet) < RTP_HEADER.size:
        return None
    flags, marked_type, sequence_number, timestamp, ssrc = RTP_HEADER.unpack_from(packet)
    start, end = RTP_HEADER.size + 4 * (flags & _CSRC_COUNT), len(packet)
    if flags & _EXTENSION:  # its own header says how many words follow
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4])
    if flags & _PADDING:
        padding = packet[-1]
        if not padding:
            return None
        end -= padding
    if start > end:
        return None
    return marked_type & 0x7F, AudioPacket(ssrc, sequence_number, timestamp, packet[start:end])
