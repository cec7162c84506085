"""A replayed call as a sound file for people: the caller on the left, the bot on the right, in step."""

import wave
from pathlib import Path

import numpy as np

from audio.pcm import Resampler
from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ
from replay.record import Trace


def write_wav(path: Path, trace: Trace, began: float) -> None:
    """Write both tracks: 16-bit stereo at 24 kHz.

    Args:
        path: The file.
        trace: What was heard and played; its audio must have been kept.
        began: The loop's clock when the call began.
    """
    caller, bot = _caller(trace, began), _bot(trace, began)
    both = np.zeros((max(len(caller), len(bot)), 2), np.int16)
    both[: len(caller), 0], both[: len(bot), 1] = caller, bot
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(OUTPUT_SAMPLE_RATE_HZ)
        file.writeframes(both.tobytes())


def _caller(trace: Trace, began: float) -> np.ndarray:
    """The caller's audio without the jitter of its way: a packet follows the one before, unless it came much later."""
    resampler = Resampler(INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ)
    pieces: list[np.ndarray] = []
    samples = 0
    for at, pcm in trace.caller:
        due = round((at - began) * INPUT_SAMPLE_RATE_HZ)
        if due - samples > INPUT_SAMPLE_RATE_HZ // 4:
            pieces.append(np.zeros(due - samples, np.int16))
            samples = due
        pieces.append(np.frombuffer(pcm, np.int16))
        samples += len(pcm) // 2
    if not pieces:
        return np.empty(0, np.int16)
    return np.frombuffer(resampler.push(np.concatenate(pieces).tobytes()), np.int16)


def _bot(trace: Trace, began: float) -> np.ndarray:
    pieces: list[np.ndarray] = []
    samples = 0
    for (at, _, _), pcm in zip(trace.pulls, trace.played, strict=True):
        due = round((at - began) * OUTPUT_SAMPLE_RATE_HZ)
        if due - samples > OUTPUT_SAMPLE_RATE_HZ // 4:
            pieces.append(np.zeros(due - samples, np.int16))
            samples = due
        pieces.append(np.frombuffer(pcm, np.int16))
        samples += len(pcm) // 2
    return np.concatenate(pieces) if pieces else np.empty(0, np.int16)
