"""A process dies while a tool changes something, at any moment: it is done exactly once, and the truth is told."""

import asyncio
import random

import pytest

from contracts.llm import ToolCallDelta
from processors.context.aggregators import CANCELLED, Conversation
from processors.tools.base import ToolContext, ToolError
from processors.tools.declare import tool
from processors.tools.runner import ToolRunner
from processors.tools.stored import OUTCOME_UNKNOWN, StoredTools

TURN = 1
MOMENTS = 100


class Branch:
    """The world outside: what has been sent to it arrives, whoever has died since."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.made: list[str] = []
        self._void: set[str] = set()
        self._on_their_way: set[asyncio.Task[None]] = set()

    def delay(self) -> float:
        return self._chance.uniform(0.0, 0.3)

    async def book(self, key: str) -> None:
        arriving = asyncio.ensure_future(self._arrive(key))
        self._on_their_way.add(arriving)
        await asyncio.shield(arriving)
        await asyncio.sleep(self.delay())

    async def _arrive(self, key: str) -> None:
        await asyncio.sleep(self.delay())
        if key not in self._void and key not in self.made:
            self.made.append(key)

    async def outcome(self, key: str) -> bool:
        await asyncio.sleep(self.delay())
        if key not in self.made:
            self._void.add(key)
        return key in self.made


def booking(branch: Branch, *, can_tell: bool = True):
    async def outcome(_, context: ToolContext) -> str:
        if not await branch.outcome(context.key):
            raise ToolError("nothing was booked; call it again if it is still wanted")
        return "booked"

    @tool(effect=True, confirm=False, outcome=outcome if can_tell else None)
    async def book(context: ToolContext, day: str) -> str:
        """Book."""
        await asyncio.sleep(branch.delay())
        await branch.book(context.key)
        return "booked"

    return book


CALL = ToolCallDelta("call_0", "book", '{"day": "monday"}')


def told(conversation: Conversation) -> list[str]:
    return [message["content"] for message in conversation.messages() if message["role"] == "tool"]


class Process:
    """One that may die; what it has written is what the next one finds."""

    def __init__(self, branch: Branch, *, can_tell: bool = True) -> None:
        self.conversation = Conversation("Help.")
        self.tools = ToolRunner([booking(branch, can_tell=can_tell)], self.conversation)
        self.tools.before_effect = self._write
        self.tools.after_effect = self._note
        self.written = None
        self._delay = branch.delay

    async def _write(self) -> None:
        written = self.tools.stored().as_dict(), self.conversation.stored()
        await asyncio.sleep(self._delay())
        self.written = written

    def _note(self) -> None:
        self.written = self.tools.stored().as_dict(), self.conversation.stored()


@pytest.mark.parametrize("can_tell", [True, False])
async def test_what_changes_something_is_done_once_whenever_its_process_dies(virtual, can_tell):
    chance = random.Random(7)
    seen = set()
    for _ in range(MOMENTS):
        branch = Branch(chance)
        first = Process(branch, can_tell=can_tell)
        first.conversation.user_turn(TURN, "Book it for Monday.")
        before = asyncio.all_tasks()
        running = asyncio.create_task(first.tools.run(TURN, [CALL]))
        await asyncio.sleep(chance.uniform(0.0, 1.3))
        dead, written = asyncio.all_tasks() - before - branch._on_their_way, first.written
        for task in dead:
            task.cancel()
        await asyncio.gather(running, *dead, return_exceptions=True)

        second = Process(branch, can_tell=can_tell)
        if written is None:  # nothing was begun, as far as anybody knows
            second.conversation.user_turn(TURN, "Book it for Monday.")
        else:
            second.conversation.restore(written[1])
            second.tools.restore(StoredTools.of(written[0]))
            await second.tools.settle(TURN)
        if not any(text.startswith(("booked", "unknown")) for text in told(second.conversation)):
            await second.tools.run(TURN, [CALL])  # the model asks for what has not been done
        await asyncio.sleep(1.0)  # what is on its way arrives
        last = told(second.conversation)[-1]
        seen.add(last.split(":")[0].split(" (")[0])
        if can_tell:
            assert last.startswith("booked")
            assert len(branch.made) == 1
        else:
            assert last.startswith(("booked", OUTCOME_UNKNOWN[:7]))
            assert len(branch.made) <= 1, "never twice"
            assert branch.made or not last.startswith("booked"), "what was not done is not said to be done"
        await second.tools.close()
    assert seen == ({"booked"} if can_tell else {"booked", "unknown"})


async def test_an_identical_call_gets_what_the_dead_process_had_done(virtual):
    branch = Branch(random.Random(1))
    first = Process(branch)
    first.conversation.user_turn(TURN, "Book it for Monday.")
    await first.tools.run(TURN, [CALL])
    second = Process(branch)
    second.conversation.restore(first.conversation.stored())
    second.tools.restore(first.tools.stored())
    await second.tools.run(TURN, [CALL])
    assert len(branch.made) == 1
    assert [text.split(" (")[0] for text in told(second.conversation)] == ["booked", "booked"]


async def test_a_look_up_that_died_may_be_made_again(virtual):
    conversation = Conversation("Help.")
    conversation.user_turn(TURN, "What time is it?")
    conversation.tool_call(TURN, "call_1", "clock", "{}")
    second = Conversation("Help.")
    second.restore(conversation.stored())
    ToolRunner([], second).restore(StoredTools(1))
    assert told(second) == [CANCELLED]


async def test_a_tool_that_is_not_there_any_more_is_told_as_unknown(virtual):
    branch = Branch(random.Random(1))
    first = Process(branch)
    first.conversation.user_turn(TURN, "Book it for Monday.")
    running = asyncio.create_task(first.tools.run(TURN, [CALL]))
    await asyncio.sleep(0.05)
    stored, conversation = first.tools.stored(), first.conversation.stored()
    await running
    second = Conversation("Help.")
    second.restore(conversation)
    ToolRunner([], second).restore(stored)
    assert told(second) == [OUTCOME_UNKNOWN]
