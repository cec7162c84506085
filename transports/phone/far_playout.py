"""What a carrier has played of what it was sent. Pure: the time is told.

A carrier plays what it gets from a buffer of its own, one block after the other. When each block is over is therefore
known but for the delay of the way; *marks* that it returns when it has played up to them tell whether it keeps that
pace. A mark that comes late (the network) or not at all does no more harm than that words are told a little later.
"""

import math
from collections import deque
from typing import Final, NamedTuple

OVERDUE_SECS: Final = 0.3
"""Marks that are later than the last ones by more than this: the line is stuck, and what is sent on would pile up."""

LOST_MARKS: Final = 3
"""So many marks in a row must be overdue: fewer were lost, and the last one before a silence is missed by none."""

GIVE_UP_SECS: Final = 2.0
"""After so long without a mark that is due the carrier returns none: the clock alone counts, until one comes."""

MARKS: Final = 3
"""So many of the last marks count: the most punctual of them tells how far behind the carrier is, the others were held
up on their way."""


class _Block(NamedTuple):
    end: int
    samples: int
    over_at: float


class _Mark(NamedTuple):
    name: str
    begin: int
    over_at: float


class FarPlayout:
    """The carrier's buffer, as far as it can be known from here.

    Args:
        sample_rate_hz: Rate of the samples that are counted.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._pulled = 0
        self._over_at = -math.inf
        self._blocks: deque[_Block] = deque()
        self._marks: deque[_Mark] = deque()
        self._marked_to = 0
        self._least_secs = math.inf
        self._round_trip_secs = math.inf
        self._delays: deque[float] = deque(maxlen=MARKS)

    def pulled(self, samples: int, now: float, *, sent: bool) -> None:
        """Samples were pulled.

        Args:
            samples: How many.
            now: Monotonic seconds.
            sent: Whether they were sent; silence after the end need not be.
        """
        self._pulled += samples
        if sent:
            self._over_at = max(self._over_at, now) + samples / self._rate_hz
            self._blocks.append(_Block(self._pulled, samples, self._over_at))

    def marked(self, name: str) -> None:
        """A mark was sent behind all that was pulled so far."""
        self._marks.append(_Mark(name, self._marked_to, self._over_at))
        self._marked_to = self._pulled

    def played(self, name: str, now: float) -> None:
        """The carrier has returned a mark; one that is unknown, or was cleared, says nothing."""
        if all(mark.name != name for mark in self._marks):
            return
        mark = self._marks.popleft()
        while mark.name != name:  # those between were lost
            mark = self._marks.popleft()
        if mark.over_at == -math.inf:
            return  # it stood before all sound
        delay = max(0.0, now - mark.over_at)
        self._least_secs = min(self._least_secs, delay)
        self._delays.append(delay)

    def round_trip(self, secs: float) -> None:
        """How long a message to the carrier and its answer take, at least; a mark's delay beyond that is the carrier's
        own."""
        self._round_trip_secs = min(self._round_trip_secs, secs)

    def cleared(self) -> None:
        """The carrier was ordered to drop what it has not played; it returns the marks in it, which tell nothing."""
        self._blocks.clear()
        self._marks.clear()
        self._over_at = -math.inf
        self._marked_to = self._pulled

    # --- what is known -----------------------------------------------------------------------

    def unplayed(self, now: float) -> int:
        """Of the samples that were pulled, so many would not have been played if the carrier were told now to stop."""
        at = now - self._behind_secs
        while self._blocks and self._blocks[0].over_at <= at:
            self._blocks.popleft()
        played = self._pulled
        if self._blocks:
            block = self._blocks[0]
            left = math.ceil((block.over_at - at) * self._rate_hz)
            played = block.end - min(block.samples, left)
        if self.stuck(now):
            played = min(played, self._marks[0].begin)
        return self._pulled - played

    def ahead_secs(self, now: float) -> float:
        """How much sound the carrier has left to play."""
        grown_secs = min(self._delays) - self._least_secs if self._delays else 0.0
        return max(0.0, self._over_at + grown_secs - now)

    def stuck(self, now: float) -> bool:
        """Whether marks are overdue: nothing more is to be sent until one comes, or they are given up."""
        if len(self._marks) < LOST_MARKS or not self._delays:
            return False
        late_secs = now - self._marks[LOST_MARKS - 1].over_at - min(self._delays)
        if late_secs > GIVE_UP_SECS:
            self._marks.clear()
            self._delays.clear()
            return False
        return late_secs > OVERDUE_SECS

    @property
    def _behind_secs(self) -> float:
        """How much later the carrier plays a block than it could."""
        if not self._delays:
            return 0.0
        return min(self._delays) - min(self._least_secs, self._round_trip_secs)
