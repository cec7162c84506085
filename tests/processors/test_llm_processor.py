"""The thinking node: one reply at a time, deadlines, interruptions, and what it says when a model fails."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import EndFrame, LLMTextFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection

from contracts.frames import (
    CallHoldFrame,
    PreparedDroppedFrame,
    PreparedTextFrame,
    ReplyEndFrame,
    ReplyEndsCallFrame,
    ReplyQueuedFrame,
    ReplyRefusedFrame,
    ReplyStartFrame,
    SayFrame,
    WordHeardFrame,
)
from contracts.llm import Cause, Finish, InQueue, LanguageModelError, ToolCallDelta
from processors.context.aggregators import CANCELLED, Conversation, PreemptiveContextFrame, ReplyContextFrame
from processors.llm.parts import ReplyParts
from processors.llm.preemptive import gist
from processors.llm.preemptive_budget import PreemptiveBudget
from processors.llm.processor import LLMParams, LLMProcessor
from processors.tools.base import Tool
from processors.tools.runner import NOT_TOLD, ToolRunner
from processors.tts.text_normaliser import spoken
from tests.processors.chain import running
from tests.processors.models import STOP, ScriptModel


def prompt(reply_id, text="Hi"):
    return ReplyContextFrame(LLMContext([{"role": "user", "content": text}]), reply_id=reply_id, turn_id=1)


def texts(chain):
    return [frame.text for frame in chain.down(LLMTextFrame)]


def shape(chain):
    """The frames of replies as short words."""
    out = []
    for frame in chain.down(ReplyStartFrame, LLMTextFrame, ReplyEndFrame):
        match frame:
            case ReplyStartFrame():
                out.append(f"start {frame.reply_id}")
            case LLMTextFrame():
                out.append(frame.text)
            case ReplyEndFrame():
                out.append(f"end {frame.reply_id}" + (f": {frame.error}" if frame.error else ""))
    return out


async def test_a_reply_streams_through(virtual):
    model = ScriptModel(["Good ", "morning.", STOP])
    async with running(LLMProcessor(model)) as chain:
        await chain.push(prompt(3))
        await chain.until(ReplyEndFrame)
        assert shape(chain) == ["start 3", "Good ", "morning.", "end 3"]
    assert model.prompts == [[{"role": "user", "content": "Hi"}]]


async def test_text_is_passed_on_when_it_comes(virtual):
    model = ScriptModel([1.0, "Good ", 2.0, "morning.", STOP])
    async with running(LLMProcessor(model)) as chain:
        began = virtual.time()
        await chain.push(prompt(1))
        await chain.until(ReplyEndFrame)
        at = [chain.at(frame) - began for frame in chain.down(LLMTextFrame)]
        assert at == [pytest.approx(1.0, abs=0.01), pytest.approx(3.0, abs=0.01)]


@pytest.mark.parametrize("cut_at", [0.05, 0.5, 1.0, 1.5, 2.5])
async def test_an_interruption_closes_the_stream_at_once_and_nothing_of_it_comes_later(virtual, cut_at):
    model = ScriptModel([1.0, "one ", 1.0, "two ", 1.0, "three", STOP])
    async with running(LLMProcessor(model)) as chain:
        await chain.push(prompt(1))
        await asyncio.sleep(cut_at)
        before = shape(chain)
        cut = virtual.time()
        await chain.interrupt()
        await asyncio.sleep(5)
        assert shape(chain) == before
        assert "end 1" not in before
        assert len(model.closed_at) == 1
        assert model.closed_at[0] - cut < 0.1


async def test_a_stream_that_will_not_close_is_left_behind_and_cannot_speak(virtual):
    class Stubborn(ScriptModel):
        async def stream(self, messages, tools=()):
            async for delta in super().stream(messages, tools):
                try:
                    await asyncio.sleep(0.5)
                except asyncio.CancelledError:
                    await asyncio.sleep(3)
                yield delta

    async with running(LLMProcessor(Stubborn(["dead ", "dead ", STOP], ["alive", STOP]))) as chain:
        await chain.push(prompt(1))
        await asyncio.sleep(0.25)
        cut = virtual.time()
        await chain.interrupt()
        await chain.push(prompt(2))
        end = await chain.until(ReplyEndFrame)
        assert end.reply_id == 2
        assert chain.at(end) - cut < 0.1 + 1.0 + 0.05
        await asyncio.sleep(5)
        assert shape(chain) == ["start 2", "alive", "end 2"]


async def test_a_newer_prompt_replaces_the_reply(virtual):
    model = ScriptModel([1.0, "old", STOP], [1.0, "new", STOP])
    async with running(LLMProcessor(model)) as chain:
        await chain.push(prompt(1))
        await asyncio.sleep(0.5)
        await chain.push(prompt(2))
        await chain.until(ReplyEndFrame)
        assert shape(chain) == ["start 2", "new", "end 2"]


async def test_a_prompt_that_an_interruption_overtook_is_not_asked(virtual):
    model = ScriptModel(["new", STOP])
    async with running(LLMProcessor(model)) as chain:
        await chain.push(prompt(1, "old"))
        await chain.interrupt()
        await chain.push(prompt(2, "new"))
        await chain.until(ReplyEndFrame)
        assert [messages[0]["content"] for messages in model.prompts] == ["new"]
        assert shape(chain) == ["start 2", "new", "end 2"]


async def test_the_bots_own_sentence_passes_while_the_model_thinks_and_stands_outside_the_reply(virtual):
    model = ScriptModel([3.0, "Here.", STOP])
    async with running(LLMProcessor(model)) as chain:
        began = virtual.time()
        await chain.push(prompt(1))
        await asyncio.sleep(1)
        await chain.push(SayFrame(reply_id=2, text="One moment.", remember=False))
        await chain.until(ReplyEndFrame)
        say = chain.down(SayFrame)[0]
        assert chain.at(say) - began < 1.1
        assert chain.at(say) < chain.at(chain.down(ReplyStartFrame)[0])


@pytest.mark.parametrize(
    ("steps", "error", "after_secs"),
    [
        ([9.0, "late", STOP], "no token within 8 s", 8.0),
        (["one ", 5.0, "two", STOP], "no token within 4 s", 4.0),
        (["one "], "the stream broke off", 0.0),
        ([], "the stream broke off", 0.0),
        ([STOP], "the model said nothing", 0.0),
        (["  ", STOP], "the model said nothing", 0.0),
        ([LanguageModelError("HTTP 429: slow down", retryable=True)], "HTTP 429: slow down", 0.0),
        (["one ", ValueError("a bug")], "ValueError", 0.0),
        ([Finish("content_filter")], "the model's filter held the answer back", 0.0),
    ],
)
async def test_every_fault_ends_the_reply_with_its_reason(virtual, steps, error, after_secs):
    async with running(LLMProcessor(ScriptModel(steps, steps))) as chain:
        began = virtual.time()
        await chain.push(prompt(1))
        end = await chain.until(ReplyEndFrame, timeout_secs=20)
        assert end.error == error
        assert chain.at(end) - began == pytest.approx(after_secs, abs=0.02)
        said = [step for step in steps[:1] if isinstance(step, str) and step.strip()]
        assert shape(chain) == ["start 1", *said, f"end 1: {error}"]


async def test_a_reply_cut_by_its_length_is_a_reply(virtual):
    async with running(LLMProcessor(ScriptModel(["and so on", Finish("length")]))) as chain:
        await chain.push(prompt(1))
        assert (await chain.until(ReplyEndFrame)).error is None


async def test_the_end_of_the_call_waits_for_the_reply(virtual):
    async with running(LLMProcessor(ScriptModel([1.0, "Goodbye.", STOP]))) as chain:
        await chain.push(prompt(1), EndFrame())
        await chain.until(EndFrame)
        assert shape(chain) == ["start 1", "Goodbye.", "end 1"]


async def test_nothing_runs_on_after_the_call(virtual):
    model = ScriptModel([60.0, "late", STOP])
    before = asyncio.all_tasks()
    async with running(LLMProcessor(model, params=LLMParams(first_token_secs=100))) as chain:
        await chain.push(prompt(1))
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before
    assert len(model.closed_at) == 1


# --- tools -------------------------------------------------------------------


def look(results):
    async def run(arguments, context):
        await asyncio.sleep(0.5)
        return results[arguments["what"]]

    schema = {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}
    return Tool("look", "Look something up.", schema, run)


def with_tools(model, *tools, params=None):
    conversation = Conversation("Be brief.")
    conversation.user_turn(1, "Hi")
    return LLMProcessor(model, ToolRunner(tools, conversation), params), conversation


CALL = ToolCallDelta("", "look", '{"what": "hours"}')


async def test_a_tool_runs_and_the_model_is_asked_again_with_its_result(virtual):
    model = ScriptModel(["Let me see. ", CALL, Finish("tool_calls")], ["Nine to five.", STOP])
    llm, _ = with_tools(model, look({"hours": "9-17"}))
    async with running(llm) as chain:
        began = virtual.time()
        await chain.push(prompt(1))
        end = await chain.until(ReplyEndFrame)
        assert chain.at(end) - began == pytest.approx(0.5, abs=0.02)
        assert shape(chain) == ["start 1", "Let me see. ", "Nine to five.", "end 1"]
    asked = model.prompts[1]
    assert asked[2]["content"] == "Let me see."
    assert asked[2]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"what": "hours"}'}
    assert asked[3] == {"role": "tool", "tool_call_id": asked[2]["tool_calls"][0]["id"], "content": "9-17"}


async def test_a_call_that_is_written_as_text_is_run_and_not_spoken(virtual):
    model = ScriptModel(['{"na', 'me": "look", "arguments": {"what"', ': "hours"}}', STOP], ["Nine to five.", STOP])
    llm, _ = with_tools(model, look({"hours": "9-17"}))
    async with running(llm) as chain:
        await chain.push(prompt(1))
        await chain.until(ReplyEndFrame)
        assert shape(chain) == ["start 1", "Nine to five.", "end 1"]
    assert model.prompts[1][-1]["content"] == "9-17"


async def test_a_model_that_calls_without_end_is_stopped_after_four_rounds(virtual):
    model = ScriptModel(respond=lambda messages: [CALL, Finish("tool_calls")])
    llm, _ = with_tools(model, look({"hours": "9-17"}))
    async with running(llm) as chain:
        await chain.push(prompt(1))
        end = await chain.until(ReplyEndFrame)
        assert end.error == "the model calls tools without end"
    assert model.offered == [["look"], ["look"], ["look"], []]


# --- scenario 14: a booking that is interrupted ------------------------------


def booking_model(messages):
    """Books on the first turn; calls again if the prompt does not show the booking; else tells of it."""
    outputs = [message["content"] for message in messages if message["role"] == "tool"]
    if not outputs or outputs[-1] == CANCELLED:
        return [0.3, ToolCallDelta("call_0", "book", '{"people": 4}'), Finish("tool_calls")]
    if "six" in str(messages[-1]["content"]):
        return [0.3, f"Known so far: {outputs[-1]}.", STOP]
    return [0.3, *[f"word{n} " for n in range(20)], STOP]


@pytest.mark.parametrize("cut_at_ms", range(300, 4_000, 20))
async def test_a_booking_is_made_once_whenever_the_user_interrupts(virtual, cut_at_ms):
    booked = []

    async def book(arguments, context):
        await asyncio.sleep(2.0)
        booked.append(arguments)
        return "booked, number 17"

    schema = {"type": "object", "properties": {"people": {"type": "integer"}}, "required": ["people"]}
    model = ScriptModel(respond=booking_model)
    llm, conversation = with_tools(model, Tool("book", "Book a table.", schema, book, effect=True))
    async with running(llm) as chain:
        await chain.push(prompt(1))
        await asyncio.sleep(cut_at_ms / 1000 + 0.01)
        await chain.interrupt()
        conversation.user_turn(2, "make it six people")
        frame = ReplyContextFrame(LLMContext(conversation.messages()), reply_id=2, turn_id=2)
        await chain.push(frame)
        await asyncio.sleep(5)
        assert [end.reply_id for end in chain.down(ReplyEndFrame)][-1] == 2
        expected = "still running" if cut_at_ms < 2_300 else "booked, number 17"
        assert f"Known so far: {expected}." in texts(chain)
    assert booked == [{"people": 4}]
    messages = conversation.messages()
    calls = [message["tool_calls"][0]["id"] for message in messages if "tool_calls" in message]
    outputs = {message["tool_call_id"]: message["content"] for message in messages if message["role"] == "tool"}
    assert list(outputs) == calls
    late = "booked, number 17" + (NOT_TOLD if cut_at_ms < 2_300 else "")
    assert set(outputs.values()) == {late}


async def test_a_wait_in_queue_is_told_and_takes_no_time_from_the_model(virtual):
    model = ScriptModel([InQueue(20.0), 21.0, "Good.", STOP])
    async with running(LLMProcessor(model)) as chain:
        await chain.push(prompt(3))
        await chain.until(ReplyEndFrame, timeout_secs=30)
        assert shape(chain) == ["start 3", "Good.", "end 3"]
        (line,) = chain.up(ReplyQueuedFrame)
        assert (line.reply_id, line.wait_secs) == (3, 20.0)


async def test_why_there_is_no_reply_is_told_before_its_end(virtual):
    model = ScriptModel([LanguageModelError("no more today", retryable=True, cause=Cause.QUOTA)])
    async with running(LLMProcessor(model)) as chain:
        await chain.push(prompt(3))
        await chain.until(ReplyEndFrame)
        (refused,) = chain.up(ReplyRefusedFrame)
        assert (refused.reply_id, refused.cause) == (3, "quota")


# --- replies that are prepared before they are wanted


def maybe(text):
    return PreemptiveContextFrame([{"role": "user", "content": text}] if text else [])


def preemptive_budget(share=1.0):
    return PreemptiveBudget(lambda: share, 0.5)


async def test_a_prepared_reply_is_spoken_without_asking_again(virtual):
    model, budget = ScriptModel([1.0, "Good ", 0.5, "morning.", STOP]), preemptive_budget()
    async with running(LLMProcessor(model, preemptive_budget=budget)) as chain:
        began = virtual.time()
        await chain.push(maybe("Hi"))
        await asyncio.sleep(0.8)
        assert shape(chain) == []
        await chain.push(prompt(3, "Hi"))
        await chain.until(ReplyEndFrame)
        assert shape(chain) == ["start 3", "Good ", "morning.", "end 3"]
        at = [chain.at(frame) - began for frame in chain.down(LLMTextFrame)]
        assert at == [pytest.approx(1.0, abs=0.02), pytest.approx(1.5, abs=0.02)]
    assert len(model.prompts) == 1
    assert budget.snapshot().items() >= {"asked": 1, "used": 1, "wasted": 0, "wasted_tokens": 0}.items()


async def test_nothing_is_prepared_while_the_call_is_on_hold(virtual):
    model, budget = ScriptModel([5.0, "Good.", STOP], ["Good morning.", STOP]), preemptive_budget()
    async with running(LLMProcessor(model, preemptive_budget=budget)) as chain:
        await chain.push(maybe("Hi"))
        await asyncio.sleep(0.2)
        await chain.push(CallHoldFrame(True))
        await chain.push(maybe("Hi there"))
        await asyncio.sleep(0.2)
        assert (budget.asked, len(model.prompts)) == (1, 1)
        await chain.push(CallHoldFrame(False))
        await chain.push(maybe("Hi"))
        await chain.push(prompt(3, "Hi"))
        await chain.until(ReplyEndFrame)
        assert shape(chain) == ["start 3", "Good morning.", "end 3"]
    assert (budget.asked, budget.used) == (2, 1)


async def test_what_was_prepared_for_other_words_is_never_heard(virtual):
    model, budget = ScriptModel(["Wrong.", 5.0, STOP], ["Right.", STOP]), preemptive_budget()
    async with running(LLMProcessor(model, preemptive_budget=budget)) as chain:
        await chain.push(maybe("Hi"))
        await asyncio.sleep(0.2)
        await chain.push(prompt(3, "Hi there"))
        await chain.until(ReplyEndFrame)
        assert shape(chain) == ["start 3", "Right.", "end 3"]
    assert (budget.asked, budget.used) == (1, 0)
    assert budget.wasted_tokens > 0


async def test_one_at_most_is_prepared_and_none_when_the_words_go_on(virtual):
    model = ScriptModel(["A", 9.0, STOP], ["B", 9.0, STOP])
    async with running(LLMProcessor(model, preemptive_budget=preemptive_budget())) as chain:
        await chain.push(maybe("one"))
        await chain.push(maybe("one two"))
        await asyncio.sleep(0.1)
        alive = [task for task in asyncio.all_tasks() if task.get_name() == "preemptive"]
        assert len(alive) == 1
        await chain.push(maybe(""))
        await asyncio.sleep(0.1)
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "preemptive"]


@pytest.mark.parametrize(
    "first",
    [[LanguageModelError("broken", retryable=True)], [InQueue(3.0), 3.0, "Late.", STOP]],
    ids=["fails", "waits"],
)
async def test_a_prepared_reply_that_fails_or_must_wait_is_asked_anew(virtual, first):
    model = ScriptModel(first, ["Yes.", STOP])
    async with running(LLMProcessor(model, preemptive_budget=preemptive_budget())) as chain:
        await chain.push(maybe("Hi"))
        await asyncio.sleep(0.1)
        await chain.push(prompt(3, "Hi"))
        await chain.until(ReplyEndFrame)
        assert shape(chain) == ["start 3", "Yes.", "end 3"]


async def test_the_words_of_a_prepared_reply_are_told_to_the_voice_until_they_are_wanted(virtual):
    model = ScriptModel(["Good ", 0.5, "morning. ", 1.0, "How are you?", STOP])
    async with running(LLMProcessor(model, preemptive_budget=preemptive_budget())) as chain:
        await chain.push(maybe("Hi"))
        await asyncio.sleep(0.8)
        await chain.push(prompt(3, "Hi"))
        await chain.until(ReplyEndFrame)
        assert [(frame.text, frame.last) for frame in chain.down(PreparedTextFrame)] == [
            ("Good ", False),
            ("morning. ", False),
        ]
        assert chain.down(PreparedDroppedFrame) == []


async def test_the_voice_learns_the_end_of_a_prepared_reply_and_that_it_is_dropped(virtual):
    model = ScriptModel(["Good morning.", STOP], ["Good ", 9.0, STOP])
    async with running(LLMProcessor(model, preemptive_budget=preemptive_budget())) as chain:
        await chain.push(maybe("Hi"))
        await asyncio.sleep(0.1)
        assert [(frame.text, frame.last) for frame in chain.down(PreparedTextFrame)] == [
            ("Good morning.", False),
            ("", True),
        ]
        await chain.push(maybe(""))
        await asyncio.sleep(0.1)
        assert len(chain.down(PreparedDroppedFrame)) == 1
        await chain.push(maybe("Hi"))
        await asyncio.sleep(0.1)
        await chain.push(prompt(3, "Bye"))
        await asyncio.sleep(0.1)
        assert len(chain.down(PreparedDroppedFrame)) == 2


@pytest.mark.parametrize(("final", "used"), [("hi there", 1), ("Hi, there!", 1), ("Hi their.", 0)])
async def test_case_and_punctuation_do_not_make_another_question(virtual, final, used):
    model, budget = ScriptModel(["A.", STOP], ["B.", STOP]), preemptive_budget()
    async with running(LLMProcessor(model, preemptive_budget=budget)) as chain:
        await chain.push(maybe("Hi there."))
        await asyncio.sleep(0.1)
        await chain.push(prompt(3, final))
        await chain.until(ReplyEndFrame)
    assert budget.used == used


async def test_nothing_is_prepared_when_the_budget_is_low(virtual):
    model = ScriptModel(["Yes.", STOP])
    async with running(LLMProcessor(model, preemptive_budget=preemptive_budget(share=0.4))) as chain:
        await chain.push(maybe("Hi"))
        await asyncio.sleep(0.1)
        assert model.prompts == []


def several(**more):
    return LLMParams(prepared=3, **more)


async def test_words_that_come_back_find_the_reply_that_was_prepared_for_them(virtual):
    model, budget = ScriptModel(["A.", STOP], ["B.", STOP]), preemptive_budget()
    async with running(LLMProcessor(model, params=several(), preemptive_budget=budget)) as chain:
        for words in ("my last transactions", "my last transaction", "", "my last transactions"):
            await chain.push(maybe(words))
            await asyncio.sleep(0.1)
        await chain.push(prompt(3, "My last transactions?"))
        await chain.until(ReplyEndFrame)
        assert shape(chain) == ["start 3", "A.", "end 3"]
        assert {frame.prepared_id for frame in chain.down(PreparedTextFrame)} == {1, 2}
        assert chain.down(PreparedDroppedFrame) == []  # the turn may yet turn out to have the other words
        await chain.processors[-1].queue_frame(WordHeardFrame(3, "A."), FrameDirection.UPSTREAM)
        await asyncio.sleep(0.1)
        assert [frame.prepared_id for frame in chain.down(PreparedDroppedFrame)] == [2]
    assert len(model.prompts) == 2
    assert budget.snapshot().items() >= {"asked": 2, "used": 1, "wasted": 1}.items()


async def test_the_oldest_gives_way_when_too_many_are_prepared(virtual):
    model = ScriptModel(*(["A", 9.0, STOP] for _ in range(5)))
    async with running(LLMProcessor(model, params=several(), preemptive_budget=preemptive_budget())) as chain:
        for words in ("one", "one two", "one two three", "one two three four", "one two three four five"):
            await chain.push(maybe(words))
        await asyncio.sleep(0.1)
        assert len([task for task in asyncio.all_tasks() if task.get_name() == "preemptive"]) == 3
        assert [frame.prepared_id for frame in chain.down(PreparedDroppedFrame)] == [1, 2]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "preemptive"]


async def test_who_talks_on_and_on_is_prepared_for_less_and_less(virtual):
    """Five minutes of new words each second: no request for each of them, and the next turn is like any other."""
    model, budget = ScriptModel(*(["A", 0.1, STOP] for _ in range(40))), preemptive_budget()
    async with running(LLMProcessor(model, params=several(), preemptive_budget=budget)) as chain:
        words = "so"
        for number in range(300):
            words += f" and {number}"
            await chain.push(maybe(words))
            await asyncio.sleep(1.0)
        assert 8 < len(model.prompts) <= 18
        await chain.push(prompt(3, words))
        await chain.until(ReplyEndFrame)
        before = len(model.prompts)
        await chain.push(maybe("good bye"))
        await asyncio.sleep(0.2)
    assert len(model.prompts) == before + 1


async def test_figures_and_their_names_are_the_same_words(virtual):
    model, budget = ScriptModel(["A.", STOP], ["B.", STOP]), preemptive_budget()
    async with running(LLMProcessor(model, preemptive_budget=budget)) as chain:
        await chain.push(maybe("my last ten transactions"))
        await asyncio.sleep(0.1)
        await chain.push(prompt(3, "My last 10 transactions."))
        await chain.until(ReplyEndFrame)
    assert budget.used == 1


async def test_a_reply_that_is_prepared_looks_things_up_and_goes_on_with_them(virtual):
    lookup = Lookup()
    tools = ToolRunner([lookup.tool], conversation := Conversation("Be brief."))
    model = ScriptModel(
        [0.5, ToolCallDelta("x", "look", "{}"), Finish("tool_calls")],
        [0.5, "It is ", 0.2, "seven.", STOP],
    )
    budget = preemptive_budget()
    async with running(LLMProcessor(model, tools, several(), preemptive_budget=budget)) as chain:
        await chain.push(PreemptiveContextFrame(conversation.messages_with(1, "How many?")))
        await asyncio.sleep(2.0)
        conversation.user_turn(1, "how many")
        assert lookup.runs == 1
        assert [m["role"] for m in conversation.messages()] == ["system", "user"]
        asked = virtual.time()
        context = LLMContext(conversation.messages())
        await chain.push(ReplyContextFrame(context, reply_id=3, turn_id=1))
        await chain.until(ReplyEndFrame)
        assert shape(chain) == ["start 3", "It is ", "seven.", "end 3"]
        assert virtual.time() - asked < 0.05
        assert {frame.prepared_id for frame in chain.down(PreparedTextFrame)} == {1}
        assert [m["role"] for m in conversation.messages()] == ["system", "user", "assistant", "tool"]
    assert (lookup.runs, len(model.prompts)) == (1, 2)
    assert budget.snapshot().items() >= {"asked": 2, "used": 2, "wasted": 0}.items()


async def test_what_is_prepared_never_has_an_effect(virtual):
    lookup = Lookup(effect=True)
    tools = ToolRunner([lookup.tool], Conversation("Be brief."))
    model = ScriptModel([ToolCallDelta("x", "look", "{}"), Finish("tool_calls")])
    async with running(LLMProcessor(model, tools, several(), preemptive_budget=preemptive_budget())) as chain:
        await chain.push(maybe("Do it"))
        await asyncio.sleep(1.0)
    assert (lookup.runs, len(model.prompts)) == (0, 1)


class Lookup:
    """A tool that answers at once and counts."""

    def __init__(self, effect=False):
        self.runs = 0
        self.tool = Tool("look", "…", {"type": "object", "properties": {}}, self.run, effect=effect)

    async def run(self, arguments, context):
        self.runs += 1
        return "7"


# --- replies that are worth nothing, or too long ------------------------------


NOTHING = [
    [STOP],
    ["  \n", STOP],
    ["…", STOP],
    ["🙂", STOP],
    ["---", STOP],
    ["```\nprint(1)\n```", STOP],
    [Finish("length")],
    [Finish("content_filter")],
    ["<think>Hm, what", " now?", STOP],
    ["<think>Hm.</think>", STOP],
]


@pytest.mark.parametrize("nothing", NOTHING)
async def test_a_reply_that_says_nothing_is_asked_for_once_more(virtual, nothing):
    model = ScriptModel(nothing, ["Good morning.", STOP])
    async with running(LLMProcessor(model)) as chain:
        await chain.push(prompt(1))
        end = await chain.until(ReplyEndFrame)
        assert end.error is None
        assert spoken("".join(texts(chain))).text == "Good morning."
    assert len(model.prompts) == 2


@pytest.mark.parametrize("nothing", NOTHING)
async def test_a_model_that_has_nothing_to_say_is_asked_no_third_time(virtual, nothing):
    model = ScriptModel(respond=lambda messages: nothing)
    async with running(LLMProcessor(model)) as chain:
        await chain.push(prompt(1))
        assert (await chain.until(ReplyEndFrame)).error is not None
    assert len(model.prompts) == 2


async def test_a_call_that_cannot_be_read_is_asked_for_once_more_and_then_runs(virtual):
    model = ScriptModel(['Sure. {"name": "lo', STOP], [CALL, Finish("tool_calls")], ["Nine to five.", STOP])
    llm, _ = with_tools(model, look({"hours": "9-17"}))
    async with running(llm) as chain:
        await chain.push(prompt(1))
        await chain.until(ReplyEndFrame)
        assert "".join(texts(chain)) == "Sure. Nine to five."
    assert model.prompts[1][-1]["role"] == "system"
    assert [len(prompt) for prompt in model.prompts] == [1, 2, 4]


@pytest.mark.parametrize("written", ['{"name": "look", "arguments": {"what": "hours"}}', 'look(what="hours")'])
async def test_a_call_that_is_made_and_also_written_runs_once(virtual, written):
    ran = []

    async def run(arguments, context):
        ran.append(arguments)
        return "9-17"

    schema = {"type": "object", "properties": {"what": {"type": "string"}}}
    model = ScriptModel(["Let me see. ", written, CALL, Finish("tool_calls")], ["Nine to five.", STOP])
    llm, _ = with_tools(model, Tool("look", "Look.", schema, run, effect=True))
    async with running(llm) as chain:
        await chain.push(prompt(1))
        await chain.until(ReplyEndFrame)
        assert "".join(texts(chain)) == "Let me see. Nine to five."
    assert ran == [{"what": "hours"}]


def long_reply(sentences):
    return [f"This is sentence number {number} of a very long story. " for number in range(sentences)]


async def test_a_long_reply_is_offered_in_parts_and_the_model_stopped(virtual):
    model = ScriptModel([*long_reply(400), STOP])
    async with running(LLMProcessor(model)) as chain:
        await chain.push(prompt(1))
        assert (await chain.until(ReplyEndFrame)).error is None
        text = "".join(texts(chain))
        assert 500 < len(text) < 750
        assert text.endswith("of a very long story. Shall I go on?")


@pytest.mark.parametrize("sentences", range(12))
async def test_a_reply_that_is_cut_by_its_length_ends_with_a_whole_sentence_and_the_question(virtual, sentences):
    model = ScriptModel([*long_reply(sentences), "And the la", Finish("length")])
    async with running(LLMProcessor(model)) as chain:
        await chain.push(prompt(1))
        assert (await chain.until(ReplyEndFrame)).error is None
        text = "".join(texts(chain))
        told = "".join(long_reply(sentences)).strip()
        assert text in (f"{told} Shall I go on?", f"{told} And the la… Shall I go on?".lstrip())
        assert sentences < 4 or text == f"{told} Shall I go on?"


@given(st.lists(st.sampled_from([*"ab .,!?\n", "word", "Dr. ", "3.", "…"]), max_size=80).map("".join), st.data())
def test_all_of_a_reply_is_said_if_it_is_not_cut(text, data):
    size = data.draw(st.integers(1, 40))
    parts = ReplyParts(700)
    said = "".join(parts.feed(text[at : at + size]) for at in range(0, len(text), size)) + parts.finish(cut=False)
    assert said == text
    assert not parts.full


@given(st.lists(st.sampled_from(["word ", "Yes. ", "one, two ", "Why? "]), max_size=900).map("".join), st.data())
def test_no_part_is_longer_than_its_limit(text, data):
    size = data.draw(st.integers(1, 400))
    parts = ReplyParts(700)
    said = "".join(parts.feed(text[at : at + size]) for at in range(0, len(text), size)) + parts.finish(cut=True)
    assert len(said) <= 700
    assert text.startswith(said)


# --- hanging up ------------------------------------------------------------------


def hang_up_tool():
    async def run(arguments, context):
        context.call.hang_up()
        return "Say goodbye."

    return Tool("hang_up", "End the call.", {"type": "object", "properties": {}}, run)


HANG_UP = ToolCallDelta("", "hang_up", "{}")


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ([[HANG_UP, Finish("tool_calls")], ["Bye bye.", STOP]], "Bye bye."),
        ([[HANG_UP, Finish("tool_calls")], [STOP]], "Goodbye."),
        ([[HANG_UP, Finish("tool_calls")], [HANG_UP, Finish("tool_calls")]], "Goodbye."),
        ([[HANG_UP, Finish("tool_calls")], [LanguageModelError("gone", retryable=True)]], "Goodbye."),
        ([[HANG_UP, Finish("tool_calls")], [9.0, "Late.", STOP]], "Goodbye."),
        ([["Bye bye.", HANG_UP, Finish("tool_calls")]], "Bye bye. "),
        ([["hang_up()", STOP], [STOP]], "Goodbye."),
    ],
)
async def test_a_hang_up_needs_no_faultless_reply(virtual, replies, said):
    conversation = Conversation("Be brief.")
    conversation.user_turn(1, "Bye")
    runner = ToolRunner([hang_up_tool()], conversation)
    llm = LLMProcessor(ScriptModel(*replies), runner)
    async with running(llm) as chain:
        await chain.push(prompt(1, "Bye"))
        end = await chain.until(ReplyEndFrame)
        assert end.error is None
        assert "".join(texts(chain)) == said
        (ends,) = chain.up(ReplyEndsCallFrame)
        assert ends.reply_id == 1, "the turn machine hangs up when it has been heard"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What's my balance?", "um what's my balance please", True),
        ("Please tell me my balance", "Tell me, uh, my balance.", True),
        ("Yes, please.", "yes", True),
        ("please", "Please!", True),
        ("my balance", "my ballast", False),
        ("please", "um", False),
        ("no", "know", False),
        ("I like you know what", "I what", False),
    ],
)
def test_a_preparation_serves_words_that_differ_in_no_more_than_courtesy(one, other, same):
    assert (gist(one, "en") == gist(other, "en")) is same


def test_er_is_a_word_in_german():
    assert gist("er kommt", "de") != gist("kommt", "de")
    assert gist("äh, wann kommt er bitte", "de") == gist("wann kommt er", "de")
