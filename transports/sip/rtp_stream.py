"""The sound of one SIP call as RTP (RFC 3550, RFC 3551, RFC 7587) with keys in it (RFC 4733). Pure."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from audio.opus import OpusEncoder
from audio.rtp import RTP_HEADER, AudioPacket, parse_rtp
from contracts.frames import OUTPUT_SAMPLE_RATE_HZ
from transports.coding import CLEAN, COMPLEXITY
from transports.phone.sound import Hearing, Speaking
from transports.receive import AudioReceiver, ReorderBuffer
from transports.sip.media import Codec, Media
from transports.sip.messages import Address

PACKET_MS: Final = 20
PACKET_SAMPLES: Final = OUTPUT_SAMPLE_RATE_HZ * PACKET_MS // 1000
SILENCE: Final = bytes(2 * PACKET_SAMPLES)

MAX_PAYLOAD_BYTES: Final = 1_500
"""Longest payload; 20 ms of G.711 are 160 bytes, and no packet of telephones has more than 100 ms."""

_VERSION: Final = 0x80
_MARKER: Final = 0x80

_KEY_EVENT: Final = struct.Struct("!BBH")
"""A key, flags with its volume, and how long it has been pressed (RFC 4733 section 2.3)."""

_KEYS: Final = "0123456789*#ABCD"


@dataclass
class Received:
    """What a packet brought.

    Attributes:
        frames: Sound that is complete now: 20 ms of 16 kHz mono 16-bit PCM each.
        secs: How much sound it carried itself, in seconds.
        key: A key that was pressed; empty: none.
    """

    frames: list[bytes] = field(default_factory=list)
    secs: float = 0.0
    key: str = ""


class _G711:
    """G.711 that came, in order. A lost packet is concealed by the one before it, once; longer loss is silence."""

    def __init__(self, codec: Codec) -> None:
        self._hearing = Hearing(codec.encoding)
        self._silence = codec.encoding.encode(bytes(2))
        self._restart()
        self._ssrc: int | None = None

    def _restart(self) -> None:
        self._order = ReorderBuffer()
        self._last = b""
        self._lost = 0
        self.lost_packets = 0

    def push(self, packet: AudioPacket, payload: bytes) -> list[bytes]:
        if packet.ssrc != self._ssrc:
            self._ssrc = packet.ssrc
            self._restart()
        frames: list[bytes] = []
        for each in self._order.push(packet.sequence_number, payload):
            if each is None:
                self.lost_packets += 1
                self._lost += 1
                each = self._last if self._lost == 1 else self._silence * len(self._last)
            else:
                self._lost = 0
                self._last = each or self._last
            if each:
                frames += self._hearing.push(each)
        return frames

    def secs(self, payload: bytes) -> float:
        return self._hearing.secs(payload)


class _Opus:
    """Opus that came."""

    def __init__(self) -> None:
        self._receiver = AudioReceiver()

    @property
    def lost_packets(self) -> int:
        return self._receiver.lost_packets

    def push(self, packet: AudioPacket, payload: bytes) -> list[bytes]:
        return self._receiver.push(packet.ssrc, packet.sequence_number, payload)

    def secs(self, payload: bytes) -> float:
        return PACKET_MS / 1000


class RtpStream:
    """Both directions of one call's sound.

    Sound is taken from the machine that was agreed, and from the one that signals, which is a known peer: behind a
    router, or on this very machine, a peer may name another address than the one that its packets come from. It is
    answered there, then (symmetric RTP, RFC 4961).

    Args:
        media: What was agreed.
        ssrc: Names our stream: 31 random bits.
        peer: IP address of the machine that signals.
    """

    def __init__(self, media: Media, ssrc: int, peer: str) -> None:
        self._peer = peer
        self._ssrc = ssrc
        self._sequence = ssrc & 0x7FFF
        self._time = ssrc
        self._begins = True
        self._key_time: int | None = None
        self.strange = 0
        """Packets that were dropped: from elsewhere, or malformed, or of a type that was not agreed."""
        self._take(media)

    def change(self, media: Media) -> None:
        """Something else was agreed."""
        before = self.media
        if (media.codec, media.payload_type) == (before.codec, before.payload_type):
            self._agree(media)
        else:
            self._take(media)

    def _agree(self, media: Media) -> None:
        self.media = media
        self.destination = media.address
        self._as_agreed = False

    def _take(self, media: Media) -> None:
        self._agree(media)
        self._heard: _G711 | _Opus = _Opus() if media.codec is Codec.OPUS else _G711(media.codec)
        self._ticks = media.codec.clock_hz * PACKET_MS // 1000
        self._encode, self._rest = _encoder(media.codec)
        self._silence: bytes | None = None
        self._came = 0

    @property
    def lost_percent(self) -> float:
        """How much of the caller's sound never came, since it was agreed how it is carried."""
        lost = self._heard.lost_packets
        return round(100 * lost / max(1, lost + self._came), 2)

    def received(self, datagram: bytes, source: Address) -> Received | None:
        """Take a datagram; None: it is nothing of this call."""
        host, agreed = source[0], self.media.address[0]
        parsed = parse_rtp(datagram) if host in (agreed, self._peer) else None
        if parsed is None or datagram[0] >> 6 != 2 or len(parsed[1].payload) > MAX_PAYLOAD_BYTES:
            self.strange += 1
            return None
        payload_type, packet = parsed
        if host == agreed:
            self._as_agreed = True
        elif not self._as_agreed:
            self.destination = source
        if payload_type == self.media.payload_type:
            self._came += 1
            return Received(self._heard.push(packet, packet.payload), self._heard.secs(packet.payload))
        if payload_type == self.media.key_type:
            # It stands in the stream's order, without being sound.
            frames = self._heard.push(packet, b"") if isinstance(self._heard, _G711) else []
            return Received(frames, key=self._key_of(packet))
        self.strange += 1
        return None

    def _key_of(self, packet: AudioPacket) -> str:
        """The key, at the first packet of those that tell it: each has the time at which it was pressed."""
        if len(packet.payload) < _KEY_EVENT.size or packet.timestamp == self._key_time:
            return ""
        self._key_time = packet.timestamp
        number = packet.payload[0]
        return _KEYS[number] if number < len(_KEYS) else ""

    def packet(self, pcm: bytes, ticks: int = 1) -> bytes:
        """The packet for 20 ms of 24 kHz mono 16-bit PCM.

        Args:
            pcm: The sound.
            ticks: How many times 20 ms have passed since the last one.
        """
        self._time = (self._time + ticks * self._ticks) & 0xFFFFFFFF
        self._sequence = (self._sequence + 1) & 0xFFFF
        flags, self._begins = (_MARKER if self._begins else 0), False
        header = RTP_HEADER.pack(_VERSION, flags | self.media.payload_type, self._sequence, self._time, self._ssrc)
        return header + self._payload(pcm)

    def _payload(self, pcm: bytes) -> bytes:
        """Silence is encoded once: nearly all of a call's packets have nothing else in them."""
        if pcm != SILENCE:
            self._silence = None
            return self._encode(pcm)
        if self._silence is None:
            tail = self._encode(pcm)
            self._rest()
            if self.media.codec is Codec.OPUS:
                return tail  # its decoder expects each packet to follow the last one
            self._silence = self._encode(pcm)
            return tail
        return self._silence


def _encoder(codec: Codec) -> tuple[Callable[[bytes], bytes], Callable[[], None]]:
    """What makes payloads, and what tells it that silence follows."""
    if codec is Codec.OPUS:
        opus = OpusEncoder(sample_rate_hz=OUTPUT_SAMPLE_RATE_HZ, bitrate_bps=CLEAN.bitrate_bps, complexity=COMPLEXITY)
        return opus.encode, lambda: None
    speaking = Speaking(codec.encoding)
    return speaking.push, speaking.rest
