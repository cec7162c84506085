"""The scripted help line with tools: what it calls, and how it tells what came of it."""

import json

import pytest

from contracts.llm import TextDelta, ToolCallDelta
from processors.context.aggregators import CANCELLED, RUNNING, Conversation
from processors.llm.scripted import UNKNOWN, ScriptedModel
from processors.llm.scripted_tools import GOODBYE, REFUSED, WANTED_DAY_AND_TIME
from processors.tools.catalogue import find_tools
from processors.tools.consent import DONE_ALREADY, MUST_ASK
from processors.tools.runner import NOT_TOLD

SPECS = [tool.spec for tool in find_tools().values()]


class Talk:
    """A conversation with the scripted model, whose tools answer what they are told."""

    def __init__(self):
        self.conversation = Conversation("…")
        self.turns = 0

    async def says(self, text, *outputs, specs=SPECS):
        """What the model makes of it: (calls, words)."""
        self.turns += 1
        self.conversation.user_turn(self.turns, text)
        calls = []
        for output in [*outputs, None]:
            deltas = [delta async for delta in ScriptedModel().stream(self.conversation.messages(), specs)]
            called = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
            if not called:
                break
            calls += [(call.name, json.loads(call.arguments)) for call in called]
            if output is None:
                return calls, ""
            self.conversation.tool_call(self.turns, f"id{self.turns}", called[0].name, called[0].arguments)
            self.conversation.tool_result(f"id{self.turns}", output)
        words = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
        self.conversation.reply(self.turns, self.turns, words, cut=False)
        return calls, words


BOOKING = {"day": "tomorrow", "at": "10:00", "topic": "loan"}


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        ("What is my balance?", "check_balance", {"account": "checking"}),
        ("how much is in my savings account", "check_balance", {"account": "savings"}),
        ("my recent transactions please", "recent_transactions", {"account": "checking"}),
        ("E-mail me a statement of my savings", "email_statement", {"account": "savings"}),
        ("Book me an appointment tomorrow at ten about a loan.", "book_appointment", BOOKING),
        ("an appointment on friday at half past two", "book_appointment", {"day": "friday", "at": "14:30"}),
        ("What time is it?", "current_time", {}),
        ("What is 17 percent of 240?", "calculate", {"expression": "17/100*240"}),
        ("what's 12 plus 30.5 times 2", "calculate", {"expression": "12+30.5*2"}),
        ("What do home loans cost?", "search_knowledge", {"question": "What do home loans cost?"}),
        ("Goodbye!", "end_call", {}),
    ],
)
async def test_what_it_calls(said, name, arguments):
    calls, _ = await Talk().says(said)
    assert calls[0][0] == name
    assert calls[0][1] == {**calls[0][1], **arguments}


@pytest.mark.parametrize("said", ["Hello!", "When are you open?", "Thank you", "who are you"])
async def test_what_needs_no_tool(said):
    calls, words = await Talk().says(said)
    assert calls == []
    assert words


async def test_without_tools_it_knows_its_sentences_only():
    calls, words = await Talk().says("What is my balance?", specs=[])
    assert calls == []
    assert "twelve hundred" in words or "one thousand two hundred" in words


@pytest.mark.parametrize(
    ("said", "output", "words"),
    [
        ("balance", "The checking account holds 1240 dollars.", "The checking account holds 1240 dollars."),
        ("balance", "error: the bank sleeps", "I'm sorry, that did not work: the bank sleeps."),
        ("balance", "timed out: no answer within 3 s", "I'm sorry, that did not work: no answer within 3 s."),
        ("balance", RUNNING, "I'm still working on it."),
        ("bye", "Say goodbye.", GOODBYE),
        ("parrots?", "[Birds: Big] One. Two! Three.\n[Other] No.", "One. Two!"),
        ("parrots?", "Nothing is known about that. Say so.", UNKNOWN),
        ("send a statement", MUST_ASK, "Shall I send the statement of your checking account by e-mail?"),
    ],
)
async def test_how_it_tells(said, output, words):
    assert (await Talk().says(said, output))[1] == words


async def test_what_was_cancelled_is_called_again():
    calls, _ = await Talk().says("balance", CANCELLED)
    assert [name for name, _ in calls] == ["check_balance"] * 2


async def test_a_booking_from_the_wish_to_the_end():
    talk = Talk()
    assert await talk.says("I need an appointment about a loan") == ([], WANTED_DAY_AND_TIME)
    calls, words = await talk.says("Tomorrow at ten.", MUST_ASK)
    assert calls == [("book_appointment", BOOKING)]
    assert words == "Shall I book an appointment about your loan for tomorrow at 10:00?"
    calls, words = await talk.says("Yes, please.", "The appointment is booked.")
    assert (calls, words) == ([("book_appointment", BOOKING)], "The appointment is booked.")
    calls, words = await talk.says("Book an appointment tomorrow at ten about a loan", DONE_ALREADY.format(result="x"))
    assert words == "That's done already. Shall I book an appointment about your loan for tomorrow at 10:00 once more?"
    assert await talk.says("No, thanks.") == ([], REFUSED)
    assert (await talk.says("Yes."))[0][0][0] == "search_knowledge"


@pytest.mark.parametrize(
    ("said", "output", "words"),
    [
        ("hello?", None, "The appointment is booked."),
        ("balance", "It holds 5 dollars.", "The appointment is booked. It holds 5 dollars."),
    ],
)
async def test_a_late_result_is_told_first_and_once(said, output, words):
    talk = Talk()
    await talk.says("book an appointment tomorrow at ten", "The appointment is booked." + NOT_TOLD)
    talk.conversation._turns[0].parts.pop()  # that reply was never heard
    outputs = [output] if output else []
    assert (await talk.says(said, *outputs))[1] == words
    assert "booked" not in (await talk.says(said, *outputs))[1]
