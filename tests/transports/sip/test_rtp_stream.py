"""The sound of a SIP call as packets, without a network."""

import struct

import numpy as np
import pytest

from audio.rtp import parse_rtp
from tests.transports.sip.peer import OFFER
from transports.phone.sound import Encoding
from transports.sip.media import Codec, read_media
from transports.sip.rtp_stream import SILENCE, RtpStream

THEM = ("192.0.2.1", 4000)
TONE = (8_000 * np.sin(np.arange(480) / 9)).astype(np.int16).tobytes()


def stream(body=OFFER, codecs=(Codec.PCMU, Codec.PCMA), peer="192.0.2.1"):
    return RtpStream(read_media(body.encode(), codecs), 0x1234, peer)


def packet(number, payload=b"\x30" * 160, kind=0, ssrc=7, timestamp=None):
    return struct.pack("!BBHII", 0x80, kind, number & 0xFFFF, timestamp or number * 160, ssrc) + payload


def levels(frames):
    return [int(np.abs(np.frombuffer(frame, np.int16)).max()) for frame in frames]


def test_what_comes_in_order_is_heard_at_once():
    line = stream()
    frames = [frame for number in range(10) for frame in line.received(packet(number), THEM).frames]
    assert len(frames) == 10
    assert {len(frame) for frame in frames} == {640}


def test_packets_that_change_places_are_put_right_and_a_lost_one_is_concealed():
    loud = [Encoding.MULAW.encode(np.full(160, 1_000 * number, np.int16).tobytes()) for number in range(1, 9)]
    ordered, shuffled = stream(), stream()
    want = [f for n in range(8) for f in ordered.received(packet(n, loud[n]), THEM).frames]
    got = [f for n in (0, 2, 1, 3, 5, 4, 6, 7) for f in shuffled.received(packet(n, loud[n]), THEM).frames]
    assert got == want
    lossy = stream()
    got = [f for n in (0, 1, 3, 4, 5, 6) for f in lossy.received(packet(n, loud[n]), THEM).frames]
    assert len(got) == 7  # the lost one, too: a packet's own length is never lost
    assert lossy.lost_percent > 10
    assert got[2] == pytest.approx(got[1], abs=0) or levels(got)[2] >= 1_500


def test_longer_loss_becomes_silence():
    line = stream()
    frames = [f for n in (0, 1, 2, 8, 9, 10) for f in line.received(packet(n), THEM).frames]
    assert len(frames) == 11
    assert min(levels(frames)[5:7]) == 0


def test_a_key_is_told_once_whatever_is_lost_of_it():
    line = stream()
    line.received(packet(0), THEM)
    keys = []
    for number, end in enumerate([0, 0, 0, 0x80, 0x80, 0x80], start=1):
        if number == 2:
            continue
        event = struct.pack("!BBH", 11, 10 | end, 160 * number)
        keys.append(line.received(packet(number, event, kind=101, timestamp=9_000), THEM).key)
    assert keys == ["#", "", "", "", ""]
    again = struct.pack("!BBH", 11, 10, 160)
    assert line.received(packet(7, again, kind=101, timestamp=20_000), THEM).key == "#"
    assert line.received(packet(8, struct.pack("!BBH", 99, 0, 1), kind=101, timestamp=30_000), THEM).key == ""
    after = [f for n in range(9, 14) for f in line.received(packet(n), THEM).frames]
    assert len(after) >= 5  # keys are no gap in the sound


def test_sound_from_elsewhere_is_dropped():
    line = stream()
    assert line.received(packet(1), ("203.0.113.9", 4000)) is None
    assert line.received(packet(1, kind=18), THEM) is None
    assert line.received(b"", THEM) is None
    assert line.received(b"\x00\x01" + bytes(40), THEM) is None
    assert line.strange == 4
    assert line.destination == THEM


def test_a_peer_behind_a_router_is_answered_where_its_packets_come_from():
    line = stream(peer="198.51.100.7")
    assert line.destination == THEM
    assert line.received(packet(1), ("198.51.100.7", 31_000)) is not None
    assert line.destination == ("198.51.100.7", 31_000)
    named = stream(peer="198.51.100.7")
    named.received(packet(1), THEM)
    named.received(packet(2), ("198.51.100.7", 31_000))
    assert named.destination == THEM  # the agreed address works: nobody else takes the voice away


def test_the_voice_goes_out_at_its_pace_with_time_for_what_was_skipped():
    line = stream()
    packets = [parse_rtp(line.packet(TONE, ticks)) for ticks in (1, 1, 3, 1)]
    numbers = [each[1].sequence_number for each in packets]
    times = [each[1].timestamp for each in packets]
    assert [later - sooner for sooner, later in zip(numbers, numbers[1:], strict=False)] == [1, 1, 1]
    assert [later - sooner for sooner, later in zip(times, times[1:], strict=False)] == [160, 480, 160]
    assert {len(each[1].payload) for each in packets} == {160}
    first, second = line.packet(SILENCE), line.packet(SILENCE)
    assert set(line.packet(SILENCE)[12:]) == {0xFF}
    assert first[1] & 0x80 == second[1] & 0x80 == 0


@pytest.mark.parametrize("codec", list(Codec))
def test_what_is_said_is_what_is_heard(codec):
    body = OFFER.replace("0 8 101", "111 0 8 101") + "a=rtpmap:111 opus/48000/2\r\n"
    speaks, hears = stream(body, [codec]), stream(body, [codec])
    kind = speaks.media.payload_type
    heard = b""
    rng = np.random.default_rng(1)
    said = np.convolve(rng.normal(0, 4_000, 24_000), np.ones(24) / 24, "same").astype(np.int16)
    for start in range(0, 24_000, 480):
        data = speaks.packet(said[start : start + 480].tobytes())
        assert data[1] & 0x7F == kind
        heard += b"".join(hears.received(data, THEM).frames)
    assert len(heard) // 2 == pytest.approx(16_000, abs=640)
    level = np.sqrt(np.mean(np.frombuffer(heard, np.int16).astype(float) ** 2))
    assert level == pytest.approx(np.sqrt(np.mean(said.astype(float) ** 2)), rel=0.35)


def test_another_codec_may_be_agreed_on_the_way():
    line = stream()
    before = line.packet(TONE)
    line.change(read_media(OFFER.replace("0 8 101", "8").encode(), [Codec.PCMA]))
    after = line.packet(TONE)
    assert (before[1] & 0x7F, after[1] & 0x7F) == (0, 8)
    assert parse_rtp(after)[1].sequence_number == parse_rtp(before)[1].sequence_number + 1
