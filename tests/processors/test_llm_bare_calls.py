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
    ],
)
@given(data=st.data())
def test_a_call_is_found_however_it_is_split(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    spoken, rest, calls = run(*pieces)
    assert ("".join(spoken), rest, calls) == ("", "", [("book", {"people": 4})])


def test_several_calls():
    assert run(CALL + "\n" + '{"name": "look"}')[2] == [("book", {"people": 4}), ("look", {})]


def test_ordinary_text_passes_at_once():
    assert run("Sure", ', {"name": 1}') == (["Sure", ', {"name": 1}'], "", [])


@pytest.mark.parametrize("text", ["{hello}", '{"people": 4}', "```\ncode\n```", CALL + " I booked it", '{"name": 4}'])
def test_what_only_looks_like_a_call_is_spoken(text):
    assert run(text) == ([""], text, [])


def test_endless_text_is_not_held_for_ever():
    spoken, _, calls = run("{", "x" * MAX_HELD_CHARS, "y")
    assert spoken == ["", "{" + "x" * MAX_HELD_CHARS, "y"]
    assert calls == []


def test_the_arguments_are_what_the_model_wrote():
    filter_ = BareCallFilter()
    filter_.feed('{"name": "book", "arguments": {"who": "Jürgen"}}')
    assert filter_.finish() == ("", [ToolCallDelta("", "book", '{"who": "Jürgen"}')])
