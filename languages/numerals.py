"""Numbers in words, by the num2words library, cached: the same few are said again and again."""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from num2words import num2words  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from languages.speech import Currency, Noun

CACHED = 4096


def in_words(code: str, kind: Literal["cardinal", "ordinal", "year"]) -> Callable[[int], str]:
    """A function that says numbers from 0 on in a language that num2words knows."""

    @lru_cache(CACHED)
    def said(number: int) -> str:
        return num2words(number, lang=code, to=kind)

    return said


def nouns(text: str) -> dict[str, Noun]:
    """Units from lines of ``signs: one, many``; signs are separated by blanks."""
    found: dict[str, Noun] = {}
    for line in text.strip().splitlines():
        signs, _, names = line.strip().partition(":")
        one, many = (name.strip() for name in names.split(","))
        found |= dict.fromkeys(signs.split(), Noun(one, many))
    return found


def currencies(text: str, *, named: str = "") -> dict[str, Currency]:
    """Currencies from lines of ``signs: one, many, one cent, many cents``; the last two may be missing.

    Args:
        text: The lines.
        named: Those signs of which the cents are named, separated by blanks.
    """
    found: dict[str, Currency] = {}
    for line in text.strip().splitlines():
        signs, _, names = line.strip().partition(":")
        one, many, *cent = (name.strip() for name in names.split(","))
        for sign in signs.split():
            found[sign] = Currency(Noun(one, many), Noun(*cent) if cent else None, sign in named.split())
    return found
