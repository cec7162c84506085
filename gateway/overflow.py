"""The model on this machine, for when the vendors' budgets are short: few at a time, a short queue, an honest wait.

It is slow, and shares the machine with the calls: so it takes a caller only if that is served sooner than in the
vendors' line, and no more than its queue holds.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from loguru import logger

from contracts.llm import (
    Cause,
    Delta,
    InQueue,
    LanguageModel,
    LanguageModelError,
    Message,
    TextDelta,
    ToolSpec,
    as_generator,
)

SMOOTHING: Final = 0.3
"""Share of the newest measurement in running means."""


@dataclass(frozen=True)
class OverflowParams:
    """Sizes, and times in seconds.

    Attributes:
        at_once: Answers that are made at the same time.
        queue: Callers who may wait besides.
        first_token_secs: How long it takes to begin, until that is measured.
        answer_secs: How long it takes for a whole answer, until that is measured.
        sooner_secs: It must be sooner than the vendors by this, since its answers are the lesser ones.
    """

    at_once: int = 1
    queue: int = 2
    first_token_secs: float = 1.5
    answer_secs: float = 5.0
    sooner_secs: float = 2.0


class Overflow:
    """Shared by all calls of a process.

    Args:
        model: The model on this machine.
        params: Sizes and times.
    """

    def __init__(self, model: LanguageModel, params: OverflowParams | None = None) -> None:
        self._model = model
        self._params = params or OverflowParams()
        self._first_token_secs = self._params.first_token_secs
        self._answer_secs = self._params.answer_secs
        self._places = asyncio.Semaphore(self._params.at_once)
        self._taken = 0
        self._warming: asyncio.Task[None] | None = None
        self.answered = 0
        self.full = 0
        """Callers whom it could not take."""

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    @property
    def ready(self) -> bool:
        """Whether the model is loaded, and has read the prompt."""
        task = self._warming
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    def begin_to_warm(self, system_prompt: str, tools: Sequence[ToolSpec]) -> asyncio.Task[None]:
        """Load the model in the background; again if that has failed."""
        task = self._warming
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._warming = asyncio.create_task(self._model.warm(system_prompt, tools))
            task.add_done_callback(_note_failure)
        return task

    @property
    def wait_secs(self) -> float:
        """How long a caller would wait for the first words; infinite when the queue is full."""
        if self._taken >= self._params.at_once + self._params.queue:
            return float("inf")
        rounds = max(0, self._taken - self._params.at_once + 1) / self._params.at_once
        return rounds * self._answer_secs + self._first_token_secs

    def is_sooner(self, vendors_secs: float) -> bool:
        """Whether it would begin sooner than the vendors."""
        if not self.ready:
            return False
        sooner = self.wait_secs + self._params.sooner_secs <= vendors_secs
        self.full += not sooner and self.wait_secs == float("inf")
        return sooner

    async def answer(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncGenerator[Delta]:
        """Answer, after :class:`~contracts.llm.InQueue` where that takes its time.

        Raises:
            LanguageModelError: The queue is full, or the model fails.
        """
        wait_secs = self.wait_secs
        if wait_secs == float("inf"):
            raise LanguageModelError(f"{self.name}: its queue is full", retryable=True, cause=Cause.BUSY)
        self._taken += 1
        loop = asyncio.get_running_loop()
        try:
            if self._places.locked():
                yield InQueue(wait_secs, f"{self.name} answers others first")
            system = str(messages[0].get("content")) if messages and messages[0].get("role") == "system" else ""
            await asyncio.shield(self.begin_to_warm(system, tools))
            async with self._places:
                began, begun = loop.time(), False
                async with aclosing(as_generator(self._model.stream(messages, tools))) as deltas:
                    async for delta in deltas:
                        if isinstance(delta, TextDelta) and not begun:
                            begun = True
                            self._first_token_secs = _mean(self._first_token_secs, loop.time() - began)
                        yield delta
                self._answer_secs = _mean(self._answer_secs, loop.time() - began)
                self.answered += 1
        finally:
            self._taken -= 1

    async def close(self) -> None:
        """Free the model."""
        if self._warming is not None:
            self._warming.cancel()
        await self._model.close()

    def snapshot(self) -> dict[str, float]:
        """Plain values for the dashboard."""
        return {
            "ready": int(self.ready),
            "taken": self._taken,
            "answered": self.answered,
            "full": self.full,
            "answer_secs": round(self._answer_secs, 1),
        }


def _mean(before: float, newest: float) -> float:
    return before + SMOOTHING * (newest - before)


def _note_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("the model on this machine cannot stand in: {}", error)
