"""Amounts, quantities, ordinals and plain numbers. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from languages.speech import Currency, Noun, Speech
from processors.tts.aligned_text import Pieces, Rule

MAX_DIGITS: Final = 15
"""A longer number is said digit by digit."""

YEARS: Final = range(1900, 2100)
YEARS_ANNOUNCED: Final = range(1100, 2100)


@dataclass(frozen=True)
class Figure:
    """A number as it was written.

    Attributes:
        whole: Digits before the decimal mark.
        decimals: Digits after it.
    """

    whole: str
    decimals: str

    @property
    def is_one(self) -> bool:
        """Whether it counts one thing."""
        return not self.decimals and self.whole.lstrip("0") == "1"


class Figures:
    """Reads and says the numbers of a language.

    Args:
        speech: The language's.

    Attributes:
        pattern: What a number looks like.
    """

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        group = f"[{speech.thousands}]"
        self._group = re.compile(group)
        # Both marks: the last one is the decimal's. Thousands, the Indian lakhs among them. Decimals after either mark.
        self.pattern = r"\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:\.\d{3})+,\d+|" + (
            rf"\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
        )
        self._grouped = re.compile(rf"(\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}(?!\d))(?:[.,](\d+))?")

    def read(self, text: str) -> Figure:
        """What is written."""
        if grouped := self._grouped.fullmatch(text):
            return Figure(self._group.sub("", grouped[1]), grouped[2] or "")
        *whole, decimals = text.replace(",", ".").split(".")
        return Figure("".join(whole), decimals) if whole else Figure(decimals, "")

    def is_grouped(self, text: str) -> bool:
        """Whether marks between its digits only group them."""
        return self._grouped.fullmatch(text) is not None

    def say(self, figure: Figure) -> str:
        """A number by itself."""
        whole = self.speech.digits(figure.whole) if len(figure.whole) > MAX_DIGITS else self._cardinal(figure.whole)
        return f"{whole} {self.speech.point} {self.speech.digits(figure.decimals)}" if figure.decimals else whole

    def count(self, figure: Figure, noun: Noun) -> tuple[str, str]:
        """A number and what it counts; in two parts, for the figure and its sign."""
        if figure.is_one:
            number, _, name = noun.one.rpartition(" ")
            return number, name
        return self.speech.fit(self.say(figure), noun), noun.many

    def money(self, figure: Figure, currency: Currency, scale: str) -> tuple[str, str]:
        """An amount: what stands for the figure, and what for scale and sign."""
        if scale:
            unit = currency.unit.many
            if figure.is_one and scale in self.speech.one_of_scale:
                number, _, scale = self.speech.one_of_scale[scale].partition(" ")
            else:
                number = self.say(figure)
            elided = self.speech.elides and scale.endswith(" de") and unit[0] in "aeiouhé"
            return number, f"{scale.removesuffix('e')}'{unit}" if elided else f"{scale} {unit}"
        if currency.cent is None or len(figure.decimals) not in (1, 2):
            return self.count(figure, currency.unit)
        cents = figure.decimals.ljust(2, "0")
        if not int(figure.whole) and int(cents):
            return self.count(Figure(cents.lstrip("0") or "0", ""), currency.cent)
        number, name = self.count(Figure(figure.whole, ""), currency.unit)
        if not int(cents):
            return number, name
        if currency.named or int(cents) < 10:
            few = " ".join(self.count(Figure(str(int(cents)), ""), currency.cent))
            return number, f"{name} {self.speech.signs['and']} {few}"
        return number, f"{name} {self._cardinal(cents)}"

    def _cardinal(self, digits: str) -> str:
        return self.speech.cardinal(int(digits))


def rules(speech: Speech) -> list[tuple[re.Pattern[str], Rule]]:
    """Money, quantities, ordinals, fractions, years."""
    figures = Figures(speech)
    number = figures.pattern
    currency = _any_of(speech.currencies)
    scales = _any_of(speech.scales)
    units = _any_of(speech.units)
    # Without a currency "5 M" may be anything, and 101B is a room.
    plain_scales = _any_of(scale for scale in speech.scales if scale == "k" or len(scale) > 1)

    def amount(found: re.Match[str]) -> Pieces:
        scale = speech.scales.get(found["scale"] or "", "")
        said, name = figures.money(figures.read(found["n"]), speech.currencies[found["c"]], scale)
        after = found.start("scale") if found["scale"] else max(found.start("n"), found.start("c"))
        return [(said, found.start("n")), (f" {name}", after)]

    def quantity(found: re.Match[str]) -> Pieces:
        said, name = figures.count(figures.read(found["n"]), speech.units[found["u"]])
        return [(said, found.start()), (f" {name}", found.start("u"))]

    def per(found: re.Match[str]) -> Pieces:
        said, name = figures.count(figures.read(found["n"]), speech.units[found["u"]])
        other = speech.units[found["v"]].one.partition(" ")[2]
        return [(said, found.start()), (f" {name} {speech.signs['per']} {other}", found.start("u"))]

    def scaled(found: re.Match[str]) -> Pieces:
        said = figures.say(figures.read(found["n"]))
        return [(said, found.start()), (f" {speech.scales[found['scale']].removesuffix(' de')}", found.start("scale"))]

    def year(found: re.Match[str]) -> Pieces | None:
        if int(found["y"]) not in YEARS_ANNOUNCED:
            return None
        return [(found[1], found.start()), (speech.year(int(found["y"])), found.start("y"))]

    minus = speech.signs["-"]
    made: list[tuple[re.Pattern[str], Rule]] = [
        (re.compile(rf"(?<![\w.)%])[-−](?=\d|(?:{currency})\s?\d)"), lambda _: f"{minus} "),
        (
            re.compile(rf"(?<!\w)(?P<c>{currency})\s?(?P<n>{number})(?:\s?(?P<scale>{scales})(?!\w))?"),
            amount,
        ),
        (
            re.compile(rf"(?<![\w.,])(?P<n>{number})(?:\s?(?P<scale>{scales}))?\s?(?P<c>{currency})(?!\w)"),
            amount,
        ),
        (re.compile(rf"(?<![\w.,])(?P<n>{number})\s?(?P<u>{units})(?![\w/²³])"), quantity),
        (re.compile(rf"(?<![\w.,])(?P<n>{number})\s?(?P<u>{units})/(?P<v>{units})(?![\w/])"), per),
        (re.compile(rf"(?<![\w.,])(?P<n>{number})(?:\s?(?P<scale>{plain_scales})(?!\w))"), scaled),
        (re.compile(rf"(?<![\w.,])(\d+)(?:{speech.ordinal_mark})(?!\w)"), lambda found: speech.ordinal(int(found[1]))),
        (
            re.compile(rf"(?<![\d.,/])(?:{_any_of(speech.fractions)})(?![\d/])"),
            lambda found: speech.fractions[found.group()],
        ),
        (
            re.compile(rf"(?<=\d)(?:{_any_of(sign for sign in speech.fractions if len(sign) == 1)})"),
            lambda found: f" {speech.signs['and']} {speech.fractions[found.group()]}",
        ),
    ]
    if "M" in speech.scales:
        made.insert(5, (re.compile(rf"(?<![\w.,])(?P<n>{number})(?P<scale>M)(?!\w)"), scaled))
    if speech.year_after:
        made.append((re.compile(rf"(?i)(\b(?:{speech.year_after})\s+)(?P<y>\d{{4}})(?![\w%]|[.,:]\d)"), year))
    return made


def plain_rules(speech: Speech) -> list[tuple[re.Pattern[str], Rule]]:
    """Whatever number is left."""
    figures = Figures(speech)

    def plain(found: re.Match[str]) -> str:
        text = found.group()
        if len(text) == 4 and text.isdigit() and int(text) in YEARS:
            return speech.year(int(text))
        return figures.say(figures.read(text))

    def dotted(found: re.Match[str]) -> str | None:
        text = found.group()
        if figures.is_grouped(text):
            return None
        return f" {speech.signs['.']} ".join(speech.cardinal(int(part)) for part in text.split("."))

    def below_one(found: re.Match[str]) -> str:
        return figures.say(Figure("0", found[1]))

    return [
        (re.compile(r"(?<![\w.])\.(\d+)(?!\.\d)"), below_one),
        (re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}"), dotted),
        (re.compile(figures.pattern), plain),
    ]


def _any_of(signs: Iterable[str]) -> str:
    """Pattern of any of these, the longest first."""
    return "|".join(re.escape(sign) for sign in sorted(signs, key=len, reverse=True))
