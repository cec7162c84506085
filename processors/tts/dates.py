"""Dates, times of day and spans of them. Pure."""

import re
from typing import Final

from languages.speech import Speech
from processors.tts.aligned_text import Pieces, Rule

_WORD_BEFORE: Final = r"(?P<before>(?<!\w)[^\W\d_]+\s+)?"
ISO: Final = re.compile(
    rf"{_WORD_BEFORE}(?<![\w-])(?P<y>[12]\d{{3}})(?P<gap>[-/])(?P<m>[01]\d)(?P=gap)(?P<d>[0-3]\d)(?![\w/-])"
)
NUMERIC: Final = re.compile(
    rf"{_WORD_BEFORE}(?<![\w./-])(?P<d>[0-3]?\d)(?P<gap>[./-])(?P<m>[0-3]?\d)(?P=gap)(?P<y>[12]\d{{3}}|\d\d)(?![\w/-]|\.\d)"
)
TIME: Final = re.compile(
    r"(?<![\w:.,])(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d))?(?:\s?(?P<half>[AaPp])\.?\s?[Mm]\b\.?)?(?![\w:])"
)
HOUR: Final = re.compile(
    r"(?<![\w:.,$£€₹-])(?P<h>1[0-2]|0?[1-9])(?:\.(?P<m>[0-5]\d))?\s?(?P<half>[AaPp])\.?\s?[Mm]\b\.?"
)
SPAN: Final = re.compile(r"(?<=[\d%€m.])\s?[–—]\s?(?=[$£€₹]?\d)|(?<=[\d%°])-(?=\d)(?!\d+\s?=)|(?<=\d) - (?=[$£€₹]?\d)")


def rules(speech: Speech) -> list[tuple[re.Pattern[str], Rule]]:
    """Dates in figures, spans, times."""

    def dated(found: re.Match[str], day: int, month: int, year: int) -> Pieces | None:
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        before = found.group("before") or ""
        said = speech.date(day, month, year, before.strip().lower())
        return [(before, found.start()), (said, found.start() + len(before))]

    def iso(found: re.Match[str]) -> Pieces | None:
        return dated(found, int(found["d"]), int(found["m"]), int(found["y"]))

    def numeric(found: re.Match[str]) -> Pieces | None:
        first, second, year = int(found["d"]), int(found["m"]), int(found["y"])
        if len(found["y"]) == 2 and found["gap"] == "-":
            return None  # a sort code
        month_first = speech.month_first and found["gap"] == "/"
        day, month = (second, first) if month_first and first <= 12 else (first, second)
        if month > 12:
            day, month = month, day
        return dated(found, day, month, year if year > 99 else 2000 + year)

    def time(found: re.Match[str]) -> str:
        parts = found.groupdict()
        half = {"a": "a.m.", "p": "p.m."}.get((parts.get("half") or "").lower(), "")
        return speech.clock(int(parts["h"]), int(parts.get("m") or 0), half)

    def days(found: re.Match[str]) -> Pieces:
        first, last = (_whole(speech.weekdays, found.group(name)) for name in ("first", "last"))
        to = speech.signs["to"]
        return [(first, found.start()), (f" {to} ", found.start()), (last, found.start("last"))]

    def span(found: re.Match[str]) -> str | None:
        return None if "=" in found.string and found.group() == " - " else f" {speech.signs['to']} "

    day = "|".join(name for entry in speech.weekdays for name in entry.split())
    week = re.compile(rf"\b(?P<first>{day})\.?\s?[–-]\s?(?P<last>{day})\b")
    return [
        (ISO, iso),
        (NUMERIC, numeric),
        (week, days),
        (SPAN, span),
        (TIME, time),
        (HOUR, time),
    ]


def month_rules(speech: Speech) -> list[tuple[re.Pattern[str], Rule]]:
    """Months by name with a day: "25 November 2026", "Nov. 25th"."""
    names = {name: number for number, entry in enumerate(speech.months, 1) for name in entry.split()}
    full = {entry.split()[0] for entry in speech.months}
    spellings = (re.escape(name) if name in full else rf"{re.escape(name)}\b\.?" for name in names)
    month = "|".join(sorted(spellings, key=len, reverse=True))
    day_first = re.compile(
        rf"{_WORD_BEFORE}(?<![\w.,:/-])(?P<d>[0-3]?\d)(?:\.|{speech.ordinal_mark})?(?P<of>\s+(?:de|of)\s+|\s+|-)"
        rf"(?P<m>{month})(?P<y>(?:(?:,|\s+de)?\s+|-)(?P<yy>[12]\d{{3}}))?(?!\w)"
    )
    month_first = re.compile(
        rf"\b(?P<m>{month})\s+(?P<d>[0-3]?\d)(?:{speech.ordinal_mark})?(?![\w:/]|[.,]\d)"
        rf"(?P<y>,?\s+(?P<yy>[12]\d{{3}})\b)?"
    )

    def named(found: re.Match[str]) -> Pieces | None:
        day, number = int(found["d"]), names[found["m"].rstrip(".")]
        if not 1 <= day <= 31:
            return None
        before = (found.groupdict().get("before") or "") if "before" in found.re.groupindex else ""
        word_before = before.strip().lower()
        marks = sorted((found.start("d"), found.start("m")))
        year = int(found["yy"]) if found["yy"] else None
        said = speech.date(day, number, None, word_before)
        dated = speech.date(day, number, year, word_before)
        pieces = [(before, found.start())] if before else []
        if speech.month_first and found.start("d") < found.start("m"):
            the = "" if word_before == speech.signs["the"] else f"{speech.signs['the']} "
            pieces += _spread(f"{the}{speech.ordinal(day)} {speech.signs['of']} {speech.month_name(number)}", marks)
        else:
            pieces += _spread(said, marks)
        return [*pieces, (dated[len(said) :], found.start("yy"))] if year else pieces

    patterns = [day_first, month_first] if speech.month_first else [day_first]
    return [(pattern, named) for pattern in patterns]


def _spread(said: str, marks: list[int]) -> list[tuple[str, int]]:
    """The last word belongs to the last mark, the others to the first."""
    head, _, last = said.rpartition(" ")
    return [(head + " ", marks[0]), (last, marks[-1])] if head else [(last, marks[-1])]


def _whole(entries: tuple[str, ...], name: str) -> str:
    """The full name of a shortened one."""
    return next(entry.split()[0] for entry in entries if name in entry.split())
