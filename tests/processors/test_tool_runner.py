"""Tools outlive the replies that asked for them: effects finish once, look-ups stop, each call gets one output."""

import asyncio

import pytest

from processors.context import Conversation
from processors.llm.base import ToolCallDelta
from processors.tools.base import Tool, ToolError
from processors.tools.runner import ToolRunner

ANY = {"type": "object", "properties": {}}


class Counter:
    """A tool that takes a while and counts how often it began and ended."""

    def __init__(self, secs=2.0, effect=True, timeout_secs=10.0, name="book"):
        self.began = self.ended = 0
        self.secs = secs
        self.tool = Tool(name, "…", ANY, self.run, effect=effect, timeout_secs=timeout_secs)

    async def run(self, arguments):
        self.began += 1
        await asyncio.sleep(self.secs)
        self.ended += 1
        return f"done {self.ended}"


def setup(*tools):
    conversation = Conversation("Be brief.")
    conversation.user_turn(1, "Hi")
    return ToolRunner(tools, conversation), conversation


def outputs(conversation):
    return [message["content"] for message in conversation.messages() if message["role"] == "tool"]


def call(name="book", arguments="{}"):
    return ToolCallDelta("same id", name, arguments)


async def test_calls_run_side_by_side_and_results_stand_in_order(virtual):
    slow, fast = Counter(secs=1.0, name="slow"), Counter(secs=0.5, name="fast")
    runner, conversation = setup(slow.tool, fast.tool)
    began = virtual.time()
    await runner.run(1, [call("slow"), call("fast")])
    assert virtual.time() - began == pytest.approx(1.0, abs=0.01)
    assert outputs(conversation) == ["done 1", "done 1"]
    ids = [m["tool_calls"][0]["id"] for m in conversation.messages() if "tool_calls" in m]
    assert len(set(ids)) == 2


async def test_a_lookup_stops_when_nobody_waits(virtual):
    lookup = Counter(effect=False)
    runner, conversation = setup(lookup.tool)
    waiting = asyncio.create_task(runner.run(1, [call()]))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.sleep(3)
    assert (lookup.began, lookup.ended) == (1, 0)
    assert outputs(conversation) == ["cancelled"]


async def test_an_effect_goes_on_and_its_result_is_kept(virtual):
    effect = Counter()
    runner, conversation = setup(effect.tool)
    waiting = asyncio.create_task(runner.run(1, [call()]))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.sleep(0.5)
    assert outputs(conversation) == ["still running"]
    await asyncio.sleep(1)
    assert outputs(conversation) == ["done 1"]


async def test_an_identical_effect_joins_the_one_that_runs(virtual):
    effect = Counter()
    runner, conversation = setup(effect.tool)
    first = asyncio.create_task(runner.run(1, [call(arguments='{"a": 1, "b": 2}')]))
    await asyncio.sleep(1)
    first.cancel()
    conversation.user_turn(2, "And?")
    await runner.run(2, [call(arguments='{"b": 2, "a": 1}')])
    assert effect.began == 1
    assert outputs(conversation) == ["done 1", "done 1"]


async def test_an_identical_effect_in_the_same_turn_is_not_done_again(virtual):
    effect = Counter()
    runner, conversation = setup(effect.tool)
    await runner.run(1, [call()])
    await runner.run(1, [call()])
    assert effect.began == 1
    assert outputs(conversation) == ["done 1", "done 1"]


async def test_after_a_cut_reply_the_next_turn_gets_the_first_result_and_a_later_wish_is_new(virtual):
    effect = Counter()
    runner, conversation = setup(effect.tool)
    await runner.run(1, [call()])
    runner.interrupted()
    conversation.user_turn(2, "What?")
    await runner.run(2, [call()])
    assert effect.began == 1
    conversation.user_turn(3, "Once more, please")
    await runner.run(3, [call()])
    assert effect.began == 2
    assert outputs(conversation) == ["done 1", "done 1", "done 2"]


async def test_a_wish_after_a_reply_that_was_heard_is_new(virtual):
    effect = Counter()
    runner, conversation = setup(effect.tool)
    await runner.run(1, [call()])
    conversation.user_turn(2, "The same again")
    await runner.run(2, [call()])
    assert effect.began == 2


async def test_other_arguments_are_another_wish(virtual):
    effect = Counter()
    runner, _ = setup(effect.tool)
    await runner.run(1, [call(arguments='{"people": 4}'), call(arguments='{"people": 6}')])
    assert effect.began == 2


async def test_a_failed_effect_may_be_tried_again(virtual):
    tries = []

    async def run(arguments):
        tries.append(1)
        raise ToolError("the restaurant does not answer")

    runner, conversation = setup(Tool("book", "…", ANY, run, effect=True))
    await runner.run(1, [call()])
    await runner.run(1, [call()])
    assert len(tries) == 2
    assert outputs(conversation) == ["error: the restaurant does not answer"] * 2


async def test_a_lookup_that_is_too_slow_is_stopped(virtual):
    lookup = Counter(secs=60, effect=False, timeout_secs=3)
    runner, conversation = setup(lookup.tool)
    began = virtual.time()
    await runner.run(1, [call()])
    assert virtual.time() - began == pytest.approx(3, abs=0.05)
    await asyncio.sleep(100)
    assert lookup.ended == 0
    assert outputs(conversation) == ["error: no answer within 3 s"]


async def test_an_effect_that_is_too_slow_is_told_of_and_goes_on(virtual):
    effect = Counter(secs=60, timeout_secs=3)
    runner, conversation = setup(effect.tool)
    began = virtual.time()
    await runner.run(1, [call()])
    assert virtual.time() - began == pytest.approx(3, abs=0.2)
    assert outputs(conversation) == ["still running"]
    await asyncio.sleep(60)
    assert outputs(conversation) == ["done 1"]


async def test_a_tool_with_a_bug_gives_an_output(virtual):
    async def run(arguments):
        raise KeyError("boom")

    runner, conversation = setup(Tool("look", "…", ANY, run))
    await runner.run(1, [call("look")])
    assert outputs(conversation) == ["error: KeyError"]


@pytest.mark.parametrize(
    ("name", "arguments", "output"),
    [
        ("fly", "{}", "error: there is no tool 'fly'; there are: book"),
        ("book", "{people: 4}", "error: the arguments are not valid JSON"),
        ("book", "[4]", "error: the arguments are not a JSON object"),
        ("book", "{}", "error: missing arguments: people"),
        ("book", "", "error: missing arguments: people"),
    ],
)
async def test_a_wrong_call_is_answered_and_not_run(virtual, name, arguments, output):
    async def run(arguments):
        raise AssertionError

    runner, conversation = setup(Tool("book", "…", {**ANY, "required": ["people"]}, run, effect=True))
    await runner.run(1, [call(name, arguments)])
    assert outputs(conversation) == [output]


async def test_closing_lets_effects_finish_and_stops_lookups(virtual):
    effect, lookup = Counter(secs=2), Counter(secs=60, effect=False, name="look")
    runner, conversation = setup(effect.tool, lookup.tool)
    waiting = asyncio.create_task(runner.run(1, [call(), call("look")]))
    await asyncio.sleep(0.1)
    waiting.cancel()
    began = virtual.time()
    await runner.close()
    assert virtual.time() - began == pytest.approx(1.9, abs=0.05)
    assert (effect.ended, lookup.ended) == (1, 0)
    assert outputs(conversation) == ["done 1", "cancelled"]


async def test_closing_gives_up_an_effect_that_never_ends(virtual):
    before = asyncio.all_tasks()
    effect = Counter(secs=1_000)
    runner, _ = setup(effect.tool)
    waiting = asyncio.create_task(runner.run(1, [call()]))
    await asyncio.sleep(0.1)
    waiting.cancel()
    began = virtual.time()
    await runner.close()
    assert virtual.time() - began == pytest.approx(5, abs=0.05)
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before
