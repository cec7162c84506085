"""Are those the bot's own words? The second line: what the recogniser wrote, against what was being said. Pure.

An echo that got past the echo guard (a telephone that stretches sound, a loudspeaker that distorts it) is read as the
words that the bot is just saying, in their order and a moment after them. A caller who repeats the bot's words does so
later: he must have heard them first. So time decides, not only the words.
"""

from collections import deque
from typing import Final

from languages.base import words

KEPT_WORDS: Final = 120

LEAST_WORDS: Final = 3
"""Fewer words in a row are a coincidence, unless an echo has been heard in this call."""

LEAST_WORDS_OF_ECHO: Final = 2

OWN_SHARE: Final = 0.8
"""So much of what was read must be the bot's: a recogniser mishears some of an echo."""

LATEST_SECS: Final = 0.75
"""An echo of an unknown path follows its word within this time; who repeats a word cannot be so quick."""

EARLY_SECS: Final = 0.35
"""The times of words are estimates, and the VAD tells of speech some windows after its begin."""


class OwnWords:
    """What the bot says, word by word."""

    def __init__(self) -> None:
        self._said: deque[tuple[float, str]] = deque(maxlen=KEPT_WORDS)

    def say(self, text: str, now: float) -> None:
        """A word begins to sound.

        Args:
            text: The word.
            now: Monotonic seconds.
        """
        self._said.extend((now, word) for word in words(text))

    def holds(self, text: str, began: float, ended: float, delay_secs: float | None) -> bool:
        """Whether what was read is what the bot was saying.

        Args:
            text: What the recogniser read.
            began: When that sound began, monotonic seconds.
            ended: When it ended.
            delay_secs: How late the echo is, where one was heard in this call.
        """
        read = words(text)
        least = LEAST_WORDS if delay_secs is None else LEAST_WORDS_OF_ECHO
        if len(read) < least:
            return False
        latest = LATEST_SECS if delay_secs is None else delay_secs + EARLY_SECS
        said = [word for at, word in self._said if began - latest <= at <= ended + EARLY_SECS]
        return _common(read, said) >= OWN_SHARE * len(read)


def _common(one: list[str], other: list[str]) -> int:
    """Words that two texts have in common, in the same order (longest common subsequence)."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for index, against in enumerate(other, start=1):
            row[index], before = (before + 1 if word == against else max(row[index], row[index - 1])), row[index]
    return row[-1]
