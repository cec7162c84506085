"""Did an answer go on where it was, after a sound over it? Told by laying it beside the same answer, undisturbed. Pure.

Two pieces of the answer, from before and after the sound, are found in the reference. By as much as their distance has
grown, silence was put between them; by as much speech as the reference holds between the two sides of the longest
silence, speech was lost.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from loadtest.audio import BLOCK_SAMPLES, LOUD_RMS, SAMPLE_RATE_HZ, Samples, levels
from loadtest.recording import Recording
from loadtest.scoring import NotMeasurable, place

PIECE_SECS: Final = 0.4
"""Long enough to be found in one place only."""

LOOK_BACK_SECS: Final = 1.6
LOOK_AHEAD_SECS: Final = 3.0

GAP_MS: Final = 60
"""Silence below this is part of any speech."""

SLACK_SAMPLES: Final = 10 * SAMPLE_RATE_HZ // 1000
"""Codecs and fades move an edge by some milliseconds."""


@dataclass(frozen=True)
class Continuity:
    """What a sound did to the answer.

    Attributes:
        added_silence_ms: Silence that the undisturbed answer does not have.
        samples_lost: Samples of speech at 48 kHz that were not played.
    """

    added_silence_ms: float
    samples_lost: int


def continuity(recording: Recording, reference: Samples, first_secs: float, last_secs: float) -> Continuity:
    """Lay an answer beside the undisturbed one.

    Args:
        recording: The call.
        reference: The undisturbed answer, 48 kHz.
        first_secs: Monotonic time of the first loud sample of the sound over the answer.
        last_secs: That of the last one.

    Raises:
        NotMeasurable: The two are not the same answer, or it was too short.
    """
    before = recording.samples(first_secs - LOOK_BACK_SECS, first_secs)
    whole = recording.samples(first_secs - LOOK_BACK_SECS, last_secs + LOOK_AHEAD_SECS)
    piece = int(PIECE_SECS * SAMPLE_RATE_HZ)
    left = loudest_piece(before, piece)
    right = len(before) + int((last_secs - first_secs) * SAMPLE_RATE_HZ)
    right += loudest_piece(whole[right:], piece)
    in_reference = place(reference, whole[left : left + piece])
    then = place(reference, whole[right : right + piece])
    grown = (right - left) - (then - in_reference)
    if abs(grown) <= SLACK_SAMPLES:
        return Continuity(0.0, 0)
    gap_from, gap_to = _longest_silence(whole, left + piece, right)
    if gap_to - gap_from < GAP_MS * SAMPLE_RATE_HZ // 1000:
        # No silence, and yet they differ: speech was skipped, or repeated.
        return Continuity(0.0, max(0, -grown))
    # Where the reference was when the silence began, and where the voice went on.
    stopped, resumed = in_reference + gap_from - left, then - (right - gap_to)
    lost = _speech(reference[max(0, stopped) : max(0, resumed)])
    if lost <= SLACK_SAMPLES:
        return Continuity(_ms(grown), 0)
    return Continuity(_ms(grown + resumed - stopped), lost)


def _ms(samples: int) -> float:
    return round(1000 * max(0, samples) / SAMPLE_RATE_HZ, 1)


def loudest_piece(samples: Samples, length: int) -> int:
    """Where the loudest stretch of a length begins; in samples.

    Raises:
        NotMeasurable: There is none, or it is silent.
    """
    rms = levels(samples)
    blocks = length // BLOCK_SAMPLES
    if len(rms) < blocks:
        raise NotMeasurable("too little of the answer was heard")
    energy = np.convolve(np.square(rms), np.ones(blocks), "valid")
    best = int(np.argmax(energy))
    if energy[best] < blocks * LOUD_RMS**2:
        raise NotMeasurable("the answer was not heard there")
    return best * BLOCK_SAMPLES


def _longest_silence(samples: Samples, from_sample: int, to_sample: int) -> tuple[int, int]:
    """Start and end of the longest silence between two places."""
    loud = np.flatnonzero(levels(samples[from_sample:to_sample]) >= LOUD_RMS / 3)
    edges = np.concatenate([[-1], loud, [max(0, to_sample - from_sample) // BLOCK_SAMPLES]])
    widest = int(np.argmax(np.diff(edges)))
    start = from_sample + (int(edges[widest]) + 1) * BLOCK_SAMPLES
    return start, from_sample + int(edges[widest + 1]) * BLOCK_SAMPLES


def _speech(samples: Samples) -> int:
    """How many samples of it are speech."""
    return int(np.sum(levels(samples) >= LOUD_RMS)) * BLOCK_SAMPLES
