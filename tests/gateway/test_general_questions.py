"""Which questions are answered from memory: pairs that mean the same, pairs that do not, and what came before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.general_questions import general_question, normalised
from gateway.reply_cache import ReplyCache

SYSTEM = {"role": "system", "content": "You are a help line."}

SAME = [
    ("When do you open?", "when do you open"),
    ("When do you open?", "Hello, when do you open?"),
    ("When do you open?", "When are you open?"),
    ("When do you open?", "Can you tell me when you open?"),
    ("When do you open?", "Could you please tell me when you open?"),
    ("When do you open?", "Um, well, when do you open, please?"),
    ("Are you open on Saturday?", "So are you open on Saturday?"),
    ("Who are you?", "Hi, who are you?"),
    ("Do you offer loans?", "Please tell me, do you offer loans?"),
    ("What are your opening hours?", "WHAT ARE YOUR OPENING HOURS"),
    ("How can you help?", "Okay, how can you help?"),
    ("Where are you located?", "Do you know where you located?"),
]

OTHER = [
    ("When do you open?", "When do you close?"),
    ("When do you open?", "Why do you open?"),
    ("When do you open?", "Where do you open?"),
    ("When do you open?", "Do you open?"),
    ("When do you open?", "When do you open on Sunday?"),
    ("When do you open?", "When did you open?"),
    ("When do you open?", "When will you open?"),
    ("When do you open?", "When don't you open?"),
    ("Are you open on Saturday?", "Are you open on Sunday?"),
    ("Are you open on Saturday?", "Aren't you open on Saturday?"),
    ("Are you open on Saturday?", "Are you closed on Saturday?"),
    ("What do you do?", "What are you?"),
    ("Who are you?", "How are you?"),
    ("Do you offer loans?", "Do you offer cards?"),
    ("Do you charge fees?", "Do you charge no fees?"),
    ("Can you block cards?", "Can you unblock cards?"),
    ("Can you send statements?", "Can't you send statements?"),
    ("How do you block a debit card?", "How do you block a credit card?"),
    ("What does a loan cost?", "What does a card cost?"),
    ("Do you open accounts for children?", "Do you open accounts for companies?"),
    ("Can a minor open an account?", "Can a minor close an account?"),
    ("Do you speak German?", "Do you speak Spanish?"),
]


def after(question, *turns):
    """A prompt with turns before the question: (what the caller said, what was answered)."""
    messages = [SYSTEM]
    for said, answered in turns:
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": answered}]
    return [*messages, {"role": "user", "content": question}]


def answer_for(cache, prompt):
    return cache.get(cache.key(prompt, []), 1.0)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_question_in_other_words_is_answered_from_memory(one, other):
    cache = ReplyCache(600)
    cache.put(cache.key(after(one), []), "known", 0.0)
    assert answer_for(cache, after(other)) == "known"


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_question_never_is(one, other):
    for first, second in ((one, other), (other, one)):
        cache = ReplyCache(600)
        cache.put(cache.key(after(first), []), "of the first", 0.0)
        assert answer_for(cache, after(second)) is None


HARMLESS = [
    ("What is my balance?", "The checking account holds 1,240 dollars."),
    ("Who are you?", "I am Parley, an automatic voice."),
    ("Thank you.", "You're welcome."),
    ("What were my latest transactions?", "On Monday 42 dollars went to a grocery store."),
]

CHANGING = [
    ("Tell me about the branch in Bonn.", "It is next to the station."),  # "open" of Bonn then
    ("Are you open on Saturday?", "Yes, from nine to one."),  # a day
    ("I am in Spain.", "How nice."),
    ("Speak German from now on.", "Gern."),
    ("Please answer more slowly.", "All right."),
    ("No.", "All right."),
    ("That was wrong.", "I am sorry."),
    ("Do you open accounts?", "Yes, we do."),  # the same word
    ("Who are you?", "I am Parley. What can I do for you?"),  # something was asked
    ("Who are you?", "I am Parley, …[interrupted]"),  # something was cut
    ("What about number 5?", "Number five is free."),
]


@pytest.mark.parametrize("turn", HARMLESS)
def test_a_later_question_is_answered_from_memory_where_nothing_before_can_change_the_answer(turn):
    cache = ReplyCache(600)
    cache.put(cache.key(after("When do you open?"), []), "at nine", 0.0)
    assert answer_for(cache, after("When do you open?", turn)) == "at nine"
    assert answer_for(cache, after("When do you open?", ("When do you open?", "We open at nine."), turn)) == "at nine"


@pytest.mark.parametrize("turn", CHANGING)
def test_a_later_question_is_asked_where_something_before_may_change_the_answer(turn):
    cache = ReplyCache(600)
    cache.put(cache.key(after("When do you open?"), []), "at nine", 0.0)
    assert answer_for(cache, after("When do you open?", turn)) is None
    if not turn[1].endswith("?"):  # a question that has been passed over is over
        assert answer_for(cache, after("When do you open?", turn, *HARMLESS[2:3])) is None, "however long ago"


@pytest.mark.parametrize(
    "question",
    ["And when do you open?", "What about you?", "What are the fees?", "How much?", "Why?", "When exactly?",
     "Saturdays?", "Really?", "What does a loan cost?", "Open on Saturday?"],
)  # fmt: skip
def test_what_may_take_up_what_was_said_is_asked_when_something_was(question):
    assert general_question(after(question, HARMLESS[1]), "en") is None


@pytest.mark.parametrize("language", ["de", "es", "fr", "hi"])
def test_in_other_languages_only_first_questions_are_remembered(language):
    assert general_question(after("When do you open?", HARMLESS[1]), language) is None
    assert general_question(after("When do you open?"), language) is not None


def test_a_result_that_is_still_to_be_told_comes_first():
    prompt = [
        *after("Send my statement", ("Who are you?", "I am Parley."))[:-1],
        {"role": "user", "content": "Send the statement"},
        {"role": "tool", "content": "sent (this came later: the caller has not been told)", "tool_call_id": "1"},
        {"role": "assistant", "content": "All right."},
        {"role": "user", "content": "When do you open?"},
    ]
    assert general_question(prompt, "en") is None


@given(st.lists(st.tuples(st.sampled_from([*HARMLESS, *CHANGING]), st.booleans()), max_size=6))
def test_one_turn_that_may_change_the_answer_is_enough(turns):
    history = [turn for turn, _ in turns]
    found = general_question(after("When do you open?", *history), "en")
    settled = [turn for turn in CHANGING if turn[0] != "Who are you?"]
    if any(turn in settled for turn in history) or (history and history[-1] in CHANGING):
        assert found is None


@given(st.text(max_size=60))
def test_any_text_is_normalised_or_passed_and_the_same_each_time(text):
    found = normalised(text)
    assert found is None or (found and normalised(text) == found)
    assert general_question(after(text), "en") == found
