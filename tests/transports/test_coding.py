"""How the voice is coded: chosen by reports of loss, copies that a client can read, and how it sounds."""

import wave
from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from audio.opus import OpusDecoder, OpusEncoder
from transports import coding
from transports.coding import CLEAN, FEC, REPEATED, LinkCoding, red_packet
from transports.sdp import accept_red, red_types
from transports.voice import RTP_TICKS, Voice

DATA = Path(__file__).parents[1] / "data"
OPUS, RED = 111, 63


@given(reports=st.lists(st.tuples(st.floats(0, 1), st.floats(0.5, 6)), max_size=40), can_repeat=st.booleans())
def test_copies_are_sent_from_the_first_lossy_report_until_the_link_was_clean_for_a_while(reports, can_repeat):
    link, now = LinkCoding(can_repeat=can_repeat), 0.0
    lossy_at = None
    for lost, after in reports:
        now += after
        chosen = link.reported(lost, now)
        if lost >= coding.LOSSY:
            lossy_at = now
        if lossy_at is None:
            assert chosen == CLEAN
        elif now == lossy_at:
            assert chosen == (REPEATED if can_repeat else FEC)
        assert (chosen == CLEAN) or now - (lossy_at or 0) < 1000
    for _ in range(12):
        now += 5.0
        chosen = link.reported(0.0, now)
    assert chosen == CLEAN


def blocks(payload: bytes) -> list[tuple[int, int, bytes]]:
    """A RED payload's blocks, read as RFC 2198 says: payload type, ticks before, data."""
    headers, at = [], 0
    while payload[at] & 0x80:
        word = int.from_bytes(payload[at : at + 4])
        headers.append(((word >> 24) & 0x7F, (word >> 10) & 0x3FFF, word & 0x3FF))
        at += 4
    primary_type = payload[at]
    at += 1
    found = []
    for type_, ticks, length in headers:
        found.append((type_, ticks, payload[at : at + length]))
        at += length
    return [*found, (primary_type, 0, payload[at:])]


@given(before=st.binary(max_size=1100), packet=st.binary(min_size=1, max_size=1275), ticks=st.integers(1, 16383))
def test_a_copy_is_written_as_the_standard_reads_it(before, packet, ticks):
    payload = red_packet(OPUS, before, ticks, packet)
    if len(before) > 1023:
        assert payload is None
    else:
        assert payload is not None
        assert blocks(payload) == [(OPUS, ticks, before), (OPUS, 0, packet)]


def offer(red: str = "a=rtpmap:63 red/48000/2", fmtp: str = "a=fmtp:63 111/111") -> str:
    lines = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9
c=IN IP4 0.0.0.0
a=mid:0
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1"""
    return "\r\n".join([*lines.splitlines(), *filter(None, [red, fmtp]), "a=rtpmap:9 G722/8000", ""])


def test_a_client_that_takes_copies_says_so_in_its_offer():
    assert red_types(offer()) == (RED, OPUS)


@pytest.mark.parametrize(
    "sdp",
    [
        offer(red="", fmtp=""),
        offer(fmtp=""),
        offer(fmtp="a=fmtp:63 9/9"),
        offer(fmtp="a=fmtp:63 111/9"),
        offer(fmtp="a=fmtp:63 x=1;y=2"),
        offer(red="a=rtpmap:63 red/8000"),
    ],
)
def test_other_offers_do_not(sdp):
    assert red_types(sdp) is None


def test_the_answer_names_copies_behind_opus():
    answer = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\nm=video 0 UDP/TLS/RTP/SAVPF 0\r\n"
    assert accept_red(answer, RED, OPUS).split("\r\n") == [
        "v=0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "m=video 0 UDP/TLS/RTP/SAVPF 0",
        "",
    ]


def speech(packets: int) -> np.ndarray:
    """Words over and over: to a tone SILK adds no copies."""
    with wave.open(str(DATA / "book_a_room.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return np.resize(soxr.resample(samples, 16_000, 24_000), packets * 480)


class Wire:
    """What a voice sends, without a clock."""

    def __init__(self, *, takes_red: bool) -> None:
        self.sent: list[tuple[bytes, int, int | None]] = []
        self.samples = speech(400)
        self.at = 0
        self.voice = Voice(self._pull, lambda: None)
        self.voice._send = lambda payload, time, kind=None: self.sent.append((payload, time, kind))
        if takes_red:
            self.voice.may_repeat(RED, OPUS)

    def _pull(self, samples: int) -> bytes:
        piece = self.samples[self.at : self.at + samples]
        self.at += samples
        return piece.tobytes().ljust(2 * samples, b"\0")

    def ticks(self, count: int) -> list[tuple[bytes, int, int | None]]:
        before = len(self.sent)
        for _ in range(count):
            self.voice._on_tick(1)
        return self.sent[before:]


def test_on_a_lossy_link_each_packet_carries_the_one_before_it_to_a_client_that_takes_that():
    wire = Wire(takes_red=True)
    assert {kind for *_, kind in wire.ticks(20)} == {None}
    wire.voice.reported(0.05, 10.0)
    sent = wire.ticks(20)
    assert {kind for *_, kind in sent} == {RED}
    read = [blocks(payload) for payload, *_ in sent]
    for earlier, later in zip(read, read[1:], strict=False):
        assert later[0] == (OPUS, RTP_TICKS, earlier[-1][2])
    for seconds in range(15, 60, 5):
        wire.voice.reported(0.0, float(seconds))
    assert {kind for *_, kind in wire.ticks(20)} == {None}


def test_silence_has_no_copies_of_long_ago():
    wire = Wire(takes_red=True)
    wire.at = len(wire.samples)
    wire.voice.reported(0.05, 10.0)
    pauses = wire.ticks(100)[12:]
    assert pauses
    assert {kind for *_, kind in pauses} == {None}
    assert {len(payload) for payload, *_ in pauses} == {1}


def heard(packets: list[bytes], lost: set[int], *, with_fec: bool) -> np.ndarray:
    decoder, pcm = OpusDecoder(sample_rate_hz=24_000), b""
    for index, packet in enumerate(packets):
        if index not in lost:
            pcm += decoder.decode(packet)
        elif with_fec:
            pcm += decoder.recover(packets[index + 1], 480)
        else:
            pcm += decoder.conceal(480)
    return np.frombuffer(pcm, np.int16)


def test_to_other_clients_it_carries_a_rough_copy_and_the_encoder_goes_on():
    wire = Wire(takes_red=False)
    clean = [payload for payload, *_ in wire.ticks(50)]
    wire.voice.reported(0.05, 10.0)
    fec = [payload for payload, *_ in wire.ticks(150)]
    # RFC 6716 section 3.1: 0 to 11 is SILK, 16 and more is CELT, which has no copies.
    assert {packet[0] >> 3 for packet in clean} <= set(range(16, 32))
    assert {packet[0] >> 3 for packet in fec[3:]} <= set(range(12))
    lost = set(range(60, 145, 12))
    whole = heard(clean + fec, set(), with_fec=False).astype(float)
    errors = [
        np.mean((heard(clean + fec, {50 + n for n in lost}, with_fec=way).astype(float) - whole) ** 2)
        for way in (True, False)
    ]
    assert errors[0] < 0.5 * errors[1]
    steps = np.abs(np.diff(whole))
    said = np.abs(np.diff(wire.samples[: len(whole)].astype(float)))
    assert np.max(steps[49 * 480 : 56 * 480]) <= 1.5 * np.max(said), "no click where the way changes"


def test_a_clean_link_sounds_as_the_voice_was_made():
    """The bars of ``python -m bench.voice``, with few draws."""
    pytest.importorskip("pesq", reason="PESQ is an extra: pip install -e '.[quality]'")
    from bench import voice

    sentences = [voice.local.synthesise(text, 1.0) for text in voice.SENTENCES[:2]]
    found = [voice.measured(way, sentences, loss=0.05, draws=3) for way in voice.USED]
    assert found[0].clean[0] >= 4.2
    assert min(way.lossy[0] for way in found[1:]) >= 3.0


def test_encoders_refuse_what_no_encoder_does():
    with pytest.raises(Exception, match="invalid"):
        OpusEncoder().tune(bitrate_bps=96_000, fec_loss_percent=101)
