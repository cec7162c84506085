"""How it went to put a caller through to a person."""

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
