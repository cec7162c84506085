"""What is cut, said and timed: the pure parts of the voice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.tts.sentences import MAX_CHARS, PieceCutter, sentences
from processors.tts.word_times import estimate


def cut(*parts: str) -> list[str]:
    cutter = PieceCutter()
    return [piece for part in parts for piece in cutter.push(part)] + cutter.flush()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello there. How are you?", ["Hello there. ", "How are you?"]),
        ("I was born Jan 1, in 1980. Next.", ["I was born Jan 1, ", "in 1980. ", "Next."]),
        ("I was born on Jan 1, 1980. Next.", ["I was born on Jan 1, 1980. ", "Next."]),
        ("Is it open? No. It opens at No. 5.", ["Is it open? ", "No. ", "It opens at No. 5."]),
        ("So do I. Then go, etc. And so on.", ["So do I. ", "Then go, etc. ", "And so on."]),
        ("**It is 5.** Next.", ["**It is 5.** ", "Next."]),
        (
            "Run this:\n```sh\nls. Now\ncd /\n```\nDone. Good.",
            ["Run this:\n", "```sh\nls. Now\ncd /\n```\n", "Done. ", "Good."],
        ),
        ("It is 3.14. Dr. Smith said so.", ["It is 3.14. ", "Dr. Smith said so."]),
        ("Yes, I can do that, gladly, for you.", ["Yes, I can do that, ", "gladly, for you."]),
        ("It opens at 8 a.m. and closes at five.", ["It opens at 8 a.m. and closes at five."]),
        ("هل أنت بخير؟ نعم.", ["هل أنت بخير؟ ", "نعم."]),
        ("はい。そうです。", ["はい。", "そうです。"]),
        ("यह ठीक है। हाँ।", ["यह ठीक है। ", "हाँ।"]),
        ("1. Open the app.\n2. Log in.", ["1. Open the app.\n", "2. Log in."]),
        ("Really?! Yes…  Good.", ["Really?! ", "Yes…  ", "Good."]),
        ('He said "Stop." Then he left.', ['He said "Stop." ', "Then he left."]),
        ("", []),
    ],
)
def test_pieces_are_the_same_however_the_text_arrives(text, pieces):
    assert cut(text) == pieces
    for at in range(1, len(text)):
        assert cut(text[:at], text[at:]) == cut(text)
    assert cut(*text) == cut(text)


def test_a_year_ends_its_sentence():
    assert cut("I was born on January the first of 1980. Next.") == [
        "I was born on January the first of 1980. ",
        "Next.",
    ]


def test_only_the_first_piece_ends_at_a_clause():
    text = "We are open from nine, and until five. On Saturdays, however, we close at one. "
    assert cut(text) == [
        "We are open from nine, ",
        "and until five. ",
        "On Saturdays, however, we close at one. ",
    ]


def test_a_piece_is_there_one_character_after_it_ends():
    cutter = PieceCutter()
    assert cutter.push("We are open. ") == []
    assert cutter.push("O") == ["We are open. "]


def test_endless_text_is_cut_at_a_space():
    pieces = cut("word " * 300)
    assert all(len(piece) <= MAX_CHARS + 1 for piece in pieces)
    assert all(piece.endswith(" ") for piece in pieces)
    assert max(len(piece) for piece in cut("x" * 1000)) <= MAX_CHARS


@given(st.lists(st.text(alphabet="aB1.,!? \n。-\"'`*", max_size=30), max_size=12))
def test_nothing_is_lost(parts):
    assert "".join(cut(*parts)) == "".join(parts)


@given(st.text(alphabet="aB1.,!? \n。-`*", max_size=120), st.integers(0, 120))
def test_the_split_does_not_matter(text, at):
    assert cut(text[:at], text[at:]) == cut(text)


@given(st.text(max_size=60), st.floats(0, 20))
def test_estimated_words_are_the_text_in_order_and_in_time(text, secs):
    words = estimate(text, secs)
    assert "".join(word.text for word in words) == text
    starts = [word.start_secs for word in words]
    assert starts == sorted(starts)
    assert all(0 <= start <= secs for start in starts)


def test_longer_words_take_longer_and_commas_rest():
    a, b, c = (word.start_secs for word in estimate("I international I", 3))
    assert a == 0
    assert c - b > b - a
    plain, comma = estimate("one two", 2)[1].start_secs, estimate("one, two", 2)[1].start_secs
    assert comma > plain


def test_a_text_that_is_known_from_the_start_is_cut_at_sentences_only():
    text = "Hello, this is the bank's help line, at your service. How can I help you?"
    assert sentences(text) == ["Hello, this is the bank's help line, at your service. ", "How can I help you?"]
    assert sentences("") == []
