"""Cuts a reply, as it comes token by token, into pieces that can be spoken by themselves. Pure.

The first piece ends at the first clause, so that the voice begins soon; the others at sentences, which sound better as
a whole. The pieces, joined, are the text.
"""

import re
from typing import Final

from languages.catalogue import language
from processors.tts.markup import CODE

FIRST_MIN_CHARS: Final = 16
"""A first clause shorter than this ("Yes,") is spoken with what follows: alone it would end before that is there."""

MAX_CHARS: Final = 240
"""A piece that has grown so long ends at its last clause, or at a space."""

_SENTENCE: Final = re.compile(r"[.!?…؟۔।॥]+[\"'”’»)\]*_~`]*(?=\s)|[。！？]+[”’」』）]*|\n+")
_CLAUSE: Final = re.compile(r"[,;:؛،](?=\s)|\s[–—-](?=\s)|[，、；：]")


class PieceCutter:
    """Takes text as it comes, gives pieces as they are complete.

    A sentence counts as complete when the white space after its mark has come, since "3." may become "3.5".

    Args:
        code: Language code of the text: each has its own short forms that end no sentence.
        first_clause: Whether the first piece may be a mere clause.
    """

    def __init__(self, code: str = "en", *, first_clause: bool = True) -> None:
        self._speech = language(code).speech
        self._text = ""
        self._first = first_clause

    def push(self, text: str) -> list[str]:
        """Take more text; returns the pieces that are complete now, the white space after them included."""
        self._text += text
        pieces = []
        while (end := self._cut()) is not None:
            pieces.append(self._text[:end])
            self._text = self._text[end:]
            self._first = False
        return pieces

    def flush(self) -> list[str]:
        """The text is complete: returns the last piece, if there is any left."""
        pieces, self._text, self._first = [self._text] if self._text else [], "", True
        return pieces

    def _cut(self) -> int | None:
        """End of the next piece, its white space included; None if it is not complete.

        The decision must not depend on how the text arrives: a piece is cut only when the character after its white
        space is there.
        """
        end = self._sentence_end()
        if self._first:
            clause = self._first_clause_end()
            end = min(filter(None, (end, clause)), default=None)
        if end is not None and end <= MAX_CHARS:
            return end
        return self._forced_end() if len(self._text) > MAX_CHARS else None

    def _sentence_end(self) -> int | None:
        code = [found.span() for found in CODE.finditer(self._text)] if "`" in self._text else []
        for found in _SENTENCE.finditer(self._text):
            if not self._text[: found.end()].strip() or any(begin < found.start() < end for begin, end in code):
                continue
            end = self._after_space(found.end())
            if end is not None and self._ends_sentence(found, end):
                return end
        return None

    def _ends_sentence(self, found: re.Match[str], end: int) -> bool:
        if found.group()[0] != ".":
            return True
        before = self._text[: found.start()]
        last = re.split(r"[\s(\"'“‘*_]", before)[-1]
        short, following = last.lower(), self._text[end]
        suffix = self._speech.no_end_suffix
        if (
            short in self._speech.no_ends
            or (suffix and short.endswith(suffix))
            or (len(last) == 1 and last.isalpha() and last.isupper() and last != "I")
        ):
            return False
        if short in self._speech.no_ends_before_numbers and following.isdigit():
            return False
        number = last.rpartition("-")[2].rpartition("–")[2]  # "1.-5. Mai"
        if (
            number.isdigit()
            and len(number) < 3
            and (self._speech.dot_makes_ordinal or not before[: -len(last)].strip())
        ):
            return False  # "3. Mai"; and "1. " begins an item of a list
        return not following.islower()

    def _first_clause_end(self) -> int | None:
        for found in _CLAUSE.finditer(self._text):
            end = self._after_space(found.end())
            if end is not None and len(self._text[: found.end()].strip()) >= FIRST_MIN_CHARS:
                announces = found.group() == ":" or self._text[found.start() - 1].isdigit()
                if announces and self._text[end].isdigit():
                    continue  # "Jan 1, 1980" is one thing, and so is "Your code: 1234"
                return end
        return None

    def _after_space(self, index: int) -> int | None:
        """Index of the first character from ``index`` on that is not white space; None if it has not come."""
        for at in range(index, len(self._text)):
            if not self._text[at].isspace():
                return at
        return None

    def _forced_end(self) -> int:
        head = self._text[: MAX_CHARS + 1]
        clauses = [found.end() for found in _CLAUSE.finditer(head)]
        spaces = [found.end() for found in re.finditer(r"\s+", head[:-1])]
        for ends in (clauses, spaces):
            late = [end for end in ends if end >= MAX_CHARS // 3 and end <= MAX_CHARS]
            if late:
                return self._after_space(late[-1]) or late[-1]
        return MAX_CHARS


def sentences(text: str, code: str = "en") -> list[str]:
    """The pieces of a text that is known from the start, such as the bot's own: whole sentences."""
    cutter = PieceCutter(code, first_clause=False)
    return [*cutter.push(text), *cutter.flush()]
