"""When the words of an utterance sound, where the voice does not tell. Pure."""

import re

from contracts.frames import Word

_WORD = re.compile(r"\s*\S+\s*")
_SYLLABLE = re.compile(r"[aeiouyäöüáéíóúàèìòùâêîôûãõå]+", re.IGNORECASE)

_PAUSES = {",": 2.0, ";": 2.5, ":": 2.5, ".": 4.0, "!": 4.0, "?": 4.0, "…": 4.0}
"""Rests after a mark, in syllables; the last word's rest is outside the utterance."""


def split_words(text: str) -> list[str]:
    """Words with the white space that follows them; joined, they are the text."""
    return _WORD.findall(text)


def weight(word: str) -> float:
    """About how long a word takes, in syllables."""
    bare = word.strip()
    syllables = len(_SYLLABLE.findall(bare))
    digits = sum(char.isdigit() for char in bare)
    # A consonant takes time too, and a digit is spoken as a word of its own.
    return max(1.0, syllables) + 0.12 * len(bare) + 1.2 * digits


def spans(text: str) -> list[tuple[str, float]]:
    """The words of a text, and how long each takes with the rest after it, in syllables."""
    words = split_words(text)
    return [
        (word, weight(word) + (_PAUSES.get(word.strip()[-1], 0.0) if index < len(words) - 1 else 0.0))
        for index, word in enumerate(words)
    ]


def estimate(text: str, duration_secs: float) -> list[Word]:
    """Times of all words of a text that takes ``duration_secs`` to say; joined, the words are the text."""
    weighed = spans(text)
    if not weighed:
        return [Word(text, 0.0)] if text else []
    secs_each = max(0.0, duration_secs) / sum(span for _, span in weighed)
    times: list[Word] = []
    at = 0.0
    for word, span in weighed:
        times.append(Word(word, at * secs_each))
        at += span
    return times
