"""The local language model, with its real weights."""

import asyncio
import time
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from contracts.llm import Finish, TextDelta, Usage
from processors.context.aggregators import Conversation
from processors.context.prompt import system_prompt
from processors.llm import llama_server, prompt_state
from processors.llm.local import LocalModel
from processors.llm.machine_text import MachineTextFilter
from processors.llm.prompt_state import PromptState
from processors.tools.catalogue import find_tools
from settings import Settings

PROMPT = system_prompt(Settings(_env_file=None))

pytestmark = [pytest.mark.llm, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model():
    model = LocalModel(temperature=0.0)  # the likeliest words, every time
    await model.warm(PROMPT)
    yield model
    await model.close()


def prompt(*said: str):
    roles = ["user", "assistant"]
    return [
        {"role": "system", "content": PROMPT},
        *({"role": roles[index % 2], "content": text} for index, text in enumerate(said)),
    ]


async def read(model, messages) -> tuple[str, str]:
    text, reason = "", ""
    async for delta in model.stream(messages):
        if isinstance(delta, TextDelta):
            text += delta.text
        elif isinstance(delta, Finish):
            reason = delta.reason
    return text, reason


async def test_it_knows_what_the_prompt_says(model):
    text, reason = await read(model, prompt("When are you open?"))
    assert reason == "stop"
    assert "nine" in text.lower() or "9" in text


async def test_it_knows_what_was_said_before(model):
    text, _ = await read(model, prompt("My name is Ada.", "Hello Ada, how can I help?", "What is my name?"))
    assert "ada" in text.lower()


async def test_a_stream_that_is_closed_stops_the_work(model):
    messages = prompt("Tell me in great detail everything that you know about banks, at least ten sentences.")
    async with aclosing(model.stream(messages)) as deltas:
        async for delta in deltas:
            if isinstance(delta, TextDelta):
                break
    await asyncio.sleep(0.3)
    before = time.process_time()
    await asyncio.sleep(1.0)
    assert time.process_time() - before < 0.3
    began = time.monotonic()
    text, _ = await read(model, prompt("Say yes."))
    assert text
    assert time.monotonic() - began < 20


async def test_it_calls_a_tool_and_tells_what_came_of_it(model):
    tools = {name: tool.spec for name, tool in find_tools().items()}
    offered = [tools["check_balance"], tools["recent_transactions"]]
    system = {"role": "system", "content": system_prompt(Settings(_env_file=None), with_tools=True)}
    messages = [system, {"role": "user", "content": "How much is in my savings account?"}]
    found = MachineTextFilter(offered)
    async for delta in model.stream(messages, offered):
        if isinstance(delta, TextDelta):
            assert found.feed(delta.text) == ""
    calls = found.finish().calls
    assert [(call.name, call.arguments) for call in calls] == [("check_balance", '{"account": "savings"}')]
    conversation = Conversation(system["content"])
    conversation.user_turn(1, messages[1]["content"])
    conversation.tool_call(1, "call_1", calls[0].name, calls[0].arguments)
    conversation.tool_result("call_1", "The savings account holds 5300 dollars.")
    deltas = [delta async for delta in model.stream(conversation.messages(), offered)]
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert "5300" in text.replace(",", "")


# --- what has been read is kept ----------------------------------------------------------


async def first_answer(model) -> tuple[str, Usage]:
    """The reply to a first question, and what it cost."""
    text, usage = "", Usage()
    async for delta in model.stream(prompt("When are you open?")):
        if isinstance(delta, TextDelta):
            text += delta.text
        elif isinstance(delta, Finish) and delta.usage is not None:
            usage = delta.usage
    return text, usage


async def started(prompts: Path, monkeypatch) -> tuple[str, Usage]:
    """Start a model as a new process would, and ask."""
    monkeypatch.setattr(prompt_state, "prompts_folder", lambda: prompts)
    monkeypatch.setattr(llama_server, "prompts_folder", lambda: prompts)
    model = LocalModel(temperature=0.0)
    await model.warm(PROMPT)
    answer = await first_answer(model)
    await model.close()
    return answer


async def test_a_second_start_reads_nothing_again_and_a_damaged_state_is_read_anew(tmp_path, monkeypatch):
    read = []
    reading = LocalModel._read

    async def counted(self, *args, **kwargs):
        read.append(1)
        await reading(self, *args, **kwargs)

    monkeypatch.setattr(LocalModel, "_read", counted)
    first_text, first = await started(tmp_path, monkeypatch)
    assert len(read) == 1, "one slot reads, the other is given what it read"
    assert first.cached_tokens > 0.8 * first.prompt_tokens

    second_text, second = await started(tmp_path, monkeypatch)
    assert len(read) == 1
    assert (second_text, second) == (first_text, first)

    (state,) = tmp_path.glob("*.state")
    whole = state.read_bytes()
    state.write_bytes(whole[: len(whole) // 2])
    third_text, third = await started(tmp_path, monkeypatch)
    assert len(read) == 2
    assert (third_text, third) == (first_text, first)
    assert state.stat().st_size == len(whole)


async def test_a_state_that_the_library_refuses_is_read_anew(tmp_path, monkeypatch):
    """Whole, and by its name the right one, but not a state: nothing of it is believed."""
    monkeypatch.setattr(PromptState, "usable", lambda self: self.path.exists())
    model = LocalModel(temperature=0.0)
    await model.warm(PROMPT)
    state = PromptState.of("anything", folder=prompt_state.prompts_folder())
    state.path.write_bytes(b"not a state")
    assert model._server is not None
    assert not model._server.restore(state)
    assert not state.path.exists()
    text, _ = await first_answer(model)
    await model.close()
    assert text


# --- reading along -----------------------------------------------------------------------


QUESTION = "Could you please tell me at what time your branch in the old town opens on Saturday mornings"


async def until_read(model) -> None:
    async with asyncio.timeout(300):
        while model._reader._task is not None:
            await asyncio.sleep(0.02)


async def usage_of(model, messages) -> Usage:
    """What the model had read before, and what not, when it was asked."""
    deltas = [delta async for delta in model.stream(messages)]
    (usage,) = [delta.usage for delta in deltas if isinstance(delta, Finish)]
    return usage


async def test_words_that_were_read_while_they_were_spoken_are_not_read_again(model):
    """Counted in tokens, so that it does not matter how busy the machine is."""
    words = QUESTION.split()
    unread = await usage_of(model, prompt(" ".join(reversed(words))))
    for count in range(2, len(words) + 1):
        model.read_ahead(prompt(" ".join(words[:count])))
        await until_read(model)
    read = await usage_of(model, prompt(" ".join(words) + "?"))
    new_before = unread.prompt_tokens - unread.cached_tokens
    new_after = read.prompt_tokens - read.cached_tokens
    assert new_before > len(words)
    assert new_after <= 9, "the last word, the end of the message and the beginning of the reply"


async def test_a_reply_to_other_words_is_what_it_would_have_been(model):
    question = prompt("When are you open?")
    alone, _ = await read(model, question)
    model.read_ahead(prompt("When are you going to open a branch on the moon, and who may"))
    along, _ = await read(model, question)
    assert along == alone


async def test_nothing_is_read_while_a_reply_is_generated(model):
    async with aclosing(model.stream(prompt("Tell me about banks."))) as deltas:
        await anext(deltas)
        model.read_ahead(prompt("How much is a safe"))
        assert model._reader._task is None
