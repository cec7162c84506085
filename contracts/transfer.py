"""How it went to put a caller through to a person."""

from collections.abc import Awaitable, Callable
from enum import Enum


class TransferOutcome(Enum):
    """What became of it."""

    DONE = "done"
    """Somebody took the call; the bot has left it."""

    REFUSED = "refused"
    """The other end is busy, or does not take the call."""

    NO_ANSWER = "no_answer"
    """Nobody took it in time."""

    IMPOSSIBLE = "impossible"
    """This line cannot do it, or not now."""


Transfer = Callable[[str, float], Awaitable[TransferOutcome]]
"""Puts a caller through: to a telephone number or a SIP address, within so many seconds."""


async def not_transferred(target: str, within_secs: float) -> TransferOutcome:
    """What a line does that can put nobody through."""
    return TransferOutcome.IMPOSSIBLE
