"""How a language says figures and signs: what its file gives the rules of the spoken form. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Noun:
    """A thing that is counted.

    Attributes:
        one: One of it, the number included ("one kilometer").
        many: Its name after any other number.
    """

    one: str
    many: str


@dataclass(frozen=True)
class Currency:
    """Money.

    Attributes:
        unit: "one pound", "pounds".
        cent: Its hundredth part; None if it has none.
        named: Whether cents are named after the unit ("five dollars and ten cents"); else "five pounds ten".
    """

    unit: Noun
    cent: Noun | None
    named: bool = False


def short_forms(text: str) -> frozenset[str]:
    """Short forms that are separated by blanks."""
    return frozenset(text.split())


def _same(text: str) -> str:
    return text


@dataclass(frozen=True)
class Speech:
    """How figures and signs are said.

    Attributes:
        cardinal: A number from 0 on.
        ordinal: Its ordinal.
        year: A number as a year.
        clock: The time: hour from 0 to 24, minute, and ``a.m.``, ``p.m.`` or empty as it was written.
        date: A date: day, month, year or None, and the word before it in lower case.
        thousands: What groups digits, as the inside of a character class of :mod:`re`.
        point: Said between whole and decimals.
        month_first: Whether 11/12 is the twelfth of November.
        months: From January on, and how each is shortened: ``"January Jan"``.
        weekdays: From Monday on, likewise.
        currencies: By sign and by code.
        units: By sign; case counts.
        scales: What follows an amount: ``{"k": "thousand"}``.
        ordinal_mark: Pattern of what makes a number an ordinal.
        year_after: Pattern of the words after which any four digits from 1100 on are a year; those from 1900 to 2099
            always are.
        spelled_after: Pattern of the words after which digits are said one by one.
        signs: ``% & + - = < > * : / @ # . ~ ² ³ ^ √ ∛ ≤ ≥ ≠ ∞ π § §§``, and ``to``, ``per``, ``by``, ``and``,
            ``sharp``, ``heart``, ``ending in``, ``out of``, ``over``, ``star``, ``hash``, as they are said.
        fractions: ``{"1/2": "one half"}``.
        abbreviations: Short forms, dots included, and what is said.
        abbreviations_before_numbers: Likewise, where a number follows.
        no_ends: Short forms without their last dot, in lower case, that do not end a sentence.
        no_end_suffix: Whatever ends with it is such a short form too ("Hauptstr").
        no_ends_before_numbers: Likewise, where a number follows.
        dot_makes_ordinal: Whether a dot makes a number an ordinal ("3. Mai"), so that it ends no sentence.
        counted: Makes a number fit a noun that follows it.
        feminine: Makes it fit a feminine one.
        feminine_one: How one of a feminine noun begins: "una ".
        year_joiner: Said between a month and its year.
        date_after: Pattern of the words after which 5/6 is a day and its month.
        expires_after: Pattern of the words after which 12/27 is a month and its year.
        fraction: A number above another, both as they are written: "five eighths"; None: said as two numbers.
        pressed: Pattern of the words with which keys are spoken of: there * and # are keys.
        elides: Whether "de" loses its vowel before another one ("millions d'euros").
        one_of_scale: One of a scale, the number included: ``{"millions de": "un million de"}``.
        shortened: Short names of what something is counted by, behind a slash: ``{"mo": "month"}``.
        phones: Pattern of telephone numbers that other languages would not know, and are said digit by digit.
        own: Rules that no other language has: pattern, and what stands for a match; they come first.
    """

    cardinal: Callable[[int], str]
    ordinal: Callable[[int], str]
    year: Callable[[int], str]
    clock: Callable[[int, int, str], str]
    date: Callable[[int, int, int | None, str], str]
    thousands: str
    point: str
    month_first: bool
    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    currencies: Mapping[str, Currency]
    units: Mapping[str, Noun]
    scales: Mapping[str, str]
    ordinal_mark: str
    spelled_after: str
    signs: Mapping[str, str]
    fractions: Mapping[str, str]
    abbreviations: Mapping[str, str]
    abbreviations_before_numbers: Mapping[str, str]
    no_ends: frozenset[str]
    no_ends_before_numbers: frozenset[str]
    year_after: str = ""
    no_end_suffix: str = ""
    dot_makes_ordinal: bool = False
    counted: Callable[[str], str] = _same
    feminine: Callable[[str], str] = _same
    feminine_one: str = "\0"
    year_joiner: str = " "
    phones: str = ""
    pressed: str = ""
    elides: bool = False
    one_of_scale: Mapping[str, str] = field(default_factory=dict[str, str])
    shortened: Mapping[str, str] = field(default_factory=dict[str, str])
    date_after: str = ""
    expires_after: str = ""
    fraction: Callable[[int, int], str] | None = None
    own: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = field(default=())

    def fit(self, number: str, noun: Noun) -> str:
        """A number in words as it is said before a noun."""
        return self.feminine(number) if noun.one.startswith(self.feminine_one) else self.counted(number)

    def digits(self, text: str) -> str:
        """Digits one by one."""
        return " ".join(self.cardinal(int(digit)) for digit in text)

    def month_name(self, month: int) -> str:
        """The name of a month, from 1 on."""
        return self.months[month - 1].split()[0]
