"""Admission control for calls: a queue of callers, a limit by measured lag, and a rate limit for each address.

Pure: ``now`` (seconds) is an argument. A refused caller costs next to nothing, since nothing of a call is made for it:
callers who talk do not notice how many others ask.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Wait:
    """All places are taken.

    Attributes:
        position: Place in the queue, from 1.
        retry_after_secs: When to ask again; who does not come back soon after that loses the place.
    """

    position: int
    retry_after_secs: int


class CallerQueue:
    """First come, first served.

    A place that comes free belongs to the head of the queue until that has had the time to ask again; nobody who comes
    new overtakes. Who names no name cannot be kept a place, and gets in when nobody waits.

    Args:
        soonest_secs: How soon the head of the queue is to ask again.
        latest_secs: How late the far end is.
        grace_secs: How much later than told a caller may ask and keep the place.
        most: Places in the queue; more are not kept, though they are told the truth.
    """

    def __init__(self, soonest_secs: int = 2, latest_secs: int = 10, grace_secs: float = 5.0, most: int = 1000) -> None:
        self._soonest_secs = soonest_secs
        self._latest_secs = latest_secs
        self._grace_secs = grace_secs
        self._most = most
        self._until: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        """Callers who wait."""
        return len(self._until)

    def admit(self, who: Hashable | None, free: int, now: float) -> Wait | None:
        """Ask to be let in.

        Args:
            who: The caller's name, the same each time; None: nobody knows.
            free: Places that are free.
            now: Seconds.

        Returns:
            None: come in. Else where the caller stands.
        """
        for name in [name for name, until in self._until.items() if until < now]:
            del self._until[name]
        known = who is not None and who in self._until
        ahead = list(self._until).index(who) if known else len(self._until)
        if ahead < free:
            self._until.pop(who, None)
            return None
        wait = Wait(ahead + 1, self._retry_after_secs(ahead - max(free, 0)))
        if who is not None and (known or len(self._until) < self._most):
            self._until[who] = now + wait.retry_after_secs + self._grace_secs
        return wait

    def put_back(self, who: Hashable | None, now: float) -> Wait:
        """Who was let in, and found the place taken after all, stands where they stood: at the head."""
        if who is None:
            return Wait(len(self._until) + 1, self._soonest_secs)
        self._until[who] = now + self._soonest_secs + self._grace_secs
        self._until.move_to_end(who, last=False)
        return Wait(1, self._soonest_secs)

    def leave(self, who: Hashable) -> None:
        """The caller waits no more."""
        self._until.pop(who, None)

    def _retry_after_secs(self, ahead: int) -> int:
        """The next few may get in any moment; those far behind need not ask as often."""
        return min(self._latest_secs, self._soonest_secs + max(0, ahead) // 5)


@dataclass(frozen=True)
class Headroom:
    """Whether the process has room for one more, by what it feels.

    Attributes:
        most_lag_ms: The event loop may be so late (95th percentile); audio leaves every 20 ms.
    """

    most_lag_ms: float

    def allows(self, calls: int, lag_ms: float) -> bool:
        """Whether one more may come; the first one always may: what is slow then is not the calls.

        Args:
            calls: Calls that run.
            lag_ms: The loop's lag lately.
        """
        return not self.most_lag_ms or calls == 0 or lag_ms <= self.most_lag_ms


class AddressLimit:
    """How often one address may ask: a bucket for each, refilled continuously.

    Args:
        per_minute: Requests a minute, and at once; 0: any number.
    """

    KEEP: Final = 10_000
    """Addresses that are remembered; the one not heard of for longest goes first."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_secs(self, address: str, now: float) -> float:
        """Count a request; 0: it may pass. Else the seconds until one may."""
        if not self._per_minute:
            return 0.0
        used, at = self._used.pop(address, (0.0, now))
        used = max(0.0, used - (now - at) * self._per_minute / 60)
        over = used + 1 - self._per_minute
        self._used[address] = (used if over > 0 else used + 1, now)
        while len(self._used) > self.KEEP:
            self._used.popitem(last=False)
        return max(0.0, over * 60 / self._per_minute)
