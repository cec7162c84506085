"""What a sound did to an answer, told from two recordings: every case is built to a known size."""

import numpy as np
import pytest

from loadtest.audio import SAMPLE_RATE_HZ, Samples, silence
from loadtest.continuity import continuity
from loadtest.recording import Recording
from loadtest.scoring import NotMeasurable

MS = SAMPLE_RATE_HZ // 1000
FIRST, LAST = 3.0, 3.4
"""The sound over the answer, in seconds of the recording."""


class Heard(Recording):
    """A recording of given samples, from second 0 on."""

    def __init__(self, samples: Samples) -> None:
        super().__init__()
        self.plain = samples

    def samples(self, from_secs=-np.inf, to_secs=np.inf):
        return self.plain[max(0, round(from_secs * SAMPLE_RATE_HZ)) : round(to_secs * SAMPLE_RATE_HZ)]


def words(seed: int = 4) -> Samples:
    """Eight seconds that are nowhere alike: bursts of noise with short rests, as words have."""
    rng = np.random.default_rng(seed)
    parts = []
    for length in rng.integers(150, 500, 30):
        parts += [(rng.standard_normal(int(length) * MS) * 3000).astype(np.int16), silence(0.05)]
    return np.concatenate(parts)[: 8 * SAMPLE_RATE_HZ]


def at(secs: float) -> int:
    return round(secs * SAMPLE_RATE_HZ)


def test_an_undisturbed_answer_has_no_gap_and_no_loss():
    found = continuity(Heard(words()), words(), FIRST, LAST)
    assert (found.added_silence_ms, found.samples_lost) == (0.0, 0)


@pytest.mark.parametrize("level", [1.0, 0.18])
def test_a_pause_is_measured_to_some_milliseconds_and_costs_nothing(level):
    whole = words()
    lowered = whole.copy()
    lowered[at(3.1) : at(3.3)] = (whole[at(3.1) : at(3.3)] * level).astype(np.int16)
    paused = np.concatenate([lowered[: at(3.3)], silence(0.6), whole[at(3.3) :]])
    found = continuity(Heard(paused), whole, FIRST, LAST)
    assert found.added_silence_ms == pytest.approx(600, abs=12)
    assert found.samples_lost == 0


def test_speech_that_a_resume_skips_is_counted():
    whole = words()
    skipped = np.concatenate([whole[: at(3.2)], silence(0.5), whole[at(3.5) :]])
    found = continuity(Heard(skipped), whole, FIRST, LAST)
    speech = np.sum(np.abs(whole[at(3.2) : at(3.5)]) > 0)
    assert found.samples_lost == pytest.approx(speech, abs=12 * MS)
    assert found.added_silence_ms == pytest.approx(500, abs=40)


def test_speech_that_is_skipped_without_a_pause_is_counted_too():
    whole = words()
    found = continuity(Heard(np.concatenate([whole[: at(3.2)], whole[at(3.4) :]])), whole, FIRST, LAST)
    assert found.samples_lost == pytest.approx(200 * MS, abs=12 * MS)
    assert found.added_silence_ms == 0


def test_another_answer_cannot_be_compared():
    with pytest.raises(NotMeasurable):
        continuity(Heard(words(seed=9)), words(), FIRST, LAST)


def test_an_answer_that_did_not_go_on_cannot_be_compared():
    whole = words()
    with pytest.raises(NotMeasurable):
        continuity(Heard(np.concatenate([whole[: at(3.2)], silence(5)])), whole, FIRST, LAST)
