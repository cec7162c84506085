"""What must not be kept of what people say: card numbers, social security numbers, PINs and the like. Pure.

Numbers are found as people dictate them: in digits or in words ("four one one one", "double five", "einundvierzig"),
in groups, with pauses. A number of a card or an account has a check digit (python-stdnum knows them); what has none is
known by its length, by how it was read out, and by what it is said to be ("my PIN is ..."). Amounts, dates and times
stay. Names cannot be found this way; who must not keep them sets ``TRANSCRIPTS=off``.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from num2words import num2words
from stdnum import iban, luhn
from stdnum.us import ssn

from contracts.modes import Transcripts
from languages.catalogue import find_languages

CARD: Final = "[card number]"
SSN: Final = "[social security number]"
NUMBER: Final = "[number]"
EMAIL: Final = "[e-mail address]"
IBAN: Final = "[IBAN]"
SECRET: Final = "[secret]"
NOT_KEPT: Final = "[not kept]"

CARD_DIGITS: Final = range(13, 20)
LONG_DIGITS: Final = 7
"""So many digits in a row identify something, and somebody: a telephone, an account, part of a card."""

SHORT_DIGITS: Final = 3
"""So many are a code where the words around say so, or where nothing else is said."""

SPELT_WORDS: Final = 4
"""So many digits that are spoken one by one are no amount."""

AMOUNT_DIGITS: Final = 9
"""Longest amount of money."""

REACH_CHARS: Final = 80
"""How far before or after a number a word says what it is."""


_SECRET_WORDS: Final = re.compile(
    r"\b(?:pins?|tans?|otp|cvv2?|cvc2?|csc|ssn|socials?|password|passwort|passcode|passphrase|passport|"
    r"codes?|cards?|iban|routing|(?:account|member|customer|licen[cs]e|tax|identity|id|phone|reference) numbers?|"
    r"geheimzahl|kennwort|karten?(?:nummer)?|kontonummer|sozialversicherung\w*|geburtsdatum|ausweis\w*|"
    r"tarjeta|clave|contraseñ?a|nacimiento|código|codigo|carte|naissance|birth(?:day|date)?|last four|"
    r"पिन|कार्ड|पासवर्ड|कोड)\b",
    re.IGNORECASE,
)
_PASSWORD: Final = re.compile(
    r"\b(password|passphrase|passwort|kennwort|contraseñ?a|mot de passe)(\s*(?:is|ist|lautet|es|est|:|=)\s*)(\S+)",
    re.IGNORECASE,
)
_EMAIL: Final = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
    r"|\b\w{1,40}(?: dot \w{1,40}){0,4} at \w{1,40}(?: dot \w{1,40}){1,4}\b",
    re.IGNORECASE,
)
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b", re.IGNORECASE)
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_AMOUNT: Final = re.compile(r"[1-9]\d{0,2}(?:([,.])\d{3})(?:\1\d{3})*(?:[.,]\d{1,2})?(?![\d])")
_DIGIT_BEFORE: Final = re.compile(r"\d\W*$")
_DIGIT_AFTER: Final = re.compile(r"\W*\d")
_DATE: Final = re.compile(r"(?<!\d)(?:19|20)\d\d[-/.](?:0?\d|1[0-2])[-/.](?:[0-2]?\d|3[01])(?!\d)")
_MONEY_BEFORE: Final = re.compile(r"[$€£₹¥]\s*$")
_MONEY_AFTER: Final = re.compile(
    r"\s*(?:[$€£₹¥%]|(?:dollars?|euros?|cents?|pounds?|rupees?|usd|eur|gbp|percent|prozent|dólares|pesos|"
    r"millions?|people|years?|points?|days?|hours?|minutes?|seconds?|miles?|tokens?|ms)\b)",
    re.IGNORECASE,
)
_JOINTS: Final = frozenset("-–—.,/()+:;'\"")
_FILLERS: Final = frozenset(
    ["um", "uh", "er", "erm", "ah", "hm", "mm", "so", "then", "and", "und", "y", "et", "dann", "dash", "hyphen"]
    + ["space", "comma", "period", "dot", "bindestrich", "guion", "tiret", "please", "okay", "ok", "yes", "it", "is"]
)
_REPEATS: Final = {"double": 2, "triple": 3, "treble": 3, "doppel": 2, "doble": 2, "quadruple": 4}
_ZEROS: Final = ("oh", "o", "zero", "nought", "naught", "null", "cero", "zéro", "zwo")


@cache
def _number_words() -> dict[str, int]:
    """Words for 0 to 99 that are one word, in all languages that the bot knows."""
    words: dict[str, int] = {}
    for code in find_languages():
        for number in range(99, -1, -1):
            try:
                said = num2words(number, lang=code)
            except NotImplementedError:
                break
            if " " not in said and "-" not in said:
                words[_plain(said)] = number
    words |= {_plain(word): 0 for word in _ZEROS[:-1]} | {"zwo": 2, "eins": 1, "ein": 1}
    return words


def _plain(word: str) -> str:
    """Without case and accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))


@dataclass(slots=True)
class _Piece:
    """A token that stands for digits."""

    start: int
    end: int
    digits: str
    spelt: bool


def _value(token: str) -> tuple[str, bool] | None:
    """Digits that a token stands for, and whether it is a word for a single one."""
    if token.isdecimal():
        return "".join(str(unicodedata.decimal(char)) for char in token), False
    number = _number_words().get(_plain(token))
    return None if number is None else (str(number), number < 10)


def _runs(text: str, skip: list[tuple[int, int]]) -> Iterator[list[_Piece]]:
    """Rows of digits, as they are dictated: no word that means something stands within, nor a sentence's end."""
    run: list[_Piece] = []
    repeat, repeat_at = 1, 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        skipped = any(start <= match.start() < end for start, end in skip)
        value = None if skipped else _value(token)
        if value is not None:
            digits, spelt = value
            last = run[-1] if run else None
            if last is not None and spelt and digits != "0" and _is_tens(last) and repeat == 1:
                last.digits, last.end = last.digits[0] + digits, match.end()  # forty-one
            else:
                start = match.start() if repeat == 1 else repeat_at
                run.append(_Piece(start, match.end(), digits * repeat, spelt))
            repeat = 1
        elif token.lower() in _REPEATS:
            repeat, repeat_at = _REPEATS[token.lower()], match.start()
        elif run and not skipped and (token in _JOINTS or token.lower() in _FILLERS):
            continue
        elif run:
            yield run
            run, repeat = [], 1
    if run:
        yield run


def _is_tens(piece: _Piece) -> bool:
    return not piece.spelt and len(piece.digits) == 2 and piece.digits[1] == "0" and piece.end - piece.start > 2


def _cards(run: list[_Piece]) -> Iterator[tuple[int, int]]:
    """Spans of pieces that are a card's number."""
    first = 0
    while first < len(run):
        digits = ""
        for last in range(first, len(run)):
            digits += run[last].digits
            if len(digits) in CARD_DIGITS and luhn.is_valid(digits) and len(set(digits)) > 1:
                yield first, last + 1
                first = last
                break
            if len(digits) > CARD_DIGITS[-1]:
                break
        first += 1


def _is_nothing_else(text: str, run: list[_Piece]) -> bool:
    around = text[: run[0].start] + " " + text[run[-1].end :]
    return all(word.lower() in _FILLERS or word.lower() in _REPEATS for word in re.findall(r"\w+", around))


def _spans(text: str, *, asked: bool, strict: bool) -> Iterator[tuple[int, int, str]]:
    for match in _EMAIL.finditer(text):
        yield match.start(), match.end(), EMAIL
    for match in _IBAN.finditer(text):
        if iban.is_valid(match[0], check_country=False):
            yield match.start(), match.end(), IBAN
    if not strict:
        for match in _PASSWORD.finditer(text):
            yield match.start(3), match.end(3), SECRET
    dates = [match.span() for match in _DATE.finditer(text)]
    amounts = [match.span() for match in _AMOUNT.finditer(text) if _is_amount(text, match, asked)]
    for run in _runs(text, []):
        cards = list(_cards(run))
        yield from ((run[first].start, run[last - 1].end, CARD) for first, last in cards)
        if cards:
            if not strict:  # what is left of it is a part of it, or was misheard
                yield run[0].start, run[-1].end, CARD
            continue
        if [len(piece.digits) for piece in run] == [3, 2, 4]:
            yield run[0].start, run[-1].end, SSN
    if strict:
        return
    for run in _runs(text, [*dates, *amounts]):
        if _identifies(text, run, asked):
            known = ssn.is_valid("".join(piece.digits for piece in run))
            yield run[0].start, run[-1].end, SSN if known else NUMBER
    for start, end in dates:
        if "birth" in text.lower() or _near(text, start, end):
            yield start, end, NUMBER


def _is_amount(text: str, match: re.Match[str], asked: bool) -> bool:
    """Whether groups of three digits are an amount that stands alone, and no part of a number that is dictated."""
    if sum(char.isdigit() for char in match[0]) > AMOUNT_DIGITS:
        return False
    before, after = text[: match.start()][-8:], text[match.end() :][:8]
    if _DIGIT_BEFORE.search(before) or _DIGIT_AFTER.match(after):
        return False
    return _is_money(text, *match.span()) or not (asked or _near(text, *match.span()))


def _is_money(text: str, start: int, end: int) -> bool:
    """Whether signs or words around a number count money or things."""
    return _MONEY_BEFORE.search(text[:start][-3:]) is not None or _MONEY_AFTER.match(text[end:]) is not None


def _near(text: str, start: int, end: int) -> bool:
    """Whether a word around says that this is a secret."""
    return _SECRET_WORDS.search(text[max(0, start - REACH_CHARS) : end + REACH_CHARS // 2]) is not None


def _identifies(text: str, run: list[_Piece], asked: bool) -> bool:
    count = sum(len(piece.digits) for piece in run)
    start, end = run[0].start, run[-1].end
    if count <= AMOUNT_DIGITS and _is_money(text, start, end):
        return False
    if count >= LONG_DIGITS:
        return True
    if count < SHORT_DIGITS:
        return False
    spelt = sum(piece.spelt for piece in run) >= SPELT_WORDS
    return spelt or asked or _near(text, start, end) or _is_nothing_else(text, run)


def asks_for_secret(text: str) -> bool:
    """Whether what the bot says makes the next number a secret."""
    return _SECRET_WORDS.search(text) is not None


def secret_spans(text: str, *, asked: bool = False, strict: bool = False) -> list[tuple[int, int, str]]:
    """What must not be kept: start, end and what stands for it; in order, without overlaps.

    Args:
        text: What was said.
        asked: Whether it answers a question for a secret.
        strict: Only what is certain by its form: for texts that nobody has said.
    """
    merged: list[tuple[int, int, str]] = []
    found = sorted(_spans(text, asked=asked, strict=strict), key=lambda span: (span[0], -span[1]))
    for start, end, name in found:
        if merged and start < merged[-1][1]:
            first, until, known = merged[-1]
            merged[-1] = first, max(until, end), known if known != NUMBER else name
        else:
            merged.append((start, end, name))
    return merged


def redact(text: str, *, asked: bool = False, strict: bool = False) -> str:
    """The text with what must not be kept replaced; see :func:`secret_spans`."""
    parts, at = [], 0
    for start, end, name in secret_spans(text, asked=asked, strict=strict):
        parts += [text[at:start], name]
        at = end
    return "".join([*parts, text[at:]])


class Redactor:
    """What is kept of one call's words.

    Args:
        transcripts: What is to be kept at all.
    """

    def __init__(self, transcripts: Transcripts = Transcripts.REDACTED) -> None:
        self.transcripts = transcripts
        self._asked = False

    def caller(self, text: str) -> str:
        """What is kept of what the caller said."""
        return self._kept(text, self._asked)

    def bot(self, text: str) -> str:
        """What is kept of what the bot says."""
        return self._kept(text, False)

    def bot_heard(self, text: str) -> str:
        """The same for a reply that is over; if it asked for a secret, the caller's next number is one."""
        self._asked = asks_for_secret(text)
        return self._kept(text, False)

    def keys(self, text: str) -> str:
        """What is kept of keys that were pressed: a PIN is typed so."""
        return text if self.transcripts is Transcripts.FULL else "•" * len(text)

    def words(self, words: list[str]) -> list[str]:
        """What is kept of the bot's words one by one, as many as there are."""
        match self.transcripts:
            case Transcripts.FULL:
                return words
            case Transcripts.OFF:
                return ["…"] * len(words)
        text = " ".join(words)
        spans = secret_spans(text)
        kept, at = [], 0
        for word in words:
            end = at + len(word)
            kept.append("•" * min(len(word), 4) if any(s < end and at < e for s, e, _ in spans) else word)
            at = end + 1
        return kept

    def _kept(self, text: str, asked: bool) -> str:
        match self.transcripts:
            case Transcripts.FULL:
                return text
            case Transcripts.OFF:
                return NOT_KEPT if text else ""
        return redact(text, asked=asked)
