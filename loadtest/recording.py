"""What one caller sent and received, kept raw during the call; sound is decoded only when it is scored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audio.opus import OpusDecoder, OpusError
from loadtest.audio import BLOCK_SAMPLES, BLOCK_SECS, LOUD_RMS, PACKET_SAMPLES, SAMPLE_RATE_HZ, Samples, levels


class ReceivedPacket(NamedTuple):
    """One RTP packet of the bot's voice.

    Parameters:
        arrival_secs: Monotonic time at the socket, before any buffer.
        sequence: RTP sequence number, 16 bits.
        timestamp: RTP time in samples of 48 kHz, 32 bits.
        payload: Opus.
    """

    arrival_secs: float
    sequence: int
    timestamp: int
    payload: bytes

    @property
    def pauses(self) -> bool:
        """Whether it only tells that there is silence, so that others may stay away (RFC 7587 section 3.1.3)."""
        return 1 <= len(self.payload) <= 2


@dataclass(slots=True)
class Said:
    """One clip that the caller said, in monotonic seconds.

    A microphone hands over 20 ms when they are over, so a sample's time is that of its packet, less 20 ms, plus its
    place in the packet.

    Parameters:
        name: The clip.
        first_loud_secs: When its first loud sample sounded; None until it did.
        last_loud_secs: When its last loud sample sounded; None until it did.
    """

    name: str
    first_loud_secs: float | None = None
    last_loud_secs: float | None = None


class Message(NamedTuple):
    """One message from the bot over the data channel.

    Parameters:
        arrival_secs: Monotonic time.
        type: RTVI type; for a ``server-message`` the type that its data carries.
        data: Its data.
    """

    arrival_secs: float
    type: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Sound:
    """The bot's voice at the caller, as levels in time.

    Parameters:
        starts_secs: Start of each 5 ms block in monotonic seconds: arrival of its packet plus its place in that.
        rms: Level of each block.
    """

    starts_secs: NDArray[np.float64]
    rms: NDArray[np.float32]

    @cached_property
    def loud_secs(self) -> NDArray[np.float64]:
        """Starts of the loud blocks."""
        return self.starts_secs[self.rms >= LOUD_RMS]


@dataclass
class Recording:
    """Everything that one caller saw of one call, in order.

    Parameters:
        packets: The bot's voice.
        said: What the caller said.
        messages: What came over the data channel.
        slip_secs: For each packet sent, how late the caller itself was: large values mean that this machine was too
            busy for the figures to be trusted.
    """

    packets: list[ReceivedPacket] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    slip_secs: list[float] = field(default_factory=list)

    def sound(self) -> Sound:
        """Decode the bot's voice to levels over arrival time."""
        starts: list[NDArray[np.float64]] = []
        rms: list[NDArray[np.float32]] = []
        for packet, samples in zip(self.packets, _decoded(self.packets), strict=True):
            block_levels = levels(samples)
            starts.append(packet.arrival_secs + BLOCK_SECS * np.arange(len(block_levels), dtype=np.float64))
            rms.append(block_levels)
        if not starts:
            return Sound(np.empty(0), np.empty(0, np.float32))
        return Sound(np.concatenate(starts), np.concatenate(rms))

    def samples(self, from_secs: float = -np.inf, to_secs: float = np.inf) -> Samples:
        """The bot's voice at 48 kHz, laid out by RTP time; what never came is silence.

        Parameters:
            from_secs: Only packets that arrived at or after this monotonic time.
            to_secs: Only packets that arrived before this monotonic time.
        """
        # Everything is decoded, because each packet depends on those before it.
        kept = [
            (packet.timestamp, samples)
            for packet, samples in zip(self.packets, _decoded(self.packets), strict=True)
            if from_secs <= packet.arrival_secs < to_secs
        ]
        if not kept:
            return np.empty(0, np.int16)
        origin = kept[0][0]
        places = [_signed_32(timestamp - origin) for timestamp, _ in kept]
        earliest = min(places)
        laid_out = np.zeros(max(places) - earliest + PACKET_SAMPLES, np.int16)
        for place, (_, samples) in zip(places, kept, strict=True):
            at = place - earliest
            length = min(len(samples), len(laid_out) - at)
            laid_out[at : at + length] = samples[:length]
        return laid_out


def _signed_32(difference: int) -> int:
    return (difference + 2**31) % 2**32 - 2**31


def _decoded(packets: Sequence[ReceivedPacket]) -> list[Samples]:
    decoder = OpusDecoder(sample_rate_hz=SAMPLE_RATE_HZ)
    decoded: list[Samples] = []
    for packet in packets:
        try:
            decoded.append(np.frombuffer(decoder.decode(packet.payload), np.int16))
        except OpusError:
            decoded.append(np.zeros(BLOCK_SAMPLES, np.int16))
    return decoded
