"""Machine text never passes, whatever its form and however it is split; ordinary text always does, and at once."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.llm import ToolCallDelta, ToolSpec
from processors.llm.machine_text import MAX_CALL_CHARS, MachineTextFilter

CALL = '{"name": "book", "arguments": {"people": 4}}'
TOOLS = [
    ToolSpec("book", "Book a table.", {"type": "object", "properties": {"people": {"type": "integer"}}}),
    ToolSpec("check_balance", "Look.", {"type": "object", "properties": {"account": {"type": "string"}}}),
    ToolSpec("hang_up", "End.", {"type": "object", "properties": {}}),
]


def run(*pieces, tools=()):
    filter_ = MachineTextFilter(tools)
    spoken = [filter_.feed(piece) for piece in pieces]
    rest = filter_.finish()
    return spoken, rest.text, [(call.name, json.loads(call.arguments)) for call in rest.calls]


def cut(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


CALLS = [
    CALL,
    "\n " + CALL + "\n",
    f"```json\n{CALL}\n```",
    f"```\n{CALL}\n```",
    f"<tool_call>\n{CALL}\n</tool_call>",
    '{"name": "book", "parameters": {"people": 4}}',
    '{"name": "book", "arguments": "{\\"people\\": 4}"}',
    "{'name': 'book', 'arguments': {'people': 4}}",
    f"[{CALL}]",
    f"[TOOL_CALLS] [{CALL}]",
    '[TOOL_CALLS]book{"people": 4}',
    '[TOOL_CALLS]book[ARGS]{"people": 4}',
    f"<|python_tag|>{CALL}",
    f"<|tool_call|>[{CALL}]",
    f"To call one, write nothing but {CALL}",
    f"To call one, write {CALL}.",
    '<function=book>{"people": 4}</function>',
    '<function=book{"people": 4}></function>',
    '<function(book)>{"people": 4}</function>',
    "<function=book>\n<parameter=people>\n4\n</parameter>\n</function>",
    "<tool_call>\n<function=book>\n<parameter=people>\n4\n</parameter>\n</function>\n</tool_call>",
    "<tool_call>book\n<arg_key>people</arg_key>\n<arg_value>4</arg_value>\n</tool_call>",
    '<function_calls><invoke name="book"><parameter name="people">4</parameter></invoke></function_calls>',
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.book:0<|tool_call_argument_begin|>{"people": 4}'
    "<|tool_call_end|><|tool_calls_section_end|>",
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>book\n```json\n{"people": 4}\n```'
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    '<|channel|>commentary to=functions.book <|constrain|>json<|message|>{"people": 4}<|call|>',
    '<|start|>assistant to=functions.book<|channel|>commentary json<|message|>{"people": 4}<|call|>',
    '{"function": "book", "parameters": {"people": 4}}',
    '{"tool": "book", "args": {"people": 4}}',
    '{"type": "function", "function": {"name": "book", "arguments": {"people": 4}}}',
    '{"tool_calls": [{"id": "1", "function": {"name": "book", "arguments": "{\\"people\\": 4}"}}]}',
    f"{CALL} I have booked it for you.",
]

NAMED = [
    'to=functions.book {"people": 4}',
    'commentary to=functions.book json{"people": 4}',
    'assistantcommentary to=functions.book <|constrain|>json<|message|>{"people": 4}<|call|>',
    'to=book {"people":4}',
    "book(people=4)",
    'book({"people": 4})',
    "book( people = 4 )",
    "book(4)",
    'book {"people": 4}',
    'functions.book({"people": 4})',
    "[book(people=4)]",
    "```tool_code\nbook(people=4)\n```",
    "```python\nprint(default_api.book(people=4))\n```",
    "print(book(people=4))",
    "await book(people=4)",
    'functions.book:0{"people": 4}',
    'functions.book:12 {"people": 4}',
    '<book>{"people": 4}</book>',
    'Action: book\nAction Input: {"people": 4}',
    'Thought: A table, then.\nAction: book\nAction Input: {"people": 4}\nObservation: ',
]
"""Forms that hold no more than a tool's name to tell them from text."""

HIDDEN = [
    "<think>plan</think>",
    "<thinking>a < b, so call {x}</thinking>",
    "<Think>\nWhat now?\n</Think>\n",
    "<thought>plan</thought>",
    "<reasoning>plan</reasoning>",
    "[THINK]plan[/THINK]",
    "◁think▷plan◁/think▷",
    "<seed:think>plan</seed:think>",
    "<|begin_of_thought|>plan<|end_of_thought|>",
    "<|channel|>analysis<|message|>We need to greet.<|end|>",
    "<|start|>assistant<|channel|>analysis<|message|>We need to greet.<|end|>",
    '<tool_response>{"balance": 4}</tool_response>',
    '```json\n{"a": 1}\n```',
    "<|im_start|>assistant\n",
    "<|eot_id|>",
    "<|endoftext|>",
    "<start_of_turn>",
    "<｜end▁of▁sentence｜>",
    "[INST]plan[/INST]",
    "[Calling book with four people]",
    "[tool: check_balance]",
]

INNOCENT = [
    "Use <b> or {x}. ",
    "I <3 you, ",
    "a to-do list, ",
    "Sure, go to the bank: it opens at 9 (or 10). ",
    "I can book it, or look in the book(s). ",
    "To call one, dial nine. ",
    "Is 2 < 3 and 4 > 1? ",
    "Your assistant analysis is [brackets] and `code`. ",
    "commentary to the game, tools. functions. ",
    "Say {hello} [twice], a|b, <tag>, x=1. ",
    "Please hang up (if you like), check_balance is a name. ",
    "The book {for you}. ",
    "Print (the page), await the bus, f(x=0) is 3. ",
    "A user: is a word, and Human: too. ",
    "<3 <- -> <|> |x| ",
    "[Calling hours: nine to five] [c] [use] [call us] ",
    "Take action: call. I thought: why? The final answer: four. ",
    "É’s “naïve”… 你好 🦀 ",
]


@pytest.mark.parametrize("text", CALLS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_call_is_found_however_it_is_split(text, data):
    spoken, rest, calls = run(*cut(text, data))
    assert ("".join(spoken).strip(), rest.strip(), calls) == ("", "", [("book", {"people": 4})])


@pytest.mark.parametrize("text", [*CALLS, *NAMED])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_call_to_a_known_tool_is_found_however_it_is_split(text, data):
    spoken, rest, calls = run(*cut(text, data), tools=TOOLS)
    assert ("".join(spoken).strip(), rest.strip(), calls) == ("", "", [("book", {"people": 4})])


@pytest.mark.parametrize("text", NAMED[:8])
@pytest.mark.parametrize("words", ["Done.", "Anything else?"])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_words_around_such_a_call_are_spoken(text, words, data):
    spoken, rest, calls = run(*cut(f"Sure! {text} {words}", data), tools=TOOLS)
    assert "".join(spoken) + rest == f"Sure! {words}"
    assert calls == [("book", {"people": 4})]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Assistant: We open at nine.", "We open at nine."),
        ("AI: We open at nine.", "We open at nine."),
        ("We open at nine.\nUser: And on Sunday?\nAssistant: At ten.", "We open at nine."),
        ("We open at nine.\n\nHuman: And on Sunday?", "We open at nine."),
        ("As of today: we open at nine.", "As of today: we open at nine."),
        ("Three ways:\nUse the app, or\nHurry.", "Three ways:\nUse the app, or\nHurry."),
    ],
)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_of_a_written_dialogue_the_first_words_of_the_bot_s_are_spoken(text, right, data):
    spoken, rest, calls = run(*cut(text, data))
    assert (("".join(spoken) + rest).strip(), calls) == (right, [])


@pytest.mark.parametrize("size", [1, 3, 400])
def test_the_arguments_of_an_unknown_tool_are_not_spoken(size):
    text = "Gladly. reserve(n=6)"
    spoken, rest, _ = run(*(text[at : at + size] for at in range(0, len(text), size)), tools=TOOLS)
    assert ("".join(spoken) + rest).strip() == "Gladly. reserve"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(HIDDEN), st.sampled_from(INNOCENT)), max_size=6),
    st.integers(1, 400),
    st.data(),
)
def test_only_what_is_for_the_caller_passes(parts, size, data):
    text = "".join(parts)
    pieces = [text[at : at + size] for at in range(0, len(text), size)] if data.draw(st.booleans()) else cut(text, data)
    spoken, rest, calls = run(*pieces, tools=TOOLS)
    right = "".join(part for part in parts if part in INNOCENT)
    assert " ".join(("".join(spoken) + rest).split()) == " ".join(right.split())
    assert calls == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(INNOCENT), min_size=1, max_size=6).map("".join))
def test_innocent_text_waits_for_a_few_characters_only(text):
    """Twenty characters are six tokens: less than 150 ms at the pace of a vendor's model."""
    filter_ = MachineTextFilter(TOOLS)
    passed = 0
    for taken, char in enumerate(text, 1):
        passed += len(filter_.feed(char))
        assert taken - passed <= 20
    assert passed + len(filter_.finish().text) == len(text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("<think>plan</think>Yes.", "Yes."),
        ("<think>plan</think>\n\nYes.", "Yes."),
        ("plan</think>Yes.", "planYes."),
        ("analysisThe user greets.assistantfinalHello!", "Hello!"),
        (
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello.<|return|>",
            "Hello.",
        ),
        ("<|channel|>commentary<|message|>Let me look.<|end|>", "Let me look."),
        ("<start_of_turn>Hello.<end_of_turn>", "Hello."),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>", "Hello."),
        ("<answer>Yes.</answer>", "Yes."),
        ("Yes.</s>", "Yes.</s>"),
        ('{"answer": "We open at \\"nine\\"."}', 'We open at "nine".'),
        ('{"response": "Yes."}', "Yes."),
        ('{"text": 4}', '{"text": 4}'),
        ("Thought: I know that.\nFinal Answer: At nine.", "At nine."),
        ("Final Answer: At nine.\nObservation: right", "At nine.\n"),
        ("I will check_order(id=5) now.", "I will check_order now."),
    ],
)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_a_template_wraps_is_spoken(text, right, data):
    spoken, rest, calls = run(*cut(text, data), tools=TOOLS)
    assert ("".join(spoken) + rest, calls) == (right, [])


@pytest.mark.parametrize("text", ["<think>plan", "<thinking>plan {", "<|channel|>analysis<|message|>We", "[THINK]plan"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_thought_without_an_end_ends_with_the_stream(text, data):
    filter_ = MachineTextFilter(TOOLS)
    assert "".join(filter_.feed(piece) for piece in cut(f"Well. {text}", data)) == "Well. "
    rest = filter_.finish()
    assert (rest.text, rest.calls, rest.thinking) == ("", (), True)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "bo',
        '<tool_call>{"name": "book", "arguments": {"people"',
        'to=functions.book {"people": ',
        "to=functions.book and so on",
        '<function=book>{"people": 4',
        "book(people=",
        "book(people=four)",
        '{"people": 4}',
        "[TOOL_CALLS]",
        "<tool_call></tool_call>",
    ],
)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_call_that_cannot_be_read_is_told_and_not_spoken(text, data):
    filter_ = MachineTextFilter(TOOLS)
    passed = "".join(filter_.feed(piece) for piece in cut(text, data))
    rest = filter_.finish()
    assert (rest.calls, rest.broken) == ((), True)
    assert not any(sign in passed + rest.text for sign in "{}()=<>[]_")


def test_several_calls():
    assert run(CALL + "\n" + '{"name": "look"}')[2] == [("book", {"people": 4}), ("look", {})]
    assert run("book(people=4) hang_up()", tools=TOOLS)[2] == [("book", {"people": 4}), ("hang_up", {})]
    both = '<function=book>{"people": 4}</function><function=hang_up>{}</function>'
    assert run(both, tools=TOOLS)[2] == [("book", {"people": 4}), ("hang_up", {})]


def test_ordinary_text_passes_at_once():
    assert run("Sure", ', {"count": 1}', ".") == (["Sure", ', {"count": 1}', "."], "", [])


@given(data=st.data())
def test_words_before_a_call_are_spoken_and_it_is_found(data):
    spoken, rest, calls = run(*cut(f"Let me see, at once < 1 second. {CALL}", data))
    assert "".join(spoken) == "Let me see, at once < 1 second. "
    assert (rest, calls) == ("", [("book", {"people": 4})])


@pytest.mark.parametrize(
    "text",
    [
        "{hello} there",
        '{"people": 4} it is',
        "```\ncode\n```",
        '{"name": 4}',
        "[laughs] <b>yes</b> `no`",
        "To call one, dial nine",
        "a [",
    ],
)
@given(data=st.data())
def test_what_only_looks_like_a_call_is_spoken_whole(text, data):
    spoken, rest, calls = run(*cut(text, data))
    assert ("".join(spoken) + rest, calls) == (text, [])


def test_what_cannot_be_a_call_any_more_is_spoken_at_once():
    assert run("{", "hello", "} there") == (["", "{hello", "} there"], "", [])
    assert run('{"peo', 'ple": 4', "} it is") == (['{"peo', 'ple": 4', "} it is"], "", [])


def test_an_endless_call_is_neither_held_for_ever_nor_spoken():
    filter_ = MachineTextFilter()
    assert [filter_.feed(piece) for piece in ('{"name": "', "x" * MAX_CALL_CHARS, "y" * 100_000)] == ["", "", ""]
    rest = filter_.finish()
    assert (rest.text, rest.broken) == ("", True)


MARKS = ("<", "◁", "[", "`", "assistant", "analysis", "to=", "To call", '{"', "{'")


@given(st.text(max_size=60).filter(lambda text: not any(mark in text for mark in MARKS)), st.data())
def test_any_text_is_spoken_or_called_and_never_lost(text, data):
    spoken, rest, calls = run(*cut(text, data))
    assert calls or "".join(spoken) + rest == text


SNIPPETS = st.sampled_from(
    [*"<>{}[]()|`\"'=:_. \nab1", "think", "</think>", "to=", "functions.", "book", "<|", "|>", "channel", "message"]
    + ["```", "json", '{"name": ', "assistant", "final", "analysis", "<function=", "[TOOL_CALLS]", "commentary "]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(SNIPPETS, max_size=14).map("".join), st.data())
def test_what_passes_does_not_depend_on_the_split(text, data):
    whole, split = run(text, tools=TOOLS), run(*cut(text, data), tools=TOOLS)
    assert ("".join(whole[0]) + whole[1], whole[2]) == ("".join(split[0]) + split[1], split[2])


def test_the_arguments_are_what_the_model_wrote():
    filter_ = MachineTextFilter()
    filter_.feed('{"name": "book", "arguments": {"who": "Jürgen"}}')
    assert filter_.finish().calls == (ToolCallDelta("", "book", '{"who": "Jürgen"}'),)
