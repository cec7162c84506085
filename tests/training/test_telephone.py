"""What a telephone line makes of a sound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.telephone import by_telephone, mu_law

RATE_HZ = 16_000


def tone(hz: float, level: float = 8000.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ)).astype(np.int16)


def level_of(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples[2000:-2000].astype(np.float64) ** 2)))


@given(st.integers(-32768, 32767))
def test_mu_law_errs_by_a_thirtieth_at_most(value):
    decoded = int(mu_law(np.array([value], np.int16))[0])
    assert abs(decoded - value) <= max(8, abs(value) / 30, 32767 - 32124)


def test_mu_law_has_255_values_and_is_stable():
    every = mu_law(np.arange(-32768, 32768).astype(np.int16))
    assert len(set(every.tolist())) == 255
    assert mu_law(every).tolist() == every.tolist()


@pytest.mark.parametrize(("hz", "passes"), [(100, False), (200, False), (500, True), (3000, True), (3700, False)])
def test_the_band_is_that_of_a_telephone(hz, passes):
    heard = by_telephone(tone(hz), RATE_HZ)
    assert len(heard) == RATE_HZ
    assert (level_of(heard) > 0.8 * level_of(tone(hz))) is passes
