"""Do these words sound finished? A rule on the last words of what was recognised, language by language. Pure.

Recognisers put a full stop behind everything, so punctuation says little; but nobody ends a sentence with "the".
"""

import re
from enum import Enum

from languages.base import Cues
from languages.catalogue import language as known_language
from processors.turns.dictation import Dictation, dictation


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
    DICTATED = "dictated"
    """A number or a name is being dictated, and it is not all: whoever does so pauses for longer."""


_LONGEST_PHRASE = 5


def completeness(text: str, language: str = "en", asked: str = "") -> Completeness:
    """What the last words say.

    Args:
        text: All words of the turn so far.
        language: Language code (``"en"``).
        asked: What the bot said last: a number or a name that it asked for is let finish.
    """
    known = known_language(language)
    cues = known.cues
    words = _words(text)
    dictated = dictation(words, cues, known.lexicon.fillers, _words(asked))
    if dictated is Dictation.GOES_ON:
        return Completeness.DICTATED
    if dictated is Dictation.MAY_BE_ALL:
        return Completeness.DOUBTFUL
    whole = " ".join(words)
    if whole in cues.finished:
        return Completeness.FINISHED
    if whole in cues.opening or text.rstrip().endswith(("...", "…", "-", "–")):
        return Completeness.UNFINISHED
    endings = {" ".join(words[-length:]) for length in range(1, _LONGEST_PHRASE + 1)}
    if endings & cues.closing:
        return Completeness.FINISHED
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
    grouped = re.sub(r"(?<=\d)[-/](?=\d)|(?<=\d{3})\.(?=\d{3})", " ", lowered)
    return [word for word in (part.strip(".,:;!?¿¡\"'()-–…।") for part in grouped.split()) if word]


def _is_question(text: str, cues: Cues) -> bool:
    """Whether the last sentence is a question of more than its question word."""
    sentence = re.split(r"[.!?]\s+", text.strip())[-1]
    words = _words(sentence)
    return sentence.endswith("?") and len(words) > 2 and words[0] in cues.questions
