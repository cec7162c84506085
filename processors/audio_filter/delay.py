"""How late an echo is: generalised cross-correlation with phase transform (Knapp and Carter 1976). Pure.

Both signals are whitened, so that the echo of a wide-band sound is one sharp peak at its delay, while the likeness that
any two voices have (their pitch) makes none.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ

HEARD_SECS: Final = 0.256
SPAN_SECS: Final = 1.024
LONGEST_SECS: Final = SPAN_SECS - HEARD_SECS
"""The longest delay that is found: the network both ways, the client's jitter buffer and its sound card."""

HEARD_SAMPLES: Final = round(HEARD_SECS * INPUT_SAMPLE_RATE_HZ)
SPAN_SAMPLES: Final = round(SPAN_SECS * OUTPUT_SAMPLE_RATE_HZ)

_FFT_HEARD: Final = round(SPAN_SECS * INPUT_SAMPLE_RATE_HZ)
_BAND_HZ: Final = (300, 3_600)
_BAND: Final = slice(*(round(edge * SPAN_SECS) for edge in _BAND_HZ))
_FFT_DELAY: Final = 8_192
DELAY_RATE_HZ: Final = _FFT_DELAY / SPAN_SECS
_LAGS: Final = round(LONGEST_SECS * DELAY_RATE_HZ)
_WHITENING: Final = 0.8
"""0: plain correlation, 1: phases alone, in which bins without signal count as much as those with."""


@dataclass(frozen=True)
class Delay:
    """The likeliest delay.

    Attributes:
        secs: The delay.
        sharpness: Height of its peak, in standard deviations of the correlation elsewhere.
    """

    secs: float
    sharpness: float


def find_delay(heard: np.ndarray, played: np.ndarray) -> Delay:
    """Where in what was played the sound that is heard began.

    Args:
        heard: The last :data:`HEARD_SAMPLES` of the microphone, 16 kHz.
        played: The last :data:`SPAN_SAMPLES` of the playout, 24 kHz, up to the same moment.
    """
    x = np.fft.rfft(heard, _FFT_HEARD)[_BAND]
    y = np.fft.rfft(played)[_BAND]
    cross = y * np.conj(x)
    size = np.abs(cross)
    most = size.max()
    if most <= 0:
        return Delay(0.0, 0.0)
    spectrum = np.zeros(_FFT_DELAY // 2 + 1, np.complex64)
    spectrum[_BAND] = cross / np.maximum(size, 1e-4 * most) ** _WHITENING
    correlation = np.fft.irfft(spectrum)[:_LAGS]
    peak = int(correlation.argmax())
    deviation = float(np.sqrt(np.mean(correlation**2)))
    began_secs = peak / DELAY_RATE_HZ
    return Delay(LONGEST_SECS - began_secs, float(correlation[peak]) / max(deviation, 1e-12))
