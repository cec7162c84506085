"""The scripted help line: what it understands, what it says, and that it is honest."""

import pytest

from contracts.llm import Finish, LanguageModelError, TextDelta
from processors.llm.scripted import ANSWERS, BALANCES, NOTHING_TO_REPEAT, UNKNOWN, ScriptedModel, answer

TEXT = {prepared.topic: prepared.text for prepared in ANSWERS}


@pytest.mark.parametrize(
    ("said", "topic"),
    [
        ("Hello!", "greeting"),
        ("Good morning.", "greeting"),
        ("hi um hi", "greeting"),
        ("When are you open?", "hours"),
        ("What are your opening hours?", "hours"),
        ("I want to open a new account", "new account"),
        ("hello, what time do you close", "hours"),
        ("WHAT ARE YOUR OPENNING OURS", "hours"),
        ("What were my recent transactions?", "transactions"),
        ("my last transactoins please", "transactions"),
        ("what have I spent", "transactions"),
        ("Send me a statement by e-mail.", "statement"),
        ("can you email me", "statement"),
        ("Who are you?", "who"),
        ("am I talking to a robot", "who"),
        ("Thank you very much.", "thanks"),
        ("Goodbye.", "goodbye"),
        ("that's all", "goodbye"),
        ("Tell me about your services.", "services"),
        ("tell me everything", "services"),
        ("give me a long answer", "services"),
    ],
)
def test_what_it_understands(said, topic):
    assert answer([said], []) == TEXT[topic]


@pytest.mark.parametrize(
    ("said", "account"),
    [
        (["What is my balance?"], "checking"),
        (["hello I'd like to know my balance"], "checking"),
        (["What's the balance of my savings account?"], "savings"),
        (["How much money is in my current account"], "checking"),
        (["What is my balance?", "And the savings?"], "savings"),
        (["savings balance", "thanks", "and in checking"], "checking"),
        (["What's in my savings account?", "What was the balance?"], "savings"),
        (["savings"], "savings"),
        (["my balence please"], "checking"),
    ],
)
def test_balances_follow_the_conversation(said, account):
    assert answer(said, []) == BALANCES[account]


@pytest.mark.parametrize("said", ["Can I have a pizza?", "", "…", "xyzzy", "खाता"])
def test_what_it_does_not_know_it_says(said):
    assert answer([said], []) == UNKNOWN


def test_repeat_gives_the_last_answer_in_full():
    assert (
        answer(["When are you open?", "Sorry, can you repeat that?"], ["Our branches …[interrupted]"]) == TEXT["hours"]
    )
    assert answer(["When are you open?", "say that again", "pardon"], []) == TEXT["hours"]
    assert answer(["savings balance", "repeat please"], []) == BALANCES["savings"]


def test_repeat_before_anything_else():
    assert answer(["repeat"], ["Hello, this is the help line."]) == "Hello, this is the help line."
    assert answer(["repeat"], []) == NOTHING_TO_REPEAT


def test_figures_are_called_samples():
    for text in [*BALANCES.values(), TEXT["transactions"], TEXT["statement"]]:
        assert "your sample" in text
    assert "not a person" in TEXT["who"]


def test_the_long_answer_is_long_enough_to_interrupt():
    assert 55 <= len(TEXT["services"].split()) <= 90


async def test_it_streams_word_by_word_and_finishes():
    messages = [
        {"role": "system", "content": "…"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "thanks"},
    ]
    deltas = [delta async for delta in ScriptedModel().stream(messages)]
    assert deltas[:2] == [TextDelta("You're "), TextDelta("welcome. ")]
    assert "".join(delta.text for delta in deltas[:-1]) == TEXT["thanks"]
    assert deltas[-1] == Finish("stop")


async def test_without_a_question_there_is_no_answer():
    with pytest.raises(LanguageModelError):
        [delta async for delta in ScriptedModel().stream([{"role": "system", "content": "…"}])]
