"""A tool's result is said as it stands where it is the answer, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.llm import Finish, ReadsAlong, TextDelta, Usage
from processors.context.aggregators import CANCELLED, RUNNING, Conversation
from processors.tools.catalogue import find_tools
from processors.tools.runner import NOT_TOLD
from processors.tools.wording import WordedByTools, worded_by_tools, worded_by_tools_first

TOOLS = find_tools()
WORDED_FOR = {name: tool.worded_for for name, tool in TOOLS.items() if tool.worded_for}
HOLDS = "The savings account holds five thousand dollars."


def prompt(asked, *results, said=""):
    conversation = Conversation("You are a help line.")
    conversation.user_turn(1, asked)
    for number, (name, output) in enumerate(results):
        conversation.tool_call(1, f"call_{number}", name, "{}")
        if output is not None:
            conversation.tool_result(f"call_{number}", output)
    return conversation.messages(said=said)


def worded(asked, *results, language="en", said=""):
    return worded_by_tools(prompt(asked, *results, said=said), WORDED_FOR, language)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("What is the balance of my savings account?", "check_balance"),
        ("What's my balance?", "check_balance"),
        ("How much money do I have in my savings account, please?", "check_balance"),
        ("And the savings?", "check_balance"),
        ("What were my latest transactions?", "recent_transactions"),
        ("Please tell me the last three transactions.", "recent_transactions"),
        ("What time is it?", "current_time"),
    ],
)
def test_a_plain_question_is_answered_by_the_result(asked, name):
    assert worded(asked, (name, HOLDS)) == HOLDS
    assert worded(asked, (name, HOLDS), said="One moment, please.") == HOLDS


@pytest.mark.parametrize(
    "asked",
    [
        "Is my balance enough for a loan?",
        "What's my balance in euros?",
        "What was my balance yesterday?",
        "How much less is my balance than last month?",
        "What is not in my savings account?",
        "What's my balance, and when do you open?",
        "Can I afford a bike?",
        "Why is my balance so low?",
        "Say my balance in German.",
        "Is the savings account better than the checking account?",
        "If I have money, block my card",
    ],
)
def test_a_question_for_more_is_left_to_the_model(asked):
    assert worded(asked, ("check_balance", HOLDS)) is None


@pytest.mark.parametrize("output", [RUNNING, CANCELLED, None, "error: no", "timed out: no", HOLDS + NOT_TOLD])
def test_what_is_no_result_is_left_to_the_model(output):
    assert worded("What's my balance?", ("check_balance", output)) is None
    assert worded("What's my balance?", ("check_balance", HOLDS), ("check_balance", output)) is None


def test_other_tools_and_languages_are_left_to_the_model():
    assert worded("What's my balance?", ("search_knowledge", HOLDS)) is None
    assert worded("What's my balance?", ("check_balance", HOLDS), ("search_knowledge", HOLDS)) is None
    assert worded("What's my balance?", ("check_balance", HOLDS), language="de") is None
    assert worded("What's my balance?") is None


def test_two_results_are_said_in_their_order():
    found = worded("The balances of checking and savings", ("check_balance", "One."), ("check_balance", "Two."))
    assert found == "One. Two."


KNOWN = {"my", "balance", "savings", "what", "is", "the", "in", "much"}
UNKNOWN = {"loan", "why", "not", "never", "enough", "euros"}


@given(st.lists(st.sampled_from(sorted(KNOWN | UNKNOWN))))
def test_a_word_that_the_tool_does_not_know_is_always_left_to_the_model(words):
    if set(words) & UNKNOWN:
        assert worded(" ".join(words), ("check_balance", HOLDS)) is None


class Model:
    name = "model"

    def __init__(self):
        self.asked = 0

    async def stream(self, messages, tools=()):
        self.asked += 1
        yield TextDelta("said by the model")
        yield Finish("stop")


async def test_the_model_is_asked_for_the_rest_only():
    model = Model()
    wrapped = WordedByTools(model, list(TOOLS.values()), "en")
    for messages, text, asked in (
        (prompt("What's my balance?"), "said by the model", 1),
        (prompt("What's my balance?", ("check_balance", HOLDS)), HOLDS, 1),
        (prompt("Is my balance good?", ("check_balance", HOLDS)), "said by the model", 2),
    ):
        deltas = [delta async for delta in wrapped.stream(messages)]
        assert deltas == [TextDelta(text), Finish("stop", Usage() if text == HOLDS else None)]
        assert model.asked == asked


def test_a_model_that_reads_along_still_does():
    class Reader(Model):
        def __init__(self):
            super().__init__()
            self.read = []

        def read_ahead(self, messages, tools=()):
            self.read.append(messages)

    reader = Reader()
    wrapped = worded_by_tools_first(reader, [], "en")
    assert isinstance(wrapped, ReadsAlong)
    wrapped.read_ahead(prompt("What's my"))
    assert len(reader.read) == 1
    assert not isinstance(worded_by_tools_first(Model(), [], "en"), ReadsAlong)
