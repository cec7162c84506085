"""A call whose process dies at any moment, and that another one goes on with: no word twice, and none lost."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from cluster.node import ClusterNode
from cluster.store import NodeInfo
from loadtest.in_process import InProcessCall, calling
from processors.context.aggregators import BROKE_OFF
from processors.tools.base import ToolContext, ToolError
from processors.tools.declare import tool
from processors.tools.stored import OUTCOME_UNKNOWN
from services.services import Services
from settings import LlmProvider, Settings
from tests.cluster.memory_store import MemoryStore
from tests.conversations.test_reported_faults import ToneVoice
from tests.conversations.test_tools import ToolModel, outputs
from transports.takeover import read_caller

TOKEN = "0123456789abcdefghijklmn"
CALLER = read_caller({"caller_token": TOKEN})
TELL = "We open at nine and close at five. On Saturday we close at one. Is there anything else?"


class Nodes:
    """Processes one after the other, each of which finds what the one before had written when it died."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.store = MemoryStore()
        self.lines: list[str] = []

    @asynccontextmanager
    async def first(self):
        call = InProcessCall(room_rms=0)
        call.caller = CALLER
        node = ClusterNode(self.store, lambda: NodeInfo("", ""))
        node.begun(call, "place", None)
        async with calling(self.services, call, node) as c:
            yield c

    @asynccontextmanager
    async def next(self, left: MemoryStore, heard=None):
        node = ClusterNode(left, lambda: NodeInfo("", ""))
        taken = await node.take_up(CALLER, heard)
        assert taken is not None
        call = InProcessCall("next", room_rms=0)
        call.caller = CALLER
        node.begun(call, taken.state.place, taken)
        async with calling(self.services, call, node, returns=True) as c:
            yield c


@asynccontextmanager
async def nodes(model, tools=(), **settings):
    values = {"llm": LlmProvider.SCRIPTED, "greeting": "", "bank_file": ":memory:", "idle_secs": 0, **settings}
    services = await Services.load(Settings(_env_file=None, **values))
    services.language_model, services.voice = model, ToneVoice()
    services.tools = list(tools)
    yield Nodes(services)
    await services.close()


def words(c: InProcessCall) -> list[str]:
    return "".join(each["text"] + " " for each in c.told("word-heard")).split()


def telling(_):
    return [TELL]


@pytest.mark.parametrize("after_secs", [0.06, 1.7])
async def test_a_reply_goes_on_at_the_first_word_that_was_not_heard(virtual, after_secs):
    model = ToolModel(telling)
    async with nodes(model) as cluster:
        async with cluster.first() as c:
            await c.type("When do you open?")
            await c.until_state("speaking")
            await c.listen(after_secs)
            left, before = cluster.store.copied(), words(c)
        heard = sum(len(word) for word in before)
        async with cluster.next(left, (c.told("word-heard")[-1]["reply_id"], heard) if before else None) as d:
            await d.until_state("speaking")
            await d.until_state("listening", timeout_secs=30)
            assert before + words(d) == TELL.split()
            (lines,) = [told["lines"] for told in d.told("conversation")]
            assert lines[0] == {"who": "user", "text": "When do you open?"}
            await d.type("Thanks.")
            await d.until_state("speaking")
        last = model.prompts[-1]
        said = " ".join(message["content"] for message in last if message["role"] == "assistant")
        assert said.split() == TELL.split(), "history holds each word once"
        assert [message["content"] for message in last if message["role"] == "user"] == ["When do you open?", "Thanks."]
    assert len(model.prompts) == 2, "what was known is not asked for again"


async def test_a_question_that_was_open_is_answered(virtual):
    model = ToolModel(telling, think_secs=1.0)
    async with nodes(model) as cluster:
        async with cluster.first() as c:
            await c.type("When do you open?")
            await c.until_state("thinking")
            await c.listen(0.3)
            left = cluster.store.copied()
        async with cluster.next(left) as d:
            await d.until_state("speaking")
            await d.until_state("listening", timeout_secs=30)
            assert words(d) == TELL.split()
    assert [m["content"] for m in model.prompts[-1] if m["role"] == "user"] == ["When do you open?"]
    assert BROKE_OFF not in str(model.prompts[-1])


class Slowly(ToolModel):
    """Writes its reply in two halves; the second takes its time."""

    async def stream(self, messages, tools=()):
        whole = super().stream(messages, tools)
        async for delta in whole:
            yield delta
            await asyncio.sleep(5.0)


async def test_a_reply_that_was_half_written_is_gone_on_with(virtual):
    model = Slowly(
        lambda messages: ["On Saturday we close at one."] if BROKE_OFF in str(messages) else ["We open at nine. "]
    )
    async with nodes(model) as cluster:
        async with cluster.first() as c:
            await c.type("When do you open?")
            await c.until_state("speaking")
            await c.listen(1.0)
            left, before = cluster.store.copied(), words(c)
        assert before == ["We", "open", "at", "nine."][: len(before)]
        async with cluster.next(left) as d:
            await d.until_state("speaking")
            await d.listen(4.0)
            assert words(d)[:6] == ["On", "Saturday", "we", "close", "at", "one."]
    assert model.prompts[-1][-1] == {"role": "system", "content": BROKE_OFF}


def booking(made, asked, *, dead, can_tell):
    """A tool that books in the middle of its run, unless its process has died before."""

    async def outcome(_, context: ToolContext) -> str:
        asked.append(context.key)
        await asyncio.sleep(0.1)
        if context.key not in made:
            raise ToolError("nothing was booked; call it again if it is wanted still")
        return "booked"

    @tool(effect=True, confirm=False, outcome=outcome if can_tell else None)
    async def book(context: ToolContext) -> str:
        """Book."""
        await asyncio.sleep(0.4)
        if not dead():
            made.append(context.key)
        await asyncio.sleep(0.4)
        return "booked"

    return book


def asks_for_it(messages):
    """Calls the tool as long as no output says that it was done, or that nobody knows."""
    told = list(outputs(messages).values())
    if any(text.startswith(("booked", "unknown")) for text in told):
        return [f"Told: {told[-1].split(':')[0].split(' (')[0]}."]
    return [("book", "{}")]


@pytest.mark.parametrize("can_tell", [True, False])
@pytest.mark.parametrize("after_secs", [0.38, 0.95])
async def test_what_was_being_done_is_done_once_and_the_truth_is_told(virtual, after_secs, can_tell):
    made, asked, died = [], [], []
    model = ToolModel(asks_for_it)
    book = booking(made, asked, dead=lambda: bool(died), can_tell=can_tell)
    async with nodes(model, [book]) as cluster:
        async with cluster.first() as c:
            await c.type("Book it, please.")
            await c.listen(after_secs)
            left = cluster.store.copied()
            died.append(True)
            began = len(model.prompts)
        died.clear()
        async with cluster.next(left) as d:
            await d.until_state("speaking", timeout_secs=30)
            await d.until_state("listening", timeout_secs=30)
            told = " ".join(words(d)).removeprefix("One moment, please. ")
        assert began
    if can_tell:
        assert len(made) == 1, "exactly once"
        assert told == "Told: booked."
    else:
        assert told in ("Told: booked.", "Told: unknown.")
        assert len(made) <= 1, "never twice"
        if told == "Told: unknown.":
            assert OUTCOME_UNKNOWN in str(model.prompts[-1])


async def test_where_nothing_is_open_nothing_is_said(virtual):
    model = ToolModel(telling)
    async with nodes(model) as cluster:
        async with cluster.first() as c:
            await c.type("Hello.")
            await c.until_state("speaking")
            await c.until_state("listening", timeout_secs=30)
            left = cluster.store.copied()
        async with cluster.next(left) as d:
            await d.listen(1.0)
            assert words(d) == [], "nobody is greeted twice, and nothing is said again"
            assert d.state == "listening"


async def test_a_stale_process_says_nothing_more(virtual):
    async with nodes(ToolModel(telling)) as cluster, cluster.first() as c:
        await c.type("When do you open?")
        await c.until_state("speaking")
        other = ClusterNode(cluster.store, lambda: NodeInfo("", ""))
        assert await other.take_up(CALLER) is not None
        async with asyncio.timeout(5):
            await c.closed.wait()


async def test_what_is_over_is_forgotten(virtual):
    async with nodes(ToolModel(telling)) as cluster:
        async with cluster.first() as c:
            await c.type("When do you open?")
            await c.until_state("speaking")
            assert cluster.store.entries[CALLER.digest.hex()].state is not None
        assert cluster.store.entries[CALLER.digest.hex()].state is None


async def test_a_store_that_is_away_costs_the_call_nothing(virtual):
    async with nodes(ToolModel(telling)) as cluster, cluster.first() as c:
        cluster.store.away = True
        await c.type("When do you open?")
        await c.until_state("speaking")
        await c.until_state("listening", timeout_secs=30)
        assert words(c) == TELL.split()
        cluster.store.away = False
        await c.listen(2.0)
        assert cluster.store.entries[CALLER.digest.hex()].state is not None, "it is written when the store is back"
