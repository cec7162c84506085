"""Who may speak in a call that several nodes could have: one of them, and it can tell. Pure.

Each time that a node takes a call up, the call's *fencing token* grows by one (see :mod:`cluster.store`); what is
written with an older token is refused. A node whose token is too old has lost the call: it hangs up its side. A process
that stood still, and so may have lost a call without having noticed, says nothing until it has asked.
"""

from enum import Enum
from typing import Final

STOOD_STILL_SECS: Final = 1.0
"""A node that has not been seen at work for so long may have been taken for dead."""


class Phase(Enum):
    """What a node knows of its right to a call."""

    OWNED = "owned"
    UNSURE = "unsure"
    LOST = "lost"


class Answer(Enum):
    """What the store says to a fencing token."""

    NEWEST = "newest"
    OUTDATED = "outdated"
    AWAY = "away"


class Ownership:
    """One node's right to one call.

    Args:
        fence: The fencing token that it took the call with.
        now: Monotonic seconds.
    """

    def __init__(self, fence: int, now: float) -> None:
        self.fence = fence
        self.phase = Phase.OWNED
        self._at_work = now

    def may_speak(self, now: float) -> bool:
        """Whether the call's voice may be heard from here."""
        self._notice_standstill(now)
        return self.phase is Phase.OWNED

    def at_work(self, now: float) -> bool:
        """The node's heart beats.

        Returns:
            Whether the store is to be asked at once: until then nothing may be said.
        """
        self._notice_standstill(now)
        if self.phase is Phase.OWNED:
            self._at_work = now
        return self.phase is Phase.UNSURE

    def told(self, answer: Answer, now: float) -> None:
        """The store has answered, or is away: then calls go on as they are, for nobody could have taken them up."""
        if self.phase is Phase.LOST:
            return
        if answer is Answer.OUTDATED:
            self.phase = Phase.LOST
        else:
            self.phase = Phase.OWNED
            self._at_work = now

    def _notice_standstill(self, now: float) -> None:
        if self.phase is Phase.OWNED and now - self._at_work >= STOOD_STILL_SECS:
            self.phase = Phase.UNSURE
