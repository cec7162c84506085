"""Does the caller say that somebody else will speak? ("Wait, I pass you to my wife.") Pure."""

from typing import Final

from languages.base import words
from languages.catalogue import language as known_language

LONGEST_PHRASE: Final = 4


def hands_over(text: str, language: str = "en") -> bool:
    """Whether the words say so."""
    heard, phrases = words(text), known_language(language).handovers
    return any(
        tuple(heard[at : at + length]) in phrases
        for length in range(1, LONGEST_PHRASE + 1)
        for at in range(len(heard) - length + 1)
    )
