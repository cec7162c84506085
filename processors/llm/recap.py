"""Sums up, in quiet time, what the caller said in turns that have left the prompt."""

import asyncio
from contextlib import aclosing
from typing import Final

from loguru import logger

from contracts.llm import InQueue, LanguageModel, LanguageModelError, TextDelta, as_generator
from processors.context.prompt_size import Earlier
from processors.llm.machine_text import MachineTextFilter
from processors.llm.preemptive_budget import PreemptiveBudget

WORTH_CHARS: Final = 1_000
"""Less stands in the prompt as it was said."""

LIMIT_SECS: Final = 10.0


class Recap:
    """The summary of one call.

    Args:
        model: Who is asked.
        earlier: What there is to sum up.
        preemptive_budget: Whether the vendor's budget allows a request that nobody waits for.
    """

    def __init__(self, model: LanguageModel, earlier: Earlier, preemptive_budget: PreemptiveBudget) -> None:
        self._model = model
        self._earlier = earlier
        self._preemptive_budget = preemptive_budget
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """It is quiet: sum up, if that is worth it and may be done."""
        running = self._task is not None and not self._task.done()
        if not running and sum(map(len, self._earlier.lines)) >= WORTH_CHARS and self._preemptive_budget.allowed:
            self._task = asyncio.create_task(self._sum_up(), name="recap")

    def stop(self) -> None:
        """Somebody waits for an answer: that comes first."""
        if self._task is not None:
            self._task.cancel()

    async def _sum_up(self) -> None:
        lines, filter_, summary = self._earlier.lines, MachineTextFilter(), ""
        try:
            async with asyncio.timeout(LIMIT_SECS):
                async with aclosing(as_generator(self._model.stream(self._earlier.to_sum_up()))) as deltas:
                    async for delta in deltas:
                        if isinstance(delta, InQueue):
                            return  # others wait
                        if isinstance(delta, TextDelta):
                            text = filter_.feed(delta.text)
                            summary = text if filter_.took_back() else summary + text
        except (LanguageModelError, TimeoutError) as error:
            logger.debug("{}: nothing is summed up: {}", self._model.name, type(error).__name__)
            return
        self._earlier.summed_up(summary + filter_.finish().text, lines)
