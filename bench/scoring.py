"""Word error rate: how texts are made comparable, and how differences are counted."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from num2words import num2words

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:st|nd|rd|th)?")
_CLOCK = re.compile(r"\b(\d{1,2})[:.](\d{2})(?=\s*[ap]\.?\s?m\b)", re.IGNORECASE)
_LETTERS_WITH_STOPS = re.compile(r"\b(?:[a-z]\.){2,}")

_SPELLINGS = {
    "ok": "okay",
    "alright": "all right",
    "p m": "pm",
    "a m": "am",
    "mm hmm": "mhm",
    "mmhmm": "mhm",
    "e mail": "email",
}
"""Two ways to write the same words."""
_SPELLING = re.compile(r"\b(?:" + "|".join(_SPELLINGS) + r")\b")


@dataclass(frozen=True)
class Errors:
    """Word errors of one text or, added up, of many.

    Attributes:
        words: Words of the reference.
        substitutions: Words read as others.
        deletions: Words left out.
        insertions: Words too many.
    """

    words: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def count(self) -> int:
        """All errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Word error rate (0.05 is 5 %); may pass 1, and is 0 for no words at all."""
        return self.count / self.words if self.words else 0.0

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            self.words + other.words,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


def normalised_words(text: str) -> list[str]:
    """Words in lower case, without punctuation, numbers written out: "It's 2:30 p.m." gives it's two thirty pm."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    text = _CLOCK.sub(r"\1 \2", text)
    text = _LETTERS_WITH_STOPS.sub(lambda match: match.group().replace(".", ""), text)
    text = text.replace("%", " percent ").replace("&", " and ")
    text = _NUMBER.sub(lambda match: f" {_spoken(match.group())} ", text)
    cleaned = "".join(c if c.isalnum() or c == "'" else " " for c in text)
    words = " ".join(word for word in (part.strip("'") for part in cleaned.split()) if word)
    return _SPELLING.sub(lambda match: _SPELLINGS[match.group()], words).split()


def _spoken(number: str) -> str:
    digits = number.replace(",", "")
    ordinal = digits.rstrip("stndrh")
    if ordinal != digits:
        return num2words(ordinal, to="ordinal") if ordinal.isdigit() else num2words(ordinal)
    return num2words(digits)


def word_errors(reference: str, hypothesis: str) -> Errors:
    """Fewest substitutions, deletions and insertions that make the reference of the hypothesis (Levenshtein 1966)."""
    wanted, got = normalised_words(reference), normalised_words(hypothesis)
    row = [Errors(insertions=n) for n in range(len(got) + 1)]
    for index, word in enumerate(wanted):
        above, row = row, [Errors(deletions=index + 1)]
        for column, heard in enumerate(got):
            ways = [
                above[column] + Errors(substitutions=int(word != heard)),
                above[column + 1] + Errors(deletions=1),
                row[column] + Errors(insertions=1),
            ]
            row.append(min(ways, key=lambda errors: errors.count))
    return row[-1] + Errors(words=len(wanted))


def total(errors: Iterable[Errors]) -> Errors:
    """Errors of many texts together: long texts weigh more, as is usual."""
    summed = Errors()
    for one in errors:
        summed += one
    return summed
