"""Two readings of one sound are the same words, however written; a sure sound ends a doubtful turn soon."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from languages.catalogue import find_languages, language
from processors.turns.endpoint import EndpointParams, wait_ms
from processors.turns.wording import same_words, wording


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("my last ten transactions", "My last 10 transactions?"),
        ("twenty-five", "25"),
        ("I paid twenty five dollars", "I paid $25."),
        ("call me at three p.m.", "Call me at 3 p.m."),
        ("a hundred is 100", "a hundred is one hundred"),
    ],
)
def test_figures_are_the_same_as_their_names(one, other):
    assert same_words(one, other)


@pytest.mark.parametrize(("one", "other"), [("ten", "two"), ("my 10", "my 100"), ("it is", "is it"), ("", "no")])
def test_other_words_are_other_words(one, other):
    assert not same_words(one, other)


@given(st.integers(0, 999), st.sampled_from(sorted(find_languages())))
def test_every_number_is_the_same_as_its_name(number, code):
    assert same_words(str(number), language(code).speech.cardinal(number), code)


@given(st.text(max_size=40))
def test_any_text_has_a_wording_and_is_the_same_as_itself_in_capitals_and_with_a_stop(text):
    assert same_words(text, text)
    assert wording(f" {text} ") == wording(text)


SURE = EndpointParams().sounds_sure


@pytest.mark.parametrize(
    ("text", "p_complete", "wait"),
    [
        ("tell me what you can do", SURE, 100),
        ("tell me what you can do", SURE - 0.05, 500),
        ("tell me what you can do", None, 500),
        ("tell me what you can do", 0.05, 1600),
        ("my name is", 1.0, 1600),
        ("five", 1.0, 0),
        ("the number is five", 1.0, 500),
    ],
)
def test_a_sure_sound_decides_where_the_words_are_in_doubt_and_nowhere_else(text, p_complete, wait):
    assert wait_ms(text, p_complete, EndpointParams()) == wait


def test_the_sound_decides_nothing_above_one():
    assert wait_ms("tell me what you can do", 1.0, EndpointParams(sounds_sure=1.01)) == 500
