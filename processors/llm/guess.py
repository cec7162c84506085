"""One reply that is asked for ahead of time and held at a gate."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from processors.llm.base import Delta, InLine, LanguageModel, LanguageModelError, Message, TextDelta, ToolSpec

CHARS_PER_TOKEN: Final = 4.0


class Guess:
    """A reply to a prompt that may or may not be asked for; its stream runs in a task.

    Args:
        model: Who is asked.
        messages: The prompt.
        tools: Tools that may be called; none is run from here.
    """

    def __init__(self, model: LanguageModel, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> None:
        self._messages = list(messages)
        self._tools = list(tools)
        self._deltas: list[Delta] = []
        self._error: LanguageModelError | None = None
        self._over = False
        self._useless = False
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._run(model), name="guess")

    def answers(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> bool:
        """Whether it is what this prompt asks for, and worth more than asking again."""
        useless = self._useless or self._error is not None
        return not useless and list(messages) == self._messages and list(tools) == self._tools

    @property
    def tokens(self) -> float:
        """What it has cost so far, by its length."""
        chars = sum(len(str(message.get("content") or "")) for message in self._messages)
        chars += sum(len(delta.text) for delta in self._deltas if isinstance(delta, TextDelta))
        return chars / CHARS_PER_TOKEN

    async def stream(self) -> AsyncGenerator[Delta]:
        """Open the gate: what has come, and then what comes. Closing it ends the model's work."""
        at = 0
        try:
            while True:
                while at < len(self._deltas):
                    at += 1
                    yield self._deltas[at - 1]
                if self._error is not None:
                    raise self._error
                if self._over:
                    return
                self._more.clear()
                await self._more.wait()
        finally:
            self.drop()

    def drop(self) -> None:
        """It is not wanted; ends the model's work."""
        self._task.cancel()

    async def _run(self, model: LanguageModel) -> None:
        try:
            async with aclosing(_generator(model.stream(self._messages, self._tools))) as deltas:
                async for delta in deltas:
                    if isinstance(delta, InLine):
                        self._useless = True  # who only guesses does not stand in line
                        return
                    self._deltas.append(delta)
                    self._more.set()
        except LanguageModelError as error:
            self._error = error
        finally:
            self._over = True
            self._more.set()


async def _generator(deltas: AsyncIterator[Delta]) -> AsyncGenerator[Delta]:
    async for delta in deltas:
        yield delta
