"""What the model is shown: heard words only, whole turns, one output for each tool call, bounded memory."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.frames import ReplyCommittedFrame, ReplyPlayedFrame, UserDoubtFrame, UserTurnFrame, WordHeardFrame
from processors.context.aggregators import CUT_MARK, ContextPair, Conversation, ReplyContextFrame, ReplyDoubtFrame
from tests.processors.chain import running

SYSTEM = {"role": "system", "content": "Be brief."}


def user(text):
    return {"role": "user", "content": text}


def bot(text):
    return {"role": "assistant", "content": text}


def call(call_id, name, arguments, content=None):
    function = {"name": name, "arguments": arguments}
    tool_calls = [{"id": call_id, "type": "function", "function": function}]
    return {"role": "assistant", "content": content, "tool_calls": tool_calls}


def output(call_id, text):
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def conversation(**kwargs):
    return Conversation("Be brief.", **kwargs)


def test_turns_and_replies_in_order():
    c = conversation()
    c.reply(None, 1, "Hello, how can I help? ", cut=False)
    c.user_turn(1, "My balance?")
    c.reply(1, 2, "It is ten dollars.", cut=False)
    c.user_turn(2, "Thanks")
    assert c.messages() == [
        SYSTEM,
        bot("Hello, how can I help?"),
        user("My balance?"),
        bot("It is ten dollars."),
        user("Thanks"),
    ]


def test_a_cut_reply_ends_with_the_mark():
    c = conversation()
    c.user_turn(1, "Count")
    c.reply(1, 1, "one two ", cut=True)
    c.user_turn(2, "Stop")
    assert c.messages()[2] == bot("one two" + CUT_MARK)
    assert CUT_MARK == " …[interrupted]"


def test_a_reply_cut_before_its_first_word_leaves_nothing():
    c = conversation()
    c.user_turn(1, "Count")
    c.reply(1, 1, " ", cut=True)
    assert c.messages() == [SYSTEM, user("Count")]


def test_a_turn_that_goes_on_replaces_its_text():
    c = conversation()
    c.user_turn(1, "I want to book")
    c.user_turn(1, "I want to book a table for two")
    assert c.messages() == [SYSTEM, user("I want to book a table for two")]


def test_two_turns_without_a_reply_become_one_message():
    c = conversation()
    c.user_turn(1, "Hello?")
    c.user_turn(2, "Are you there?")
    assert c.messages() == [SYSTEM, user("Hello?\nAre you there?")]


def test_a_late_commit_goes_to_the_turn_that_it_answers():
    c = conversation()
    c.user_turn(1, "First")
    c.user_turn(2, "Second")
    c.reply(1, 1, "An answer", cut=True)
    assert c.messages() == [SYSTEM, user("First"), bot("An answer" + CUT_MARK), user("Second")]


def test_a_reply_is_committed_once():
    c = conversation()
    c.user_turn(1, "Hi")
    c.reply(1, 7, "Hello", cut=False)
    c.reply(1, 7, "Hello", cut=False)
    assert c.messages() == [SYSTEM, user("Hi"), bot("Hello")]


def test_every_call_has_one_output_at_every_time():
    c = conversation()
    c.user_turn(1, "Book a table")
    c.tool_call(1, "a", "book", '{"people": 2}')
    assert c.messages()[2:] == [call("a", "book", '{"people": 2}'), output("a", "still running")]
    c.tool_result("a", "booked, number 5")
    c.tool_result("a", "something else")
    c.reply(1, 1, "Done", cut=False)
    assert c.messages()[2:] == [call("a", "book", '{"people": 2}'), output("a", "booked, number 5"), bot("Done")]


def test_a_result_that_comes_turns_later_stands_where_the_call_stands():
    c = conversation()
    c.user_turn(1, "Book")
    c.tool_call(1, "a", "book", "{}")
    c.user_turn(2, "Hello?")
    c.tool_result("a", "booked")
    assert c.messages() == [SYSTEM, user("Book"), call("a", "book", "{}"), output("a", "booked"), user("Hello?")]


def test_what_a_reply_said_before_its_calls_stands_with_them():
    c = conversation()
    c.user_turn(1, "Book")
    c.tool_call(1, "a", "book", "{}")
    c.tool_call(1, "b", "look", "{}")
    assert c.messages(said="One moment. ")[2] == call("a", "book", "{}", content="One moment.")
    assert c.messages()[2] == call("a", "book", "{}")


def test_only_the_last_turns_are_shown_and_none_is_split():
    c = conversation(max_turns=2)
    c.user_turn(1, "one")
    c.tool_call(1, "a", "look", "{}")
    c.user_turn(2, "two")
    c.reply(2, 2, "second", cut=False)
    c.user_turn(3, "three")
    c.tool_result("a", "too late")
    assert c.messages() == [SYSTEM, user("two"), bot("second"), user("three")]


def test_long_messages_keep_their_two_ends():
    c = conversation(max_chars_per_message=21)
    c.user_turn(1, "a" * 50 + "z" * 50)
    assert c.messages()[1] == user("a" * 9 + " … " + "z" * 9)


def test_arguments_that_are_too_long_stay_json():
    c = conversation(max_chars_per_message=20)
    c.user_turn(1, "Hi")
    c.tool_call(1, "a", "look", json.dumps({"text": "x" * 100}))
    arguments = c.messages()[2]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"error": "too long to be kept"}


def test_two_hundred_turns_use_constant_memory():
    c = conversation(max_chars_per_message=500)

    def turns(first, last):
        for n in range(first, last):
            c.user_turn(n, f"{n} " * 1_000)
            c.tool_call(n, f"call {n}", "look", "{}")
            c.tool_result(f"call {n}", f"{n} " * 1_000)
            c.reply(n, n, f"{n} " * 1_000, cut=True)

    tracemalloc.start()
    try:
        turns(100, 130)
        after_30 = tracemalloc.get_traced_memory()[0]
        turns(130, 330)
        after_230 = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert c.turns == 20
    assert after_230 - after_30 < 4_096
    assert sum(len(str(message)) for message in c.messages()) < 20 * 4 * 600


def test_a_turn_that_never_ends_is_bounded_too():
    c = conversation()
    c.user_turn(1, "Hi")
    c.tool_call(1, "open", "book", "{}")
    for n in range(1_000):
        c.reply(None, n, f"Sorry {n}", cut=False)
    messages = c.messages()
    assert len(str(messages)) < 2_000
    assert output("open", "still running") in messages
    assert messages[-1]["content"].endswith("Sorry 999")


OPERATIONS = st.one_of(
    st.tuples(st.just("user"), st.integers(1, 6), st.text(max_size=5)),
    st.tuples(st.just("reply"), st.integers(0, 6), st.integers(1, 9), st.text(max_size=5), st.booleans()),
    st.tuples(st.just("call"), st.integers(0, 6)),
    st.tuples(st.just("result"), st.integers(0, 12)),
)


@given(st.lists(OPERATIONS, max_size=40), st.text(max_size=5))
def test_any_order_of_events_makes_a_prompt_that_every_api_takes(operations, said):
    c = conversation(max_turns=3)
    calls = 0
    for operation in operations:
        match operation:
            case ("user", turn_id, text):
                c.user_turn(turn_id, text)
            case ("reply", turn_id, reply_id, heard, cut):
                c.reply(turn_id or None, reply_id, heard, cut)
            case ("call", turn_id):
                c.tool_call(turn_id or None, str(calls), "look", "{}")
                calls += 1
            case ("result", call_id):
                c.tool_result(str(call_id), "done")
    messages = c.messages(said)
    assert messages[0] == SYSTEM
    assert c.turns <= 3
    previous = messages[0]
    for message in messages[1:]:
        if message["role"] == "tool":
            assert previous["tool_calls"][0]["id"] == message["tool_call_id"]
        else:
            assert "tool_calls" not in previous
        if message["role"] in ("user", "assistant") and "tool_calls" not in message:
            assert message["role"] != previous["role"]
            assert message["content"].strip()
        previous = message
    assert "tool_calls" not in previous


# --- processors --------------------------------------------------------------


async def test_a_user_turn_becomes_a_prompt_and_what_was_heard_is_in_the_next_one():
    pair = ContextPair(conversation())
    async with running(pair.user()) as before, running(pair.assistant()) as after:
        await before.push(UserTurnFrame(turn_id=1, reply_id=4, text="Hi"))
        prompt = await before.until(ReplyContextFrame)
        assert (prompt.turn_id, prompt.reply_id) == (1, 4)
        assert prompt.context.get_messages() == [SYSTEM, user("Hi")]

        await after.push(ReplyPlayedFrame(reply_id=4, heard="Good mor", cut=True))
        await after.until(ReplyPlayedFrame)
        assert [frame.reply_id for frame in after.up(ReplyCommittedFrame)] == [4]

        await before.push(UserTurnFrame(turn_id=2, reply_id=5, text="Stop"))
        prompt = await before.until(ReplyContextFrame, 2)
        assert prompt.context.get_messages() == [SYSTEM, user("Hi"), bot("Good mor" + CUT_MARK), user("Stop")]


@pytest.mark.parametrize("doubted", [False, True])
async def test_the_model_is_told_whether_a_turn_is_doubted(doubted):
    async with running(ContextPair(conversation()).user()) as chain:
        await chain.push(UserTurnFrame(turn_id=2, reply_id=5, text="Blimey", doubted=doubted))
        assert (await chain.until(ReplyContextFrame)).doubted == doubted


async def test_whether_a_cut_reply_goes_on_is_asked_with_what_was_heard_of_it_and_nothing_is_kept_of_the_question():
    pair = ContextPair(conversation())
    async with running(pair.user()) as before, running(pair.assistant()) as after:
        await before.push(UserTurnFrame(turn_id=1, reply_id=4, text="Hi"))
        await after.push(WordHeardFrame(4, "We "), WordHeardFrame(4, "open "))
        await after.until(WordHeardFrame, 2)
        await before.push(UserDoubtFrame(question=1, turn_id=2, reply_id=4, text="Blimey"))
        asked = await before.until(ReplyDoubtFrame)
        assert (asked.question, asked.turn_id, asked.reply_id) == (1, 2, 4)
        assert asked.messages == [SYSTEM, user("Hi"), bot("We open" + CUT_MARK), user("Blimey")]
        assert pair.conversation.messages() == [SYSTEM, user("Hi")]

        await before.push(UserDoubtFrame(question=1, turn_id=2, reply_id=4, text=""))
        assert (await before.until(ReplyDoubtFrame, 2)).messages == []


async def test_words_that_are_not_to_be_remembered_are_committed_as_nothing():
    pair = ContextPair(conversation())
    async with running(pair.assistant()) as chain:
        await chain.push(ReplyPlayedFrame(reply_id=1, heard="One moment.", remember=False))
        await chain.until(ReplyPlayedFrame)
        assert [frame.reply_id for frame in chain.up(ReplyCommittedFrame)] == [1]
    assert pair.conversation.messages() == [SYSTEM]


async def test_a_reply_called_off_in_the_same_instant_is_not_asked_for():
    pair = ContextPair(conversation())
    async with running(pair.user()) as chain:
        await chain.push(UserTurnFrame(turn_id=1, reply_id=1, text="Hi"))
        await chain.interrupt()
        await chain.push(UserTurnFrame(turn_id=1, reply_id=2, text="Hi there"))
        await chain.until(ReplyContextFrame)
        assert [frame.reply_id for frame in chain.down(ReplyContextFrame)] == [2]
    assert pair.conversation.messages() == [SYSTEM, user("Hi there")]


async def test_the_words_of_a_called_off_reply_stay_said():
    pair = ContextPair(conversation())
    async with running(pair.user()) as chain:
        await chain.push(UserTurnFrame(turn_id=1, reply_id=1, text="Hi"))
        await chain.interrupt()
        await chain.push(UserTurnFrame(turn_id=2, reply_id=2, text="Hello?"))
        prompt = await chain.until(ReplyContextFrame)
        assert prompt.context.get_messages() == [SYSTEM, user("Hi\nHello?")]


# --- what is said while a tool runs -----------------------------------------------------------------


def booking() -> Conversation:
    conversation = Conversation("You help.")
    conversation.user_turn(1, "a table for four")
    conversation.tool_call(1, "call_1", "book", '{"people": 4}')
    return conversation


def shape(conversation: Conversation) -> list[tuple[str, str | None]]:
    return [(message["role"], message["content"]) for message in conversation.messages()[1:]]


def test_a_correction_stands_after_the_call_that_it_came_after():
    conversation = booking()
    conversation.user_turn(1, "a table for four make it six")
    conversation.tool_result("call_1", "booked for 4")
    expected = [("user", "a table for four"), ("assistant", None), ("tool", "booked for 4"), ("user", "make it six")]
    assert shape(conversation) == expected
    conversation.user_turn(1, "A table for four. Make it six, at eight.")
    assert shape(conversation)[-1] == ("user", "make it six at eight.")
    assert conversation.spoken() == [("user", "a table for four"), ("user", "make it six at eight.")]


def test_words_that_were_read_otherwise_keep_their_place():
    conversation = booking()
    conversation.user_turn(1, "the table for four make it six")
    assert [text for role, text in shape(conversation) if role == "user"] == ["the table for four", "make it six"]


def test_the_same_words_again_add_nothing():
    conversation = booking()
    conversation.user_turn(1, "A table, for four!")
    assert [text for role, text in shape(conversation) if role == "user"] == ["a table for four"]


@given(st.lists(st.tuples(st.sampled_from(["say", "call", "result"]), st.integers(0, 3)), max_size=20))
def test_every_word_of_a_turn_is_in_the_prompt_once_and_in_order(steps):
    conversation = Conversation("You help.")
    said = ["word0"]
    conversation.user_turn(1, "word0")
    for number, (step, which) in enumerate(steps):
        if step == "say":
            said += [f"word{number + 1}x{index}" for index in range(which)]
            conversation.user_turn(1, " ".join(said))
        elif step == "call":
            conversation.tool_call(1, f"call_{number}", "book", "{}")
        else:
            conversation.tool_result(f"call_{which}", "done")
    words = " ".join(text or "" for role, text in shape(conversation) if role == "user").split()
    assert words == said
