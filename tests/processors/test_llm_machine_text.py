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
    filter_, spoken = MachineTextFilter(tools), []
    for piece in pieces:
        said = filter_.feed(piece)
        if filter_.took_back():
            spoken = [""] * len(spoken)
        spoken.append(said)
    rest = filter_.finish()
    if filter_.took_back():
        spoken = [""] * len(spoken)
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
    "```python\nprint(1)\n```",
    "```bash\nls -l | wc\n```",
    "```sql\nselect * from accounts;\n```",
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


FOREIGN = [
    ("reserve(n=6)", "reserve", {"n": 6}),
    ('reserve({"n": 6})', "reserve", {"n": 6}),
    ('reserve("Friday")', "reserve", {}),
    ("reserve_table(n=6, time='8 pm')", "reserve_table", {"n": 6, "time": "8 pm"}),
    ("reserve_table()", "reserve_table", {}),
    ("reserve_table(city)", "reserve_table", {}),
    ("getWeather(city='Rome')", "getWeather", {"city": "Rome"}),
    ("GetWeather(city='Rome')", "GetWeather", {"city": "Rome"}),
    ("functions.reserve(n=6)", "reserve", {"n": 6}),
    ("mcp.reserve(n=6)", "reserve", {"n": 6}),
    ('reserve {"n": 6}', "reserve", {"n": 6}),
    ('reserve{"n": 6}', "reserve", {"n": 6}),
    ('to=reserve {"n": 6}', "reserve", {"n": 6}),
    ('to=functions.reserve {"n": 6}', "reserve", {"n": 6}),
    ('commentary to=reserve json{"n": 6}', "reserve", {"n": 6}),
    ('<reserve>{"n": 6}</reserve>', "reserve", {"n": 6}),
    ("[reserve_table(n=6)]", "reserve_table", {"n": 6}),
    ("print(reserve_table(n=6))", "reserve_table", {"n": 6}),
    ('{"action": "reserve", "action_input": {"n": 6}}', "reserve", {"n": 6}),
    ('{"tool_uses": [{"recipient_name": "functions.reserve", "parameters": {"n": 6}}]}', "reserve", {"n": 6}),
    ('{"thought": "A table.", "action": "reserve", "action_input": {"n": 6}}', "reserve", {"n": 6}),
]
"""Calls of tools that there are not: the model is to learn that, and the caller hears nothing of it."""


@pytest.mark.parametrize(("text", "name", "arguments"), FOREIGN)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_neither_name_nor_arguments_of_an_unknown_tool_are_spoken(text, name, arguments, data):
    spoken, rest, calls = run(*cut(f"Gladly. {text}", data), tools=TOOLS)
    assert ("".join(spoken) + rest).strip() == "Gladly."
    assert [each[0] for each in calls] == [name]
    assert calls[0][1] in (arguments, {})


@pytest.mark.parametrize(("text", "name", "arguments"), FOREIGN)
def test_they_are_found_in_pieces_of_any_size(text, name, arguments):
    for size in (1, 2, 3, 7, 400):
        whole = f"Gladly. {text}"
        spoken, rest, calls = run(*(whole[at : at + size] for at in range(0, len(whole), size)), tools=TOOLS)
        assert ("".join(spoken) + rest).strip() == "Gladly."
        assert calls == [(name, arguments)]


UNOPENED = [
    "plan</think>",
    "Okay, the user wants to know when we open. We open at nine.\n</think>\n\n",
    "Hmm, so the caller is asking for a table. I should call book(people=4).\n</think>",
    "We need to respond briefly. </thinking>",
    "First, the user said hello.◁/think▷",
    "The user greets me.[/THINK]",
    "I should answer in one sentence.<|end_of_thought|>",
    "Alright. The customer wants {a table} <b>now</b>.</reasoning>\n",
    "Der Nutzer fragt nach Öffnungszeiten.</think>",
    "好的，用户在问营业时间。</think>",
    "l'utilisateur demande l'heure</think>",
]
"""What only its end marks as a thought; the first one looks like words until that end has come."""


@pytest.mark.parametrize("text", UNOPENED)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_of_a_thought_that_nothing_opened_no_word_is_left(text, data):
    spoken, rest, calls = run(*cut(f"{text}Yes, at nine. <b>Really</b>.", data))
    assert ("".join(spoken) + rest, calls) == ("Yes, at nine. <b>Really</b>.", [])


@pytest.mark.parametrize("text", UNOPENED[1:])
def test_what_begins_as_thoughts_do_waits_for_their_end(text):
    filter_ = MachineTextFilter(TOOLS)
    assert [filter_.feed(char) for char in text.removesuffix("\n")[:-8]] == [""] * (len(text.removesuffix("\n")) - 8)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The user asked, and we open at nine.", "The user asked, and we open at nine."),
        ("Okay, so the caller is you.", "Okay, so the caller is you."),
        ("Yes. <think>plan</think>No.</think> Done.", "Yes. No. Done."),
    ],
)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_only_looks_like_such_a_thought_is_spoken_whole(text, right, data):
    spoken, rest, calls = run(*cut(text, data))
    assert ("".join(spoken) + rest, calls) == (right, [])


def test_a_thought_that_is_cut_is_no_answer():
    filter_ = MachineTextFilter()
    assert filter_.feed("Okay, the user wants to know") == ""
    assert filter_.finish(cut=True).thinking


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("We open at nine.<|im_end|>\n<|im_start|>user\nAnd on Sunday?<|im_end|>", "We open at nine."),
        ("We open at nine.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd?", "We open at nine."),
        ("We open at nine.<end_of_turn>\n<start_of_turn>user\nAnd on Sunday?", "We open at nine."),
        ("<start_of_turn>model\nWe open at nine.<end_of_turn>", "We open at nine."),
        ("We open at nine.<|user|>\nAnd on Sunday?", "We open at nine."),
        ("We open at nine.<｜User｜>And on Sunday?<｜Assistant｜>At ten.", "We open at nine."),
        ("We open at nine.<|end|><|start|>user<|message|>And on Sunday?<|end|>", "We open at nine."),
        (
            '<|start|>functions.book to=assistant<|channel|>commentary<|message|>{"ok": 1}<|end|>'
            "<|start|>assistant<|channel|>final<|message|>Done.",
            "Done.",
        ),
        ("### Assistant: We open at nine.\n### Human: And on Sunday?", "We open at nine."),
        ("**Assistant:** We open at nine.\n\n**User:** And on Sunday?", "We open at nine."),
        ("Agent: We open at nine.\nCustomer: And on Sunday?\nAgent: At ten.", "We open at nine."),
        ('{"answer": "We open at nine.", "confidence": 0.9}', "We open at nine."),
        ('{"thought": "Hours.", "response": "We open at nine."}', "We open at nine."),
        ('{"action": "Final Answer", "action_input": "We open at nine."}', "We open at nine."),
        ("<speak>We open <break time='1s'/>at <emphasis>nine</emphasis>.</speak>", "We open at nine."),
        ("# Hours\n* We open at nine. 2 * 2 is 4, #1.", "# Hours\n* We open at nine. 2 * 2 is 4, #1."),
        ("file_name is not f(x) or iPhone(s).", "file_name is not f(x) or iPhone(s)."),
    ],
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_of_what_a_template_or_an_agent_writes_the_bot_s_words_are_spoken(text, right, data):
    spoken, rest, calls = run(*cut(text, data), tools=TOOLS)
    assert (("".join(spoken) + rest).strip(), calls) == (right, [])


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
        ("plan</think>Yes.", "Yes."),
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
    """But for the last word, which may be the name of a call."""
    assert run("Sure", ', {"count": 1}', ".") == (["", 'Sure, {"count": 1}', "."], "", [])


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
    assert run("{", "hello", "} there. ") == (["", "{", "hello} there. "], "", [])
    assert run('{"peo', 'ple": 4', "} it is.") == (['{"', 'people": 4', "} it is."], "", [])


def test_an_endless_call_is_neither_held_for_ever_nor_spoken():
    filter_ = MachineTextFilter()
    assert [filter_.feed(piece) for piece in ('{"name": "', "x" * MAX_CALL_CHARS, "y" * 100_000)] == ["", "", ""]
    rest = filter_.finish()
    assert (rest.text, rest.broken) == ("", True)


MARKS = ("<", "◁", "[", "`", "assistant", "analysis", "to=", "To call", '{"', "{'", ":", "(")


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
