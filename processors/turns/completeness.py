"""Do these words sound finished? A rule on the last words of what was recognised, language by language. Pure.

Recognisers put a full stop behind everything, so punctuation says little; but nobody ends a sentence with "the".
"""

import re
from enum import Enum

from processors.languages.base import Cues
from processors.languages.catalogue import language as known_language


class Completeness(Enum):
    """What the words say about whether more will come."""

    FINISHED = "finished"
    """An answer or a courtesy that stands alone."""
    OPEN = "open"
    """Nothing speaks against an end here."""
    DOUBTFUL = "doubtful"
    """Sentences may end so, but more often go on."""
    UNFINISHED = "unfinished"
    """More must come."""


LONG_NUMBER = 10
SHORT_NUMBER = 4
"""Digits from which a dictated number may well be complete."""

_LONGEST_PHRASE = 5
_ANNOUNCED_WITHIN = 4


def completeness(text: str, language: str = "en") -> Completeness:
    """What the last words say.

    Args:
        text: All words of the turn so far.
        language: Language code (``"en"``).
    """
    cues = known_language(language).cues
    words = _words(text)
    whole = " ".join(words)
    if whole in cues.finished:
        return Completeness.FINISHED
    if whole in cues.opening or text.rstrip().endswith(("...", "…", "-", "–")):
        return Completeness.UNFINISHED
    endings = {" ".join(words[-length:]) for length in range(1, _LONGEST_PHRASE + 1)}
    if endings & cues.closing:
        return Completeness.FINISHED
    number = _dictated(words, cues)
    if number is not None:
        return number
    if endings & cues.unfinished:
        return Completeness.UNFINISHED
    if endings & cues.doubtful:
        return Completeness.OPEN if _is_question(text, cues) else Completeness.DOUBTFUL
    return Completeness.DOUBTFUL if text.rstrip().endswith((",", ":", ";")) else Completeness.OPEN


def ends_in_figures(text: str, language: str = "en") -> bool:
    """Whether the last word is a figure, or the name of one: more of them may follow."""
    last = _words(text)[-1:]
    return bool(last) and (last[0].isdigit() or last[0] in known_language(language).cues.digits)


def _words(text: str) -> list[str]:
    lowered = text.lower().replace("’", "'")
    grouped = re.sub(r"(?<=\d)[-./](?=\d)", " ", lowered)
    return [word for word in (part.strip(".,:;!?¿¡\"'()-–…।") for part in grouped.split()) if word]


def _is_question(text: str, cues: Cues) -> bool:
    """Whether the last sentence is a question of more than its question word."""
    sentence = re.split(r"[.!?]\s+", text.strip())[-1]
    words = _words(sentence)
    return sentence.endswith("?") and len(words) > 2 and words[0] in cues.questions


def _dictated(words: list[str], cues: Cues) -> Completeness | None:
    """What a number at the end says, if it is being dictated: digit by digit, or after talk of a number."""
    at = len(words)
    digits = 0
    while at and (words[at - 1].isdigit() or words[at - 1] in cues.digits):
        at -= 1
        digits += len(words[at]) if words[at].isdigit() else 1
    announced = set(words[max(0, at - _ANNOUNCED_WITHIN) : at])
    one_by_one = len(words) - at >= 3
    if not digits or not (one_by_one or announced & cues.numbers):
        return None
    full = SHORT_NUMBER if announced & cues.short_numbers else LONG_NUMBER
    return Completeness.DOUBTFUL if digits == 1 or digits >= full else Completeness.UNFINISHED
