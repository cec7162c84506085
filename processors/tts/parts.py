"""Cuts a text into parts that a vendor takes at once. Pure."""

import re
from typing import Final

_SENTENCE: Final = re.compile(r"[.!?…۔।॥][\"'”’»)\]]*\s+|[。！？]|\n+")
_CLAUSE: Final = re.compile(r"[,;:؛،]\s+|\s[–—-]\s+|[，、；：]")
_SPACE: Final = re.compile(r"\s+")


def cut(text: str, limit: int) -> list[str]:
    """Parts of at most ``limit`` characters, not counting the white space around them; joined, they are the text.

    A part ends at a sentence, else at a clause, else at a word, as late as possible, but sentences and clauses only in
    the last two thirds: a short part is a short breath. A word that is longer than the limit is cut.
    """
    parts = []
    while len(text.strip()) > limit:
        lead = len(text) - len(text.lstrip())
        end = _end(text, lead + limit)
        parts.append(text[:end])
        text = text[end:]
    return [*parts, text] if text else parts


def _end(text: str, limit: int) -> int:
    """Where the first part of a text that exceeds the limit ends, its white space included."""
    for boundary, earliest in ((_SENTENCE, limit // 3), (_CLAUSE, limit // 3), (_SPACE, 1)):
        ends = [found.end() for found in boundary.finditer(text) if len(text[: found.end()].rstrip()) <= limit]
        if ends and ends[-1] >= earliest and text[: ends[-1]].strip():
            return ends[-1]
    return limit
