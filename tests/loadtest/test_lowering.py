"""When a voice was lowered is told from samples, beside the same voice undisturbed."""

import numpy as np
import pytest

from loadtest.audio import SAMPLE_RATE_HZ
from loadtest.lowering import lowered_ms
from loadtest.scoring import NotMeasurable


class Heard:
    """A recording of samples that begin at second 0."""

    def __init__(self, samples):
        self._samples = samples

    def samples(self, from_secs, to_secs):
        return self._samples[round(from_secs * SAMPLE_RATE_HZ) : round(to_secs * SAMPLE_RATE_HZ)]


def voice(secs=8.0):
    """Noise whose loudness rises and falls as speech does."""
    rng = np.random.default_rng(seed=3)
    at = np.arange(int(secs * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    loudness = 3000 * (0.6 + 0.4 * np.sin(2 * np.pi * 3.1 * at))
    return (rng.standard_normal(len(at)) * loudness).clip(-32000, 32000).astype(np.int16)


@pytest.mark.parametrize("late_ms", [20, 60, 150])
@pytest.mark.parametrize("delay_secs", [0.0, 1.35])
def test_a_voice_is_lowered_when_it_is(late_ms, delay_secs):
    reference, onset = voice(), 4.0
    heard = np.concatenate([np.zeros(round(delay_secs * SAMPLE_RATE_HZ), np.int16), reference])
    low = round((onset + late_ms / 1000) * SAMPLE_RATE_HZ)
    heard[low:] = (heard[low:] * 10 ** (-15 / 20)).astype(np.int16)
    assert lowered_ms(Heard(heard), reference, onset, onset + 0.4) == pytest.approx(late_ms, abs=8)


def test_a_voice_that_is_not_lowered_is_not():
    assert lowered_ms(Heard(voice()), voice(), 4.0, 4.4) is None


def test_a_quieter_line_is_no_lowered_voice():
    assert lowered_ms(Heard((voice() * 0.3).astype(np.int16)), voice(), 4.0, 4.4) is None


def test_silence_is_lower_than_any_voice():
    heard = voice()
    heard[round(4.1 * SAMPLE_RATE_HZ) :] = 0
    assert lowered_ms(Heard(heard), voice(), 4.0, 4.2) == pytest.approx(100, abs=20)


def test_another_answer_tells_nothing():
    with pytest.raises(NotMeasurable):
        lowered_ms(Heard(np.roll(voice(), 12345)[::-1].copy()), voice(), 4.0, 4.4)
