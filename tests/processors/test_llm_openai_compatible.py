"""The client of OpenAI-compatible servers, against a small server that speaks their protocol."""

import asyncio
import contextlib
import json
from types import SimpleNamespace

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts.llm import Finish, LanguageModelError, TextDelta, ToolCallDelta, ToolSpec, Usage
from processors.llm.chat_completions import deltas, retry_after_secs
from processors.llm.openai_compatible import OpenAICompatibleModel

PROMPT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]


class Server:
    """Streams ``chunks`` as server-sent events; a number waits so many seconds."""

    def __init__(self):
        self.chunks = []
        self.status = 200
        self.body = {"error": {"message": "slow down", "type": "rate_limit"}}
        self.done = True
        self.requests = []
        self.disconnected = asyncio.Event()

    async def complete(self, request):
        self.requests.append((await request.json(), request.headers.get("Authorization")))
        if self.status != 200:
            return web.json_response(self.body, status=self.status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for chunk in self.chunks:
                if isinstance(chunk, int | float):
                    await asyncio.sleep(chunk)
                else:
                    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
            if self.done:
                await response.write(b"data: [DONE]\n\n")
        except (ConnectionResetError, asyncio.CancelledError):
            self.disconnected.set()
            raise
        return response


@contextlib.asynccontextmanager
async def serving(**model_options):
    server = Server()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.complete)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    model = OpenAICompatibleModel(url, "tiny", SecretStr("sesame"), **model_options)
    try:
        yield server, model
    finally:
        await model.close()
        await runner.cleanup()


def chunk(delta=None, finish=None, usage=None):
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    base = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny", "choices": choices}
    return {**base, "usage": usage} if usage else base


async def collect(model, tools=()):
    return [delta async for delta in model.stream(PROMPT, tools)]


async def test_text_finish_and_usage():
    async with serving(max_tokens=50, temperature=0.2) as (server, model):
        server.chunks = [
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "Good "}),
            chunk({"content": "morning."}),
            chunk({}, finish="stop"),
            chunk(usage={"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}),
        ]
        assert await collect(model) == [TextDelta("Good "), TextDelta("morning."), Finish("stop", Usage(9, 0, 4))]
        body, key = server.requests[0]
        assert key == "Bearer sesame"
        assert body["messages"] == PROMPT
        assert (body["model"], body["max_tokens"], body["temperature"]) == ("tiny", 50, 0.2)
        assert body["stream"] is True
        assert "tools" not in body


async def test_the_pieces_of_tool_calls_are_put_together():
    def piece(index, **function):
        return chunk({"tool_calls": [{"index": index, **function}]})

    async with serving() as (server, model):
        server.chunks = [
            piece(0, id="a", type="function", function={"name": "book", "arguments": '{"peo'}),
            piece(0, function={"arguments": 'ple": 4}'}),
            piece(1, id="b", type="function", function={"name": "look", "arguments": "{}"}),
            chunk({}, finish="tool_calls"),
        ]
        tools = [ToolSpec("book", "Book a table.", {"type": "object"})]
        assert await collect(model, tools) == [
            ToolCallDelta("a", "book", '{"people": 4}'),
            ToolCallDelta("b", "look", "{}"),
            Finish("tool_calls"),
        ]
        function = {"name": "book", "description": "Book a table.", "parameters": {"type": "object"}}
        assert server.requests[0][0]["tools"] == [{"type": "function", "function": function}]


async def test_a_stream_without_finish_has_none():
    async with serving() as (server, model):
        server.chunks, server.done = [chunk({"content": "Good "})], False
        assert await collect(model) == [TextDelta("Good ")]


async def test_closing_the_stream_closes_the_connection():
    async with serving() as (server, model):
        server.chunks = [chunk({"content": "one "}), *[0.05, chunk({"content": "more "})] * 200]
        loop = asyncio.get_running_loop()
        stream = model.stream(PROMPT)
        assert await anext(stream) == TextDelta("one ")
        closed_at = loop.time()
        await stream.aclose()
        assert loop.time() - closed_at < 0.1
        await asyncio.wait_for(server.disconnected.wait(), 2)


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(429, True), (408, True), (500, True), (503, True), (400, False), (401, False), (404, False)],
)
async def test_a_refusal_names_its_status_and_is_tried_once(status, retryable):
    async with serving() as (server, model):
        server.status = status
        with pytest.raises(LanguageModelError, match=f"HTTP {status}: (?!.*slow down)") as error:
            await collect(model)
        assert error.value.retryable is retryable
        assert len(server.requests) == 1


async def test_no_server_is_a_retryable_error():
    model = OpenAICompatibleModel("http://127.0.0.1:9/v1", "tiny", SecretStr(""))
    with pytest.raises(LanguageModelError, match="no connection") as error:
        await collect(model)
    assert error.value.retryable
    await model.close()


async def test_warming_reads_the_prompt_and_one_token():
    async with serving() as (server, model):
        server.chunks = [chunk({"content": "Hi"}), chunk({}, finish="length")]
        await model.warm("Be brief.")
        body, _ = server.requests[0]
        assert body["max_tokens"] == 1
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("status", "cause"),
    [(400, "request"), (401, "key"), (403, "key"), (404, "fault"), (413, "size"), (422, "request"), (429, "busy"),
     (500, "fault"), (503, "fault")],
)  # fmt: skip
async def test_an_error_says_whom_it_concerns(status, cause):
    async with serving() as (server, model):
        server.status = status
        with pytest.raises(LanguageModelError) as refused:
            _ = [delta async for delta in model.stream(PROMPT)]
    assert refused.value.cause.value == cause


# --- pieces of tool calls -------------------------------------------------------


def piece(index, call_id, name, arguments):
    return SimpleNamespace(index=index, id=call_id, function=SimpleNamespace(name=name, arguments=arguments))


async def put_together(pieces):
    async def chunks():
        for each in pieces:
            delta = SimpleNamespace(content=None, tool_calls=[each])
            yield SimpleNamespace(choices=[SimpleNamespace(delta=delta, finish_reason=None)])
        yield SimpleNamespace(
            choices=[SimpleNamespace(delta=SimpleNamespace(content=None, tool_calls=None), finish_reason="tool_calls")]
        )

    return [delta async for delta in deltas(chunks()) if isinstance(delta, ToolCallDelta)]


@pytest.mark.parametrize("index", [0, None])
def test_calls_without_ids_and_without_arguments_are_told_apart_by_their_names(index):
    pieces = [piece(index, None, "hang_up", ""), piece(index, None, "look", ""), piece(index, None, "book", '{"n": 6}')]
    found = asyncio.run(put_together(pieces))
    assert [(call.name, call.arguments) for call in found] == [("hang_up", ""), ("look", ""), ("book", '{"n": 6}')]


def test_a_name_may_come_in_pieces():
    found = asyncio.run(put_together([piece(0, "1", "check_", None), piece(0, None, "balance", None)]))
    assert [call.name for call in found] == ["check_balance"]


@pytest.mark.parametrize(
    ("told", "secs"),
    [
        ("nan", None),
        ("inf", 86_400.0),
        ("1e999", 86_400.0),
        ("-5", 0.0),
        ("-inf", 0.0),
        ("soon", None),
        ("9" * 400, 86_400.0),
    ]
    + [("9" * 400, 86_400.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0)],
)
def test_no_vendor_sends_the_bot_away_for_ever(told, secs):
    assert retry_after_secs(told, 1e9) == secs


NAMES = st.sampled_from(["look", "book", "check_balance"])
ARGUMENTS = st.sampled_from(['{"n": 6}', "{}", '{"who": "J"}'])


@given(st.data(), st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=4))
def test_calls_are_told_apart_by_index_and_by_id(data, called):
    """Whatever a server numbers, and whatever it repeats: all 0, none, 0 to n; ids, names with each piece or once."""
    numbering = data.draw(st.sampled_from(["all zero", "none", "counted"]))
    ids, repeats = data.draw(st.booleans()), data.draw(st.booleans())
    pieces = []
    for number, (name, arguments) in enumerate(called):
        index = {"all zero": 0, "none": None, "counted": number}[numbering]
        at = data.draw(st.integers(0, len(arguments)))
        for part, text in enumerate((arguments[:at], arguments[at:])):
            told = part == 0 or (repeats and ids)
            pieces.append(piece(index, f"call_{number}" if told and ids else None, name if told else None, text))
    found = asyncio.run(put_together(pieces))
    assert [(call.name, call.arguments) for call in found] == called
