"""Words that acknowledge, and words that stop. Pure.

An *acknowledgement* ("mhm", "yeah", "thank you") leaves the floor to the bot; everything else is *content*. A *stop
word* among the content ("wait", "no, hang on") is sure enough to act upon before the rest is heard.
"""

import re

from processors.languages.base import words
from processors.languages.catalogue import language as known_language

HUM = re.compile(r"m+|h+m+|m+h+m*|(u+h+|m+) ?h+[ua]*m*h*|u+h+|u+m+|a+h+|o+h+|e+h+|h+u+h+|a+|o+|e+r*m*")
"""Hums as recognisers spell them: mm, hmm, mhm, uh-huh, um, ah, oh, eh, huh."""


def content(text: str, language: str = "en") -> list[str]:
    """The words that are neither acknowledgements, nor hums, nor fillers."""
    known = known_language(language).lexicon
    left: list[str] = []
    heard = words(text)
    index = 0
    while index < len(heard):
        length = _phrase_at(heard, index, known.acknowledgements)
        if length == 0 and (heard[index] in known.fillers or HUM.fullmatch(heard[index])):
            length = 1
        if length == 0:
            left.append(heard[index])
        index += length or 1
    return left


def stops(text: str, language: str = "en") -> bool:
    """Whether a stop word or phrase is among the words."""
    known = known_language(language).lexicon
    heard = words(text)
    index = 0
    while index < len(heard):
        said = _phrase_at(heard, index, known.acknowledgements)
        if _phrase_at(heard, index, known.stops) > said:
            return True
        index += said or 1
    return False


def _phrase_at(heard: list[str], index: int, phrases: frozenset[tuple[str, ...]]) -> int:
    """Length of the longest phrase that begins there; 0 without one."""
    for length in (4, 3, 2, 1):
        if tuple(heard[index : index + length]) in phrases and len(heard) >= index + length:
            return length
    return 0
