"""Levels of a voice: right, in their place in time, and bounded."""

import numpy as np
import pytest

from observe.levels import KEEP_SECS, SILENCE_DB, LevelMeter

RATE_HZ = 16_000


def tone(secs: float, amplitude: float) -> bytes:
    at = np.arange(round(secs * RATE_HZ))
    return (32768 * amplitude * np.sin(2 * np.pi * 441 * at / RATE_HZ)).astype(np.int16).tobytes()


@pytest.mark.parametrize(("amplitude", "below_db"), [(0.999, 3), (0.1, 23), (0.01, 43), (0.0, SILENCE_DB)])
def test_a_tone_has_its_level(amplitude, below_db):
    meter = LevelMeter(RATE_HZ)
    meter.push(tone(0.5, amplitude))
    meter.measure(0.5)
    assert meter.since(0) == (0, [below_db] * 5)


def test_pieces_that_fit_no_block_are_kept_for_the_next():
    meter = LevelMeter(RATE_HZ)
    pcm = tone(1.0, 0.1)
    for start in range(0, len(pcm), 1024):
        meter.push(pcm[start : start + 1024])
        meter.measure(start / 2 / RATE_HZ)
    assert meter.since(0)[1] == [23] * 10
    assert meter.since(8) == (8, [23, 23])


def test_where_there_was_no_audio_there_was_silence():
    meter = LevelMeter(RATE_HZ)
    meter.push(tone(1.0, 0.1))
    meter.measure(1.0)
    meter.measure(2.0)
    meter.push(tone(1.0, 0.1))
    meter.measure(3.0)
    assert meter.since(0)[1] == [23] * 10 + [SILENCE_DB] * 10 + [23] * 10


def test_a_long_call_keeps_its_last_half_hour():
    meter = LevelMeter(RATE_HZ)
    meter.measure(KEEP_SECS + 10)
    first, levels = meter.since(0)
    assert (first, len(levels)) == (100, KEEP_SECS * 10)


def test_audio_that_nobody_measures_is_dropped():
    meter = LevelMeter(RATE_HZ)
    for _ in range(1000):
        meter.push(tone(0.02, 0.1))
    meter.measure(20.0)
    assert len(meter.since(0)[1]) == 200
    assert meter.since(0)[1].count(23) == 40
