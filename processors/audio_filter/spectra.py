"""Power in frequency bands, frame by frame, alike for both rates of the call. Pure.

A frame lasts 32 ms and the next begins 16 ms later, whatever the rate, so that bins and bands mean the same frequencies
at 16 and at 24 kHz and nothing need be resampled.
"""

from typing import Final

import numpy as np

from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ

HOP_SECS: Final = 0.016

BAND_EDGES_HZ: Final = (
    200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400, 7700,
)  # fmt: skip
"""Critical bands of hearing (Zwicker): a loudspeaker or a room changes neighbouring bands alike."""

BANDS: Final = len(BAND_EDGES_HZ) - 1

_BIN_HZ: Final = 1 / (2 * HOP_SECS)
_EDGES: Final = np.array([round(edge / _BIN_HZ) for edge in BAND_EDGES_HZ])


class BandPowers:
    """Cuts samples of one rate into frames.

    Args:
        rate_hz: The rate.
    """

    def __init__(self, rate_hz: int) -> None:
        self.hop = round(rate_hz * HOP_SECS)
        self._window = np.hanning(2 * self.hop + 1)[:-1].astype(np.float32)
        # Full scale 1, whatever the rate: a sine's power does not depend on the frame's length.
        self._scale = np.float32(1 / np.sum(self._window) ** 2)

    def of(self, samples: np.ndarray) -> np.ndarray:
        """Band powers of every whole frame.

        Args:
            samples: float32 of full scale 1; the first frame begins with the first sample.

        Returns:
            Frames x :data:`BANDS`.
        """
        count = len(samples) // self.hop - 1
        frames = np.empty((count, 2 * self.hop), np.float32)
        hops = samples[: (count + 1) * self.hop].reshape(-1, self.hop)
        frames[:, : self.hop], frames[:, self.hop :] = hops[:-1], hops[1:]
        frames *= self._window
        spectrum = np.fft.rfft(frames, axis=1)[:, : _EDGES[-1]]
        power = spectrum.real**2 + spectrum.imag**2
        return np.add.reduceat(power, _EDGES[:-1], axis=1) * self._scale


HEARD: Final = BandPowers(INPUT_SAMPLE_RATE_HZ)
PLAYED: Final = BandPowers(OUTPUT_SAMPLE_RATE_HZ)
