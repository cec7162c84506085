"""Tool calls written as text are recognised at their first character; ordinary text is never held back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.llm.bare_calls import MAX_HELD_CHARS, BareCallFilter
from processors.llm.base import ToolCallDelta

CALL = '{"name": "book", "arguments": {"people": 4}}'


def run(*pieces):
    filter_ = BareCallFilter()
    spoken = [filter_.feed(piece) for piece in pieces]
    rest, calls = filter_.finish()
    return spoken, rest, [(call.name, json.loads(call.arguments)) for call in calls]


@pytest.mark.parametrize(
    "text",
    [
        CALL,
        "\n " + CALL + "\n",
        f"```json\n{CALL}\n```",
        f"<tool_call>\n{CALL}\n</tool_call>",
        '{"name": "book", "parameters": {"people": 4}}',
        '{"name": "book", "arguments": "{\\"people\\": 4}"}',
        f"[{CALL}]",
        f"[TOOL_CALLS] [{CALL}]",
        f"<|python_tag|>{CALL}",
        f"To call one, write nothing but {CALL}",
        f"To call one, write {CALL}.",
        '<function=book>{"people": 4}</function>',
        '{"function": "book", "parameters": {"people": 4}}',
        '{"tool": "book", "args": {"people": 4}}',
        '{"type": "function", "function": {"name": "book", "arguments": {"people": 4}}}',
        '{"tool_calls": [{"id": "1", "function": {"name": "book", "arguments": "{\\"people\\": 4}"}}]}',
        f"{CALL} I have booked it for you.",
    ],
)
@given(data=st.data())
def test_a_call_is_found_however_it_is_split(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    spoken, rest, calls = run(*pieces)
    assert ("".join(spoken).strip(), rest, calls) == ("", "", [("book", {"people": 4})])


def test_several_calls():
    assert run(CALL + "\n" + '{"name": "look"}')[2] == [("book", {"people": 4}), ("look", {})]


def test_ordinary_text_passes_at_once():
    assert run("Sure", ', {"count": 1}', ".") == (["Sure", ', {"count": 1}', "."], "", [])


@given(data=st.data())
def test_words_before_a_call_are_spoken_and_it_is_found(data):
    text = f"Let me see, at once < 1 second. {CALL}"
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    spoken, rest, calls = run(*pieces)
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
        '{"name": "bo',
        "a [",
    ],
)
@given(data=st.data())
def test_what_only_looks_like_a_call_is_spoken_whole(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    spoken, rest, calls = run(*pieces)
    assert ("".join(spoken) + rest, calls) == (text, [])


def test_what_cannot_be_a_call_any_more_is_spoken_at_once():
    assert run("{", "hello", "} there") == (["", "{hello", "} there"], "", [])
    assert run('{"peo', 'ple": 4', "} it is") == (["", '{"people": 4', "} it is"], "", [])


def test_endless_text_is_not_held_for_ever():
    spoken, _, calls = run('{"name": "', "x" * MAX_HELD_CHARS, "y")
    assert spoken == ["", '{"name": "' + "x" * MAX_HELD_CHARS, "y"]
    assert calls == []


@given(st.text(max_size=60), st.data())
def test_any_text_is_spoken_or_called_and_never_lost(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    spoken, rest, calls = run(*pieces)
    assert calls or "".join(spoken) + rest == text


def test_the_arguments_are_what_the_model_wrote():
    filter_ = BareCallFilter()
    filter_.feed('{"name": "book", "arguments": {"who": "Jürgen"}}')
    assert filter_.finish() == ("", [ToolCallDelta("", "book", '{"who": "Jürgen"}')])
