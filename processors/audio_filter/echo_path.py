"""The way from the bot's mouth to the caller's microphone, as powers in bands: what of a sound it explains. Pure.

A canceller that subtracts samples needs a path that stands still to a fraction of a sample. Between a server and a
telephone lie two codecs, a jitter buffer that stretches time and two clocks; powers in frames of 32 ms outlast them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from processors.audio_filter.spectra import HOP_SECS

ROOM_DECAY: Final = 0.55
"""What is left of an echo's power after 16 ms: a room whose sound takes 0.37 s to fall by 60 dB."""

LOUD_SHARE: Final = 3e-3
"""Frames whose reference is this far (25 dB) below the loudest tell nothing of the gain."""

GAIN_PERCENTILE: Final = 70
BAND_SPREAD: Final = 30.0
"""A band's gain is at most so many times (15 dB) that of all bands: what is more is somebody else."""

MARGIN: Final = 6.0
"""Power beyond so many times the expected is no echo."""

TAIL_FRAMES: Final = round(0.2 / HOP_SECS)
"""Frames that are looked back before the first that matters."""

NOISE_MARGIN: Final = 6.0
CEILING: Final = 1e-12


class Excitation:
    """What of the reference may sound in each frame: the loudest of three neighbours, and the room's memory."""

    def __init__(self) -> None:
        self._memory: np.ndarray | None = None

    def push(self, played: np.ndarray) -> np.ndarray:
        """Take further frames.

        Args:
            played: Band powers of the reference, frames x bands, with one frame more at each end.
        """
        near = np.maximum(np.maximum(played[:-2], played[1:-1]), played[2:])
        for frame in near:
            if self._memory is not None:
                np.maximum(frame, self._memory * ROOM_DECAY, out=frame)
            self._memory = frame
        return near


@dataclass(frozen=True)
class Unexplained:
    """What the echo does not explain.

    Attributes:
        share: Of the power that is above the room's noise (0 to 1), by the mean of the bands' square roots.
        bands: In how many bands there is more than the echo.
    """

    share: float
    bands: int


class EchoPath:
    """Gains of one path, band by band.

    Args:
        heard: Band powers of the microphone while the reference sounded, frames x bands.
        excited: :func:`excitation` of the same frames.
    """

    def __init__(self, heard: np.ndarray, excited: np.ndarray) -> None:
        self.noise = np.percentile(heard, 15, axis=0)
        self.gains = np.zeros(heard.shape[1])
        self.learn(heard, excited)

    def learn(self, heard: np.ndarray, excited: np.ndarray) -> None:
        """Take the gains of frames in which nobody but the bot is heard."""
        loud = excited > LOUD_SHARE * excited.max(axis=0)
        ratio = np.where(loud, np.maximum(heard - self.noise, 0) / np.maximum(excited, CEILING), np.nan)
        known = loud.sum(axis=0) >= 3
        if not known.any():
            return
        gains = np.nanpercentile(ratio[:, known], GAIN_PERCENTILE, axis=0)
        typical = float(np.median(gains))
        full = np.full(len(known), typical)
        full[known] = gains
        self.gains = np.clip(full, typical / BAND_SPREAD, typical * BAND_SPREAD)

    def unexplained(self, heard: np.ndarray, excited: np.ndarray) -> Unexplained:
        """Compare one frame, or the sum of some, with what the path makes of the reference."""
        limit = MARGIN * self.gains * excited + NOISE_MARGIN * self.noise
        beyond = heard > limit
        loudness = np.sqrt(np.maximum(heard - self.noise, 0))
        whole = float(loudness.sum())
        share = float(loudness[beyond].sum()) / whole if whole > 0 else 0.0
        return Unexplained(share, int(np.count_nonzero(beyond)))
