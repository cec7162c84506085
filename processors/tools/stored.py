"""What one process tells the next one of the tools of a call: what was done, or is being done, or waits for a yes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from processors.tools.base import Arguments, ToolContext

OUTCOME_UNKNOWN: Final = (
    "unknown: the line broke off while this was being done, and nobody can tell whether it was. Tell the caller "
    "exactly that, and how they can find out; do not do it again unless they ask for it after that."
)
"""Output of a call whose process died, where the tool cannot tell."""


@dataclass(frozen=True)
class StoredEffect:
    """Something that was done, or is being done.

    Attributes:
        tool: Name of the tool.
        arguments: JSON, as the model wrote it.
        turn_id: The turn that it served last.
        key: Names the wish; see :class:`~processors.tools.base.ToolContext`.
        call_ids: The calls in the conversation that it answers.
        runs: Whether its outcome is not known.
        failed: Whether it was not done.
        result: What came of it.
    """

    tool: str
    arguments: str
    turn_id: int
    key: str
    call_ids: tuple[str, ...]
    runs: bool
    failed: bool = False
    result: str = ""


@dataclass(frozen=True)
class StoredTools:
    """All of one call's.

    Attributes:
        calls: Calls that were numbered.
        effects: The latest effects, in order.
        proposals: Tool, arguments as JSON, and turn of what waits for the caller's yes.
    """

    calls: int = 0
    effects: tuple[StoredEffect, ...] = ()
    proposals: tuple[tuple[str, str, int], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for :meth:`of`."""
        return asdict(self)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From plain values.

        Raises:
            ValueError, KeyError, TypeError: They are none.
        """
        effects = [StoredEffect(**{**each, "call_ids": tuple(each["call_ids"])}) for each in stored["effects"]]
        proposals = [(str(name), str(written), int(turn)) for name, written, turn in stored["proposals"]]
        return cls(int(stored["calls"]), tuple(effects), tuple(proposals))


async def no_outcome(_: Arguments, __: ToolContext) -> str:
    """What a tool's outcome is that cannot tell it."""
    return OUTCOME_UNKNOWN
