"""Whether a peer can be reached at this moment. Pure: the time is told, nothing is sent or waited for.

A peer that is there sends something all the time, or at least answers a STUN binding request, which the ICE agent of a
browser does whatever its page does (RFC 7675). So a silence is asked about, and only what is not answered either counts
as a line that is down: from the last datagram on, nothing of the bot's voice can have been heard.
"""

from enum import Enum
from typing import Final

ASK_AFTER_SECS: Final = 0.12
"""While the bot speaks: six packets of a caller's audio are missing."""

ASK_EVERY_SECS: Final = 0.1

IDLE_ASK_AFTER_SECS: Final = 1.0
"""While it is silent nothing can get lost: time enough to find out before the peer counts as gone."""

IDLE_ASK_EVERY_SECS: Final = 0.25

ANSWER_SECS: Final = 0.25
"""So much longer than the usual round trip an answer may take."""

USUAL_ROUND_TRIP_SECS: Final = 0.1
"""Until it is known."""


class Step(Enum):
    """What is to be done."""

    NOTHING = 0
    ASK = 1
    """Send a binding request."""

    DOWN = 2
    """The line has just gone down; send a binding request."""


class Reach:
    """One peer's reach.

    Args:
        now: Monotonic seconds, as everywhere here.
    """

    def __init__(self, now: float) -> None:
        self.heard_at = now
        """When the last datagram came."""
        self.down = False
        self.round_trip_secs: float | None = None
        """As RTCP tells; None: not known."""
        self._asked_first: float | None = None
        self._asked_last = now

    def heard(self, now: float) -> bool:
        """A datagram has come; whether the line was down until now."""
        was_down, self.down = self.down, False
        self.heard_at = now
        self._asked_first = None
        return was_down

    def silent_secs(self, now: float) -> float:
        """How long nothing has come."""
        return now - self.heard_at

    def unheard_secs(self, now: float) -> float:
        """How much of what was sent last has not reached the peer: all since its last datagram, and what was on its way
        while that was."""
        return self.silent_secs(now) + self._round_trip_secs

    def look(self, now: float, *, speaks: bool) -> Step:
        """Time has passed; call it with each packet that is sent.

        Args:
            now: The time.
            speaks: Whether the bot speaks.
        """
        after, every = (ASK_AFTER_SECS, ASK_EVERY_SECS) if speaks else (IDLE_ASK_AFTER_SECS, IDLE_ASK_EVERY_SECS)
        if self.down:
            every = ASK_EVERY_SECS  # nothing is known to be lost any more, but the voice waits
        elif now - self.heard_at < after:
            return Step.NOTHING
        if self._asked_first is None:
            self._asked_first = now
        elif now - self._asked_last < every:
            return Step.NOTHING
        self._asked_last = now
        if not self.down and now - self._asked_first >= ANSWER_SECS + 1.5 * self._round_trip_secs:
            self.down = True
            return Step.DOWN
        return Step.ASK

    @property
    def _round_trip_secs(self) -> float:
        return USUAL_ROUND_TRIP_SECS if self.round_trip_secs is None else self.round_trip_secs
