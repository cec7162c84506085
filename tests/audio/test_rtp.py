"""RTP packets as aiortc writes them, and as nobody should."""

import struct

from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from audio.rtp import AudioPacket, is_rtp, parse_rtp


@given(
    st.integers(0, 127),
    st.integers(0, 1),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF_FFFF),
    st.integers(0, 0xFFFF_FFFF),
    st.lists(st.integers(0, 0xFFFF_FFFF), max_size=15),
    st.binary(max_size=60),
    st.integers(0, 255),
)
def test_what_aiortc_writes_is_read(payload_type, marker, number, timestamp, ssrc, csrc, payload, padding):
    packet = RtpPacket(payload_type=payload_type, marker=marker, sequence_number=number, timestamp=timestamp, ssrc=ssrc)
    packet.csrc, packet.payload, packet.padding_size = csrc, payload, padding
    assert parse_rtp(packet.serialize()) == (payload_type, AudioPacket(ssrc, number, timestamp, payload))


@given(st.binary(max_size=80).map(lambda rest: bytes([0x80 | rest[0] & 0x3F]) + rest if rest else b"\x80"))
def test_what_aiortc_refuses_is_refused(data):
    try:
        expected = RtpPacket.parse(data).payload
    except (ValueError, struct.error):
        expected = None
    parsed = parse_rtp(data)
    if expected is None:
        assert parsed is None
    else:
        assert parsed is not None
        assert parsed[1].payload == expected


def test_a_header_extension_is_passed_over():
    extended = struct.pack("!BBHIIHH", 0x90, 111, 5, 960, 7, 0xBEDE, 2) + bytes(8) + b"opus"
    assert parse_rtp(extended) == (111, AudioPacket(7, 5, 960, b"opus"))
    assert parse_rtp(extended[:20]) is None


def test_rtp_is_told_from_what_shares_its_socket():
    rtp = struct.pack("!BBHII", 0x80, 0x80 | 111, 1, 2, 3)
    assert is_rtp(rtp)
    assert not is_rtp(rtp[:11])
    assert not is_rtp(bytes([0x80, 200]) + rtp[2:])  # an RTCP sender report
    assert not is_rtp(bytes([0x00, 0x01]) + rtp[2:])  # STUN
    assert not is_rtp(bytes([22, 254]) + rtp[2:])  # DTLS
