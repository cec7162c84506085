"""A far end that plays from a buffer of its own: what has left us there has not been heard yet."""

from typing import Protocol


class FarEnd(Protocol):
    """What the output asks it, and orders it to do. Samples are those that were pulled, silence included."""

    def unplayed(self) -> int:
        """Of the samples that were pulled last, so many have not been played."""
        ...

    def clear(self) -> None:
        """Drop them: they are not to be heard."""
        ...
