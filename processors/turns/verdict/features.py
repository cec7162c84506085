"""What the sound judge looks at: one sound over the bot's voice, from just before its onset to now, as numbers.

Three views: the speech recogniser's own (what its encoder makes of the sound, and which words it is about to begin
with), how the voice sounds (level, its slope, pitch), and how long the VAD has heard one.
"""

from typing import Final

import numpy as np

from processors.stt.moonshine_model import first_look

RATE_HZ: Final = 16_000
TAIL: Final = np.zeros(RATE_HZ // 5, np.int16)
"""Silence behind the clip, as in the recogniser: without it a cut-off clip makes it invent words."""

MAX_SECS: Final = 1.1
"""The judge looks at the last so many seconds at most: what it costs is bounded."""

STATE_WIDTH: Final = 288
FRAME: Final = RATE_HZ // 100

PITCH_LAGS: Final = (RATE_HZ // 400, RATE_HZ // 70)
_FLOOR: Final = 1e-7
LOWEST_LOGPROB: Final = -9.0
"""Less likely tokens are all alike."""


def looks(pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The recogniser's view.

    Args:
        pcm: int16 at 16 kHz.

    Returns:
        Mean, deviation and maximum of its encoder states (3 x 288), and the natural-log probabilities of its first
        token (32768).
    """
    states, logits = first_look(np.concatenate([pcm[-round(MAX_SECS * RATE_HZ) :], TAIL]))
    shifted = logits - logits.max()
    logprobs = np.maximum(shifted - np.log(np.exp(shifted).sum()), LOWEST_LOGPROB)
    pooled = np.concatenate([states.mean(0), states.std(0), states.max(0)])
    return pooled.astype(np.float32), logprobs.astype(np.float32)


def voice(pcm: np.ndarray, speech_probs: np.ndarray, elapsed_ms: int, ended: bool) -> np.ndarray:
    """How it sounds and how long it lasts: 18 numbers.

    Args:
        pcm: int16 at 16 kHz.
        speech_probs: The VAD's probability of each 32 ms window of it.
        elapsed_ms: Milliseconds since the onset.
        ended: Whether the sound has ended.
    """
    samples = pcm[-round(MAX_SECS * RATE_HZ) :].astype(np.float32) / 32768
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    level_db = 10 * np.log10(np.mean(frames**2, axis=1) + _FLOOR)
    peak_db = float(level_db.max())
    sounding = level_db > peak_db - 20
    crossings = np.mean(np.abs(np.diff(np.signbit(frames), axis=1)), axis=1)
    pitches, strengths = _pitch(samples)
    voiced = speech_probs[speech_probs >= 0.5]
    return np.array(
        [
            elapsed_ms / 1000,
            np.log(max(elapsed_ms, 32) / 1000),
            float(ended),
            len(voiced) * 0.032,
            float(speech_probs.mean()),
            float(speech_probs.max()),
            float(speech_probs[-3:].mean()),
            float(speech_probs[:8].mean()),
            peak_db / 20,
            float(level_db[sounding].std()) / 10,
            float(np.mean(sounding)),
            float(np.mean(np.diff(level_db[-12:]))) / 5 if len(level_db) > 12 else 0.0,
            float(crossings[sounding].mean()) * 5,
            float(crossings[sounding].std()) * 5,
            float(np.mean(strengths)),
            float(np.mean(strengths > 0.6)),
            _slope(np.log(pitches[strengths > 0.6])),
            float(np.log(pitches[strengths > 0.6]).std()) if np.any(strengths > 0.6) else 0.0,
        ],
        np.float32,
    )


def _pitch(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pitch in Hz and its strength (0 to 1) of overlapping 40 ms frames, by autocorrelation."""
    size, hop = RATE_HZ // 25, RATE_HZ // 50
    if len(samples) < size:
        samples = np.pad(samples, (0, size - len(samples)))
    starts = np.arange(0, len(samples) - size + 1, hop)
    frames = samples[starts[:, None] + np.arange(size)]
    frames = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(frames, 2 * size)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, :size]
    first, last = PITCH_LAGS
    best = first + np.argmax(correlation[:, first:last], axis=1)
    strength = correlation[np.arange(len(frames)), best] / (correlation[:, 0] + _FLOOR)
    return RATE_HZ / best, np.clip(strength, 0, 1)


def _slope(values: np.ndarray) -> float:
    return float(np.mean(np.diff(values))) * 5 if len(values) > 2 else 0.0
