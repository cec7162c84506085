"""What a tool is."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from processors.llm.base import ToolSpec

ToolFunction = Callable[[dict[str, Any]], Coroutine[Any, Any, str]]
"""Takes the arguments, an object that has all required members; returns what the model is told."""


class ToolError(Exception):
    """The tool did not do it; the message is for the model, which tells the caller."""


@dataclass(frozen=True)
class Tool:
    """Something that the model can have done.

    Attributes:
        name: Name to call it by.
        description: What it does and when to use it, for the model.
        schema: JSON schema of its arguments, an object.
        run: Does it.
        effect: Whether it changes something in the world. What changes something is never stopped half-way and never
            done twice for one wish; what only looks something up is stopped when nobody waits for it any more.
        timeout_secs: How long a reply waits for it. A look-up is then stopped; an effect goes on in the background.
    """

    name: str
    description: str
    schema: dict[str, Any]
    run: ToolFunction
    effect: bool = False
    timeout_secs: float = 10.0

    @property
    def spec(self) -> ToolSpec:
        """The tool as the model is told of it."""
        return ToolSpec(self.name, self.description, self.schema)
