"""One reply that is asked for ahead of time and held at a gate."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final

from processors.ahead import Ahead
from processors.llm.bare_calls import BareCallFilter
from processors.llm.base import (
    Delta,
    InLine,
    LanguageModel,
    LanguageModelError,
    Message,
    TextDelta,
    ToolSpec,
    as_generator,
)
from processors.turns.transcript import normalised

CHARS_PER_TOKEN: Final = 4.0

OnText = Callable[[str, bool], Awaitable[None]]
"""Given words of the reply as they come, and whether they are the last."""


class Guess:
    """A reply to a prompt that may or may not be asked for; its stream runs in a task.

    Args:
        model: Who is asked.
        messages: The prompt.
        tools: Tools that may be called; none is run from here.
        on_text: Told the words, until they are wanted.
    """

    def __init__(
        self, model: LanguageModel, messages: Sequence[Message], tools: Sequence[ToolSpec], on_text: OnText
    ) -> None:
        self._messages = list(messages)
        self._tools = list(tools)
        self._on_text = on_text
        self._wanted = False
        self._deltas = Ahead(self._ask(model), "guess")

    def answers(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> bool:
        """Whether it is what this prompt asks for, and worth more than asking again.

        Case and punctuation of the user's words do not count: a recogniser's final result often differs in no more.
        """
        return (
            self._deltas.error is None
            and list(tools) == self._tools
            and list(messages[:-1]) == self._messages[:-1]
            and _as_heard(messages[-1]) == _as_heard(self._messages[-1])
        )

    @property
    def tokens(self) -> float:
        """What it has cost so far, by its length."""
        chars = sum(len(str(message.get("content") or "")) for message in self._messages)
        chars += sum(len(delta.text) for delta in self._deltas.items if isinstance(delta, TextDelta))
        return chars / CHARS_PER_TOKEN

    def stream(self) -> AsyncGenerator[Delta]:
        """Open the gate: what has come, and then what comes. Closing it ends the model's work."""
        self._wanted = True
        return self._deltas.stream()

    def drop(self) -> None:
        """It is not wanted; ends the model's work."""
        self._wanted = True
        self._deltas.drop()

    async def _ask(self, model: LanguageModel) -> AsyncGenerator[Delta]:
        bare = BareCallFilter() if self._tools else None
        async with aclosing(as_generator(model.stream(self._messages, self._tools))) as deltas:
            async for delta in deltas:
                if isinstance(delta, InLine) and not self._wanted:
                    raise LanguageModelError("who only guesses does not stand in line", retryable=True)
                yield delta
                if isinstance(delta, TextDelta) and not self._wanted:
                    await self._on_text(bare.feed(delta.text) if bare is not None else delta.text, False)
        if not self._wanted:
            await self._on_text(bare.finish()[0] if bare is not None else "", True)


def _as_heard(message: Message) -> dict[str, Any]:
    """A message with its words as the ear has them."""
    return {**message, "content": normalised(str(message.get("content") or ""))}
