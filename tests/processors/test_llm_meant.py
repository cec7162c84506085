"""Which tools are described: none that a question needs is ever left out, and few that it does not."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.llm import ToolSpec
from languages.catalogue import find_languages, language
from processors.context.aggregators import Conversation
from processors.llm.chat_completions import tool_arguments
from processors.llm.meant import described
from processors.tools.catalogue import find_tools

TOOLS = find_tools()
LABELLED = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "meant.jsonl").read_text("utf-8").splitlines()
    if line.strip()
]
CODES = sorted({case["language"] for case in LABELLED})


def specs(code="en"):
    return [tool.spec_in(code) for tool in TOOLS.values()]


def names(text, code="en", before=(), tools=None):
    conversation = Conversation("You answer a bank's help line.")
    turns = [*before, (text, "")]
    for number, (said, answer) in enumerate(turns):
        conversation.user_turn(number, said)
        conversation.reply(number, number, answer, cut=False)
    return [tool.name for tool in described(conversation.messages(), tools or specs(code))]


def tokens(tools):
    return len(json.dumps(tool_arguments(tools))) / 4


@pytest.mark.parametrize("case", LABELLED, ids=[f"{c['language']}: {c['text']}"[:60] for c in LABELLED])
def test_the_tool_that_a_question_needs_is_described(case):
    needed = {case["tool"]} - {None} | set(case.get("also", ()))
    assert needed <= set(names(case["text"], case["language"]))


@pytest.mark.parametrize("code", CODES)
def test_every_language_and_tool_has_its_questions(code):
    asked = {case["tool"] for case in LABELLED if case["language"] == code}
    assert asked >= set(TOOLS)
    assert set(find_languages()) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_descriptions_take_less_than_half_their_tokens(code):
    """In the mean over all labelled questions; the figure of each language is in docs/performance.md."""
    texts = [case["text"] for case in LABELLED if case["language"] == code]
    chosen = [tokens([tool for tool in specs(code) if tool.name in names(text, code)]) for text in texts]
    assert sum(chosen) / len(chosen) < 0.5 * tokens(specs(code))


CASES = st.sampled_from(LABELLED)


@given(CASES, st.text(max_size=30), st.text(max_size=30), st.booleans())
def test_whatever_is_said_around_a_question_it_keeps_its_tool(case, before, after, shouts):
    text = f"{before} {case['text']} {after}"
    found = names(text.upper() if shouts else text, case["language"])
    assert case["tool"] is None or case["tool"] in found


@given(st.data())
def test_two_questions_at_once_keep_both_tools(data):
    code = data.draw(st.sampled_from(CODES))
    asked = data.draw(st.lists(st.sampled_from([c for c in LABELLED if c["language"] == code]), min_size=2, max_size=3))
    found = names(", ".join(case["text"].rstrip("?.!") for case in asked), code)
    assert {case["tool"] for case in asked} - {None} <= set(found)


@given(CASES, st.lists(st.sampled_from(["Oh, and", "uh", "please,", "Say,", "Well then"]), max_size=3))
def test_the_order_is_that_of_all_tools(case, fillers):
    found = names(" ".join([*fillers, case["text"]]), case["language"])
    assert found == [tool for tool in TOOLS if tool in found]


SMALL_TALK = ["Who are you?", "Are you a robot?", "Hello!", "Please repeat that.", "What can you do?"]


@pytest.mark.parametrize("text", SMALL_TALK)
def test_small_talk_needs_no_tools(text):
    assert names(text) == []


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("When are you open?", 2),
        ("Are you open on Saturday?", 2),
        ("What is the balance of my savings account?", 3),
        ("What were my latest transactions?", 2),
        ("What time is it?", 2),
    ],
)
def test_plain_questions_have_few_tools(text, most):
    assert 1 <= len(names(text)) <= most


def test_a_word_that_nobody_knows_may_stand_for_anything():
    found = names("Could you sort out the thing with Fitzwilliam?")
    assert set(TOOLS) - {"calculate", "current_time", "end_call"} <= set(found)
    assert names("Flobber grommet zizz") == list(TOOLS)


def test_another_language_than_the_calls_has_all_tools():
    assert names("Wie spät ist es in Tokio", "en") == list(TOOLS)


def test_an_answer_to_the_bots_question_keeps_what_the_question_was_about():
    booking = [("I would like an appointment", "Gladly. On which day, and at what time?")]
    assert "book_appointment" in names("Tomorrow at ten.", before=booking)
    assert "book_appointment" in names("ten", before=[*booking, ("tomorrow", "At what time?")])
    assert "email_statement" in names("Yes.", before=[("Send me my statement", "Shall I send it to your address?")])


def test_a_tool_that_was_called_stays():
    conversation = Conversation("You answer a bank's help line.")
    conversation.user_turn(1, "What's my balance?")
    conversation.tool_call(1, "call_1", "check_balance", "{}")
    conversation.tool_result("call_1", "The checking account holds 3 dollars.")
    conversation.reply(1, 1, "It holds three dollars.", cut=False)
    for number, text in enumerate(["Who are you?", "Hello?", "Please repeat that."], 2):
        conversation.user_turn(number, text)
        assert "check_balance" in [tool.name for tool in described(conversation.messages(), specs())]


def test_tools_that_declare_no_words_are_always_described():
    own = [ToolSpec("open_door", "Open the door.", {"type": "object", "properties": {}})]
    assert names("Who are you?", tools=[*own, *specs()]) == ["open_door"]
    assert names("Who are you?", tools=own) == ["open_door"]
    spec = TOOLS["check_balance"].spec_in("xx")
    assert names("Who are you?", tools=[spec, *specs()]) == ["check_balance"]


def test_schemas_are_told_in_few_words_and_say_the_same():
    for short, whole in zip(described([{"role": "user", "content": "zizz"}], specs()), specs(), strict=True):
        assert "additionalProperties" not in short.schema
        assert short.schema == {key: value for key, value in whole.schema.items() if key != "additionalProperties"}


@pytest.mark.parametrize("code", CODES)
def test_idle_words_mean_no_tool(code):
    """A word is idle, or asks for something: else a question could lose its tool by it."""
    assert language(code).idle
