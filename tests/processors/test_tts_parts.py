"""Parts for a vendor that takes 100 characters at once."""

from hypothesis import given
from hypothesis import strategies as st

from processors.tts.parts import cut


def test_at_a_clause_before_a_word_and_at_a_sentence_before_both():
    sentence = "I have looked at your account now. There is one thing, the card, and it is late"
    assert cut(sentence, 60) == ["I have looked at your account now. ", "There is one thing, the card, and it is late"]
    clause = "there is one thing to tell you, which is that the card of yours is late"
    assert cut(clause, 60) == ["there is one thing to tell you, ", "which is that the card of yours is late"]
    words = "one two three four five six seven eight nine ten"
    assert cut(words, 20) == ["one two three four ", "five six seven eight ", "nine ten"]


def test_short_texts_are_whole_and_long_words_are_cut():
    assert cut("Hello there.", 100) == ["Hello there."]
    assert cut("", 100) == []
    assert [len(part) for part in cut("a" * 300, 100)] == [100, 100, 100]
    assert cut("no " + "a" * 120, 100) == ["no ", "a" * 100, "a" * 20]


@given(st.text(st.sampled_from("ab ,.\n"), max_size=300), st.integers(1, 40))
def test_joined_they_are_the_text_and_none_is_too_long(text, limit):
    parts = cut(text, limit)
    assert "".join(parts) == text
    assert all(part and len(part.strip()) <= limit for part in parts)
