"""Faults that no vendor makes: tools that block or outlive their caller, and callers who talk without an end."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, Protocol

import numpy as np

from audio.pcm import Resampler
from contracts.frames import INPUT_SAMPLE_RATE_HZ
from contracts.llm import Delta, Message, ToolSpec
from emulators import speech
from emulators.faults import FaultRule, Kind
from emulators.world import World
from loadtest.faults_bot import COVERS, PROFILE, SORRY, bot_of
from loadtest.faults_matrix import SECOND_TOOL, TOOL, Cell
from loadtest.faults_scoring import Debt, Outcome, Score, longest_silence_ms, signs_of
from loadtest.in_process import InProcessCall, calling
from processors.llm.scripted import ScriptedModel
from processors.tools.base import Tool
from processors.tools.declare import tool

QUESTION: Final = "When are you open?"
EFFECT_SECS: Final = 8.0
BLOCKED_SECS: Final = 2.0
STOOD_STILL_MS: Final = 500
"""A tool that blocks for two seconds may hold up other calls' voices for no longer; a busy machine adds to it."""

TALK: Final = (
    "And now the news. The council has met in the town hall, and it was said that the bridge will be opened in the "
    "spring, which many people who live near the river had hoped for, and the weather will be mild with some rain "
    "in the north and a light wind from the sea, and the trains run as planned although there may be some delays "
)
TALKS: Final = 5
"""How often it is read out: about two minutes."""


class NotedModel(ScriptedModel):
    """Keeps the last prompt.

    Attributes:
        last: It.
    """

    def __init__(self) -> None:
        self.last: Sequence[Message] = ()

    async def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """As the scripted model."""
        self.last = list(messages)
        async for delta in super().stream(messages, tools):
            yield delta


class TwoTools:
    """Two tools that may be called at once.

    Attributes:
        ran: Which of them did, in order.
    """

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.all = [self._made(TOOL, "The table is kept for you."), self._made(SECOND_TOOL, "The taxi is coming.")]

    def _made(self, name: str, says: str) -> Tool:
        async def run() -> str:
            """Do it."""
            await asyncio.sleep(0.3)
            self.ran.append(name)
            return says

        run.__name__ = name
        return tool()(run)


class Measured(Protocol):
    """One call of the matrix."""

    def __init__(self, cell: Cell) -> None: ...

    async def run(self) -> Score:
        """Make it."""
        ...


class _ToolCall:
    """A caller asks, and the model calls a tool that is at fault."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._world = World(PROFILE)
        self._done = asyncio.Event()
        self._began = asyncio.Event()

    async def run(self) -> Score:
        async with AsyncExitStack() as stack:
            _, services = await stack.enter_async_context(bot_of(self._cell.provider, self._world))
            services.tools = [self._tool()]
            self._world.faults.replace([self._calls()], self._world.now())
            return await self._meet(services)

    def _calls(self) -> FaultRule:
        fields = {
            "vendor": self._cell.provider.vendor,
            "kind": Kind.PARALLEL_CALLS,
            "tools": (TOOL,),
            "asked": ("table",),
        }
        return FaultRule.model_validate(fields)

    def _tool(self) -> Tool:
        raise NotImplementedError

    async def _meet(self, services: Any) -> Score:
        raise NotImplementedError


class HangsUp(_ToolCall):
    """The caller is gone while the tool does what it has begun."""

    def _tool(self) -> Tool:
        async def run() -> str:
            """Keep a table."""
            self._began.set()
            await asyncio.sleep(EFFECT_SECS)
            self._done.set()
            return "The table is kept for you."

        run.__name__ = TOOL
        return tool(effect=True, confirm=False)(run)

    async def _meet(self, services: Any) -> Score:
        async with calling(services) as call:
            await call.listen(0.5)
            await call.type("A table, please.")
            await asyncio.wait_for(self._began.wait(), 5.0)
            await call.listen(1.0)
        outcome = Outcome.NOTHING
        try:
            await asyncio.wait_for(self._done.wait(), EFFECT_SECS + 2.0)
            outcome = Outcome.VENDOR
        except TimeoutError:
            pass
        return Score(outcome, recovered=await _answers(services))


class NeverComesBack(_ToolCall):
    """The tool never answers."""

    def _tool(self) -> Tool:
        async def run() -> str:
            """Keep a table."""
            await asyncio.get_running_loop().create_future()
            return ""

        run.__name__ = TOOL
        return tool(timeout_secs=5.0)(run)

    async def _meet(self, services: Any) -> Score:
        async with calling(services) as call:
            await call.listen(0.5)
            since = call.now
            await call.type("A table, please.")
            heard = await _heard(call, since, 25.0)
            debt = Debt(since, call.now)
            levels, signs = call.levels(), signs_of(call.messages)
        return Score(
            Outcome.TOLD if heard else Outcome.NOTHING,
            longest_silence_ms(levels, signs, [debt]),
            longest_silence_ms(levels, [], [debt]),
            recovered=await _answers(services),
        )


class Blocks(_ToolCall):
    """The tool computes without ever giving way; another call is being answered meanwhile. In real time."""

    def _tool(self) -> Tool:
        async def run() -> str:
            """Keep a table."""
            self._began.set()
            time.sleep(BLOCKED_SECS)  # noqa: ASYNC251 - the fault
            return "The table is kept for you."

        run.__name__ = TOOL
        return tool(timeout_secs=5.0)(run)

    async def _meet(self, services: Any) -> Score:
        async with calling(services) as other, calling(services) as call:
            await other.listen(0.5)
            await other.type(QUESTION)
            await other.until_state("speaking")
            since = call.now
            await call.type("A table, please.")
            watch = asyncio.create_task(_stood_still_ms(6.0))
            heard = await _heard(call, since, 20.0)
            stood_still_ms = await watch
        return Score(
            Outcome.VENDOR if heard else Outcome.NOTHING,
            recovered=await _answers(services),
            wrong=(f"others stood still for {stood_still_ms} ms",) if stood_still_ms > STOOD_STILL_MS else (),
        )


class TalksWithoutEnd:
    """Somebody, or a radio, talks for two minutes without a pause."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._world = World(PROFILE)

    async def run(self) -> Score:
        async with bot_of(self._cell.provider, self._world) as (_, services), calling(services) as call:
            await call.listen(0.5)
            resampler = Resampler(speech.RATE_HZ, INPUT_SAMPLE_RATE_HZ)
            talk = np.frombuffer(resampler.push((await speech.say(TALK)).pcm), np.int16)
            _, ends = call.say(np.tile(talk, TALKS))
            await call.listen(ends - call.now)
            requests = len(self._world.log.entries(self._cell.provider.vendor.value))
            await call.listen(8.0)
            since = call.now
            await call.type(QUESTION)
            heard = await _heard(call, since, 20.0)
            debt = Debt(since, call.now)
            levels, signs = call.levels(), signs_of(call.messages)
        return Score(
            Outcome.VENDOR if heard else Outcome.NOTHING,
            longest_silence_ms(levels, signs, [debt]),
            longest_silence_ms(levels, [], [debt]),
            recovered=bool(heard),
            requests=requests,
        )


OWN_CALLS: Final[dict[str, type[Measured]]] = {
    "takes 8 s, caller hangs up": HangsUp,
    "never comes back": NeverComesBack,
    "blocks for 2 s": Blocks,
    "talks without end": TalksWithoutEnd,
}
"""By the fault's name."""


async def _heard(call: InProcessCall, since_secs: float, timeout_secs: float) -> str:
    """The first reply after a time that is no filler; empty: none came."""
    until = call.now + timeout_secs
    while call.now < until:
        for at, kind, data in call.messages:
            text = str(data.get("heard", "")).strip()
            if at > since_secs and kind == "reply-played" and text and text not in COVERS:
                return text
        await call.listen(0.1)
    return ""


async def _answers(services: Any) -> bool:
    """Whether a new caller is answered."""
    async with calling(services) as call:
        await call.listen(0.5)
        since = call.now
        await call.type(QUESTION)
        heard = await _heard(call, since, 15.0)
    return bool(heard) and heard not in SORRY


async def _stood_still_ms(secs: float) -> int:
    """How late the event loop was at most."""
    loop = asyncio.get_running_loop()
    until, worst = loop.time() + secs, 0.0
    while (now := loop.time()) < until:
        await asyncio.sleep(0.02)
        worst = max(worst, loop.time() - now - 0.02)
    return round(worst * 1000)
