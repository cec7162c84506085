"""Preemptive generation: replies that are asked for before the turn is surely over. What it may cost, and costs.

The words so far may be all there are. A reply to them is asked for and held at a gate: if the turn ends with the same
prompt it is spoken, and came that much sooner; if not it is thrown away, unheard. What is scarce is for those who wait:
below a share of the vendor's budget nothing is prepared.
"""

from collections.abc import Callable


class PreemptiveBudget:
    """Shared by all calls of a process.

    Args:
        share_left: The share (0 to 1) of the vendor's budget that is left; 1 where nothing is counted.
        least_share: Below this nothing is prepared; above 1: never.
    """

    def __init__(self, share_left: Callable[[], float], least_share: float) -> None:
        self._share_left = share_left
        self._least_share = least_share
        self.asked = 0
        self.used = 0
        self.wasted = 0
        self.refused = 0
        self.used_tokens = 0
        self.wasted_tokens = 0
        self.wasted_cached_tokens = 0
        self.unheard = 0
        self.unheard_tokens = 0

    @property
    def allowed(self) -> bool:
        """Whether a reply may be prepared now."""
        return self._share_left() >= self._least_share

    def note_refused(self) -> None:
        """One was wanted, and the budget is too short."""
        self.refused += 1

    def note_asked(self) -> None:
        """A request is sent ahead of time."""
        self.asked += 1

    def note_used(self, tokens: float) -> None:
        """It was what was wanted; what it had cost by then."""
        self.used += 1
        self.used_tokens += round(tokens)

    def note_wasted(self, tokens: float, cached_tokens: float = 0.0) -> None:
        """It was not; what it cost, as far as it had come, and what of that the vendor had in its cache."""
        self.wasted += 1
        self.wasted_tokens += round(tokens)
        self.wasted_cached_tokens += round(cached_tokens)

    def note_unheard(self, tokens: float) -> None:
        """A reply that was asked for was given up before anything of it was heard."""
        self.unheard += 1
        self.unheard_tokens += round(tokens)

    def snapshot(self) -> dict[str, int]:
        """Plain values for the dashboard: requests and tokens by what became of them."""
        return {
            "asked": self.asked,
            "used": self.used,
            "wasted": self.wasted,
            "refused": self.refused,
            "unheard": self.unheard,
            "used_tokens": self.used_tokens,
            "wasted_tokens": self.wasted_tokens,
            "wasted_cached_tokens": self.wasted_cached_tokens,
            "unheard_tokens": self.unheard_tokens,
        }
