"""What may still be asked of one model: limits that refill continuously. Pure.

Vendors' limits are buckets, not clocks: what was used drains at ``limit / window`` a second, and nothing resets at the
full minute or at midnight (five of five of Groq's stored refusals fit ``wait = (used + requested - limit) * window /
limit``). What a request will cost is estimated, charged when it is sent, and corrected when it is over; what the vendor
says in its headers is believed where it knows more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from contracts.llm import Allowance, Quota

MINUTE_SECS: Final = 60.0
DAY_SECS: Final = 86_400.0

WINDOW_SECS: Final[Mapping[Quota, float]] = {
    Quota.REQUESTS_PER_MINUTE: MINUTE_SECS,
    Quota.REQUESTS_PER_DAY: DAY_SECS,
    Quota.TOKENS_PER_MINUTE: MINUTE_SECS,
    Quota.TOKENS_PER_DAY: DAY_SECS,
}

REQUESTS: Final = frozenset({Quota.REQUESTS_PER_MINUTE, Quota.REQUESTS_PER_DAY})
DAILY: Final = frozenset({Quota.REQUESTS_PER_DAY, Quota.TOKENS_PER_DAY})


def requests_within(lines: Iterable[tuple[float, float]], secs: float) -> float:
    """How many requests all limits let through in a time, by :meth:`Budget.servable_lines`; infinite without any."""
    return max(0.0, min((at_once + secs * per_sec for at_once, per_sec in lines), default=float("inf")))


class Bucket:
    """One limit over one window.

    Args:
        limit: How much may be used within a window.
        window_secs: Length of the window, in seconds.
    """

    def __init__(self, limit: float, window_secs: float) -> None:
        self.limit = limit
        self.window_secs = window_secs
        self._used = 0.0
        self._at: float | None = None

    def used(self, now: float) -> float:
        """What still counts as used; may exceed the limit."""
        if self._at is not None and now > self._at:
            self._used = max(0.0, self._used - (now - self._at) * self.limit / self.window_secs)
        self._at = now if self._at is None else max(now, self._at)
        return self._used

    def left(self, now: float) -> float:
        """What may be used at once; negative when overdrawn."""
        return self.limit - self.used(now)

    def wait_secs(self, amount: float, now: float) -> float:
        """Seconds until an amount fits (0: now). An amount above the limit itself fits when the bucket is full."""
        over = self.used(now) + min(amount, self.limit) - self.limit
        # A hair less than fits is not worth a timer.
        return over * self.window_secs / self.limit if over > 1e-6 * self.limit else 0.0

    def charge(self, amount: float, now: float) -> None:
        """Use an amount, fitting or not; a negative one gives back."""
        self._used = max(0.0, self.used(now) + amount)

    def set_used(self, amount: float, now: float) -> None:
        """Believe somebody who knows better."""
        self.used(now)
        self._used = max(0.0, amount)


@dataclass
class _Held:
    """A request that is not over.

    Attributes:
        prompt_tokens: What was charged for its prompt.
        completion_tokens: What was charged for its answer.
        taken: Whether the vendor has taken it.
        counted_by_vendor: Limits of which the vendor has told since what is left: its prompt is in that, without what
            was in the vendor's cache.
    """

    prompt_tokens: float
    completion_tokens: float
    taken: bool = False
    counted_by_vendor: set[Quota] = field(default_factory=set)


class Budget:
    """All limits of one model.

    Args:
        limits: Those that are known beforehand; others are learned from the vendor.
        window_secs: Length of each window; other than the default for tests.
    """

    def __init__(
        self, limits: Mapping[Quota, float] | None = None, *, window_secs: Mapping[Quota, float] = WINDOW_SECS
    ) -> None:
        self._window_secs = window_secs
        self._buckets = {quota: Bucket(limit, window_secs[quota]) for quota, limit in (limits or {}).items()}
        self._held: dict[int, _Held] = {}

    @property
    def buckets(self) -> Mapping[Quota, Bucket]:
        """The limits that are known."""
        return self._buckets

    def limit(self, quota: Quota) -> float:
        """A limit within its window; infinite where none is known."""
        bucket = self._buckets.get(quota)
        return bucket.limit if bucket is not None else float("inf")

    @property
    def in_flight(self) -> int:
        """Requests that are not over."""
        return len(self._held)

    def wait_secs(self, tokens: float, now: float, *, requests: int = 1) -> float:
        """Seconds until requests of so many tokens in all may be sent (0: now)."""
        return max((b.wait_secs(_amount(q, requests, tokens), now) for q, b in self._buckets.items()), default=0.0)

    def binding(self, tokens: float, now: float) -> Quota | None:
        """The limit that makes a request of so many tokens wait longest; None if none does."""
        waits = {q: b.wait_secs(_amount(q, 1, tokens), now) for q, b in self._buckets.items()}
        worst = max(waits, key=lambda quota: waits[quota], default=None)
        return worst if worst is not None and waits[worst] > 0 else None

    def servable(self, tokens: float, now: float) -> float:
        """How many requests of so many tokens each can be sent at once; infinite without limits."""
        return requests_within(self.servable_lines(tokens, now), 0.0)

    def servable_lines(self, tokens: float, now: float, *, counted: float | None = None) -> list[tuple[float, float]]:
        """What :func:`requests_within` needs: of each limit, the requests at once, and those more each second.

        Args:
            tokens: What must be left for a request to be taken.
            now: Seconds.
            counted: What of that still counts when it is over, since the vendor had the rest in its cache; None: all.
        """
        lines = []
        for quota, bucket in self._buckets.items():
            needed, used = (max(_amount(quota, 1, each), 1e-9) for each in (tokens, counted or tokens))
            at_once = (bucket.left(now) - min(needed, bucket.limit)) / used + 1
            lines.append((at_once, bucket.limit / bucket.window_secs / used))
        return lines

    def share_left(self, now: float) -> float:
        """The scarcest limit's share that is left (0 to 1)."""
        return max(0.0, min((b.left(now) / b.limit for b in self._buckets.values()), default=1.0))

    # --- the life of a request -------------------------------------------------------------

    def hold(self, request: int, prompt_tokens: float, completion_tokens: float, now: float) -> None:
        """A request is sent: charge what it is thought to cost."""
        self._held[request] = _Held(prompt_tokens, completion_tokens)
        for quota, bucket in self._buckets.items():
            bucket.charge(_amount(quota, 1, prompt_tokens + completion_tokens), now)

    def taken(self, request: int, allowances: Iterable[Allowance], now: float) -> None:
        """The vendor has taken it, and says what is left."""
        if request in self._held:
            self._held[request].taken = True
        self.learn(allowances, now)

    def settle(self, request: int, prompt_tokens: float | None, completion_tokens: float, now: float) -> None:
        """It is over.

        Args:
            request: The request.
            prompt_tokens: What the vendor counts of its prompt; None if nobody knows what it cost.
            completion_tokens: What it counts of the answer.
            now: Seconds.
        """
        held = self._held.pop(request, None)
        if held is None or prompt_tokens is None:
            return
        for quota, bucket in self._buckets.items():
            if quota not in REQUESTS:
                of_prompt = 0.0 if quota in held.counted_by_vendor else prompt_tokens - held.prompt_tokens
                bucket.charge(of_prompt + completion_tokens - held.completion_tokens, now)

    def refund(self, request: int, now: float) -> None:
        """The vendor has not taken it: it cost nothing."""
        held = self._held.pop(request, None)
        if held is None:
            return
        for quota, bucket in self._buckets.items():
            bucket.charge(-_amount(quota, 1, held.prompt_tokens + held.completion_tokens), now)

    # --- what others know --------------------------------------------------------------------

    def learn(self, allowances: Iterable[Allowance], now: float) -> None:
        """Believe the vendor where it knows more.

        Others may use the same account, so what it says is used is used. That *less* is used than we count is believed
        only while nothing else is under way, since an answer can be older than what was sent after it.
        """
        for told in allowances:
            if told.limit <= 0:
                continue
            bucket = self._buckets.get(told.quota)
            if bucket is None:
                bucket = self._buckets[told.quota] = Bucket(told.limit, self._window_secs[told.quota])
            bucket.used(now)
            bucket.limit = told.limit
            used = told.limit - told.left + self._on_the_way(told.quota)
            if used > bucket.used(now) or len(self._held) <= 1:
                bucket.set_used(used, now)
                for held in self._held.values():
                    if held.taken:
                        held.counted_by_vendor.add(told.quota)

    def refused(self, told: Allowance, tokens: float, after_secs: float, now: float) -> None:
        """A request was refused for this limit, until ``after_secs`` have passed.

        The time says more exactly what is used than the rounded figures beside it: it is when the request will fit.
        """
        bucket = self._buckets.get(told.quota)
        if bucket is not None:
            fits_at = bucket.limit - _amount(told.quota, 1, tokens)
            bucket.set_used(max(bucket.used(now), fits_at + after_secs * bucket.limit / bucket.window_secs), now)

    def forget(self, quota: Quota) -> None:
        """A limit that was only assumed turns out not to hold."""
        self._buckets.pop(quota, None)

    def _on_the_way(self, quota: Quota) -> float:
        """What is charged here and cannot have been counted by the vendor yet."""
        if quota in REQUESTS:
            return sum(not held.taken for held in self._held.values())
        return sum(h.completion_tokens + (0 if h.taken else h.prompt_tokens) for h in self._held.values())


def _amount(quota: Quota, requests: int, tokens: float) -> float:
    return requests if quota in REQUESTS else tokens
