"""What the user has said in the turn that is open, put together from the recogniser's segments."""

from collections import OrderedDict
from dataclasses import dataclass, field

from processors.turns.events import Words

PAST_SEGMENTS = 4
"""How many closed segments are remembered: a late or grown result can only concern the last few."""


def normalised(text: str) -> list[str]:
    """Words of a text in lower case without punctuation, for comparing two readings of one sound."""
    cleaned = "".join(c if c.isalnum() or c in "'’" else " " for c in text.lower())
    return cleaned.split()


def beyond(text: str, known: str) -> str:
    """The part of ``text`` that comes after ``known``, if it begins with it; else all of ``text``.

    A recogniser may read a sound again together with what followed; only the rest is news. Compared
    word by word, so that punctuation and case, which change from reading to reading, do not matter.
    """
    old = normalised(known)
    if not old:
        return text
    taken = 0
    words = text.split()
    for index, word in enumerate(words):
        for part in normalised(word):
            if taken >= len(old) or part != old[taken]:
                return text
            taken += 1
        if taken == len(old):
            return " ".join(words[index + 1 :])
    return ""


@dataclass
class Transcript:
    """Words of the open turn, by segment; closed segments are kept apart so that none is counted twice."""

    _open: dict[int, Words] = field(default_factory=dict)
    _past: OrderedDict[int, str] = field(default_factory=OrderedDict)
    _typed: str = ""
    _keys: str = ""
    _asked: dict[int, str] = field(default_factory=dict)

    def add(self, words: Words) -> None:
        """Take a result; an interim never replaces a final of the same segment with less."""
        known = self._open.get(words.segment)
        if known is not None and known.final and not words.final and not self._grows(known, words):
            return
        self._open[words.segment] = words

    def add_typed(self, text: str) -> None:
        """Take a typed text as further words of the turn."""
        self._typed = " ".join(part for part in (self._typed, self._keys, text) if part)
        self._keys = ""

    def add_key(self, key: str) -> None:
        """Take a phone key: keys that follow one another are one word."""
        self._keys += key

    def has_keys(self) -> bool:
        """Whether the last of what was typed are phone keys."""
        return bool(self._keys)

    def text(self) -> str:
        """All words of the open turn, in order."""
        parts = [beyond(words.text, self._past.get(segment, "")) for segment, words in sorted(self._open.items())]
        return " ".join(part.strip() for part in [*parts, self._typed, self._keys] if part.strip())

    def is_settled(self) -> bool:
        """Whether no segment waits for its final result."""
        return all(words.final for words in self._open.values())

    def has_final(self) -> bool:
        """Whether the newest segment has its final result, empty or not."""
        return bool(self._open) and self._open[max(self._open)].final

    def confidence(self) -> float:
        """Confidence of the newest segment's words (0 to 1)."""
        return self._open[max(self._open)].confidence if self._open else 1.0

    def close(self) -> None:
        """The words known so far belong to the past: answered, or acknowledged and let go."""
        for segment, words in sorted(self._open.items()):
            self._past[segment] = words.text
            self._past.move_to_end(segment)
        self._trim_past()
        self._open.clear()
        self._typed = self._keys = ""

    def mark_asked(self) -> None:
        """The words known so far are what a reply is asked for."""
        self._asked = {segment: words.text for segment, words in self._open.items()}

    def close_asked(self) -> None:
        """The words that were known at :meth:`mark_asked` are answered; those that came since stay open."""
        for segment, text in sorted(self._asked.items()):
            words = self._open.get(segment)
            if words is None:
                continue
            self._past[segment] = text
            if words.final and not self._grows(Words(text, segment, True), words):
                del self._open[segment]
        self._trim_past()
        self._typed = self._keys = ""

    def _trim_past(self) -> None:
        while len(self._past) > PAST_SEGMENTS:
            self._past.popitem(last=False)

    @staticmethod
    def _grows(known: Words, words: Words) -> bool:
        return len(normalised(words.text)) > len(normalised(known.text))
