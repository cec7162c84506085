"""Words that acknowledge, words that exclaim, and words that stop. Pure.

An *acknowledgement* ("mhm", "yeah", "thank you") and an *exclamation* ("oops", "oh dear") leave the floor to the bot;
everything else is *content*. A *stop word* among the content ("wait", "no, hang on") is sure enough to act upon before
the rest is heard.
"""

import re

from languages.base import Lexicon, words
from languages.catalogue import language as known_language

HUM = re.compile(r"m+|h+m+|m+h+m*|(u+h+|m+) ?h+[ua]*m*h*|u+h+|u+m+|a+h+|o+h+|e+h+|h+u+h+|a+|o+|e+r*m*")
"""Hums as recognisers spell them: mm, hmm, mhm, uh-huh, um, ah, oh, eh, huh."""

_DRAWN_OUT = re.compile(r"(.)\1{2,}")


def content(text: str, language: str = "en", lexicon: Lexicon | None = None) -> list[str]:
    """The words that are neither acknowledgements, nor exclamations, nor hums, nor fillers.

    Args:
        text: What was recognised.
        language: Code of its language.
        lexicon: Other lists than the language's own.
    """
    known = lexicon or known_language(language).lexicon
    left: list[str] = []
    heard = _heard(text, known)
    index = 0
    while index < len(heard):
        length = _passing_at(heard, index, known)
        if length == 0 and (heard[index] in known.fillers or HUM.fullmatch(heard[index])):
            length = 1
        if length == 0:
            left.append(heard[index])
        index += length or 1
    return left


def stops(text: str, language: str = "en", lexicon: Lexicon | None = None) -> bool:
    """Whether a stop word or phrase is among the words; the arguments are those of :func:`content`."""
    known = lexicon or known_language(language).lexicon
    heard = _heard(text, known)
    index = 0
    while index < len(heard):
        said = _passing_at(heard, index, known)
        if _phrase_at(heard, index, known.stops) > said:
            return True
        index += said or 1
    return False


def _heard(text: str, known: Lexicon) -> list[str]:
    """The words; those that are drawn out ("nooo", "ooops") as they are listed."""
    return [_short(word, known) if _DRAWN_OUT.search(word) else word for word in words(text)]


def _short(word: str, known: Lexicon) -> str:
    listed = known.stops | known.acknowledgements | known.exclamations
    for shorter in (word, _DRAWN_OUT.sub(r"\1\1", word), _DRAWN_OUT.sub(r"\1", word)):
        if (shorter,) in listed:
            return shorter
    return word


def _passing_at(heard: list[str], index: int, known: Lexicon) -> int:
    """Length of the longest acknowledgement or exclamation that begins there; 0 without one."""
    return max(_phrase_at(heard, index, known.acknowledgements), _phrase_at(heard, index, known.exclamations))


def _phrase_at(heard: list[str], index: int, phrases: frozenset[tuple[str, ...]]) -> int:
    """Length of the longest phrase that begins there; 0 without one."""
    for length in (4, 3, 2, 1):
        if tuple(heard[index : index + length]) in phrases and len(heard) >= index + length:
            return length
    return 0
