"""What is said sign by sign: account, card and phone numbers, sort codes, IBANs, order codes. Pure.

The spoken form of a group ends in a comma, so that groups can be told apart by ear.
"""

import re
from typing import Final

from languages.speech import Speech
from processors.tts.aligned_text import Pieces, Rule

_GAP: Final = r"[ \u00a0\u202f.-]"
_BEGIN: Final = r"(?<![\w.,:/-])"
_END: Final = r"(?![\w/]|[.,:-]\d)"

IBAN: Final = re.compile(rf"\b[A-Z]{{2}}\d{{2}}(?:{_GAP}?[A-Z0-9]{{4}}){{2,7}}(?:{_GAP}?[A-Z0-9]{{1,3}})?\b")
CARD: Final = re.compile(rf"{_BEGIN}\d{{4}}(?:[ -]\d{{4}}){{2,3}}(?:[ -]\d{{1,3}})?{_END}")
INTERNATIONAL: Final = re.compile(rf"(?<!\w)\+\d{{1,3}}(?:{_GAP}?\(?\d{{1,5}}\)?){{2,6}}{_END}")
"""ITU-T E.123: a plus, the country, and groups."""

NATIONAL: Final = re.compile(
    rf"{_BEGIN}(?!\d\d/\d\d/\d\d(?!\d))"  # a date
    rf"\(?0\d{{1,5}}\)?(?:[ /-]?\d{{2,5}}){{1,5}}{_END}"  # 020 7946 0123, (0171) 123456, 06 12 34 56 78
    rf"|{_BEGIN}(?:1[ .-])?\(?\d{{3}}\)?[ .-]\d{{3}}[ .-]\d{{4}}{_END}"  # (212) 555-0123, 1-800-555-0199
    rf"|{_BEGIN}\d{{3}}-\d{{4}}{_END}"  # 555-0123
    rf"|{_BEGIN}\d{{5}}[ -]\d{{5}}{_END}"  # 98765 43210
)
PARTED: Final = re.compile(rf"{_BEGIN}\d{{2,}}/0\d{{2,}}(?![\w/]|[.,:-]\d)")
"""A number of a year's: 2024/0017."""

SORT_CODE: Final = re.compile(rf"{_BEGIN}\d{{2}}-\d{{2}}-\d{{2}}{_END}")
LONG: Final = re.compile(rf"{_BEGIN}(?:\d{{8,}}|0\d+)(?![\w%]|[.,:/]\d)")
NUMBERED: Final = re.compile(r"(?<!\w)#(\d{3,})\b")
MASKED: Final = re.compile(r"(?<![\w*•])(?:[*•]{2,}|[xX]{3,})(?:[ -]?(?:[*•]{2,}|[xX]{3,}))*[ -]?(\d{2,6})\b")
MIXED: Final = re.compile(
    r"(?<![\w-])(?<!\d[.,])(?=[A-Za-z-]*\d)(?=[\d-]*[A-Za-z])[A-Za-z\d]+(?:-[A-Za-z\d]+)*(?!\w|\.\d)"
)
"""Letters and digits in one word: AB12-CD3, Q3, mp3."""

_TYPED: Final = re.compile(r"(?<![\w*])\*\d{2,6}(?:\*\d{1,12})*#")
_KEY: Final = re.compile(r"(?<![\w*#])(?<!^)[*#](?![\w*#])")
_RUN: Final = re.compile(r"\d+|[A-Za-z]+")
MAX_LETTERS: Final = 4
"""A longer run of capitals, or one with small letters, is read as a word."""


def rules(speech: Speech) -> list[tuple[re.Pattern[str], Rule]]:
    """What is read out sign by sign, the most particular form first."""

    def one_by_one(found: re.Match[str]) -> Pieces:
        return read_out(speech, found.group(), found.start())

    def after_words(found: re.Match[str]) -> Pieces:
        words, digits = found.group(1, 2)
        return [(words, found.start()), *read_out(speech, digits, found.start(2))]

    announced = re.compile(
        rf"(?i)(\b(?:{speech.spelled_after})[\s:#(]*)(\d[\d -]*\d\d)(?![\w%]|[.,:/]\d|[ -]\d|\s?(?:{_counted(speech)}))"
    )

    def numbered(found: re.Match[str]) -> Pieces:
        return [(speech.signs["#"] + " ", found.start()), *read_out(speech, found[1], found.start(1))]

    own = [re.compile(rf"{_BEGIN}(?<!\d )(?:{speech.phones})(?! \d){_END}")] if speech.phones else []
    plain = [IBAN, CARD, INTERNATIONAL, *own, NATIONAL, SORT_CODE, PARTED]
    return [
        *((pattern, one_by_one) for pattern in plain),
        (announced, after_words),
        (LONG, one_by_one),
        (NUMBERED, numbered),
    ]


def masked_rules(speech: Speech) -> list[tuple[re.Pattern[str], Rule]]:
    """Numbers of which only the end is shown; to be used before asterisks are taken for markup."""

    def masked(found: re.Match[str]) -> Pieces:
        digits = read_out(speech, found.group(1), found.start(1))
        return [(speech.signs["ending in"] + " ", found.start()), *digits]

    return [(MASKED, masked), *_keys(speech)]


def _keys(speech: Speech) -> list[tuple[re.Pattern[str], Rule]]:
    """The keys * and #, where keys are spoken of; and codes that are typed with them: *123#."""
    if not speech.pressed:
        return []
    spoken_of = re.compile(speech.pressed, re.IGNORECASE)
    names = {"*": speech.signs["star"], "#": speech.signs["hash"]}

    def typed(found: re.Match[str]) -> Pieces:
        said = [names.get(char) or speech.cardinal(int(char)) for char in found.group()]
        return [(" " + word if index else word, found.start() + index) for index, word in enumerate(said)]

    def key(found: re.Match[str]) -> str | None:
        return f" {names[found.group()]} " if spoken_of.search(found.string) else None

    return [(_TYPED, typed), (_KEY, key)]


def mixed_rules(speech: Speech) -> list[tuple[re.Pattern[str], Rule]]:
    """Words of letters and digits; to be used when nothing else has taken them ("5km")."""

    def mixed(found: re.Match[str]) -> Pieces:
        return read_runs(speech, found.group(), found.start())

    return [(MIXED, mixed)]


def read_runs(speech: Speech, text: str, start: int) -> Pieces:
    """A code of letters and digits, run by run."""
    return [piece for run in _RUN.finditer(text) for piece in _read_run(speech, run, start)]


def _counted(speech: Speech) -> str:
    """Pattern of what follows an amount."""
    names = {name for money in speech.currencies.values() for name in (money.unit.many, money.unit.one.split()[-1])}
    return "|".join(re.escape(sign) + (r"\b" if sign[-1].isalpha() else "") for sign in {*speech.currencies, *names})


def read_out(speech: Speech, text: str, start: int) -> Pieces:
    """Each sign as a word; a comma after each group."""
    pieces: list[tuple[str, int]] = []
    for index, char in enumerate(text):
        if char.isdigit():
            said = speech.cardinal(int(char))
        elif char == "+":
            said = speech.signs["+"]
        elif char.isalpha():
            said = char
        else:
            if pieces and not pieces[-1][0].endswith(","):
                pieces[-1] = (pieces[-1][0] + ",", pieces[-1][1])
            continue
        pieces.append((" " + said if pieces else said, start + index))
    return pieces


def _read_run(speech: Speech, run: re.Match[str], start: int) -> Pieces:
    """A run of letters or digits within a word."""
    text, at = run.group(), start + run.start()
    if text.isdigit() and len(text) <= 2 and not text.startswith("0"):
        return [(" " + speech.cardinal(int(text)), at)]
    if text.isdigit() or (text.isupper() and len(text) <= MAX_LETTERS):
        first, *others = read_out(speech, text, at)
        return [(" " + first[0], at), *others]
    return [(" " + text, at)]
