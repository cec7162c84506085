"""The bot's own words, read from its echo."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.audio_filter.own_words import OwnWords

SAID = "our branches are open from monday to friday from nine until five in the afternoon".split()  # noqa: SIM905
PACE_SECS = 0.3


@pytest.fixture
def own() -> OwnWords:
    words = OwnWords()
    for index, word in enumerate(SAID):
        words.say(f"{word} ", 10 + index * PACE_SECS)
    return words


def spoken_at(first: int, count: int, late_secs: float) -> tuple[float, float]:
    """When somebody begins and ends who says words that much after the bot."""
    began = 10 + first * PACE_SECS + late_secs
    return began, began + count * PACE_SECS


@given(st.integers(0, 9), st.integers(3, 5), st.floats(0.02, 0.4))
def test_what_is_said_at_the_same_time_in_the_same_words_is_an_echo(first, count, late_secs):
    own = OwnWords()
    for index, word in enumerate(SAID):
        own.say(word, 10 + index * PACE_SECS)
    began, ended = spoken_at(first, count, late_secs)
    assert own.holds(" ".join(SAID[first : first + count]), began, ended, None)


def test_a_recogniser_may_mishear_some_of_it(own):
    began, ended = spoken_at(1, 5, 0.1)
    assert own.holds("Branches are often from Monday", began, ended, None)


def test_who_repeats_the_words_afterwards_is_a_caller(own):
    began, ended = spoken_at(4, 4, 1.3)
    assert not own.holds("From Monday to Friday?", began, ended, None)


def test_other_words_are_a_callers(own):
    began, ended = spoken_at(4, 5, 0.1)
    assert not own.holds("Can I come on Saturday?", began, ended, None)


def test_few_words_are_a_coincidence_unless_an_echo_has_been_heard(own):
    began, ended = spoken_at(5, 2, 0.2)
    assert not own.holds("Monday to", began, ended, None)
    assert own.holds("Monday to", began, ended, 0.2)


def test_nothing_is_nobodys(own):
    assert not own.holds("", 10, 11, None)
