"""Runs the tools of one call, outside the reply that asked for them.

An interruption ends a reply; it must not end half a booking, nor lose its result, nor let it be made twice. So effects
run in tasks of their own, and each result is written to the conversation when it comes, whoever still waits.
"""

import asyncio
import json
import re
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from loguru import logger

from contracts.llm import ToolCallDelta, ToolSpec
from contracts.transfer import TransferOutcome
from processors.context.aggregators import CANCELLED, Conversation
from processors.tools.apart import CallControlFromThread, Watched, apart
from processors.tools.base import (
    Arguments,
    CallControl,
    NoCallControl,
    Session,
    Tool,
    ToolContext,
    ToolError,
    ToolFunction,
)
from processors.tools.consent import DONE_ALREADY, MUST_ASK, NOT_THE_CALLER, agrees
from processors.tools.effects import Effects
from processors.tools.quota import USED_UP, EffectQuota
from processors.tools.stored import OUTCOME_UNKNOWN, StoredEffect, StoredTools, no_outcome

LOOKED_UP_SECS = 10.0
"""What was looked up for a reply that was only prepared is of use for so long."""

REMEMBERED_EFFECTS = 16
"""Effects that an identical call is compared with."""

OUTCOME_SECS = 4.0
"""A caller who goes on while something is done for the turn is answered when it is done, or after so long."""

MAX_CALLS_AT_ONCE = 8
"""Calls of one round that are run; a model that asks for more is confused."""

MAX_LOOKUP_FAILURES = 2
"""So often one look-up may fail in a turn before it is not tried again."""

ASKED_OFTEN = " (the same call was made before in this turn, and this is still its result: answer the caller now)"
"""Ends the output of a call that is made for the third time in a turn."""

NOT_TOLD = " (this came later: the caller has not been told)"
"""Ends an output that came when the reply that had asked for it was over."""


@dataclass(eq=False)
class _Run:
    tool: Tool
    arguments: Arguments
    turn_id: int
    task: asyncio.Future[str]
    cut: bool = False
    asked: int = 1
    recorders: list[asyncio.Task[None]] = field(default_factory=list)
    key: str = ""
    written: str = "{}"
    call_ids: list[str] = field(default_factory=list)

    def is_same(self, tool: Tool, arguments: Arguments) -> bool:
        return tool is self.tool and arguments == self.arguments

    @property
    def failed(self) -> bool:
        return _failed(self.task)

    def serves(self, turn_id: int) -> bool:
        """Whether an identical call asks for what this run does already, rather than for once more.

        A look-up does within its turn. An effect does while it runs; within the same turn; and in the next turn if the
        reply was cut, since then the caller may never have heard that it is done.
        """
        if not self.tool.effect:
            return turn_id == self.turn_id and not self.task.cancelled()
        if not self.task.done():
            return True
        return not self.failed and turn_id <= self.turn_id + (1 if self.cut else 0)


class _NotYet:
    """The line while the caller still speaks: a tool that wants to use it cannot be run ahead of its reply."""

    async def say(self, text: str) -> bool:
        raise ToolError("nothing can be said yet")

    def hang_up(self) -> None:
        raise ToolError("the call cannot end yet")

    async def transfer(self, target: str, within_secs: float) -> TransferOutcome:
        raise ToolError("nobody can be put through yet")


@dataclass(frozen=True)
class _Ahead:
    """A look-up for a reply that may be asked for."""

    tool: Tool
    arguments: Arguments
    began: float
    task: asyncio.Task[str]


@dataclass(frozen=True)
class _Proposal:
    """An effect that waits for the caller's yes."""

    tool: Tool
    arguments: Arguments
    turn_id: int
    written: str


class ToolRunner:
    """The tools of one call, and what runs of them.

    Args:
        tools: The tools.
        conversation: Where calls and results are written.
        session: What the tools know of this caller.
        effects: Keeps effects that outlive the call.
    """

    def __init__(
        self,
        tools: Sequence[Tool],
        conversation: Conversation,
        session: Session | None = None,
        effects: Effects | None = None,
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self.conversation = conversation
        self.session = session or Session()
        self._outliving = effects or Effects()
        self._lookups: list[_Run] = []
        self._effects: deque[_Run] = deque(maxlen=REMEMBERED_EFFECTS)
        self._proposals: dict[str, _Proposal] = {}
        self._recorders: set[asyncio.Task[None]] = set()
        self._awaited: set[asyncio.Task[None]] = set()
        self._calls = 0
        self._looked_up: deque[_Ahead] = deque(maxlen=MAX_CALLS_AT_ONCE)
        self.before_effect: Callable[[], Awaitable[None]] | None = None
        """Awaited before something is changed, once it stands among :meth:`stored`; raises :class:`ToolError` if it
        must not be."""
        self.after_effect: Callable[[], None] = lambda: None
        """Called when the outcome of an effect is known."""

    # --- from one process to the next --------------------------------------------------------

    def stored(self) -> StoredTools:
        """What another process needs to know to go on: what was done or is being done, and what waits for a yes."""
        effects = [_stored(run) for run in self._effects]
        proposals = [(p.tool.name, p.written, p.turn_id) for p in self._proposals.values()]
        return StoredTools(self._calls, tuple(effects), tuple(proposals))

    def restore(self, stored: StoredTools) -> None:
        """Go on where another process stopped.

        What was done stays done, and an identical call gets its result. What was being done is asked for its outcome;
        it is never run again. Tools that are not there any more are left out.
        """
        self._calls = stored.calls
        for name, written, turn_id in stored.proposals:
            if (known := self._known(name, written)) is not None:
                self._proposals[name] = _Proposal(*known, turn_id, written)
        for effect in stored.effects:
            if (known := self._known(effect.tool, effect.arguments)) is not None:
                self._restore_effect(*known, effect)
            elif effect.runs:
                for call_id in effect.call_ids:
                    self.conversation.tool_result(call_id, OUTCOME_UNKNOWN)
        ours = {call_id for run in self._effects for call_id in run.call_ids}
        for call_id in self.conversation.unanswered_calls():
            if call_id not in ours:  # a look-up
                self.conversation.tool_result(call_id, CANCELLED)

    def _known(self, name: str, written: str) -> tuple[Tool, Arguments] | None:
        try:
            return self._check(ToolCallDelta("", name, written))
        except ToolError:
            return None

    def _restore_effect(self, tool: Tool, arguments: Arguments, effect: StoredEffect) -> None:
        if effect.runs:
            context = ToolContext(self.session, effect.key, NoCallControl(), self.session.clock.now)
            task = asyncio.ensure_future(_called(tool, arguments, context, tool.outcome or no_outcome))
        else:
            task = _ended(effect)
        run = _Run(tool, arguments, effect.turn_id, task, cut=True, key=effect.key, written=effect.arguments)
        run.call_ids = list(effect.call_ids)
        self._effects.append(run)
        for call_id in effect.call_ids:  # what has its result already keeps it
            self._record_result(call_id, run)

    @property
    def specs(self) -> list[ToolSpec]:
        """The tools as the model is told of them."""
        return [tool.spec_in(self.session.language) for tool in self._tools.values()]

    def speak(self, language: str) -> None:
        """The caller speaks another language: a yes is one in that."""
        self.session.language = language

    def longest_secs(self, calls: Sequence[ToolCallDelta]) -> float:
        """How long a reply waits for these calls at most."""
        return max((self._tools[call.name].timeout_secs for call in calls if call.name in self._tools), default=0.0)

    async def run(self, turn_id: int, calls: Sequence[ToolCallDelta], control: CallControl | None = None) -> None:
        """Run calls at once and wait until each has a result in the conversation, or has waited long enough.

        If the wait is cancelled, look-ups are stopped and recorded as cancelled; effects go on.

        Args:
            turn_id: The turn that they serve.
            calls: What the model asks for.
            control: What tools may do with the call.
        """
        calls = calls[:MAX_CALLS_AT_ONCE]
        started = [self._start(turn_id, call, control or NoCallControl()) for call in calls]
        recorders = {recorder for recorder in started if recorder is not None}
        if not recorders:
            return
        self._awaited |= recorders
        try:
            # A little longer than a look-up's own timeout, whose output is to be in the prompt.
            await asyncio.wait(recorders, timeout=self.longest_secs(calls) + 0.1)
        except asyncio.CancelledError:
            self.interrupted()
            raise
        finally:
            self._awaited -= recorders

    async def look_up(self, calls: Sequence[ToolCallDelta]) -> list[str] | None:
        """Run calls of a reply that may never be asked for, if all of them only look something up.

        Nothing is written down. If the reply is asked for, its calls get what was found here and are not run again.

        Args:
            calls: What the model asks for.

        Returns:
            Their outputs; None if one does more than look up, or cannot be run.
        """
        try:
            checked = [self._check(call) for call in calls[: MAX_CALLS_AT_ONCE + 1]]
        except ToolError:
            return None
        if len(checked) > MAX_CALLS_AT_ONCE or any(_waits(tool) for tool, _ in checked):
            return None
        tasks = [self._look_ahead(tool, arguments) for tool, arguments in checked]
        try:
            async with asyncio.timeout(max(tool.timeout_secs for tool, _ in checked)):
                return [await asyncio.shield(task) for task in tasks]
        except (TimeoutError, ToolError):
            return None

    def _look_ahead(self, tool: Tool, arguments: Arguments) -> asyncio.Task[str]:
        for known in self._looked_up:
            if known.tool is tool and known.arguments == arguments and not known.task.done():
                return known.task
        task = asyncio.ensure_future(_called(tool, arguments, self._context(_NotYet())))
        task.set_name(f"tool {tool.name} ahead")
        task.add_done_callback(_seen)
        if len(self._looked_up) == self._looked_up.maxlen:
            self._looked_up.popleft().task.cancel()
        self._looked_up.append(_Ahead(tool, arguments, asyncio.get_running_loop().time(), task))
        return task

    def _found_ahead(self, tool: Tool, arguments: Arguments) -> asyncio.Task[str] | None:
        """A look-up that was begun for this reply when it was prepared; it serves once."""
        now = asyncio.get_running_loop().time()
        for known in reversed(self._looked_up):
            fresh = now - known.began <= LOOKED_UP_SECS
            if known.tool is tool and known.arguments == arguments and fresh and not _failed(known.task):
                self._looked_up.remove(known)
                return known.task
        return None

    def unfinished_secs(self, turn_id: int) -> float:
        """How long effects that were begun for a turn are waited for before a reply to more of its words; 0: none run.

        Args:
            turn_id: The turn, which the caller has gone on with.
        """
        return OUTCOME_SECS if self._unfinished(turn_id) else 0.0

    async def settle(self, turn_id: int) -> None:
        """Wait, so long at most, until what was begun for a turn has its outcome in the conversation."""
        await asyncio.wait(self._unfinished(turn_id), timeout=OUTCOME_SECS)

    def _unfinished(self, turn_id: int) -> set[asyncio.Task[None]]:
        runs = [run for run in self._effects if run.turn_id == turn_id]
        return {recorder for run in runs for recorder in run.recorders if not recorder.done()}

    async def finish_effects(self, secs: float) -> None:
        """Wait, so long at most, until all that is being changed has its outcome."""
        if unfinished := {recorder for run in self._effects for recorder in run.recorders if not recorder.done()}:
            await asyncio.wait(unfinished, timeout=secs)

    def interrupted(self) -> None:
        """The user has cut the reply: stop what only looks something up."""
        for run in self._lookups:
            if not run.task.done():
                run.task.cancel()
        for run in self._effects:
            run.cut = True

    async def close(self, grace_secs: float = 5.0) -> None:
        """The call is over: stop look-ups, let effects finish; what takes longer goes on after the call."""
        self.interrupted()
        for known in self._looked_up:
            known.task.cancel()
        if not self._recorders:
            return
        _, unfinished = await asyncio.wait(self._recorders, timeout=grace_secs)
        for recorder in unfinished:
            logger.info("{}: goes on after the call", recorder.get_name())
            self._outliving.keep(recorder)

    def _start(self, turn_id: int, call: ToolCallDelta, control: CallControl) -> asyncio.Task[None] | None:
        """Write the call down and run it; the task that will write its result, or None if that is there already."""
        self._calls += 1
        # An id of our own: the models' ids are empty, or repeat ("call_0") from one reply to the next.
        call_id = f"call_{self._calls}"
        self.conversation.tool_call(turn_id, call_id, *_sendable(call))
        try:
            tool, arguments = self._check(call)
        except ToolError as error:
            self.conversation.tool_result(call_id, f"error: {error}")
            return None
        run = self._running(tool, arguments, turn_id)
        if run is None:
            now = asyncio.get_running_loop().time()
            if tool.proof and (missing := self.session.proof.missing(now)) is not None:
                self.conversation.tool_result(call_id, missing)
                return None
            if tool.confirm and not self._agreed(tool, arguments, turn_id):
                self.conversation.tool_result(call_id, self._propose(tool, arguments, turn_id, call.arguments))
                return None
            if tool.effect and not self._may_be_done(now):
                self.conversation.tool_result(call_id, USED_UP)
                return None
            run = self._begin(tool, arguments, turn_id, control, call)
        run.call_ids.append(call_id)
        return self._record_result(call_id, run)

    def _record_result(self, call_id: str, run: _Run) -> asyncio.Task[None]:
        """Have the result of a run written down when it comes."""
        name = f"call {self.session.call_id}: tool {run.tool.name}"
        recorder = asyncio.create_task(self._record(call_id, run), name=name)
        self._recorders.add(recorder)
        run.recorders.append(recorder)
        recorder.add_done_callback(self._recorders.discard)
        return recorder

    def _may_be_done(self, now: float) -> bool:
        """Count an effect of a caller whom a token names; False: it is one too many for a day."""
        identity = self.session.identity
        return identity is None or self.session.shared(EffectQuota).take(identity.subject, now)

    def _check(self, call: ToolCallDelta) -> tuple[Tool, Arguments]:
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolError(f"there is no tool {call.name!r}; there are: {', '.join(self._tools)}")
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            raise ToolError("the arguments are not valid JSON") from None
        if arguments is None:
            arguments = {}  # "null": how some models write that there are none
        if not isinstance(arguments, dict):
            raise ToolError("the arguments are not a JSON object")
        return tool, tool.check(arguments)

    # --- one wish, one effect --------------------------------------------------------------

    def _running(self, tool: Tool, arguments: Arguments, turn_id: int) -> _Run | None:
        """A run that serves an identical call; from now on it serves this turn."""
        same = [run for run in (*self._effects, *self._lookups) if run.is_same(tool, arguments) and run.serves(turn_id)]
        if not same or (not tool.effect and same[-1].failed and len(same) < MAX_LOOKUP_FAILURES):
            return None
        run = same[-1]
        run.turn_id, run.cut, run.asked = turn_id, False, run.asked + 1
        return run

    def _agreed(self, tool: Tool, arguments: Arguments, turn_id: int) -> bool:
        """Whether the caller has said yes to exactly this; a yes serves once."""
        proposal = self._proposals.get(tool.name)
        if proposal is None or proposal.arguments != arguments or proposal.turn_id == turn_id:
            return False
        exchange = self.conversation.exchange(turn_id)
        if exchange is None or not agrees(exchange.answer, self.session.language):
            return False
        if not self.session.hears_caller():
            return False
        # A yes to something else that was asked since is none, nor is one to a question that nobody heard.
        asked = exchange.heard and (exchange.heard_in == proposal.turn_id or "?" in exchange.heard)
        if asked:
            del self._proposals[tool.name]
        return bool(asked)

    def _propose(self, tool: Tool, arguments: Arguments, turn_id: int, written: str) -> str:
        """Wait for a yes; what the model is told."""
        answered = tool.name in self._proposals and self._proposals[tool.name].arguments == arguments
        self._proposals[tool.name] = _Proposal(tool, arguments, turn_id, written or "{}")
        if answered and not self.session.hears_caller():
            return NOT_THE_CALLER
        for run in reversed(self._effects):
            if run.is_same(tool, arguments) and not run.failed:
                return DONE_ALREADY.format(result=run.task.result())
        return MUST_ASK

    # --- running ---------------------------------------------------------------------------

    def _begin(self, tool: Tool, arguments: Arguments, turn_id: int, control: CallControl, call: ToolCallDelta) -> _Run:
        task = None if tool.effect else self._found_ahead(tool, arguments)
        context = self._context(CallControlFromThread(control, asyncio.get_running_loop()))
        if task is None:
            work = self._changed(tool, arguments, context) if tool.effect else _called(tool, arguments, context)
            task = asyncio.create_task(work, name=f"tool {tool.name}")
        run = _Run(tool, arguments, turn_id, task, key=context.key, written=call.arguments or "{}")
        if tool.effect:
            self._effects.append(run)
        else:
            self._lookups = [each for each in self._lookups if each.turn_id == turn_id or not each.task.done()]
            self._lookups.append(run)
        return run

    async def _changed(self, tool: Tool, arguments: Arguments, context: ToolContext) -> str:
        """Change something; whoever goes on with the call knows of it before it begins."""
        if self.before_effect is not None:
            await self.before_effect()
        return await _called(tool, arguments, context)

    def _context(self, control: CallControl) -> ToolContext:
        return ToolContext(self.session, uuid.uuid4().hex, control, self.session.clock.now)

    async def _record(self, call_id: str, run: _Run) -> None:
        """Write the result down when it comes."""
        limit_secs = None if run.tool.effect else run.tool.timeout_secs
        try:
            # Shielded: several calls may wait for one run, and none of them owns it.
            output = await asyncio.wait_for(asyncio.shield(run.task), limit_secs)
        except TimeoutError:
            run.task.cancel()
            output = f"timed out: no answer within {run.tool.timeout_secs:g} s"
        except asyncio.CancelledError:
            output = CANCELLED
            if not run.task.cancelled():
                # It is this task that was cancelled: the call is over, and nobody waits any more.
                run.task.cancel()
        except ToolError as error:
            output = f"error: {error}"
        except Exception as error:  # noqa: BLE001 - a boundary: whatever a tool raises, its call needs an output
            logger.exception("tool {} failed", run.tool.name)
            output = f"error: the tool failed ({type(error).__name__})"
        if run.tool.effect:
            state = "failed" if run.failed else "done" if run.task.done() else "given up"
            logger.info("call {}: tool {} {}", self.session.call_id, run.tool.name, state)
        if not run.tool.effect and run.asked > 2:
            output += ASKED_OFTEN
        if asyncio.current_task() not in self._awaited and output != CANCELLED:
            output += NOT_TOLD
        self.conversation.tool_result(call_id, output)
        if run.tool.effect:
            self.after_effect()


def _stored(run: _Run) -> StoredEffect:
    result = "" if not run.task.done() or run.failed else run.task.result()
    return StoredEffect(
        run.tool.name, run.written, run.turn_id, run.key, tuple(run.call_ids), not run.task.done(), run.failed, result
    )


def _ended(effect: StoredEffect) -> asyncio.Future[str]:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    if effect.failed:
        ended.set_exception(ToolError("it was not done"))
        ended.exception()  # nobody may ask for it
    else:
        ended.set_result(effect.result)
    return ended


def _failed(task: asyncio.Future[str]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _seen(task: asyncio.Task[str]) -> None:
    """Whoever waited may be gone: its fault is nobody's any more."""
    if not task.cancelled():
        task.exception()


def _sendable(call: ToolCallDelta) -> tuple[str, str]:
    """A call's name and arguments as history may show them: vendors refuse whole prompts for a malformed one."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:64] or "nameless"
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = None
    if isinstance(arguments, dict):
        return name, call.arguments or "{}"
    return name, json.dumps({"unreadable": call.arguments[:200]})


def _waits(tool: Tool) -> bool:
    """Whether a tool waits for something of the caller's before it is run."""
    return tool.effect or tool.confirm or tool.proof


async def _called(tool: Tool, arguments: Arguments, context: ToolContext, function: ToolFunction | None = None) -> str:
    """A tool's own timeout is no different from other faults: only the runner's means that nobody waits."""

    async def run() -> str:
        return await (function or tool.run)(arguments, context)

    try:
        return await (Watched(run(), tool.name) if tool.on_loop else apart(run, tool.name))
    except TimeoutError:
        raise ToolError("what it asked did not answer in time") from None
