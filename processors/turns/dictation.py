"""Is a number being dictated, or a name spelled, and is it all? Pure.

People read out numbers, codes and addresses in groups, with pauses of up to two seconds. What is asked for ("what is
your number?"), what they announce ("my code is"), and a run of digits and letters at the end of their words tell that
more will come; a known length tells that all is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from languages.base import Cues

PHONE_NUMBERS: Final = (10, 11)
"""Digits with which a number of unknown length may well be complete."""

ANNOUNCED_WITHIN: Final = 4
"""Words between the announcement of a number and its first digit."""

RUN_TOKENS: Final = 3
"""So many digits and letters in a row are a dictation, whatever stands before them."""

LEAD_TOKENS: Final = 2
"""So many are one if nothing else was said."""

CARD_NUMBER: Final = 16
"""Digits from which any number is."""

TOP_LEVEL_WORDS: Final = 2
"""Words after the last "dot" of an address that may end it: "com", "co uk"."""


class Dictation(Enum):
    """What the end of some words says about a dictation."""

    NONE = "none"
    GOES_ON = "goes on"
    MAY_BE_ALL = "may be all"


@dataclass(frozen=True)
class _Token:
    """A word of a dictation, or another one (``units`` is None).

    Attributes:
        units: Digits and letters that it stands for; 0 for what only joins them.
        letter: Whether it is a letter.
    """

    units: int | None
    letter: bool = False


def dictation(words: Sequence[str], cues: Cues, hesitations: frozenset[str], asked: Sequence[str] = ()) -> Dictation:
    """What the last words of a turn say.

    Args:
        words: All words of the turn, in lower case.
        cues: The language's.
        hesitations: Words that say nothing ("um").
        asked: Words of what the bot said last.
    """
    tokens = _tokens(words, cues, hesitations)
    start = len(tokens)
    while start and tokens[start - 1].units is not None:
        start -= 1
    while start < len(tokens) and not tokens[start].units:
        start += 1  # it begins with a digit or letter, not with what joins them
    run = tokens[start:]
    units = sum(token.units or 0 for token in run)
    spoken = sum(1 for token in run if token.units)
    if not units:
        return Dictation.NONE
    before = words[max(0, start - ANNOUNCED_WITHIN) : start]
    announced = [word for word in before if word in cues.numbers | cues.spelled]
    alone = " ".join(word for word in words[:start] if word not in hesitations) in cues.leads | {""}
    asked_for = [word for word in asked if word in cues.numbers | cues.spelled]
    is_asked = bool(asked_for) and (spoken >= LEAD_TOKENS or alone or bool(announced))
    if not (spoken >= RUN_TOKENS or announced or is_asked or (alone and spoken >= LEAD_TOKENS)):
        return Dictation.NONE
    if units == 1 and not is_asked:
        return Dictation.MAY_BE_ALL  # "the number is five"
    if any(token.letter for token in run):
        return Dictation.MAY_BE_ALL if _ends_address(words[start:], cues) else Dictation.GOES_ON
    length = _length([*before, *words[start:]] if announced else asked if is_asked else (), cues)
    if length is not None:
        return Dictation.MAY_BE_ALL if units >= length else Dictation.GOES_ON
    return Dictation.MAY_BE_ALL if units in PHONE_NUMBERS or units >= CARD_NUMBER else Dictation.GOES_ON


def _length(announcement: Sequence[str], cues: Cues) -> int | None:
    """How many digits what was announced or asked for has, if that is known."""
    return next((cues.lengths[word] for word in announcement if word in cues.lengths), None)


def _ends_address(run: Sequence[str], cues: Cues) -> bool:
    """Whether an e-mail address has come to its end: after "at" there was a "dot" and a word or two."""
    if not cues.at_signs & set(run):
        return False
    dots = [index for index, word in enumerate(run) if word in cues.dots]
    return bool(dots) and 0 < len(run) - 1 - dots[-1] <= TOP_LEVEL_WORDS and run[-1] not in cues.dots


def _tokens(words: Sequence[str], cues: Cues, hesitations: frozenset[str]) -> list[_Token]:
    in_address = False
    tokens: list[_Token] = []
    for index, word in enumerate(words):
        in_address |= word in cues.at_signs and index > 0 and bool(tokens[-1].units)
        tokens.append(_token(words, index, cues, hesitations, tokens, in_address))
    return tokens


def _token(
    words: Sequence[str],
    index: int,
    cues: Cues,
    hesitations: frozenset[str],
    before: Sequence[_Token],
    in_address: bool,
) -> _Token:
    word = words[index]
    follows = bool(before) and before[-1].units is not None
    if word.isdigit():
        return _Token(len(word))
    if word in cues.dots or word in cues.signs or (in_address and word in cues.at_signs):
        return _Token(0, letter=in_address)
    if word in cues.digits:
        return _Token(1)
    if len(word) == 1 and word.isalpha():
        is_word = word in cues.unfinished or word in cues.doubtful
        return _Token(None) if is_word and not _is_spelled(words, index) else _Token(1, letter=True)
    if word in cues.spelling_words and (
        follows or words[index + 1 : index + 2] and words[index + 1] in cues.spelling_words
    ):
        return _Token(1, letter=True)
    if in_address or (follows and words[index - 1] in cues.dots | cues.signs):
        return _Token(1, letter=True)  # "smith", "example", "com"
    if follows and (word in hesitations or word in cues.corrections):
        return _Token(0)
    return _Token(None)


def _is_spelled(words: Sequence[str], index: int) -> bool:
    """Whether a letter that is a word of its own ("a", "y") is meant as a letter: among letters, or before figures."""
    beside = (*words[max(0, index - 1) : index], *words[index + 1 : index + 2])
    if any(len(word) == 1 and word.isalpha() for word in beside):
        return True
    return index == 0 and bool(beside) and beside[0].isdigit()
