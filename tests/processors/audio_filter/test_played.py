"""What was played lately."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.audio_filter.played import KEPT_SECS, PlayedAudio


def block(*values):
    return np.array(values, np.int16).tobytes()


def test_what_was_played_is_told_by_position():
    played = PlayedAudio()
    played.push(block(1, 2, 3))
    played.push(block(4, 5))
    assert np.allclose(played.between(1, 4) * 32768, [2, 3, 4])


def test_before_and_after_there_is_silence():
    played = PlayedAudio()
    played.push(block(7))
    assert np.allclose(played.between(-2, 3) * 32768, [0, 0, 7, 0, 0])


@given(st.lists(st.lists(st.integers(-32768, 32767), min_size=1, max_size=9), min_size=1, max_size=20), st.data())
def test_any_cut_of_it_is_what_was_pushed(blocks, data):
    played = PlayedAudio()
    for values in blocks:
        played.push(block(*values))
    whole = [value for values in blocks for value in values]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    assert (played.between(start, end) * 32768).astype(int).tolist() == whole[start:end]
    assert played.samples == len(whole)


def test_no_more_is_kept_than_is_wanted():
    played = PlayedAudio()
    for _ in range(400):
        played.push(block(*[5] * 480))
    assert np.count_nonzero(played.between(0, played.samples)) <= KEPT_SECS * 24_000 + 480


def test_silence_is_told_from_sound():
    played = PlayedAudio()
    assert played.silent_secs(0) > 10
    played.push(block(*[9] * 480))
    assert played.silent_secs(played.samples) == 0
    for _ in range(50):
        played.push(bytes(960))
    assert played.silent_secs(played.samples) == 1.0
