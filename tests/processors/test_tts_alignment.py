"""Vendors' times of characters and boundaries become times of the text's own words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.frames import Word
from processors.tts.alignment import BoundaryFollower, CharacterFollower, WordAligner


def chars(follower, text, starts_ms, offset_secs):
    return follower.push(list(text), starts_ms, [10] * len(text), offset_secs)


def test_characters_in_pieces_whose_times_restart():
    follower = CharacterFollower("It is so. ")
    assert chars(follower, "It ", [0, 50, 100], 0.0) == [Word("It ", 0.0)]
    assert chars(follower, "is", [20, 60], 0.25) == [Word("is ", 0.27)]
    assert not follower.over(9.0)
    assert chars(follower, " so. ", [0, 10, 20, 30, 40], 0.5) == [Word("so. ", 0.51)]
    assert not follower.over(0.5)
    assert follower.over(0.54)
    assert follower.finish(1.0) == []


def test_characters_that_the_text_does_not_have_are_skipped():
    follower = CharacterFollower("a b")
    assert chars(follower, " a  xb", [0, 10, 20, 30, 40, 50], 0.0) == [Word("a ", 0.01), Word("b", 0.05)]


def test_words_that_are_left_out_get_a_time_in_between():
    follower = BoundaryFollower("yes - of course")
    assert follower.push("yes", 0, 0.0, 0.3) == [Word("yes ", 0.0)]
    assert follower.push("of", 6, 0.8, 0.3) == [Word("- ", pytest.approx(0.4)), Word("of ", 0.8)]
    assert not follower.over(9.0)
    assert follower.finish(2.0) == [Word("course", 0.8)]


def test_boundaries_are_found_where_the_vendor_is_wrong_about_them():
    follower = BoundaryFollower("that that is")
    assert follower.push("that", 99, 0.0, 0.1) == [Word("that ", 0.0)]
    assert follower.push("that", 0, 0.5, 0.1) == [Word("that ", 0.5)]
    assert follower.push("was", 10, 0.6, 0.1) == []
    assert follower.push("", 3, 0.6, 0.1) == []
    assert follower.push("is", 10, 0.9, 0.1) == [Word("is", 0.9)]
    assert (follower.over(0.9), follower.over(1.0)) == (False, True)


def test_two_boundaries_in_one_word_tell_it_once():
    follower = BoundaryFollower("twenty-one, no")
    boundaries = (("twenty", 0.0), ("-", 0.3), ("one", 0.4), (",", 0.8))
    told = [follower.push(word, 0, secs, 0.1) for word, secs in boundaries]
    assert told == [[Word("twenty-one, ", 0.0)], [], [], []]
    assert follower.push("no", 12, 1.0, 0.1) == [Word("no", 1.0)]


@given(
    st.text(st.sampled_from("ab, .\n"), max_size=30).filter(str.strip),
    st.lists(st.tuples(st.integers(0, 31), st.floats(0, 9))),
)
def test_the_words_joined_are_the_text_and_their_times_never_go_back(text, times):
    aligner = WordAligner(text)
    words = [word for position, secs in times for word in aligner.at(position, secs)] + aligner.finish(10.0)
    assert "".join(word.text for word in words) == text
    assert [word.start_secs for word in words] == sorted(word.start_secs for word in words)
