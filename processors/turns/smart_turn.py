"""Smart Turn v3.2: does speech sound as if its speaker had finished?

A small Whisper encoder with one output (Daily, BSD-2; ``pipecat-ai/smart-turn``), on the last eight seconds of audio.
It hears intonation, not words, and is often wrong about both: use it together with :mod:`processors.turns.endpoint`.
About 140 ms of CPU a question, on the shared threads.
"""

from functools import cache
from typing import Final

import numpy as np

from processors.compat.turn_features import compute_whisper_log_mel_features
from processors.models.files import SMART_TURN, Urgency, run_heavy, session

SAMPLES: Final = 8 * 16_000
"""The model hears eight seconds; less is filled with silence in front, of more the end counts."""


async def p_complete(pcm: np.ndarray) -> float:
    """Probability (0 to 1) that the speech is complete.

    Args:
        pcm: int16 samples at 16 kHz, up to and including the silence that ended the speech.

    Raises:
        ModelError: The model is not installed.
    """
    return await run_heavy(score, pcm, urgency=Urgency.FINAL)


def score(pcm: np.ndarray) -> float:
    """As :func:`p_complete`, on the calling thread."""
    heard = pcm[-SAMPLES:].astype(np.float32) / 32768
    padded = np.pad(heard, (SAMPLES - len(heard), 0))
    features = compute_whisper_log_mel_features(padded, do_normalize=True)
    (probability,) = session(SMART_TURN).run({"input_features": features[None]})
    return float(probability[0, 0])


@cache
def load() -> None:
    """Load the model and run it once, so that nobody's first turn waits for it.

    Raises:
        ModelError: The model is not installed.
    """
    score(np.zeros(SAMPLES, np.int16))
