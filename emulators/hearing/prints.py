"""Spectral fingerprints of 16 kHz audio, 32 bits for each 16 ms.

After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): each bit is the sign of how the
difference between two neighbouring bands changes over time. Gain, codecs, telephone bands and moderate noise flip few
bits. Frames are shorter here than in music (64 ms), since words are; the change is taken over three frames, which keeps
bits apart from each other's noise.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

SAMPLE_RATE_HZ: Final = 16_000
FRAME_SAMPLES: Final = 1024
HOP_SAMPLES: Final = 256
HOP_SECS: Final = HOP_SAMPLES / SAMPLE_RATE_HZ
"""Time from one frame to the next, in seconds: 16 ms."""

CENTRE_SECS: Final = FRAME_SAMPLES / SAMPLE_RATE_HZ / 2
"""Time from a frame's first sample to its middle, in seconds: 32 ms."""

LAG: Final = 3
LOWEST_HZ, HIGHEST_HZ = 200.0, 3_400.0
_BANDS: Final = 33
_BIT_VALUES: Final = 1 << np.arange(_BANDS - 1, dtype=np.uint64)
_WINDOW: Final = np.hanning(FRAME_SAMPLES).astype(np.float32)
_SILENCE_POWER: Final = 1e-9


@dataclass(frozen=True)
class Prints:
    """Fingerprints of a stretch of audio.

    Attributes:
        bits: uint32 of shape (frames,).
        level_db: Power between 200 and 3,400 Hz of each frame, in dB relative to a full-scale sine there.
    """

    bits: np.ndarray
    level_db: np.ndarray

    def __len__(self) -> int:
        return len(self.bits)

    def __getitem__(self, frames: slice) -> "Prints":
        return Prints(self.bits[frames], self.level_db[frames])


class Fingerprinter:
    """Makes fingerprints of a stream: frame n starts at its sample ``256 * n``."""

    def __init__(self) -> None:
        self._pending = np.zeros(0, np.float32)
        self._history = np.zeros((0, _BANDS - 1), np.float32)

    def feed(self, samples: np.ndarray) -> Prints:
        """Take samples (float32, -1 to 1) and return the frames that they complete."""
        self._pending = np.concatenate([self._pending, samples.astype(np.float32, copy=False)])
        frames = (len(self._pending) - FRAME_SAMPLES) // HOP_SAMPLES + 1
        if frames <= 0:
            return Prints(np.zeros(0, np.uint32), np.zeros(0, np.float32))
        windows = np.lib.stride_tricks.sliding_window_view(self._pending, FRAME_SAMPLES)[::HOP_SAMPLES][:frames]
        power = np.square(np.abs(np.fft.rfft(windows * _WINDOW, axis=1))).astype(np.float32)
        self._pending = self._pending[frames * HOP_SAMPLES :].copy()

        bands = power @ _FILTERS
        level_db = 10 * np.log10(bands.sum(axis=1) * _LEVEL_SCALE + _SILENCE_POWER)
        slopes = np.concatenate([self._history, bands[:, :-1] - bands[:, 1:]])
        missing = max(0, LAG + frames - len(slopes))  # only at the start of the stream
        slopes = np.concatenate([np.zeros((missing, _BANDS - 1), np.float32), slopes])
        rises = slopes[LAG:] > slopes[:-LAG]
        self._history = slopes[-LAG:]
        return Prints((rises @ _BIT_VALUES).astype(np.uint32), level_db.astype(np.float32))


def fingerprint(samples: np.ndarray) -> Prints:
    """Fingerprints of a whole clip (float32, -1 to 1)."""
    return Fingerprinter().feed(samples)


def agreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How far fingerprints agree: 1 for all bits, 0 for chance, -1 for none; float32 of the common shape."""
    return 1 - np.bitwise_count(a ^ b).astype(np.float32) / 16


def _filters() -> np.ndarray:
    """Triangular bands, evenly spaced on a logarithmic scale; float32 of shape (513, 33)."""
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, _BANDS + 1)
    centres, widths = (edges[1:] + edges[:-1]) / 2, edges[1:] - edges[:-1]
    bin_hz = SAMPLE_RATE_HZ / FRAME_SAMPLES
    # The lowest bands are narrower than the Fourier transform resolves: they are widened until they hold some bins.
    widths = np.maximum(widths, 1.5 * bin_hz)
    bins = np.arange(FRAME_SAMPLES // 2 + 1) * bin_hz
    return np.clip(1 - np.abs(bins[:, None] - centres) / widths, 0, None).astype(np.float32)


def _level_scale() -> float:
    """What makes a full-scale sine in the middle of the bands 0 dB."""
    sine = np.sin(2 * np.pi * 1_000 * np.arange(FRAME_SAMPLES) / SAMPLE_RATE_HZ).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(sine * _WINDOW)))
    return float(1 / (power @ _FILTERS).sum())


_FILTERS: Final = _filters()
_LEVEL_SCALE: Final = _level_scale()
