"""The model's way to say that a reply goes on: a fixed word that nobody hears, however its stream is split."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import LLMTextFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection

from contracts.frames import GoOnFrame, ReplyEndFrame, WordHeardFrame
from contracts.llm import LanguageModelError, ToolCallDelta
from processors.context.aggregators import ReplyContextFrame, ReplyDoubtFrame
from processors.llm import go_on
from processors.llm.go_on import GO_ON, GoOnFilter
from processors.llm.machine_text import MachineTextFilter
from processors.llm.processor import LLMProcessor
from processors.llm.scripted import ScriptedModel
from tests.processors.chain import running
from tests.processors.models import STOP, ScriptModel

USER = {"role": "user", "content": "Blimey"}
MARKS = [
    "[GO ON]",
    "[go on]",
    "[GO_ON]",
    "[Go-on]",
    "[ GO ON ]",
    "(GO ON)",
    "<go_on>",
    "{GO ON}",
    "GO ON",
    "**GO ON**",
    "Go on.",
    '"go on"',
    "`[GO ON]`",
    " [GO ON].\n",
    "GO ON: at nine",
    "[GO ON] We open at nine.",
]
ANSWERS = [
    "Go on, I'm listening.",
    "I can go on with it.",
    "[1] is a note, (gone) is another.",
    "Going on holiday?",
    "All right.",
    "G",
    "Goodbye (go online).",
    "a < b and go on",
]


def filtered(parts):
    """What passes of a stream in these parts, and whether the mark was in it."""
    mark = GoOnFilter()
    text = "".join(mark.feed(part) for part in parts)
    return text + mark.finish(), mark.found, mark.passed


def split(text, at):
    places = sorted({0, len(text), *(place % (len(text) + 1) for place in at)})
    return [text[begin:end] for begin, end in zip(places, places[1:], strict=False)]


@pytest.mark.parametrize("text", MARKS)
def test_the_word_is_known_in_any_dress(text):
    said, found, _ = filtered([text])
    assert found
    assert not any(char.isalnum() for char in said)


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_is_not_taken_for_it(text):
    assert filtered([text])[:2] == (text, False)


def test_what_is_folded_in_stands_before_it():
    assert filtered(["Yes, all of them. [GO", " ON] They open"]) == ("Yes, all of them. ", True, True)


@given(st.sampled_from([*MARKS, *ANSWERS, "Yes, all. [GO ON]", "[[GO ON]]", "Well... (go on) then"]), st.data())
def test_no_split_makes_a_difference(text, data):
    parts = split(text, data.draw(st.lists(st.integers(0, 100), max_size=8)))
    assert filtered(parts) == filtered([text])


@given(st.text(alphabet="go ON[]()<_-.,x\n*", max_size=40), st.lists(st.integers(0, 100), max_size=8))
def test_no_text_is_split_into_another(text, at):
    assert filtered(split(text, at)) == filtered([text])


@given(st.text(alphabet="go ON[]_-.", max_size=30), st.text(alphabet="go ON[]_-.", max_size=30))
def test_the_mark_is_never_heard(before, after):
    said, found, _ = filtered(list(f"{before}[GO ON]{after}"))
    assert found
    assert GO_ON not in said


def test_the_filter_for_machine_text_lets_the_word_through():
    for text in MARKS:
        machine = MachineTextFilter()
        said = "".join(machine.feed(char) for char in text)
        assert filtered([said + machine.finish().text])[1], text


# --- in the pipeline ------------------------------------------------------------------------------

OLD = ["We open ", "at nine ", "and close ", "at five.", STOP]


async def kept_reply(chain):
    """A reply of which two words were heard, and the question whether it goes on."""
    context = LLMContext([{"role": "user", "content": "Hours?"}])
    await chain.push(ReplyContextFrame(context, reply_id=1, turn_id=1))
    await chain.until(ReplyEndFrame)
    for word in ("We ", "open "):
        await chain.processors[0].queue_frame(WordHeardFrame(1, word), FrameDirection.UPSTREAM)
    async with asyncio.timeout(30):
        while len(chain.up(WordHeardFrame)) < 2:
            await asyncio.sleep(0.01)
    await chain.push(ReplyDoubtFrame(question=7, turn_id=2, reply_id=1, messages=[USER]))


async def decided(chain):
    async with asyncio.timeout(30):
        while not chain.up(GoOnFrame):
            await asyncio.sleep(0.01)
    (frame,) = chain.up(GoOnFrame)
    assert frame.question == 7
    return frame.goes_on


def asked(text="Blimey"):
    context = LLMContext([{"role": "user", "content": text}])
    return ReplyContextFrame(context, reply_id=2, turn_id=2, doubted=True)


def texts(chain):
    return "".join(frame.text for frame in chain.down(LLMTextFrame))


@pytest.mark.parametrize(
    "answer",
    [
        ["[GO ON]", STOP],
        [*"[GO ON]", STOP],
        ["Go", " on", STOP],
        ["<think>They want [GO ON]?</think>", "[GO ON]", STOP],
        ["[GO ON]", 60.0, STOP],
    ],
)
async def test_the_model_says_that_the_reply_goes_on_and_is_not_heard(virtual, answer):
    async with running(LLMProcessor(ScriptModel(OLD, answer))) as chain:
        await kept_reply(chain)
        assert await decided(chain)
        await asyncio.sleep(5)
        assert texts(chain) == "We open at nine and close at five."


@pytest.mark.parametrize(
    "answer",
    [
        ["Sorry?", STOP],
        ["Yes. ", "[GO ON]", STOP],
        ["<think>[GO ON]</think>Sorry?", STOP],
        [ToolCallDelta("", "balance", "{}"), STOP],
        [LanguageModelError("busy", retryable=True)],
        [STOP],
        [],
    ],
)
async def test_another_answer_is_none(virtual, answer):
    async with running(LLMProcessor(ScriptModel(OLD, answer))) as chain:
        await kept_reply(chain)
        assert not await decided(chain)


async def test_the_model_is_told_what_was_not_heard(virtual):
    model = ScriptModel(OLD, ["[GO ON]", STOP])
    async with running(LLMProcessor(model)) as chain:
        await kept_reply(chain)
        await decided(chain)
    first, note = model.prompts[1]
    assert first == USER
    assert go_on.is_asked(model.prompts[1])
    assert "at nine and close at five." in note["content"]


async def test_an_answer_that_was_asked_for_so_is_not_asked_for_twice_nor_late(virtual):
    model = ScriptModel(OLD, [1.0, "Sor", 1.0, "ry?", STOP])
    async with running(LLMProcessor(model)) as chain:
        await kept_reply(chain)
        began = virtual.time()
        assert not await decided(chain)
        await chain.interrupt()
        await chain.push(asked())
        end = await chain.until(ReplyEndFrame, 2)
        assert chain.at(end) - began == pytest.approx(2.0, abs=0.05)
    assert texts(chain).endswith("Sorry?")
    assert len(model.prompts) == 2


@pytest.mark.parametrize("answer", [["[GO ON]", STOP], [*"Yes. [GO ON] no", STOP], [3.0, "GO ON", STOP]])
async def test_a_reply_that_is_over_goes_on_in_its_own_words(virtual, answer):
    """The decision came too late, or the model folds in what was said."""
    async with running(LLMProcessor(ScriptModel(OLD, answer))) as chain:
        await kept_reply(chain)
        await asyncio.sleep(2.5)
        await chain.interrupt()
        await chain.push(asked())
        await chain.until(ReplyEndFrame, 2)
    said = texts(chain).removeprefix("We open at nine and close at five.")
    assert said == ("Yes. " if "Y" in answer else "") + "at nine and close at five."


async def test_it_is_asked_again_when_the_answer_is_to_other_words_or_broke_off(virtual):
    for steps, text in (
        (["Sorry?", STOP], "Blimey, my card"),
        ([LanguageModelError("busy", retryable=True)], "Blimey"),
    ):
        model = ScriptModel(OLD, steps, ["Your card.", STOP])
        async with running(LLMProcessor(model)) as chain:
            await kept_reply(chain)
            await decided(chain)
            await chain.interrupt()
            await chain.push(asked(text))
            await chain.until(ReplyEndFrame, 2)
        assert texts(chain).endswith("Your card.")
        assert len(model.prompts) == 3
        assert go_on.is_asked(model.prompts[2])


async def test_a_question_that_is_withdrawn_ends_the_models_work(virtual):
    model = ScriptModel(OLD, [60.0, "Sorry?", STOP])
    async with running(LLMProcessor(model)) as chain:
        await kept_reply(chain)
        await asyncio.sleep(0.5)
        before = len(model.closed_at)
        await chain.push(ReplyDoubtFrame(question=7, turn_id=2, reply_id=1, messages=[]))
        await asyncio.sleep(0.5)
        assert len(model.closed_at) == before + 1
        assert not chain.up(GoOnFrame)


async def test_the_reply_that_is_kept_is_written_on_meanwhile(virtual):
    model = ScriptModel(["We open ", 1.0, "at nine ", 1.0, "today.", STOP], [0.5, "[GO ON]", STOP])
    async with running(LLMProcessor(model)) as chain:
        context = LLMContext([{"role": "user", "content": "Hours?"}])
        await chain.push(ReplyContextFrame(context, reply_id=1, turn_id=1))
        await chain.until(LLMTextFrame)
        await chain.push(ReplyDoubtFrame(question=7, turn_id=2, reply_id=1, messages=[USER]))
        assert await decided(chain)
        await chain.until(ReplyEndFrame)
        assert texts(chain) == "We open at nine today."


@pytest.mark.parametrize(
    ("said", "goes_on"), [("Blimey", True), ("It was him", True), ("What is my balance?", False), ("wait", False)]
)
async def test_the_scripted_model_goes_on_unless_it_has_an_answer(said, goes_on):
    messages = [{"role": "user", "content": "Tell me everything"}, {"role": "assistant", "content": "Gladly."}]
    messages += [{"role": "user", "content": said}, go_on.note("On this line")]
    text = "".join([getattr(delta, "text", "") async for delta in ScriptedModel().stream(messages)])
    assert (text == GO_ON) == goes_on


def test_a_small_model_is_asked_for_the_rest_in_words():
    asked_for = [USER, go_on.note("at nine and close at five.")]
    (first, note), plain = go_on.in_words(asked_for), [USER]
    assert first == USER
    assert "at nine and close at five." in note["content"]
    assert GO_ON not in note["content"]
    assert not go_on.is_asked([first, note])
    assert go_on.in_words(plain) == plain
