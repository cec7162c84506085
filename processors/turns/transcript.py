"""What the user has said in the turn that is open: words, typed texts and phone keys, in the order of time. Pure.

Each word counts once. A recogniser may read a segment again (the same number replaces what was known), may send the
same result a second time under another number, and may send more of a segment whose beginning has been answered.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from processors.turns.events import EarlyWords, Words
from processors.turns.wording import normalised, wording

PAST_SEGMENTS: Final = 4
"""How many closed segments are remembered: a late or grown result can only concern the last few."""

REPEATED_WITHIN_SECS: Final = 3.0
"""The same words a second time, without a voice that they could be of, are one utterance that was told twice."""

SENTENCE_WORDS: Final = 3
SENTENCE_WITHIN_SECS: Final = 2.0
"""The same sentence so soon is one that was told twice even if somebody has begun to speak again meanwhile."""

SECS_PER_WORD: Final = 0.12
"""Nobody says a word in less: the same words after a shorter time were not said again."""

RECENT_WORDS: Final = 40
"""Words of the final results that a repeated one is compared with."""


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


def _beyond_reading(text: str, known: str) -> str:
    """As :func:`beyond`, for two readings of one segment: the second may differ in some words of the first."""
    rest = beyond(text, known)
    if rest != text or not known:
        return rest
    old, words = normalised(known), text.split()
    alike = sum(word in old for word in normalised(" ".join(words[: len(old) + 1])))
    return " ".join(words[len(old) :]) if 2 * alike >= len(old) and alike else text


@dataclass(frozen=True, slots=True)
class _Typed:
    """A text that was typed, or phone keys that were pressed one after the other."""

    text: str
    keys: bool = False


@dataclass(frozen=True, slots=True)
class _SpeechBegins:
    """Where the words of speech that has begun belong, whenever they come."""


_Entry = Words | _Typed | _SpeechBegins


@dataclass
class Transcript:
    """What was said in the open turn; what is closed is kept apart, so that none is counted twice."""

    _open: list[_Entry] = field(default_factory=list)
    _past: OrderedDict[int, str] = field(default_factory=OrderedDict)
    _asked: list[_Entry] = field(default_factory=list)
    _answered: list[_Entry] = field(default_factory=list)
    _past_before: OrderedDict[int, str] = field(default_factory=OrderedDict)
    _recent: list[str] = field(default_factory=list)
    _told: list[float] = field(default_factory=list)
    """When each of the recent words was told."""
    _voices: int = 0
    """Stretches of speech whose words have not been told yet."""
    _early: dict[int, EarlyWords] = field(default_factory=dict)
    _early_from: int = -1
    """Segments up to this one are over for the early recogniser."""
    _relied_on: set[int] = field(default_factory=set)
    """Segments whose early words a reply is asked for."""

    # --- what comes in -----------------------------------------------------------------------

    def note_speech(self) -> None:
        """Speech begins: its words, whenever they come, were said before what is typed from now on."""
        self._voices = min(self._voices + 1, PAST_SEGMENTS)
        self._open = [entry for entry in self._open if not isinstance(entry, _SpeechBegins)]
        self._open.append(_SpeechBegins())

    def add(self, words: Words, now: float = 0.0, *, speaking: bool = False) -> bool:
        """Take a result; an interim never replaces a final of the same segment with less.

        Args:
            words: The result.
            now: Monotonic seconds.
            speaking: Whether somebody speaks at this moment.

        Returns:
            False for a result that only tells again what was told under another number.
        """
        before_final = False
        index = next((i for i, e in enumerate(self._open) if isinstance(e, Words) and e.segment == words.segment), None)
        if index is None:
            if words.segment not in self._past and self._is_repeated(words, now, speaking):
                return False
            known = self._past.get(words.segment, "")
            self._insert(words)
        else:
            before = self._open[index]
            assert isinstance(before, Words)
            kept = before.final or words.segment in self._relied_on
            if kept and not words.final and not _grows(before.text, words.text):
                return True
            before_final = before.final
            known = before.text if before.final else self._past.get(words.segment, "")
            self._open[index] = words
        if words.final and not before_final and words.segment not in self._past:
            self._voices = max(0, self._voices - 1)
        if words.final:
            self._relied_on.discard(words.segment)
            self._early.pop(words.segment, None)
            self._remember(normalised(_beyond_reading(words.text, known)), now)
        return True

    def _is_repeated(self, words: Words, now: float, speaking: bool) -> bool:
        said = normalised(words.text)
        if not said:
            return False
        told_at = max((self._told[at] for at in _places(said, self._recent)), default=-math.inf)
        passed = now - told_at
        if passed <= REPEATED_WITHIN_SECS and not self._voices and not speaking:
            return True
        soon = passed < SECS_PER_WORD * len(said)
        sentence = passed <= SENTENCE_WITHIN_SECS and len(set(said)) >= SENTENCE_WORDS
        return words.final and (soon or sentence)

    def _remember(self, said: list[str], now: float) -> None:
        if said:
            self._recent = (self._recent + said)[-RECENT_WORDS:]
            self._told = (self._told + [now] * len(said))[-RECENT_WORDS:]

    def _insert(self, words: Words) -> None:
        """Segments keep their order; the first of some speech stands where that speech began."""
        for index, entry in enumerate(self._open):
            if isinstance(entry, _SpeechBegins):
                self._open[index] = words
                return
            if isinstance(entry, Words) and entry.segment > words.segment:
                self._open.insert(index, words)
                return
        self._open.append(words)

    def add_early(self, words: EarlyWords) -> None:
        """Take a result of the early recogniser, unless better is known."""
        known = self._words_of(words.segment)
        if words.segment > self._early_from and not (known is not None and known.final):
            self._early[words.segment] = words

    def add_typed(self, text: str) -> None:
        """Take a typed text as further words of the turn."""
        self._open.append(_Typed(text))

    def add_key(self, key: str) -> None:
        """Take a phone key: keys that follow one another are one word, whatever is said beside them."""
        last = next((entry for entry in reversed(self._open) if isinstance(entry, _Typed)), None)
        if last is None or not last.keys:
            self._open.append(_Typed(key, keys=True))
            return
        self._open = [entry for entry in self._open if entry is not last]
        self._open.append(_Typed(last.text + key, keys=True))

    # --- what is known -----------------------------------------------------------------------

    def has_keys(self) -> bool:
        """Whether the last of what was typed are phone keys."""
        typed = [entry for entry in self._open if isinstance(entry, _Typed)]
        return bool(typed) and typed[-1].keys

    def is_spoken(self) -> bool:
        """Whether nothing of it was typed."""
        return not any(isinstance(entry, _Typed) for entry in self._open)

    def text(self) -> str:
        """All words of the open turn, in the order of time."""
        return " ".join(part for part in map(self._news_of, self._open) if part)

    def ahead(self) -> str:
        """All words of the open turn as far as anybody knows them: the early recogniser's where they go further."""
        return " ".join(part for part in map(self._news_of, self._with_early()) if part)

    def awaits_final(self) -> bool:
        """Whether some words are known of which the final result has not come."""
        return not self.is_settled() or any(self._words_of(segment) is None for segment in self._early)

    def ahead_is_whole(self) -> bool:
        """Whether :meth:`ahead` holds all that was said, as the early recogniser hears it and nobody denies."""
        waiting = {entry.segment for entry in self._open if isinstance(entry, Words) and not entry.final}
        for segment in waiting | self._early.keys():
            known, early = self._words_of(segment), self._early.get(segment)
            if early is None or not early.final or (known is not None and continued(known.text, early.text) is None):
                return False
        return True

    def rely_on_early(self) -> None:
        """Answer the early words: only final results can change them now."""
        self._open = self._with_early()
        self._relied_on |= {entry.segment for entry in self._open if isinstance(entry, Words) and not entry.final}

    def _with_early(self) -> list[_Entry]:
        entries: list[_Entry] = list(self._open)
        for segment, early in sorted(self._early.items()):
            known = self._words_of(segment)
            text = early.text if known is None else continued(known.text, early.text) or known.text
            words = Words(text, segment, False)
            place = next((i for i, e in enumerate(entries) if e is known or _is_open(e, known)), len(entries))
            entries[place : place + 1] = [words]
        return entries

    def _words_of(self, segment: int) -> Words | None:
        return next((e for e in self._open if isinstance(e, Words) and e.segment == segment), None)

    def _news_of(self, entry: _Entry) -> str:
        match entry:
            case Words():
                return _beyond_reading(entry.text, self._past.get(entry.segment, "")).strip()
            case _Typed():
                return entry.text.strip()
            case _SpeechBegins():
                return ""

    def text_since_asked(self) -> str:
        """The words that came after those that a reply is asked for."""
        asked = {entry.segment: entry.text for entry in self._asked if isinstance(entry, Words)}
        parts = []
        for entry in self._open:
            if isinstance(entry, Words) and entry.segment in asked:
                parts.append(_beyond_reading(entry.text, asked[entry.segment]).strip())
            elif not _holds(self._asked, entry):
                parts.append(self._news_of(entry))
        return " ".join(part for part in parts if part)

    def _newest(self) -> Words | None:
        return max((e for e in self._open if isinstance(e, Words)), key=lambda words: words.segment, default=None)

    def is_settled(self) -> bool:
        """Whether no segment waits for its final result."""
        return all(entry.final for entry in self._open if isinstance(entry, Words))

    def has_final(self) -> bool:
        """Whether the newest segment has its final result, empty or not."""
        newest = self._newest()
        return newest is not None and newest.final

    def has_final_since_asked(self) -> bool:
        """The same, if that segment is not among the words that a reply is asked for."""
        newest = self._newest()
        return newest is not None and newest.final and not _holds(self._asked, newest)

    def confidence(self) -> float:
        """Confidence of the newest segment's words (0 to 1)."""
        newest = self._newest()
        return newest.confidence if newest is not None else 1.0

    # --- what becomes of it --------------------------------------------------------------------

    def close(self) -> None:
        """The words known so far belong to the past: acknowledged and let go."""
        self._early_from = max([self._early_from, *self._early])
        self._close(list(self._open))
        self._asked = []

    def mark_asked(self) -> None:
        """The words known so far are what a reply is asked for."""
        self._asked = list(self._open)

    def close_asked(self) -> None:
        """The words that were known at :meth:`mark_asked` are answered; those that came since stay open."""
        if not self._asked:
            return
        self._past_before = self._past.copy()
        self._answered, self._asked = self._asked, []
        self._close(self._answered)

    def _close(self, entries: list[_Entry]) -> None:
        closed = {entry.segment: entry.text for entry in entries if isinstance(entry, Words)}
        self._early_from = max([self._early_from, *closed])
        self._early = {segment: early for segment, early in self._early.items() if segment > self._early_from}
        self._relied_on -= closed.keys()
        for segment, text in closed.items():
            self._past[segment] = text
            self._past.move_to_end(segment)
        while len(self._past) > PAST_SEGMENTS:
            self._past.popitem(last=False)
        self._open = [
            entry
            for entry in self._open
            if not _holds(entries, entry)
            and not (isinstance(entry, Words) and entry.segment in closed and entry.final and not self._news_of(entry))
        ]

    def reopen(self) -> None:
        """The words that were answered last are not answered after all: they stand before those that came since."""
        known = {entry.segment for entry in self._open if isinstance(entry, Words)}
        back = [e for e in self._answered if not (isinstance(e, Words) and e.segment in known)]
        for entry in self._answered:
            if isinstance(entry, Words):
                self._past.pop(entry.segment, None)
                if entry.segment in self._past_before:
                    self._past[entry.segment] = self._past_before[entry.segment]
        self._open = back + self._open
        self._asked, self._answered = back, []


def _places(said: list[str], told: list[str]) -> list[int]:
    """Where in the words that were told these stand."""
    return [at for at in range(len(told) - len(said) + 1) if told[at : at + len(said)] == said]


def _holds(entries: list[_Entry], entry: _Entry) -> bool:
    """Whether this very entry is among them: the same text may be typed twice."""
    return any(entry is other for other in entries)


def _is_open(entry: _Entry, known: Words | None) -> bool:
    """Whether this is where the words of speech belong of which nothing is known yet."""
    return known is None and isinstance(entry, _SpeechBegins)


def _grows(known: str, text: str) -> bool:
    return len(normalised(text)) > len(normalised(known))


ANCHOR_WORDS: Final = 2
"""How far two readings of one sound may be apart in their count of words."""


def continued(known: str, early: str) -> str | None:
    """An interim result of the vendor's, and what the early recogniser heard after it; None if they are too different.

    The vendor's words are better, but for the last one, in the middle of which its audio may have ended. Where it was
    is where the early result goes on.
    """
    sure, heard = known.split()[:-1], early.split()
    if not sure:
        return early
    anchor, at = wording(sure[-1]), len(sure) - 1  # "10" is "ten"
    near = range(max(0, at - ANCHOR_WORDS), min(len(heard), at + ANCHOR_WORDS + 1))
    found = [i for i in near if wording(heard[i]) == anchor]
    if not found:
        return None
    after = min(found, key=lambda i: (abs(i - at), i)) + 1
    return " ".join([*sure, *heard[after:]]) if heard[after:] else None
