"""Whether two texts are the same words. Pure.

Recognisers write one sound in several ways: "ten" and "10", "$25" and "twenty-five dollars", with and without capitals
and stops; interim and final results of one vendor differ in no more, most of the time. What is said is compared, word
for word, and not what is written.
"""

from functools import lru_cache
from typing import Final

from processors.tts.text_normaliser import spoken

REMEMBERED: Final = 512
"""Texts whose words are kept: one utterance is compared again and again as it grows."""


def normalised(text: str) -> list[str]:
    """Words of a text in lower case without punctuation, for comparing two readings of one sound."""
    cleaned = "".join(c if c.isalnum() or c in "'’" else " " for c in text.lower())
    return cleaned.split()


@lru_cache(REMEMBERED)
def wording(text: str, language: str = "en") -> tuple[str, ...]:
    """The words of a text as they are said: lower case, without punctuation, figures in words.

    Args:
        text: The text.
        language: Language code (``"en"``).
    """
    return tuple(normalised(spoken(text, language).text if any(map(str.isdigit, text)) else text))


def same_words(one: str, other: str, language: str = "en") -> bool:
    """Whether two texts are the same when they are said."""
    return wording(one, language) == wording(other, language)
