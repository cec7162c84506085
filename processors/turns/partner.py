"""Is a person on the line? A voicemail, a menu or a screening robot says the same sentences again and again. Pure.

A person who is not understood repeats a sentence too, but says other things in between, and answers a question. So a
partner is suspected after several turns in a row that hold nothing but what was said before, in whatever pieces; it is
asked once whether it is a person, and left when it goes on as before.
"""

from collections import deque
from enum import Enum
from typing import Final

from processors.turns.transcript import normalised

REMEMBERED_TURNS: Final = 12
PHRASE_WORDS: Final = 3
"""Words that are compared as one: so many in the same order are no coincidence."""

LEAST_WORDS: Final = 4
"""A shorter turn ("yes, please") says nothing either way, unless the partner has been asked."""

KNOWN_SHARE: Final = 0.8
"""A turn is a repetition if so much of it was said before."""


class Suspicion(Enum):
    """What a turn makes of the partner."""

    NONE = "none"
    ASK = "ask"
    """It talks like a machine: ask whether it is a person."""
    LEAVE = "leave"
    """It was asked, and goes on in the same way."""


class PartnerWatch:
    """What the partner of one call has said in its last turns.

    Args:
        repeats: Turns in a row that only repeat earlier ones, after which it is asked; 0: never.
    """

    def __init__(self, repeats: int) -> None:
        self._limit = repeats
        self._turns: deque[frozenset[tuple[str, ...]]] = deque(maxlen=REMEMBERED_TURNS)
        self._repeats = 0
        self._asked = False
        self._repeats_before = 0
        self._kept_last = False

    def note(self, text: str, *, extends: bool = False) -> Suspicion:
        """Take a spoken turn.

        Args:
            text: All its words.
            extends: Whether it is the turn that was taken last, with more words: who goes on repeats nothing.
        """
        if extends:
            self._repeats = self._repeats_before
            if self._kept_last and self._turns:
                self._turns.pop()
        self._repeats_before, self._kept_last = self._repeats, False
        words = normalised(text)
        phrases = frozenset(zip(*(words[start:] for start in range(PHRASE_WORDS)), strict=False))
        if not self._limit:
            return Suspicion.NONE
        if len(words) < LEAST_WORDS:
            self._repeats = 0
            return Suspicion.NONE
        known = frozenset().union(*self._turns) if self._turns else frozenset()
        repeats = len(phrases & known) >= KNOWN_SHARE * len(phrases)
        self._turns.append(phrases)
        self._kept_last = True
        if not repeats:
            self._repeats = 0
            return Suspicion.NONE
        self._repeats += 1
        if self._repeats < self._limit:
            return Suspicion.NONE
        if self._asked:
            return Suspicion.LEAVE
        self._asked = True
        return Suspicion.ASK
