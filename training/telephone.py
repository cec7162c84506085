"""What a telephone line makes of a sound: the band from 300 to 3400 Hz, and G.711 (mu-law) at 8 kHz. Pure."""

from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.int16]

LINE_HZ: Final = 8_000
BAND_HZ: Final = (300.0, 3_400.0)
_BIAS: Final = 132
_CLIP: Final = 32_635


def mu_law(samples: Samples) -> Samples:
    """The samples after G.711's mu-law and back: 8 bits a sample (ITU-T G.711, table 2)."""
    magnitude = np.minimum(np.abs(samples.astype(np.int32)), _CLIP) + _BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    step = (magnitude >> (segment + 3)) & 0xF
    decoded = (((step << 3) + _BIAS) << segment) - _BIAS
    return np.where(samples < 0, -decoded, decoded).astype(np.int16)


def by_telephone(samples: Samples, rate_hz: int, *, handset: bool = True) -> Samples:
    """The samples as a telephone line brings them, at the rate that they had.

    Args:
        samples: Mono int16.
        rate_hz: Their rate.
        handset: Whether the telephone lets pass only the band from 300 to 3400 Hz; else G.711 alone narrows it.
    """
    line = soxr.resample(samples.astype(np.float32), rate_hz, LINE_HZ)
    if handset:
        spectrum = np.fft.rfft(line)
        frequencies = np.fft.rfftfreq(len(line), 1 / LINE_HZ)
        spectrum[(frequencies < BAND_HZ[0]) | (frequencies > BAND_HZ[1])] = 0
        line = np.fft.irfft(spectrum, len(line))
    narrow = np.clip(line, -32768, 32767).astype(np.int16)
    coded = soxr.resample(mu_law(narrow).astype(np.float32), LINE_HZ, rate_hz)
    fitted = np.pad(coded, (0, max(0, len(samples) - len(coded))))[: len(samples)]
    return np.clip(fitted, -32768, 32767).astype(np.int16)
