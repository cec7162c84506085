"""Preemptive generation: the replies that are prepared in one call, to the words that may be all."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pipecat.frames.frames import Frame

from contracts.frames import PreparedDroppedFrame, PreparedTextFrame
from contracts.llm import LanguageModel, Message, ToolCallDelta, ToolSpec, Usage
from processors.llm.preemptive import Asking, LookUp, PreparedReply
from processors.llm.preemptive_budget import PreemptiveBudget


@dataclass(frozen=True)
class PreparationParams:
    """What may be prepared.

    Attributes:
        most: Replies that are prepared at once; a further one replaces the oldest. With 1 it is given up as soon as the
            caller goes on; with more it is kept, since words come back: recognisers change their mind.
        language: Of the caller's words.
        freely: Replies that may be prepared in one turn of the caller's as soon as they are wanted. Each further one
            waits for twice as long after the last as that did, from one second on: who talks on and on costs little.
    """

    most: int = 1
    language: str = "en"
    freely: int = 8


class Preparations:
    """The replies of one call that may be asked for, each with its own text.

    Args:
        model: Who is asked.
        preemptive_budget: Whether it may be, and what it costs.
        push: Passes frames on: the words of each reply, for the voice.
        on_usage: Told what a request cost that nobody heard.
        look_up: Runs look-ups that a reply calls for; None: none is run.
        params: What may be prepared.
    """

    def __init__(
        self,
        model: LanguageModel,
        preemptive_budget: PreemptiveBudget,
        push: Callable[[Frame], Awaitable[None]],
        *,
        on_usage: Callable[[Usage], None] = lambda _: None,
        look_up: LookUp | None = None,
        params: PreparationParams | None = None,
    ) -> None:
        self._model = model
        self._preemptive_budget = preemptive_budget
        self._push = push
        self._on_usage = on_usage
        self._look_up = look_up
        self._params = params or PreparationParams()
        self._alive: dict[int, PreparedReply] = {}
        self._taken: PreparedReply | None = None
        self._ids = itertools.count(1)
        self._in_turn = 0
        self._not_before = 0.0

    async def prepare(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> None:
        """Ask ahead of time; no messages: the caller goes on, and what was prepared is of little use."""
        if not messages:
            if self._params.most == 1:
                await self.drop()
            return
        known = next((each for each, prepared in self._alive.items() if prepared.answers(messages, tools)), None)
        if known is not None:
            self._alive[known] = self._alive.pop(known)  # it is the newest again
            return
        while len(self._alive) >= self._params.most:
            await self._drop_one(next(iter(self._alive)))
        now = asyncio.get_running_loop().time()
        if now < self._not_before or not self._preemptive_budget.allowed:
            self._preemptive_budget.note_refused()
            return
        self._in_turn += 1
        if self._in_turn >= self._params.freely:
            self._not_before = now + 2.0 ** (self._in_turn - self._params.freely)
        self._preemptive_budget.note_asked()
        prepared_id = next(self._ids)

        async def on_text(text: str, last: bool) -> None:
            await self._push(PreparedTextFrame(text, last, prepared_id))

        async def ahead(calls: Sequence[ToolCallDelta]) -> list[str] | None:
            """Run look-ups; the request that follows is one more, which is made for the newest words only."""
            newest = next(reversed(self._alive), None) == prepared_id
            return await self._ahead(calls) if newest else None

        look_up = ahead if self._look_up is not None else None
        asking = Asking(self._model, tools, on_text, look_up, self._params.language)
        self._alive[prepared_id] = PreparedReply(asking, messages)

    async def take(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> PreparedReply | None:
        """What was prepared for this prompt, if anything.

        The others stay until :meth:`heard`: a turn that was ended early may turn out to have other words.
        """
        self._in_turn, self._not_before = 0, 0.0
        taken, self._taken = self._taken, None
        if taken is not None and (after := taken.next) is not None:
            if after.answers(messages, tools):
                self._taken = after
                self._preemptive_budget.note_used(after.tokens)
                return after
            self._count(after)
            after.drop()
        chosen = next((each for each, prepared in self._alive.items() if prepared.answers(messages, tools)), None)
        if chosen is not None:
            self._taken = self._alive.pop(chosen)
            usage = self._taken.usage
            self._preemptive_budget.note_used(usage.prompt_tokens + usage.completion_tokens)
        if self._params.most == 1:
            await self.heard()
        return self._taken

    async def heard(self) -> None:
        """The reply is heard: the others are not wanted any more."""
        for prepared_id in list(self._alive):
            await self._drop_one(prepared_id)

    async def drop(self) -> None:
        """Nothing that was prepared is wanted."""
        taken, self._taken = self._taken, None
        if taken is not None and taken.next is not None:
            self._count(taken.next)
            taken.next.drop()
        for prepared_id in list(self._alive):
            await self._drop_one(prepared_id)

    async def _ahead(self, calls: Sequence[ToolCallDelta]) -> list[str] | None:
        """Run look-ups, and count the request that follows."""
        assert self._look_up is not None
        outputs = await self._look_up(calls) if self._preemptive_budget.allowed else None
        if outputs is not None:
            self._preemptive_budget.note_asked()
        return outputs

    async def _drop_one(self, prepared_id: int) -> None:
        prepared = self._alive.pop(prepared_id)
        prepared.drop()
        each: PreparedReply | None = prepared
        while each is not None:
            self._count(each)
            each = each.next
        await self._push(PreparedDroppedFrame(prepared_id))

    def _count(self, prepared: PreparedReply) -> None:
        usage = prepared.usage
        self._preemptive_budget.note_wasted(usage.prompt_tokens + usage.completion_tokens, usage.cached_tokens)
        if prepared.told_usage is not None:  # what came to no end is counted where it was asked
            self._on_usage(prepared.told_usage)
