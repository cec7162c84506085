"""The times of spoken words, told as times of the words of the text. Pure."""

from collections.abc import Iterable

from contracts.frames import Word
from processors.tts.text_normaliser import SpokenText
from processors.tts.word_times import estimate, split_words


class OriginalWords:
    """Follows a voice through the spoken form. A word of the text is told with the start of the last word that is
    spoken for it: whoever is cut off in the middle of a number has not heard the number.

    Args:
        spoken: The spoken form.
    """

    def __init__(self, spoken: SpokenText) -> None:
        self._spoken = spoken
        ends: list[int] = []
        at = 0
        for word in split_words(spoken.text):
            ends.append(at)
            at += len(word)
        counted = 0
        self._waiting: list[tuple[int, str]] = []
        for original, count in reversed(spoken.words):
            counted += count
            self._waiting.append((ends[len(ends) - counted + count - 1], original))
        self._position = 0

    @property
    def told(self) -> bool:
        """Whether the voice has told anything."""
        return self._position > 0

    def follow(self, words: Iterable[Word]) -> list[Word]:
        """Take the voice's next words; joined, they are the spoken form.

        Returns:
            The words of the text that they complete.
        """
        known: list[Word] = []
        for word in words:
            self._position += len(word.text)
            while self._waiting and self._waiting[-1][0] < self._position:
                known.append(Word(self._waiting.pop()[1], word.start_secs))
        return known

    def guess(self, duration_secs: float) -> list[Word]:
        """All words, if the voice has told none, from the length of the audio."""
        return self.follow(estimate(self._spoken.text, duration_secs))
