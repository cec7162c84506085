"""A token bucket: how much of something may pass, on the whole and at once. Pure: the time is told."""


class TokenBucket:
    """Refilled continuously; what does not fit does not pass, and costs nothing.

    Args:
        per_sec: Tokens that come in each second.
        burst: Tokens that it holds at most.
        filled: Tokens that it holds at first; None: ``burst``.
    """

    def __init__(self, per_sec: float, burst: float, filled: float | None = None) -> None:
        self._per_sec = per_sec
        self._burst = burst
        self._left = burst if filled is None else filled
        self._at: float | None = None

    def take(self, amount: float, now: float) -> bool:
        """Take so many tokens, or none.

        Args:
            amount: How many.
            now: Monotonic seconds.

        Returns:
            Whether they were there.
        """
        if not self.has(amount, now):
            return False
        self._left -= amount
        return True

    def has(self, amount: float, now: float) -> bool:
        """Whether so many tokens are there."""
        if self._at is None or now > self._at:
            passed_secs = 0.0 if self._at is None else now - self._at
            self._left = min(self._burst, self._left + passed_secs * self._per_sec)
            self._at = now
        return amount <= self._left
