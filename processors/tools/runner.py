"""Runs the tools of one call, outside the reply that asked for them.

An interruption ends a reply; it must not end half a booking, nor lose its result, nor let it be made twice. So effects
run in tasks of their own, and each result is written to the conversation when it comes, whoever still waits.
"""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loguru import logger

from processors.context import CANCELLED, Conversation
from processors.llm.base import ToolCallDelta, ToolSpec
from processors.tools.base import Tool, ToolError

REMEMBERED_EFFECTS = 16
"""Effects that an identical call is compared with."""

MAX_CALLS_AT_ONCE = 8
"""Calls of one round that are run; a model that asks for more is confused."""


@dataclass(eq=False)
class _Run:
    tool: Tool
    arguments: dict[str, Any]
    turn_id: int
    task: asyncio.Task[str]
    cut: bool = False

    def serves(self, tool: Tool, arguments: dict[str, Any], turn_id: int) -> bool:
        """Whether an identical call asks for what this run does already, rather than for once more.

        It does while this runs; within the same turn; and in the next turn if the reply was cut, since then the caller
        may never have heard that it is done.
        """
        if tool is not self.tool or arguments != self.arguments:
            return False
        if not self.task.done():
            return True
        failed = self.task.cancelled() or self.task.exception() is not None
        return not failed and turn_id <= self.turn_id + (1 if self.cut else 0)


class ToolRunner:
    """The tools of one call, and what runs of them.

    Args:
        tools: The tools.
        conversation: Where calls and results are written.
    """

    def __init__(self, tools: Sequence[Tool], conversation: Conversation) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self.conversation = conversation
        self._lookups: set[_Run] = set()
        self._effects: deque[_Run] = deque(maxlen=REMEMBERED_EFFECTS)
        self._recorders: set[asyncio.Task[None]] = set()
        self._calls = 0

    @property
    def specs(self) -> list[ToolSpec]:
        """The tools as the model is told of them."""
        return [tool.spec for tool in self._tools.values()]

    async def run(self, turn_id: int, calls: Sequence[ToolCallDelta]) -> None:
        """Run calls at once and wait until each has a result in the conversation, or has waited long enough.

        If the wait is cancelled, look-ups are stopped and recorded as cancelled; effects go on.
        """
        recorders = [self._start(turn_id, call) for call in calls[:MAX_CALLS_AT_ONCE]]
        recorders = [recorder for recorder in recorders if recorder is not None]
        if not recorders:
            return
        longest_secs = max(tool.timeout_secs for tool in self._tools.values())
        try:
            # A little longer than a look-up's own timeout, whose output is to be in the prompt.
            await asyncio.wait(recorders, timeout=longest_secs + 0.1)
        except asyncio.CancelledError:
            self.interrupted()
            raise

    def interrupted(self) -> None:
        """The user has cut the reply: stop what only looks something up."""
        for run in self._lookups:
            run.task.cancel()
        for run in self._effects:
            run.cut = True

    async def close(self, grace_secs: float = 5.0) -> None:
        """The call is over: stop look-ups, let effects finish."""
        self.interrupted()
        if not self._recorders:
            return
        _, unfinished = await asyncio.wait(self._recorders, timeout=grace_secs)
        for recorder in unfinished:
            logger.error("{}: given up unfinished, {:.0f} s after the call", recorder.get_name(), grace_secs)
            recorder.cancel()

    def _start(self, turn_id: int, call: ToolCallDelta) -> asyncio.Task[None] | None:
        """Write the call down and run it; the task that will write its result, or None if that is there already."""
        self._calls += 1
        # An id of our own: the models' ids are empty, or repeat ("call_0") from one reply to the next.
        call_id = f"call_{self._calls}"
        self.conversation.tool_call(turn_id, call_id, call.name, call.arguments)
        try:
            tool, arguments = self._check(call)
        except ToolError as error:
            self.conversation.tool_result(call_id, f"error: {error}")
            return None
        run = self._find(tool, arguments, turn_id) or self._begin(tool, arguments, turn_id)
        recorder = asyncio.create_task(self._record(call_id, run), name=f"tool {tool.name}")
        self._recorders.add(recorder)
        recorder.add_done_callback(self._recorders.discard)
        return recorder

    def _check(self, call: ToolCallDelta) -> tuple[Tool, dict[str, Any]]:
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolError(f"there is no tool {call.name!r}; there are: {', '.join(self._tools)}")
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            raise ToolError("the arguments are not valid JSON") from None
        if not isinstance(arguments, dict):
            raise ToolError("the arguments are not a JSON object")
        missing = [name for name in tool.schema.get("required", ()) if name not in arguments]
        if missing:
            raise ToolError(f"missing arguments: {', '.join(missing)}")
        return tool, arguments

    def _find(self, tool: Tool, arguments: dict[str, Any], turn_id: int) -> _Run | None:
        """An effect that serves an identical call; from now on it serves this turn."""
        for run in reversed(self._effects):
            if run.serves(tool, arguments, turn_id):
                run.turn_id, run.cut = turn_id, False
                return run
        return None

    def _begin(self, tool: Tool, arguments: dict[str, Any], turn_id: int) -> _Run:
        run = _Run(tool, arguments, turn_id, asyncio.create_task(tool.run(arguments), name=f"tool {tool.name}"))
        if tool.effect:
            self._effects.append(run)
        else:
            self._lookups.add(run)
            run.task.add_done_callback(lambda _: self._lookups.discard(run))
        return run

    async def _record(self, call_id: str, run: _Run) -> None:
        """Write the result down when it comes."""
        limit_secs = None if run.tool.effect else run.tool.timeout_secs
        try:
            # Shielded: several calls may wait for one run, and none of them owns it.
            output = await asyncio.wait_for(asyncio.shield(run.task), limit_secs)
        except TimeoutError:
            run.task.cancel()
            output = f"error: no answer within {run.tool.timeout_secs:g} s"
        except asyncio.CancelledError:
            output = CANCELLED
            if not run.task.cancelled():
                # It is this task that was cancelled: the call is over, and nobody waits any more.
                run.task.cancel()
        except ToolError as error:
            output = f"error: {error}"
        except Exception as error:  # noqa: BLE001 - a boundary: whatever a tool raises, its call needs an output
            logger.exception("tool {} failed", run.tool.name)
            output = f"error: {type(error).__name__}"
        self.conversation.tool_result(call_id, output)
