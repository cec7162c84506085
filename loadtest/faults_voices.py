"""Whether two sentences sounded at once in what a caller received. Pure.

Each sentence that may have been spoken is known, sample by sample: the emulated vendors and the voice behind them speak
the same text the same way every time. Pieces of 300 ms are searched for in the recording by normalised
cross-correlation; alone a piece correlates with about 1, under another voice of the same strength with about 0.7.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 24_000
_STEP: Final = 6
"""Compared at 4 kHz: most of the strength of speech lies below 2 kHz."""

_PIECE: Final = 1_200
_HOP: Final = 600
_ALIKE: Final = 0.55
_SAME_PLACE: Final = 40
"""Pieces of one sentence whose places agree within 10 ms belong to one voice."""

_PIECES: Final = 3
"""So many pieces make a voice: single words are alike in many sentences."""

_QUIET_RMS: Final = 150.0

Samples = NDArray[np.int16]


def voices_at_once_ms(heard: Samples, sentences: Sequence[Samples]) -> int:
    """How long two of the sentences, or one of them twice, sounded at the same time.

    Parameters:
        heard: What the caller received, at 24 kHz.
        sentences: Each sentence alone, at 24 kHz.
    """
    recording = _coarse(heard)
    if len(recording) < _PIECE:
        return 0
    size = 1 << (len(recording) + _PIECE - 1).bit_length()
    spectrum = np.fft.rfft(recording, size)
    energy = np.concatenate([[0.0], np.cumsum(recording.astype(np.float64) ** 2)])
    norms = np.sqrt(np.maximum(energy[_PIECE:] - energy[:-_PIECE], 1.0))
    voices = np.zeros(len(recording), np.int16)
    for sentence in sentences:
        for places in _voices(_coarse(sentence), spectrum, size, norms):
            sounding = np.zeros(len(recording), bool)
            for place in places:
                sounding[place : place + _PIECE] = True
            voices += sounding
    return round(np.count_nonzero(voices > 1) * 1000 * _STEP / RATE_HZ)


def _voices(
    sentence: NDArray[np.float32], spectrum: NDArray[np.complex128], size: int, norms: NDArray[np.float64]
) -> list[list[int]]:
    """Where the pieces of a sentence lie, for each time that it was spoken."""
    found: dict[int, list[int]] = {}
    for start in range(0, len(sentence) - _PIECE + 1, _HOP):
        piece = sentence[start : start + _PIECE]
        norm = float(np.sqrt(np.sum(piece.astype(np.float64) ** 2)))
        if norm < _QUIET_RMS * np.sqrt(_PIECE):
            continue
        products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[: len(norms)]
        place = int(np.argmax(products / norms))
        if products[place] / norms[place] < _ALIKE * norm:
            continue
        begins = place - start
        known = next((at for at in found if abs(at - begins) <= _SAME_PLACE), begins)
        found.setdefault(known, []).append(place)
    return [places for places in found.values() if len(places) >= _PIECES]


def _coarse(samples: Samples) -> NDArray[np.float32]:
    whole = len(samples) // _STEP * _STEP
    return samples[:whole].astype(np.float32).reshape(-1, _STEP).mean(axis=1)
