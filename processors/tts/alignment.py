"""When the words of a text sound, from the times that a vendor gives for its characters. Pure."""

from collections.abc import Sequence
from typing import Final

from contracts.frames import Word
from processors.tts.word_times import estimate, split_words

ROUNDING_SECS: Final = 0.02
"""Vendors' times are rounded."""


class WordAligner:
    """Times of a text's own words; each word is told once, in order, as soon as its time is known.

    Vendors leave words out, such as a dash that stands alone: those get a time between their neighbours'.

    Args:
        text: The text; the words that are told, joined, are the text.
    """

    def __init__(self, text: str) -> None:
        self._words = split_words(text)
        self._ends: list[int] = []
        end = 0
        for word in self._words:
            end += len(word)
            self._ends.append(end)
        self._told = 0
        self._told_secs = 0.0

    @property
    def complete(self) -> bool:
        """Whether all words have been told."""
        return self._told == len(self._words)

    def at(self, position: int, secs: float) -> list[Word]:
        """The character at ``position`` sounds at ``secs``: returns the words that are known by that."""
        index = self._told
        while index < len(self._words) and self._ends[index] <= position:
            index += 1
        count = index + 1 - self._told
        if index == len(self._words) or position < (self._ends[self._told - 1] if self._told else 0):
            return []
        secs = max(secs, self._told_secs)
        # All but the last of them were left out by the vendor.
        step_secs = (secs - self._told_secs) / count
        known = [
            Word(word, secs - (count - 1 - number) * step_secs)
            for number, word in enumerate(self._words[self._told : index + 1])
        ]
        self._told, self._told_secs = index + 1, secs
        return known

    def finish(self, duration_secs: float) -> list[Word]:
        """The audio is over: the words that were never told, spread over what is left of it."""
        left = "".join(self._words[self._told :])
        self._told = len(self._words)
        since_secs = self._told_secs
        spread = estimate(left, max(0.0, duration_secs - since_secs))
        return [Word(word.text, since_secs + word.start_secs) for word in spread]


class _Follower:
    """Follows what a vendor says about a text, up to its end.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = 0
        self._aligner = WordAligner(text)
        self._end_secs = 0.0

    def over(self, secs: float) -> bool:
        """Whether the whole text has been spoken in ``secs`` of audio."""
        return self._aligner.complete and self._end_secs <= secs + ROUNDING_SECS

    def finish(self, duration_secs: float) -> list[Word]:
        """The audio is over: the words that were never told."""
        return self._aligner.finish(duration_secs)


class CharacterFollower(_Follower):
    """Follows a vendor's characters through a text; white space may differ."""

    def push(
        self, chars: Sequence[str], starts_ms: Sequence[float], durations_ms: Sequence[float], offset_secs: float
    ) -> list[Word]:
        """Take the next characters.

        Args:
            chars: The characters; what the text does not have next is skipped.
            starts_ms: Their starts, in milliseconds from ``offset_secs``.
            durations_ms: Their lengths.
            offset_secs: Start of the piece of audio that they belong to.

        Returns:
            The words that are known by that.
        """
        known: list[Word] = []
        for char, start_ms, duration_ms in zip(chars, starts_ms, durations_ms, strict=False):
            while self._next < len(self._text) and self._text[self._next].isspace():
                self._next += 1
            if self._next < len(self._text) and char == self._text[self._next]:
                known += self._aligner.at(self._next, offset_secs + start_ms / 1000)
                self._next += 1
                self._end_secs = offset_secs + (start_ms + duration_ms) / 1000
        return known


class BoundaryFollower(_Follower):
    """Follows a vendor's word boundaries through a text."""

    def push(self, word: str, position: int, start_secs: float, duration_secs: float) -> list[Word]:
        """Take a boundary.

        Args:
            word: What sounds.
            position: Where the vendor believes that it stands in the text.
            start_secs: When it sounds.
            duration_secs: How long.

        Returns:
            The words that are known by that.
        """
        if self._text[position : position + len(word)] != word or position < self._next:
            position = self._text.find(word, self._next)
        if position < 0 or not word:
            return []
        self._next = position + len(word)
        self._end_secs = start_secs + duration_secs
        return self._aligner.at(position, start_secs)
