"""A text that is rewritten and still knows where each of its characters came from. Pure."""

import re
import unicodedata
from collections.abc import Callable, Sequence

Pieces = Sequence[tuple[str, int]]
"""What stands for a match: texts, each with the index in the text before the change that it comes from, in order."""

Rule = Callable[[re.Match[str]], str | Pieces | None]
"""What stands for a match: one text for all of it, pieces, or None: it stays."""


class AlignedText:
    """The text, and for each character the index in the original that it stands for. Indices never go back.

    Args:
        text: The original.

    Attributes:
        text: The text as it is now.
        origins: For each character of it an index of the original.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.origins = list(range(len(text)))

    def rewrite(self, pattern: re.Pattern[str], rule: Rule) -> None:
        """Put what the rule says in the place of each match; words that would touch are kept apart."""
        parts: list[str] = []
        origins: list[int] = []
        done = 0
        for found in pattern.finditer(self.text):
            said = rule(found)
            if said is None:
                continue
            parts.append(self.text[done : found.start()])
            origins += self.origins[done : found.start()]
            done = found.end()
            for piece, index in [(said, found.start())] if isinstance(said, str) else said:
                self._append(parts, origins, piece, self.origins[min(index, len(self.origins) - 1)])
            if _is_letter(self.text[done : done + 1]):
                self._append(parts, origins, "", origins[-1] if origins else 0, before=self.text[done])
        if done:
            self.text = "".join(parts) + self.text[done:]
            self.origins = origins + self.origins[done:]

    def keep(self, pattern: re.Pattern[str], group: int | str = 1) -> None:
        """Leave one group of each match; its characters stand for what they stood for."""
        parts: list[str] = []
        origins: list[int] = []
        done = 0
        for found in pattern.finditer(self.text):
            begin, end = found.span(group)
            parts += [self.text[done : found.start()], self.text[begin:end]]
            origins += self.origins[done : found.start()] + self.origins[begin:end]
            done = found.end()
        if done:
            self.text = "".join(parts) + self.text[done:]
            self.origins = origins + self.origins[done:]

    @staticmethod
    def _append(parts: list[str], origins: list[int], piece: str, origin: int, before: str = "") -> None:
        """Append a piece, after a space where it would run into the word before it."""
        last = next((part[-1] for part in reversed(parts) if part), "")
        first = piece[:1] or before
        if _is_letter(last) and _is_letter(first):
            piece = " " + piece
        parts.append(piece)
        origins += [origin] * len(piece)


def _is_letter(char: str) -> bool:
    """Whether it belongs to a word: letters, digits, and the vowel signs of Indian scripts."""
    return char.isalnum() or (char != "" and unicodedata.category(char)[0] == "M")
