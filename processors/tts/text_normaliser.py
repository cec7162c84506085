"""What of a text is said aloud, word for word, and which of its words each spoken word stands for. Pure.

Every voice is given words only: no markup, no signs, no digits. Vendors say figures each in their own way, and some
spell links and name emoji; with words all voices say the same, a sentence that one voice begins and another ends
included, and their word times can be followed to the words of the text. That is what history keeps.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from languages.catalogue import language
from languages.speech import Speech
from processors.tts import codes, dates, figures, notation
from processors.tts.aligned_text import AlignedText, Rule
from processors.tts.markup import strip_markup
from processors.tts.word_times import split_words

Rules = list[tuple[re.Pattern[str], Rule]]

_FOREIGN_DIGIT = re.compile(r"[^\D0-9]+")
_STOPS = frozenset(".,;:!?…¿¡؟۔؛،।॥。！？，、；：'’-")
_JOINERS = "\u200c\u200d"
_DASH = re.compile(r"\s+[–—-]+\s+|[–—]")
_TIDY = [
    (re.compile(r"\s{2,}|[^\S ]"), " "),
    (re.compile(r" ?([,;:])[,;: ]*(?=[.!?…,;:])"), ""),  # of several marks the last
    (re.compile(r"(?<!\w)[.](?=[^\W_])"), ""),  # .NET
    (re.compile(r" (?=[,;:.!?…।])"), ""),
    (re.compile(r"(?<=[^m][.!?…]),+|(?<=m\.)\.(?!\.)"), ""),  # but "5 p.m., please"; and not "at 5 p.m.."
    (re.compile(r"(?<![^\W_])[-'’]+(?![^\W\d_])"), ""),  # hyphens and apostrophes within words only
    (re.compile(r"(?<=[,;:])(?=[^\W_])"), " "),
    (re.compile(r"(?<=\b[LlDdJjNnSsCcMmTt]['’]) (?=\w)"), ""),  # l'A4
    (re.compile(r"^[\s,;:.!?…-]+(?=.)| +$"), ""),
]
"""What taking things out and putting words in leaves behind."""


@dataclass(frozen=True)
class SpokenText:
    """A text as it is said.

    Attributes:
        text: The words to say; empty if there is nothing.
        words: The words of the original, with their white space, and with how many spoken words each of them is over:
            each begins where the last one ended. Joined, they are the original; words without a sound of their own
            stand together with a neighbour. Empty if there is nothing to say.
    """

    text: str
    words: tuple[tuple[str, int], ...]


class TextNormaliser:
    """Says texts in one language.

    Args:
        speech: How it says figures and signs.
    """

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._before_figures: Rules = notation.early_rules(speech) + _own(speech) + _mail(speech)
        self._figures: Rules = [
            *notation.rules(speech),
            *codes.rules(speech),
            *dates.month_rules(speech),
            *dates.rules(speech),
            *_signs_between_figures(speech),
            *figures.rules(speech),
            *codes.mixed_rules(speech),
            *figures.plain_rules(speech),
        ]
        self._words: Rules = _abbreviations(speech)
        self._after: Rules = _signs(speech)

    def of(self, original: str) -> SpokenText:
        """The spoken form of a text."""
        text = AlignedText(original)
        text.rewrite(_FOREIGN_DIGIT, _ascii_digits)
        strip_markup(text, self._speech)
        has_figures = any(char.isnumeric() for char in text.text)
        for pattern, rule in [
            *self._before_figures,
            *self._words,
            *(self._figures if has_figures else []),
            *self._after,
        ]:
            text.rewrite(pattern, rule)
        text.rewrite(_DASH, lambda _: ", ")
        _drop_what_is_no_speech(text)
        for pattern, replacement in _TIDY:
            text.rewrite(pattern, lambda _, said=replacement: said)
        if not any(char.isalnum() for char in text.text):
            return SpokenText("", ())
        if original.rstrip().endswith(".") and text.text[-1].isalpha():
            # The dot of a short form also ended the sentence ("on 3 Jan."): the voice has to fall.
            text.text += "."
            text.origins.append(text.origins[-1])
        return SpokenText(text.text, _aligned(original, text))


@cache
def normaliser(code: str) -> TextNormaliser:
    """The spoken form of a language."""
    return TextNormaliser(language(code).speech)


def spoken(text: str, code: str = "en") -> SpokenText:
    """How a text is said in a language."""
    return normaliser(code).of(text)


def _aligned(original: str, text: AlignedText) -> tuple[tuple[str, int], ...]:
    """The original's words, and how many words of the text stand for each."""
    originals = split_words(original)
    begins: list[int] = []
    at = 0
    for word in originals:
        begins.append(at)
        at += len(word)
    stands_for: list[int] = []
    at = 0
    for word in split_words(text.text):
        begin = at + len(word) - len(word.lstrip())
        stands_for.append(bisect_right(begins, text.origins[begin]) - 1)
        at += len(word)
    aligned: list[tuple[str, int]] = []
    done = 0
    for index, same in groupby(stands_for):
        # What lies between two words that sound makes no sound: it goes with the one before, or at the start after.
        if aligned:
            before, count = aligned[-1]
            aligned[-1] = (before + "".join(originals[done:index]), count)
            done = index
        aligned.append(("".join(originals[done : index + 1]), len(list(same))))
        done = index + 1
    last, count = aligned[-1]
    aligned[-1] = (last + "".join(originals[done:]), count)
    return tuple(aligned)


def _ascii_digits(found: re.Match[str]) -> str:
    return "".join(str(unicodedata.decimal(char)) for char in found.group())


def _own(speech: Speech) -> Rules:
    return [(re.compile(pattern), rule) for pattern, rule in speech.own]


def _mail(speech: Speech) -> Rules:
    """Addresses, and hosts: "help at bank dot example"."""
    at, dot = speech.signs["@"], speech.signs["."]

    def said(found: re.Match[str]) -> str:
        return found.group().replace("@", f" {at} ").replace(".", f" {dot} ").replace("_", " ")

    return [
        (re.compile(r"(?<!\w)[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), said),
        (
            re.compile(
                r"(?i)(?<![\w.@])(?:[a-z0-9-]+\.)+"
                r"(?:com|org|net|info|io|co\.uk|uk|de|es|fr|in|eu|gov|edu|app|dev|example)(?![\w-]|\.\w)"
            ),
            said,
        ),
    ]


def _abbreviations(speech: Speech) -> Rules:
    """Short forms in full."""

    everywhere = _with_capitals(speech.abbreviations)
    before_figures = _with_capitals(speech.abbreviations_before_numbers)
    units = {short for short in everywhere if {short, short.rstrip(".")} & speech.units.keys()}

    def in_full(found: re.Match[str]) -> str:
        return everywhere[found.group()]

    def before_number(found: re.Match[str]) -> str:
        return before_figures[found.group().strip()] + " "

    made: Rules = []
    for known, rule, before, after in (
        (everywhere.keys() - units, in_full, "", r"(?!\w)"),
        (units, in_full, r"(?<!\d)(?<!\d\s)", r"(?!\w)"),  # "45 min." is a time
        (before_figures.keys(), before_number, "", r"\s*(?=\d)"),
    ):
        if known:
            short = "|".join(sorted(map(re.escape, known), key=len, reverse=True))
            made.append((re.compile(rf"(?<![\w.]){before}(?:{short}){after}"), rule))
    return made


def _with_capitals(known: Mapping[str, str]) -> dict[str, str]:
    """The same, also as they stand at the start of a sentence."""
    capitals = {short[0].upper() + short[1:]: said[0].upper() + said[1:] for short, said in known.items()}
    return {**capitals, **known}


def _signs_between_figures(speech: Speech) -> Rules:
    """Signs that mean something beside figures."""
    signs = speech.signs
    beside = [
        (r"(?<=\d)\s*(?:×|\bx\b)\s*(?=\d)", "*"),
        (r"(?<=\d)\s*÷\s*(?=\d)", ":"),
        (r"(?<=\d) [-−] (?=\d)", "-"),
        (r"\+(?=\s?[\d$£€₹])", "+"),
        (r"±(?=\s?\d)", "±"),
        (r"#(?=\d)", "#"),
        (r"[~≈](?=\s?[\d$£€₹])", "~"),
        (r"<(?=\s?[\d$£€₹])", "<"),
        (r">(?=\s?[\d$£€₹])", ">"),
        (r"(?<=\d):(?=\d)", "ratio"),
        (r"(?<=\d)/(?=[A-Za-z])", "per"),
    ]
    return [(re.compile(pattern), lambda _, said=signs[sign]: f" {said} ") for pattern, sign in beside]


def _signs(speech: Speech) -> Rules:
    """Signs that are said wherever they stand, and those that are a pause."""
    said: Rules = [
        (re.compile(re.escape(sign)), lambda _, word=speech.signs[sign]: f" {word} ")
        for sign in ("%", "&", "=", "@", "²", "³", "+")
    ]
    said += [
        (re.compile(re.escape(sign)), lambda _, word=money.unit.many: f" {word} ")
        for sign, money in speech.currencies.items()
        if not sign.isalpha()
    ]
    return [*said, (re.compile(r"\s*[()\[\]]+\s*|\s*\|\s*|\n+(?=.)"), _pause)]


def _pause(found: re.Match[str]) -> str:
    return ", " if found.start() and found.end() < len(found.string) else " "


def _drop_what_is_no_speech(text: AlignedText) -> None:
    """Letters, their signs, spaces and stops stay."""
    text.rewrite(_NO_SPEECH, lambda found: None if _is_speech(found.group()) else " ")


_NO_SPEECH = re.compile(r"[^A-Za-z ]")


@cache
def _is_speech(char: str) -> bool:
    """Whether it can be said, or is a pause."""
    if char in _STOPS or char in _JOINERS or char.isspace():
        return True
    kind = unicodedata.category(char)
    return kind[0] == "L" or kind in ("Mn", "Mc") and not "\ufe00" <= char <= "\ufe0f"
