"""What a caller sends: recorded clips and room silence as Opus packets, encoded before the call.

A caller is cheap because nothing is encoded while it talks. Levels are root mean squares of 16-bit samples in blocks of
5 ms; what reaches :data:`LOUD_RMS` is sound. Both ends of a call are judged by the same rule.
"""

import wave
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from audio.opus import OpusEncoder

Samples = NDArray[np.int16]

SAMPLE_RATE_HZ: Final = 48_000
"""Rate of all audio here, and of Opus's RTP clock (RFC 7587 section 4.1)."""

PACKET_SECS: Final = 0.02
PACKET_SAMPLES: Final = SAMPLE_RATE_HZ // 50

BLOCK_SECS: Final = 0.005
BLOCK_SAMPLES: Final = SAMPLE_RATE_HZ // 200

LOUD_RMS: Final = 300.0
"""The level that counts as sound: -41 dBFS, some 25 dB under normal speech."""

_ROOM_RMS: Final = 12.0
"""A quiet room through a microphone is not digital silence: about -69 dBFS."""

_ROOM_SECS: Final = 4


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound to send.

    Parameters:
        name: For people.
        packets: Opus packets of 20 ms.
        first_loud_secs: Start of the first loud block, from the clip's start.
        last_loud_secs: End of the last loud block, from the clip's start.
        text: Its words, where they are known.
    """

    name: str
    packets: tuple[bytes, ...]
    first_loud_secs: float
    last_loud_secs: float
    text: str = ""

    @property
    def secs(self) -> float:
        """Length, padded to whole packets."""
        return len(self.packets) * PACKET_SECS

    @property
    def first_loud_packet(self) -> int:
        """The packet that the first loud block is in."""
        return round(self.first_loud_secs / BLOCK_SECS) // (PACKET_SAMPLES // BLOCK_SAMPLES)

    @property
    def last_loud_packet(self) -> int:
        """The packet that the last loud block is in."""
        return (round(self.last_loud_secs / BLOCK_SECS) - 1) // (PACKET_SAMPLES // BLOCK_SAMPLES)


def load_wav(path: Path) -> Samples:
    """Read a 16-bit WAV of any rate, mix it to mono and resample it to 48 kHz.

    Raises:
        ValueError: Its samples are not 16-bit.
    """
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{path}: {8 * file.getsampwidth()}-bit samples; only 16-bit WAV is read")
        rate_hz, channels = file.getframerate(), file.getnchannels()
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    if channels > 1:
        samples = samples.reshape(-1, channels).astype(np.int32).mean(axis=1).astype(np.int16)
    return resampled(samples, rate_hz, SAMPLE_RATE_HZ)


def resampled(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """The same sound at another rate."""
    return samples if from_hz == to_hz else soxr.resample(samples, from_hz, to_hz)


def silence(secs: float) -> Samples:
    """Digital silence at 48 kHz."""
    return np.zeros(round(secs * SAMPLE_RATE_HZ), np.int16)


def levels(samples: Samples) -> NDArray[np.float32]:
    """Root mean square of each whole 5 ms block of 48 kHz samples."""
    blocks = samples[: len(samples) // BLOCK_SAMPLES * BLOCK_SAMPLES].reshape(-1, BLOCK_SAMPLES)
    return np.sqrt(np.mean(np.square(blocks.astype(np.float32)), axis=1))


def clip_from_samples(name: str, samples: Samples, text: str = "") -> Clip:
    """Encode 48 kHz mono samples as a clip.

    Raises:
        ValueError: Nothing in it is loud, so that its times could not be told.
    """
    padded = np.pad(samples, (0, -len(samples) % PACKET_SAMPLES))
    loud = np.flatnonzero(levels(padded) >= LOUD_RMS)
    if not len(loud):
        raise ValueError(f"{name}: no 5 ms of it reach an RMS of {LOUD_RMS:.0f}")
    return Clip(
        name=name,
        packets=_encoded(padded),
        first_loud_secs=float(loud[0]) * BLOCK_SECS,
        last_loud_secs=float(loud[-1] + 1) * BLOCK_SECS,
        text=text,
    )


def clip_from_wav(path: Path) -> Clip:
    """Load a clip from a 16-bit WAV; see :func:`load_wav`."""
    return clip_from_samples(path.stem, load_wav(path))


@lru_cache(maxsize=1)
def room_packets() -> tuple[bytes, ...]:
    """Four seconds of a quiet room, to be sent round and round while the caller says nothing."""
    noise = np.random.default_rng(seed=1).standard_normal(_ROOM_SECS * SAMPLE_RATE_HZ) * _ROOM_RMS
    return _encoded(noise.astype(np.int16))


def _encoded(samples: Samples) -> tuple[bytes, ...]:
    encoder = OpusEncoder(sample_rate_hz=SAMPLE_RATE_HZ, complexity=10)
    starts = range(0, len(samples), PACKET_SAMPLES)
    return tuple(encoder.encode(samples[at : at + PACKET_SAMPLES].tobytes()) for at in starts)
