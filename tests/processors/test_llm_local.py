"""The local language model, with its real weights."""

import asyncio
import time
from contextlib import aclosing

import pytest
import pytest_asyncio

from processors.context import Conversation
from processors.llm.base import Finish, TextDelta
from processors.llm.local import LocalModel
from processors.llm.machine_text import MachineTextFilter
from processors.prompt import system_prompt
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
