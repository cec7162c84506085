"""While the caller speaks, a model that can read along is shown the words so far, and a reply never waits for it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import VADUserStartedSpeakingFrame

from contracts.frames import InterimTranscriptFrame, UserWordsFrame
from loadtest import virtual_time
from processors.context.aggregators import ContextPair, Conversation, PromptSoFarFrame
from processors.llm.processor import LLMProcessor
from processors.llm.reading import Reader, without_last_word
from processors.turns.handler import HandlerParams, InterruptionHandler
from processors.turns.machine import TurnMachine
from tests.processors.chain import running
from tests.processors.models import ScriptModel

STEP_SECS = 0.1


class SlowReader:
    """Reads a character in each step; keeps what was read to the end, and what was given up."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.given_up: list[str] = []
        self.reader = Reader(self._read)
        self.at_once = 0

    async def _read(self, text, give_up) -> None:
        self.at_once += 1
        assert self.at_once == 1
        for _ in text:
            await asyncio.sleep(STEP_SECS)
            if give_up():
                self.given_up.append(text)
                break
        else:
            self.read.append(text)
        self.at_once -= 1


async def test_the_newest_words_are_read_next_and_those_between_are_not(virtual):
    slow = SlowReader()
    for text in ("a", "a b", "a b c", "a b c"):
        slow.reader.begin(text)
        await asyncio.sleep(0.01)
    await asyncio.sleep(2.0)
    slow.reader.begin("a b c")
    await asyncio.sleep(2.0)
    assert slow.read == ["a", "a b c"]


async def test_a_reply_waits_for_its_own_beginning_and_not_for_other_words(virtual):
    slow = SlowReader()
    began = virtual.time()
    slow.reader.begin("how much")
    await asyncio.sleep(0.01)
    await slow.reader.give_way("how much is it?")
    assert slow.read == ["how much"]
    assert virtual.time() - began == pytest.approx(len("how much") * STEP_SECS, abs=0.05)

    began = virtual.time()
    slow.reader.begin("how many people")
    await asyncio.sleep(0.01)
    slow.reader.begin("how many people are")
    await slow.reader.give_way("how much is it?")
    assert slow.given_up == ["how many people"]
    assert virtual.time() - began <= 2 * STEP_SECS
    await asyncio.sleep(5.0)
    assert slow.read == ["how much"], "what waited is given up too"


async def test_a_reader_that_fails_is_tried_again_with_the_next_words(virtual):
    asked = []

    async def fails(text, give_up):
        asked.append(text)
        raise RuntimeError("no slot")

    reader = Reader(fails)
    reader.begin("a")
    await asyncio.sleep(0.1)
    reader.begin("a b")
    await asyncio.sleep(0.1)
    await reader.give_way("a b c")
    assert asked == ["a", "a b"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["begin", "give way"]),
            st.sampled_from(["", "a", "ab", "abcd", "x", "xy"]),
            st.sampled_from([0.0, 0.05, 0.15, 1.0]),
        ),
        max_size=12,
    )
)
def test_in_any_order_one_thing_is_read_at_a_time_and_giving_way_ends(events):
    async def scene() -> None:
        slow = SlowReader()
        for what, text, pause_secs in events:
            if what == "begin":
                slow.reader.begin(text)
            else:
                await slow.reader.give_way(text)
                assert slow.at_once == 0
            await asyncio.sleep(pause_secs)
        await slow.reader.give_way("z")
        assert slow.at_once == 0

    virtual_time.run(scene())


@pytest.mark.parametrize(
    ("text", "kept"), [("", ""), ("how", ""), ("how much", "how"), ("how much is ", "how much is")]
)
def test_the_last_word_may_still_change(text, kept):
    assert without_last_word(text) == kept


class Along(ScriptModel):
    """A model that notes what it is shown."""

    def __init__(self) -> None:
        super().__init__([])
        self.shown = []

    def read_ahead(self, messages, tools=()) -> None:
        self.shown.append([(message["role"], message["content"]) for message in messages])


@pytest.mark.parametrize("tells_words", [True, False])
async def test_the_words_so_far_reach_the_model_behind_all_that_was_said_before(virtual, tells_words):
    conversation = Conversation("Be brief.")
    conversation.user_turn(0, "Hello.")
    conversation.reply(0, 1, "Good morning.", cut=False)
    model = Along()
    handler = InterruptionHandler(TurnMachine(), params=HandlerParams(tells_words=tells_words))
    async with running(handler, ContextPair(conversation).user(), LLMProcessor(model)) as chain:
        await chain.push(VADUserStartedSpeakingFrame())
        await asyncio.sleep(0.3)
        for text in ("How", "How much"):
            await chain.push(InterimTranscriptFrame(text, "", "", segment=1))
            await asyncio.sleep(0.1)
        assert chain.down(UserWordsFrame, PromptSoFarFrame) == []
    before = [("system", "Be brief."), ("user", "Hello."), ("assistant", "Good morning.")]
    expected = [[*before, ("user", "How")], [*before, ("user", "How much")]] if tells_words else []
    assert model.shown == expected


async def test_a_model_that_cannot_read_along_is_not_troubled(virtual):
    async with running(LLMProcessor(ScriptModel([]))) as chain:
        await chain.push(PromptSoFarFrame([{"role": "user", "content": "How"}]))
        await asyncio.sleep(0.1)
        assert chain.down(PromptSoFarFrame) == []
