"""What words over the bot's voice are worth: do they mean something that a reply should end for? Pure.

Nobody can list all that people say, so there are three answers. Words that acknowledge or exclaim ("mhm", "oh dear",
"yes sir") mean nothing, and so do no words. A stop word, a question, a figure, or words that make a sentence ("tell me
about ...") surely mean something. What is left, a few words that no list knows ("blimey", "Miller"), is unsure: whoever
knows what was being said must decide, and that is the language model.

All of it comes from the language's file (:mod:`languages`): the words that sentences are built with are
those of its cues.
"""

import re
from enum import Enum
from functools import cache
from typing import Final

from languages.base import Language, phrases, words
from languages.catalogue import language as known_language
from processors.turns.verdict.words import HUM

LONG_WORDS: Final = 4
"""So many words beside acknowledgements and exclamations are said by nobody who wants to say nothing."""

LONGEST_PHRASE: Final = 5

COUNTED_TO: Final = 100
"""Names of numbers up to here are known."""

EVERYWHERE: Final = phrases(
    "oops,whoops,ups,wow,ok,okay,haha,hahaha,ha,hehe,heh,hihi,hm,hmm,mhm,mm hmm,uh huh,uh oh,oh oh"
)
"""Said, or written by recognisers, in every language."""

_NOTE: Final = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|<[^>]*>|♪[^♪]*♪?")
_STRETCHED: Final = re.compile(r"(\w)\1{2,}")


class Meaning(Enum):
    """What words are worth."""

    NONE = "none"
    """No words, or an acknowledgement, an exclamation, a hum."""
    UNSURE = "unsure"
    """A few words that are on no list, or that were hardly understood."""
    CLEAR = "clear"
    """They want something."""


def meaning(text: str, language: str = "en", *, answers: bool = False) -> Meaning:
    """What the words of a text are worth.

    Args:
        text: What was recognised; notes such as ``[laughs]`` are no words.
        language: Code of its language.
        answers: Whether the bot has just asked something: then an acknowledgement is an answer.
    """
    known = _lists(language)
    heard = [known.unstretched(word) for word in words(_NOTE.sub(" ", text))]
    left: list[str] = []
    exclaimed = False
    index = 0
    while index < len(heard):
        nothing = _phrase_at(heard, index, known.nothing)
        if _phrase_at(heard, index, known.stops) > nothing:
            return Meaning.CLEAR
        if not nothing and (heard[index] in known.fillers or HUM.fullmatch(heard[index])):
            nothing = 1
        if not nothing:
            left.append(heard[index])
        elif known.is_no_answer(tuple(heard[index : index + nothing])):
            exclaimed = True
        index += nothing or 1
    if len(left) >= LONG_WORDS or any(known.means(word) for word in left):
        return Meaning.CLEAR
    if left or (exclaimed and answers):
        return Meaning.UNSURE
    return Meaning.CLEAR if heard and answers else Meaning.NONE


def is_command(text: str, language: str = "en") -> bool:
    """Whether a text holds nothing but stop words ("wait, hang on"), beside words without meaning."""
    known = _lists(language)
    heard = [known.unstretched(word) for word in words(_NOTE.sub(" ", text))]
    index, stopped = 0, False
    while index < len(heard):
        stop, nothing = _phrase_at(heard, index, known.stops), _phrase_at(heard, index, known.nothing)
        if not (stop or nothing or heard[index] in known.fillers or HUM.fullmatch(heard[index])):
            return False
        stopped = stopped or stop > nothing
        index += max(stop, nothing, 1)
    return stopped


class _Lists:
    """A language's words, by what they are worth."""

    def __init__(self, language: Language) -> None:
        lexicon, cues, agreement = language.lexicon, language.cues, language.agreement
        self.nothing = lexicon.acknowledgements | lexicon.exclamations | EVERYWHERE
        self.stops = lexicon.stops
        self.fillers = lexicon.fillers
        self._exclamations = (lexicon.exclamations | EVERYWHERE) - lexicon.acknowledgements
        self._answers = {phrase[0] for phrase in agreement.yes | agreement.no}
        built_with = cues.unfinished | cues.doubtful | cues.opening | cues.finished | cues.questions | cues.corrections
        said = {" ".join(phrase) for phrase in agreement.no} | built_with | cues.digits | cues.numbers
        single = {parts[0] for phrase in said if len(parts := words(phrase)) == 1}
        numbers = {word for number in range(COUNTED_TO + 1) for word in words(language.speech.cardinal(number))}
        self._meant = {word for word in single | lexicon.requests if (word,) not in self.nothing} | numbers
        self._known = self._meant | self.fillers | {word for phrase in self.nothing | self.stops for word in phrase}

    def means(self, word: str) -> bool:
        """Whether a word by itself wants something, or is one that sentences are built with."""
        return word in self._meant or any(map(str.isdigit, word))

    def is_no_answer(self, phrase: tuple[str, ...]) -> bool:
        """Whether a phrase exclaims, and neither agrees nor refuses: "yes sir" agrees."""
        return phrase in self._exclamations and phrase[0] not in self._answers

    def unstretched(self, word: str) -> str:
        """``"noooo"`` as ``"no"``."""
        if word in self._known or HUM.fullmatch(word) or not _STRETCHED.search(word):
            return word
        twice, once = _STRETCHED.sub(r"\1\1", word), _STRETCHED.sub(r"\1", word)
        return next((each for each in (twice, once) if each in self._known), word)


@cache
def _lists(code: str) -> _Lists:
    return _Lists(known_language(code))


def _phrase_at(heard: list[str], index: int, known: frozenset[tuple[str, ...]]) -> int:
    """Length of the longest phrase that begins there; 0 without one."""
    for length in range(min(LONGEST_PHRASE, len(heard) - index), 0, -1):
        if tuple(heard[index : index + length]) in known:
            return length
    return 0
