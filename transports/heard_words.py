"""When the words of an utterance begin to sound, as far as that is known, and else about when. Pure.

A voice may tell the times of its words late, only of some, or not at all. What was heard is a matter of samples: the
words that no time is known of are set behind the others at the pace of the voice.
"""

from collections.abc import Sequence
from typing import Final

from processors.tts.word_times import spans, split_words

SECS_PER_SYLLABLE: Final = 0.14
"""Pace of a voice that nothing is known of; see :func:`processors.tts.word_times.weight` for what counts."""

LEARNING_SHARE: Final = 0.5
"""How much the last utterance says about the next one's pace."""

LEAST_WORDS: Final = 3
"""Words whose times tell the pace of their utterance."""


class Pace:
    """How fast a voice speaks, learned from what it has said in this call."""

    def __init__(self) -> None:
        self.secs: float = SECS_PER_SYLLABLE
        self._known = False

    def learn(self, text: str, length_secs: float) -> None:
        """Take an utterance of which all the audio is there."""
        syllables = sum(span for _, span in spans(text))
        if length_secs <= 0 or syllables < LEAST_WORDS:
            return
        secs = length_secs / syllables
        self.secs = self.secs + LEARNING_SHARE * (secs - self.secs) if self._known else secs
        self._known = True


def word_starts(
    text: str, told: Sequence[tuple[float, str]], *, pushed_secs: float, whole: bool, pace_secs: float
) -> list[tuple[float, str]]:
    """All words of a text with their starts in seconds; joined, they are the text.

    Args:
        text: The text.
        told: The words, from the first on, whose start the voice has told.
        pushed_secs: How much audio there is.
        whole: Whether that is all of it.
        pace_secs: Seconds for each syllable, for words of which nothing better is known.
    """
    known = sum(len(word) for _, word in told)
    rest = text[known:]
    if not rest.strip():
        return list(told)
    last = told[-1] if told else None
    start = last[0] if last is not None else 0.0
    ahead = split_words((last[1] if last is not None else "") + rest)
    weighed = spans("".join(ahead))
    syllables = sum(span for _, span in weighed)
    if whole:
        pace_secs = (pushed_secs - start) / syllables
    else:
        pace_secs = max(_told_pace(told) or pace_secs, (pushed_secs - start) / syllables)
    starts: list[tuple[float, str]] = []
    at = start
    for word, span in weighed:
        starts.append((at, word))
        at += span * max(0.0, pace_secs)
    return [*told[:-1], *([last] if last is not None else []), *starts[1 if last is not None else 0 :]]


def _told_pace(told: Sequence[tuple[float, str]]) -> float | None:
    """The pace of the words whose times are known; None if they are too few."""
    if len(told) < LEAST_WORDS:
        return None
    weighed = spans("".join(word for _, word in told))
    syllables = sum(span for _, span in weighed[:-1])
    return (told[-1][0] - told[0][0]) / syllables if syllables else None
