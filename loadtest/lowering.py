"""When the bot's voice was lowered for a sound over it, told by laying it beside the same answer, undisturbed. Pure."""

from typing import Final

import numpy as np

from loadtest.audio import BLOCK_SAMPLES, BLOCK_SECS, LOUD_RMS, SAMPLE_RATE_HZ, Samples, levels
from loadtest.continuity import LOOK_BACK_SECS, PIECE_SECS, loudest_piece
from loadtest.recording import Recording
from loadtest.scoring import NotMeasurable, place

LOWERED: Final = 0.5
"""A voice below this share of its level is lowered: 6 dB; the bot lowers it by 15."""

IN_A_ROW: Final = 2
"""Blocks that must be below it, so that an edge that a codec has smeared is none."""


def lowered_ms(recording: Recording, reference: Samples, first_secs: float, until_secs: float) -> float | None:
    """From the first loud sample of a sound to the first sample of the bot's voice that is lower than it would be.

    Args:
        recording: The call.
        reference: The undisturbed answer, 48 kHz.
        first_secs: Monotonic time of the sound's first loud sample.
        until_secs: When the voice had stopped, or until when it is looked for.

    Returns:
        The time; None if the voice was not lowered.

    Raises:
        NotMeasurable: The two are not the same answer, or too little of it was heard before.
    """
    begin_secs = first_secs - LOOK_BACK_SECS
    heard = recording.samples(begin_secs, until_secs + 2 * IN_A_ROW * BLOCK_SECS)
    onset = int(LOOK_BACK_SECS * SAMPLE_RATE_HZ)
    piece = int(PIECE_SECS * SAMPLE_RATE_HZ)
    left = loudest_piece(heard[:onset], piece)
    shift = place(reference, heard[left : left + piece]) - left
    start = max(0, -shift)
    start += -start % BLOCK_SAMPLES
    length = min(len(heard) - start, len(reference) - start - shift) // BLOCK_SAMPLES * BLOCK_SAMPLES
    if length <= 0:
        raise NotMeasurable("the reference does not reach so far")
    actual = levels(heard[start : start + length])
    wanted = levels(reference[start + shift : start + shift + length])
    loud = wanted >= 2 * LOUD_RMS
    before = np.arange(len(actual)) * BLOCK_SAMPLES + start < onset
    if not np.any(loud & before):
        raise NotMeasurable("the answer was silent before")
    usual = float(np.median(actual[loud & before] / wanted[loud & before]))
    low = np.flatnonzero(loud & ~before & (actual < LOWERED * usual * wanted))
    for block in low:
        following = [b for b in range(block, len(actual)) if loud[b]][:IN_A_ROW]
        if len(following) == IN_A_ROW and all(b in low for b in following):
            return max(0.0, 1000 * ((start + int(block) * BLOCK_SAMPLES - onset) / SAMPLE_RATE_HZ))
    return None
