"""How many things one customer may have done in a day, over all calls. Pure: ``now`` (seconds) is an argument."""

from collections import OrderedDict, deque
from typing import Final

from settings import Settings

DAY_SECS: Final = 86_400.0
KEPT: Final = 10_000
"""Customers who are remembered; the one not heard of for longest goes first."""

USED_UP: Final = "not done: for today this caller has had done as much as is allowed; say so, and offer tomorrow"


class EffectQuota:
    """Counts what is done for each customer whom a token names.

    Args:
        settings: ``effects_per_day`` is the limit; 0: any number.
    """

    def __init__(self, settings: Settings) -> None:
        self._most = settings.effects_per_day
        self._done: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, customer: str, now: float) -> bool:
        """Count one more; False: it is one too many."""
        done = self._done.pop(customer, None) or deque()
        self._done[customer] = done
        while done and now - done[0] >= DAY_SECS:
            done.popleft()
        while len(self._done) > KEPT:
            self._done.popitem(last=False)
        if self._most and len(done) >= self._most:
            return False
        done.append(now)
        return True
