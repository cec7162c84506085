"""Replies that are asked for before the caller's turn is surely over: whether they may be, and what they cost.

At the first pause the words so far may be all there are. A reply to them is asked for and held at a gate: if the turn
ends with the same prompt it is spoken, and came that much sooner; if not it is thrown away, unheard. One at most is
alive in a call.
"""

from collections.abc import Callable


class Guesses:
    """Shared by all calls of a process.

    Args:
        share_left: The share (0 to 1) of the vendor's budget that is left.
        least_share: Below this nothing is guessed: what is scarce is for those who wait.
    """

    def __init__(self, share_left: Callable[[], float], least_share: float) -> None:
        self._share_left = share_left
        self._least_share = least_share
        self.asked = 0
        self.used = 0
        self.wasted_tokens = 0

    @property
    def allowed(self) -> bool:
        """Whether a reply may be guessed now."""
        return self._share_left() >= self._least_share

    def note_asked(self) -> None:
        """One is asked for."""
        self.asked += 1

    def note_used(self) -> None:
        """It was what was wanted."""
        self.used += 1

    def note_wasted(self, tokens: float) -> None:
        """It was not; what it cost, as far as it had come."""
        self.wasted_tokens += round(tokens)

    def snapshot(self) -> dict[str, int]:
        """Plain values for the dashboard."""
        return {"asked": self.asked, "used": self.used, "wasted_tokens": self.wasted_tokens}
