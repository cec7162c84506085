"""Tools outlive the replies that asked for them: effects finish once, look-ups stop, each call gets one output."""

import asyncio
import threading
import time

import pytest
from loguru import logger

from contracts.llm import ToolCallDelta
from processors.context.aggregators import CANCELLED, Conversation
from processors.tools.base import Session, Tool, ToolContext, ToolError
from processors.tools.consent import DONE_ALREADY, MUST_ASK, NOT_THE_CALLER
from processors.tools.declare import tool
from processors.tools.effects import Effects
from processors.tools.runner import ASKED_OFTEN, LOOKED_UP_SECS, NOT_TOLD, ToolRunner

ANY = {"type": "object", "properties": {}}


class Counter:
    """A tool that takes a while and counts how often it began and ended."""

    def __init__(self, secs=2.0, effect=True, timeout_secs=10.0, name="book", confirm=False):
        self.began = self.ended = 0
        self.secs = secs
        self.tool = Tool(name, "…", ANY, self.run, effect=effect, confirm=confirm, timeout_secs=timeout_secs)

    async def run(self, arguments, context):
        self.began += 1
        await asyncio.sleep(self.secs)
        self.ended += 1
        return f"done {self.ended}"


def setup(*tools, effects=None):
    conversation = Conversation("Be brief.")
    conversation.user_turn(1, "Hi")
    return ToolRunner(tools, conversation, effects=effects), conversation


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
    assert outputs(conversation) == [CANCELLED]


async def test_an_effect_goes_on_and_its_result_is_kept(virtual):
    effect = Counter()
    runner, conversation = setup(effect.tool)
    waiting = asyncio.create_task(runner.run(1, [call()]))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.sleep(0.5)
    assert outputs(conversation) == ["still running"]
    await asyncio.sleep(1)
    assert outputs(conversation) == ["done 1" + NOT_TOLD]


async def test_an_identical_effect_joins_the_one_that_runs(virtual):
    effect = Counter()
    runner, conversation = setup(effect.tool)
    first = asyncio.create_task(runner.run(1, [call(arguments='{"a": 1, "b": 2}')]))
    await asyncio.sleep(1)
    first.cancel()
    conversation.user_turn(2, "And?")
    await runner.run(2, [call(arguments='{"b": 2, "a": 1}')])
    assert effect.began == 1
    assert outputs(conversation) == ["done 1" + NOT_TOLD, "done 1"]


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

    async def run(arguments, context):
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
    assert outputs(conversation) == ["timed out: no answer within 3 s"]


async def test_an_effect_that_is_too_slow_is_told_of_and_goes_on(virtual):
    effect = Counter(secs=60, timeout_secs=3)
    runner, conversation = setup(effect.tool)
    began = virtual.time()
    await runner.run(1, [call()])
    assert virtual.time() - began == pytest.approx(3, abs=0.2)
    assert outputs(conversation) == ["still running"]
    await asyncio.sleep(60)
    assert outputs(conversation) == ["done 1" + NOT_TOLD]


async def test_a_tool_with_a_bug_gives_an_output(virtual):
    async def run(arguments, context):
        raise KeyError("boom")

    runner, conversation = setup(Tool("look", "…", ANY, run))
    await runner.run(1, [call("look")])
    assert outputs(conversation) == ["error: the tool failed (KeyError)"]


@pytest.mark.parametrize(
    ("name", "arguments", "output"),
    [
        ("fly", "{}", "error: there is no tool 'fly'; there are: book"),
        ("book", "{people: 4}", "error: the arguments are not valid JSON"),
        ("book", "[4]", "error: the arguments are not a JSON object"),
        ("book", "null", "error: wrong arguments: people is missing"),
        ("book", "", "error: wrong arguments: people is missing"),
        ("book", '{"people": "many"}', "error: wrong arguments: people: input should be a valid integer, unable to"),
        ("book", '{"people": 4, "cake": 1}', "error: wrong arguments: there is no argument cake (there are: people)"),
    ],
)
async def test_a_wrong_call_is_answered_and_not_run(virtual, name, arguments, output):
    @tool(effect=True, confirm=False)
    async def book(people: int) -> str:
        """Book a table."""
        raise AssertionError

    runner, conversation = setup(book)
    await runner.run(1, [call(name, arguments)])
    assert [said[: len(output)] for said in outputs(conversation)] == [output]


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
    assert outputs(conversation) == ["done 1" + NOT_TOLD, CANCELLED]


@pytest.mark.parametrize("secs", [4, 8, 60])
async def test_an_effect_is_finished_whatever_its_length_and_the_call_does_not_wait_for_ever(virtual, secs):
    effect, effects = Counter(secs=secs), Effects()
    runner, conversation = setup(effect.tool, effects=effects)
    waiting = asyncio.create_task(runner.run(1, [call()]))
    await asyncio.sleep(0.1)
    waiting.cancel()
    began = virtual.time()
    await runner.close()
    assert virtual.time() - began == pytest.approx(min(secs - 0.1, 5), abs=0.05)
    await asyncio.sleep(secs)
    assert effect.ended == 1
    assert outputs(conversation) == ["done 1" + NOT_TOLD]


async def test_the_end_of_the_process_waits_for_effects_and_says_what_is_left_unfinished(virtual):
    before = asyncio.all_tasks()
    short, endless, effects, said = Counter(secs=8), Counter(secs=1_000, name="endless"), Effects(), []
    runner, _ = setup(short.tool, endless.tool, effects=effects)
    waiting = asyncio.create_task(runner.run(1, [call(), call("endless")]))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await runner.close()
    sink = logger.add(lambda message: said.append(message.record["message"]), level="ERROR")
    await effects.finish(6)
    logger.remove(sink)
    await asyncio.sleep(0.01)
    assert (short.ended, endless.ended) == (1, 0)
    assert [each.split(": ", 1)[1] for each in said] == ["tool endless: given up unfinished at the end of the process"]
    assert asyncio.all_tasks() == before


# --- look-ups are remembered within a turn ----------------------------------------------------


async def test_an_equal_lookup_runs_once_in_a_turn_and_again_in_the_next(virtual):
    lookup = Counter(secs=0.1, effect=False)
    runner, conversation = setup(lookup.tool)
    for _ in range(4):
        await runner.run(1, [call(arguments='{"a": 1}'), call(arguments='{"a": 1}')])
    assert lookup.began == 1
    assert outputs(conversation) == ["done 1"] * 2 + ["done 1" + ASKED_OFTEN] * 6
    await runner.run(1, [call(arguments='{"a": 2}')])
    conversation.user_turn(2, "And now?")
    await runner.run(2, [call(arguments='{"a": 1}')])
    assert lookup.began == 3


async def test_a_lookup_that_fails_is_tried_once_more_in_its_turn(virtual):
    tries = []

    async def run(arguments, context):
        tries.append(1)
        raise ToolError("no answer")

    runner, conversation = setup(Tool("look", "…", ANY, run))
    for _ in range(4):
        await runner.run(1, [call("look")])
    assert len(tries) == 2
    assert [output.startswith("error: no answer") for output in outputs(conversation)] == [True] * 4


async def test_a_lookup_that_was_cut_is_made_again_in_its_turn(virtual):
    lookup = Counter(effect=False)
    runner, _ = setup(lookup.tool)
    waiting = asyncio.create_task(runner.run(1, [call()]))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.sleep(0.1)
    await runner.run(1, [call()])
    assert (lookup.began, lookup.ended) == (2, 1)


# --- tools that block (in real time: they have a thread of their own) ---------------------------


async def test_a_tool_that_blocks_holds_up_nothing_and_is_named_in_the_log():
    @tool()
    async def dig(depth: float) -> str:
        """Dig."""
        time.sleep(depth)  # noqa: ASYNC251 - what a tool should not do
        return f"{depth} deep"

    runner, conversation = setup(dig)
    said = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="WARNING")
    digging = asyncio.create_task(runner.run(1, [call("dig", '{"depth": 0.4}'), call("dig", '{"depth": 0.5}')]))
    turns = 0
    while not digging.done():
        await asyncio.sleep(0.005)
        turns += 1
    logger.remove(sink)
    assert turns > 10  # the loop went on, however busy the machine is
    assert outputs(conversation) == ["0.4 deep", "0.5 deep"]
    assert len(said) == 2
    assert all(each.startswith("tool dig blocked its thread for ") for each in said)


class Ends:
    """A tool that ends more than itself."""

    def __init__(self, error):
        async def run(arguments, context):
            await asyncio.sleep(0)
            raise error

        self.tool = Tool("look", "…", ANY, run)


ENDS = pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), RecursionError(), MemoryError()])


@ENDS
async def test_a_tool_that_ends_more_than_itself_ends_neither_process_nor_reply(error):
    runner, conversation = setup(Ends(error).tool)
    await asyncio.wait_for(runner.run(1, [call("look")]), 20)
    (output,) = outputs(conversation)
    assert output.startswith("error: the tool failed")


@ENDS
async def test_nor_does_it_in_virtual_time(virtual, error):
    runner, conversation = setup(Ends(error).tool)
    await asyncio.wait_for(runner.run(1, [call("look")]), 20)
    (output,) = outputs(conversation)
    assert output.startswith("error: the tool failed")


async def test_a_tool_on_its_own_thread_speaks_hangs_up_keeps_and_is_cut():
    class Phone:
        def __init__(self):
            self.said, self.loop, self.hung_up = [], asyncio.get_running_loop(), 0

        async def say(self, text):
            assert asyncio.get_running_loop() is self.loop
            self.said.append(text)
            return True

        def hang_up(self):
            assert asyncio.get_running_loop() is self.loop
            self.hung_up += 1

    class Notes(list):
        pass

    started, stopped = threading.Event(), threading.Event()

    @tool()
    async def speak(context: ToolContext, text: str) -> str:
        """Speak."""
        context.own(Notes).append(text)
        heard = await context.call.say(text)
        context.call.hang_up()
        return f"{heard}, {threading.current_thread().name}, {len(context.own(Notes))}"

    @tool()
    async def wait() -> str:
        """Wait."""
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return "late"

    phone = Phone()
    runner, conversation = setup(speak, wait)
    await runner.run(1, [call("speak", '{"text": "Hello."}')], phone)
    assert outputs(conversation) == ["True, tool, 1"]
    assert (phone.said, phone.hung_up) == (["Hello."], 1)
    waiting = asyncio.create_task(runner.run(1, [call("wait")], phone))
    assert await asyncio.to_thread(started.wait, 60)
    waiting.cancel()
    assert await asyncio.to_thread(stopped.wait, 60)
    await runner.close(grace_secs=60)  # what it came to is written down by a task of its own
    assert outputs(conversation)[-1] == CANCELLED


async def test_a_tool_that_times_out_tells_it_in_words(virtual):
    async def run(arguments, context):
        async with asyncio.timeout(1):
            await asyncio.sleep(60)

    runner, conversation = setup(Tool("look", "…", ANY, run))
    await runner.run(1, [call("look")])
    assert outputs(conversation) == ["error: what it asked did not answer in time"]


async def test_a_short_tool_does_not_wait_for_the_longest_that_there_is(virtual):
    effect, other = Counter(secs=60, timeout_secs=2), Counter(name="other", timeout_secs=50)
    runner, _ = setup(effect.tool, other.tool)
    began = virtual.time()
    await runner.run(1, [call()])
    assert virtual.time() - began == pytest.approx(2.1, abs=0.05)


async def test_each_wish_has_a_key_of_its_own(virtual):
    keys = []

    async def run(arguments, context):
        keys.append(context.key)
        return "done"

    runner, _ = setup(Tool("book", "…", ANY, run, effect=True))
    await runner.run(1, [call(arguments='{"people": 4}'), call(arguments='{"people": 4}')])
    await runner.run(2, [call(arguments='{"people": 4}')])
    assert len(keys) == 2
    assert len(set(keys)) == 2
    assert all(len(key) == 32 for key in keys)


async def test_what_a_tool_keeps_for_its_caller_no_other_caller_finds(virtual):
    class Notes:
        def __init__(self):
            self.lines = []

    async def run(arguments, context):
        context.own(Notes).lines.append(arguments["note"])
        return ", ".join(context.own(Notes).lines)

    note = Tool("note", "…", ANY, run)
    conversations = []
    for caller in ("Ann", "Bob"):
        conversation = Conversation("Be brief.")
        conversation.user_turn(1, "Hi")
        conversations.append(conversation)
        runner = ToolRunner([note], conversation, Session(caller))
        await runner.run(1, [call("note", f'{{"note": "{caller} 1"}}')])
        await runner.run(1, [call("note", f'{{"note": "{caller} 2"}}')])
    assert [outputs(each) for each in conversations] == [["Ann 1", "Ann 1, Ann 2"], ["Bob 1", "Bob 1, Bob 2"]]


# --- the caller's yes ------------------------------------------------------------------------


class Dialogue:
    """Turns, as the model and the caller make them."""

    def __init__(self, **more):
        self.effect = Counter(confirm=True, **more)
        self.runner, self.conversation = setup(self.effect.tool)
        self.turn_id = 1

    async def bot(self, *arguments, heard="Shall I book it?", cut=False):
        """The model calls the tool, then its words are heard."""
        for each in arguments:
            await self.runner.run(self.turn_id, [call(arguments=each)])
        self.conversation.reply(self.turn_id, self.turn_id, heard, cut)

    def user(self, text):
        self.turn_id += 1
        self.conversation.user_turn(self.turn_id, text)


FOUR, SIX = '{"people": 4}', '{"people": 6}'


async def test_an_effect_waits_for_the_yes_and_is_done_once(virtual):
    said = Dialogue()
    await said.bot(FOUR)
    assert said.effect.began == 0
    said.user("Yes, please.")
    await said.bot(FOUR, heard="Done.")
    assert outputs(said.conversation) == [MUST_ASK, "done 1"]
    said.user("Thanks, yes.")
    await said.bot(FOUR, heard="Once more?")
    assert outputs(said.conversation)[-1] == DONE_ALREADY.format(result="done 1")
    assert said.effect.began == 1
    said.user("Yes, once more.")
    await said.bot(FOUR)
    assert said.effect.began == 2


async def test_a_yes_from_another_voice_is_none(virtual):
    said = Dialogue()
    await said.bot(FOUR)
    said.runner.session.hears_caller = lambda: False
    said.user("Yes, please.")
    await said.bot(FOUR, heard="Would you say that once more?")
    assert said.effect.began == 0
    said.runner.session.hears_caller = lambda: True
    said.user("Yes, please.")
    await said.bot(FOUR, heard="Done.")
    assert outputs(said.conversation) == [MUST_ASK, NOT_THE_CALLER, "done 1"]


@pytest.mark.parametrize("text", ["No.", "Yes, but for six.", "What was that?", "Tell me my balance", ""])
async def test_what_is_no_yes_does_nothing(virtual, text):
    said = Dialogue()
    await said.bot(FOUR)
    said.user(text)
    await said.bot(FOUR)
    assert outputs(said.conversation) == [MUST_ASK, MUST_ASK]
    assert said.effect.began == 0


async def test_a_yes_is_to_what_was_asked(virtual):
    said = Dialogue()
    await said.bot(FOUR)
    said.user("Yes")
    await said.bot(SIX)
    assert outputs(said.conversation) == [MUST_ASK, MUST_ASK]
    said.user("Yes")
    await said.bot(SIX)
    assert outputs(said.conversation)[-1] == "done 1"


async def test_a_yes_in_the_same_breath_as_the_wish_is_none(virtual):
    said = Dialogue()
    await said.bot(FOUR, FOUR)
    assert outputs(said.conversation) == [MUST_ASK, MUST_ASK]
    assert said.effect.began == 0


async def test_a_question_that_nobody_heard_was_not_answered(virtual):
    said = Dialogue()
    await said.bot(FOUR, heard="")
    said.user("yes")
    await said.bot(FOUR)
    assert said.effect.began == 0


@pytest.mark.parametrize(("heard", "done"), [("Until five. Shall I book it?", 1), ("Until five.", 0)])
async def test_a_question_in_between_may_be_answered_if_the_bot_asks_again(virtual, heard, done):
    said = Dialogue()
    await said.bot(FOUR)
    said.user("How long are you open?")
    await said.bot(heard=heard)
    said.user("Yes")
    await said.bot(FOUR)
    assert said.effect.began == done


async def test_a_cut_while_it_runs_needs_no_second_yes_and_makes_no_second_booking(virtual):
    said = Dialogue()
    await said.bot(FOUR)
    said.user("yes")
    waiting = asyncio.create_task(said.runner.run(said.turn_id, [call(arguments=FOUR)]))
    await asyncio.sleep(1)
    waiting.cancel()
    said.user("hurry up")
    await said.bot(FOUR)
    assert said.effect.began == 1
    assert outputs(said.conversation) == [MUST_ASK, "done 1" + NOT_TOLD, "done 1"]


async def test_a_failed_effect_needs_a_new_yes(virtual):
    said = Dialogue()

    async def fail(arguments, context):
        raise ToolError("the line is dead")

    said.runner, said.conversation = setup(Tool("book", "…", ANY, fail, effect=True, confirm=True))
    await said.bot(FOUR)
    said.user("yes")
    await said.bot(FOUR, FOUR)
    assert outputs(said.conversation) == [MUST_ASK, "error: the line is dead", MUST_ASK]


@pytest.mark.parametrize(
    ("name", "arguments", "kept"),
    [
        ("book", '{"people": 4}', ("book", '{"people": 4}')),
        ("book", "", ("book", "{}")),
        ("book", "{people: 4}", ("book", '{"unreadable": "{people: 4}"}')),
        ("book", "[4]", ("book", '{"unreadable": "[4]"}')),
        ("book a table!", "{}", ("book_a_table_", "{}")),
        ("", "{}", ("nameless", "{}")),
    ],
)
async def test_history_shows_calls_that_every_vendor_takes(virtual, name, arguments, kept):
    runner, conversation = setup(Counter().tool)
    await runner.run(1, [call(name, arguments)])
    (function,) = [m["tool_calls"][0]["function"] for m in conversation.messages() if "tool_calls" in m]
    assert (function["name"], function["arguments"]) == kept


# --- look-ups for a reply that is only prepared


async def test_what_was_looked_up_ahead_is_not_looked_up_again_and_leaves_no_trace_before(virtual):
    lookup = Counter(effect=False)
    runner, conversation = setup(lookup.tool)
    assert await runner.look_up([call()]) == ["done 1"]
    assert outputs(conversation) == []
    began = virtual.time()
    await runner.run(1, [call()])
    assert (outputs(conversation), lookup.began) == (["done 1"], 1)
    assert virtual.time() == pytest.approx(began, abs=0.01)
    conversation.user_turn(2, "And now?")
    await runner.run(2, [call()])  # it serves one turn: what a call in the next finds may be other
    assert lookup.began == 2


async def test_a_lookup_that_runs_ahead_is_joined(virtual):
    lookup = Counter(secs=2.0, effect=False)
    runner, conversation = setup(lookup.tool)
    ahead = asyncio.create_task(runner.look_up([call()]))
    await asyncio.sleep(1.5)
    began = virtual.time()
    await runner.run(1, [call()])
    assert (await ahead, outputs(conversation), lookup.began) == (["done 1"], ["done 1"], 1)
    assert virtual.time() - began == pytest.approx(0.5, abs=0.01)


async def test_what_was_looked_up_long_ago_is_looked_up_again(virtual):
    lookup = Counter(effect=False)
    runner, _ = setup(lookup.tool)
    await runner.look_up([call()])
    await asyncio.sleep(LOOKED_UP_SECS + 1)
    await runner.run(1, [call()])
    assert lookup.began == 2


@pytest.mark.parametrize("calls", [["book"], ["look", "book"], ["none"]], ids=["effect", "both", "unknown"])
async def test_only_look_ups_run_ahead(virtual, calls):
    effect, lookup = Counter(), Counter(effect=False, name="look")
    runner, _ = setup(effect.tool, lookup.tool)
    assert await runner.look_up([call(name) for name in calls]) is None
    assert effect.began == lookup.began == 0


async def test_a_tool_that_controls_the_call_does_not_run_ahead(virtual):
    @tool()
    async def end_call(context: ToolContext) -> str:
        """End the call."""
        context.call.hang_up()
        return "over"

    hung_up = []
    runner, conversation = setup(end_call)
    assert await runner.look_up([call("end_call")]) is None

    class Control:
        async def say(self, text):
            return True

        def hang_up(self):
            hung_up.append(True)

    await runner.run(1, [call("end_call")], Control())
    assert (outputs(conversation), hung_up) == (["over"], [True])


async def test_a_lookup_that_fails_ahead_is_run_again_when_it_is_wanted(virtual):
    tries = []

    async def run(arguments, context):
        tries.append(1)
        if len(tries) == 1:
            raise ToolError("not now")
        return "done"

    runner, conversation = setup(Tool("look", "…", ANY, run))
    assert await runner.look_up([call("look")]) is None
    await runner.run(1, [call("look")])
    assert outputs(conversation) == ["done"]
