"""What a replay's parts share: the order of things, and from where on it is no longer what happened but a guess."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from replay.record import When

STEP_SECS: Final = 5e-6
"""What came behind something else at its instant comes so much later in the replay: clocks go on when all is done."""


@dataclass
class Guesswork:
    """What had to be guessed, since the record does not say it.

    Attributes:
        notes: When (seconds of the loop's clock), and what.
    """

    notes: list[tuple[float, str]] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Something is guessed now."""
        self.notes.append((asyncio.get_running_loop().time(), what))


async def until(when: float) -> None:
    """Wait for an instant of the loop's clock; it may be past."""
    loop = asyncio.get_running_loop()
    if when > loop.time():
        reached = loop.create_future()
        timer = loop.call_at(when, lambda: None if reached.done() else reached.set_result(None))
        try:
            await reached
        finally:
            timer.cancel()


class Order:
    """Keeps what came at one instant in the order in which it came, as far as the replay asks for the same."""

    def __init__(self) -> None:
        self._inputs = 0
        self._more = asyncio.Event()
        self._over = False

    def input_came(self) -> None:
        """Another of the caller's inputs has been played."""
        self._inputs += 1
        self._more.set()

    def end(self) -> None:
        """No more inputs come: nothing waits for them."""
        self._over = True
        self._more.set()

    async def reach(self, when: When, shift: float = 0.0) -> None:
        """Wait for the time of something that came; with a shift it is another time, and has no order."""
        await until(when.at + shift + (0.0 if shift else when.rank * STEP_SECS))
        while not shift and self._inputs < when.after and not self._over:
            self._more.clear()
            await self._more.wait()
