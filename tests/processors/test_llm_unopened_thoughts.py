"""A model whose template opens the thought itself: what stands before the end of it never reaches the caller twice."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.llm import Finish, TextDelta, ToolCallDelta
from processors.llm.unopened_thoughts import UnopenedThoughts, thinks_aloud

THOUGHT = "I wonder when we open. At nine, I think."


async def passed(thoughts, *deltas):
    async def stream():
        for delta in deltas:
            yield TextDelta(delta) if isinstance(delta, str) else delta

    found = [delta async for delta in thoughts.without(stream())]
    return "".join(each.text for each in found if isinstance(each, TextDelta)), [
        each for each in found if not isinstance(each, TextDelta)
    ]


async def learned():
    thoughts = UnopenedThoughts("model")
    assert await passed(thoughts, THOUGHT, "</thi", "nk>At nine.", Finish("stop")) == (
        f"{THOUGHT}</think>At nine.",
        [Finish("stop")],
    )
    return thoughts


def cut(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@pytest.mark.parametrize("end", ["</think>", "</thinking>", "[/THINK]", "◁/think▷", "<|end_of_thought|>"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
async def test_from_the_second_answer_on_a_thought_is_taken_out(end, data):
    thoughts = await learned()
    text, rest = await passed(thoughts, *cut(f"{THOUGHT}{end}At nine.", data), Finish("stop"))
    assert (text, rest) == ("At nine.", [Finish("stop")])


async def test_something_comes_while_the_model_thinks():
    thoughts = await learned()

    async def stream():
        yield TextDelta(THOUGHT)

    assert [delta async for delta in thoughts.without(stream())] == [TextDelta("")]


async def test_an_answer_without_a_thought_is_whole_and_the_next_one_is_not_held_back():
    thoughts = await learned()
    call = ToolCallDelta("1", "book", "{}")
    text, rest = await passed(thoughts, "One ", "moment.", call, Finish("tool_calls"))
    assert (text, rest) == ("One moment.", [call, Finish("tool_calls")])

    async def stream():
        yield TextDelta("At nine.")

    assert [delta async for delta in thoughts.without(stream())] == [TextDelta("At nine.")]


async def test_a_thought_that_is_cut_is_no_answer():
    thoughts = await learned()
    assert await passed(thoughts, THOUGHT, Finish("length")) == ("", [Finish("length")])


@pytest.mark.parametrize("text", ["<think>plan</think>Yes.", "Well. <think>plan</think>Yes.", "[THINK]a[/THINK]Yes."])
async def test_a_thought_that_is_opened_teaches_nothing_and_passes_as_it_is(text):
    thoughts = UnopenedThoughts("model")
    assert (await passed(thoughts, *text, Finish("stop")))[0] == text
    assert (await passed(thoughts, "Fine", ".", Finish("stop")))[0] == "Fine."
    assert (await passed(await learned(), *"<think>plan</think>Yes.", Finish("stop")))[0] == "<think>plan</think>Yes."


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Okay, so the user wants ", True),
        ("The user's question", True),
        ("We need to answer briefly", True),
        ("I should reply in German", True),
        ("Okay. First, the customer has ", True),
        ("Der Nutzer möchte ", True),
        ("The customer service opens at nine", False),
        ("We need to check your identity", False),
        ("I should mention the fee", False),
        ("Okay, I can do that", False),
        ("You are right", False),
        ("Okay, so", None),
        ("The us", None),
        ("", None),
    ],
)
def test_thoughts_speak_of_the_caller_as_somebody_else(text, right):
    assert thinks_aloud(text) is right


@given(st.text(max_size=80))
def test_what_is_decided_stays_decided(text):
    decided = [found for at in range(len(text) + 1) if (found := thinks_aloud(text[:at])) is not None]
    assert len(set(decided)) <= 1
