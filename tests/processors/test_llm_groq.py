"""Groq's own SDK against a small server that speaks Groq's protocol."""

import asyncio
import contextlib

import pytest
from aiohttp import web
from pydantic import SecretStr

from contracts.llm import (
    UNREADABLE,
    Allowance,
    Cause,
    Finish,
    LanguageModelError,
    LimitsTold,
    Quota,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
    Usage,
)
from emulators import groq
from processors.llm.groq import GroqModel, allowances, retry_after_secs
from tests.emulators.serving import serving as emulated
from tests.processors.test_llm_openai_compatible import PROMPT, Server, chunk
from tests.processors.test_llm_openai_compatible import collect as told

DAY_LIMIT = (
    "Rate limit reached for model `m` in organization `org_x` service tier `on_demand` on tokens per day (TPD): "
    "Limit 100000, Used 99712, Requested 412. Please try again in 1m47.136s."
)


async def collect(model, tools=()):
    """All but what is said of the limits."""
    return [delta for delta in await told(model, tools) if not isinstance(delta, LimitsTold)]


class GroqServer(Server):
    """Adds Groq's headers, and models that are served no more."""

    def __init__(self):
        super().__init__()
        self.gone = set()
        self.headers = {}

    async def complete(self, request):
        body = await request.json()
        if body["model"] in self.gone:
            self.requests.append((body, None))
            error = {"message": f"The model `{body['model']}` has been decommissioned.", "code": "model_decommissioned"}
            return web.json_response({"error": {**error, "type": "invalid_request_error"}}, status=400)
        if self.status != 200:
            self.requests.append((body, None))
            return web.json_response(self.body, status=self.status, headers=self.headers)
        return await super().complete(request)


@contextlib.asynccontextmanager
async def serving(name="openai/gpt-oss-120b"):
    server = GroqServer()
    app = web.Application()
    app.router.add_post("/openai/v1/chat/completions", server.complete)

    async def add_limits(request, response):
        response.headers["x-ratelimit-limit-tokens"] = "8000"
        response.headers["x-ratelimit-remaining-tokens"] = "5700"

    app.on_response_prepare.append(add_limits)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    model = GroqModel(SecretStr("gsk_secret"), name, base_url=url, max_tokens=50)
    try:
        yield server, model
    finally:
        await model.close()
        await runner.cleanup()


async def test_text_usage_and_limits():
    async with serving() as (server, model):
        last = {**chunk({}, finish="stop"), "x_groq": {"id": "r", "usage": {"prompt_tokens": 36, "completion_tokens": 5,
                                                                          "total_tokens": 41}}}  # fmt: skip
        server.chunks = [{**chunk({"role": "assistant", "content": ""}), "x_groq": {"id": "r"}},
                         chunk({"content": "Good "}), chunk({"content": "day."}), last]  # fmt: skip
        limits = LimitsTold((Allowance(Quota.TOKENS_PER_MINUTE, 8000, 5700),))
        assert await told(model) == [limits, TextDelta("Good "), TextDelta("day."), Finish("stop", Usage(36, 0, 5))]
        body, key = server.requests[0]
        assert key == "Bearer gsk_secret"
        assert (body["model"], body["max_completion_tokens"]) == ("openai/gpt-oss-120b", 50)
        assert body["reasoning_effort"] == "low"


async def test_tool_calls():
    async with serving("llama-3.3-70b-versatile") as (server, model):
        function = {"name": "book", "arguments": '{"people": 4}'}
        server.chunks = [
            chunk({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}),
            chunk({}, finish="tool_calls"),
        ]
        tools = [ToolSpec("book", "Book a table.", {"type": "object"})]
        assert await collect(model, tools) == [ToolCallDelta("c", "book", '{"people": 4}'), Finish("tool_calls")]
        assert server.requests[0][0]["tools"][0]["function"]["name"] == "book"
        assert "reasoning_effort" not in server.requests[0][0]


async def test_a_call_that_groq_could_not_read_is_read_here():
    async with serving() as (server, model):
        server.status = 400
        error = {"message": "Failed to call a function.", "code": "tool_use_failed"}
        server.body = {"error": {**error, "failed_generation": '<function=book>{"people": 4}</function>'}}
        assert await collect(model) == [ToolCallDelta("", "book", '{"people": 4}'), Finish("tool_calls")]
        server.body = {"error": {**error, "failed_generation": "I would rather not."}}
        assert await collect(model) == [TextDelta("I would rather not."), Finish("stop")]
        for unreadable in ("", '<function=book>{"people"'):
            server.body = {"error": {**error, "failed_generation": unreadable}}
            assert await collect(model) == [Finish(UNREADABLE)]


async def test_a_model_that_is_gone_says_so():
    async with serving("old") as (server, model):
        server.gone = {"old"}
        with pytest.raises(LanguageModelError, match="HTTP 400: the model is served no more") as error:
            await collect(model)
        assert error.value.cause is Cause.GONE
        assert not error.value.retryable


@pytest.mark.parametrize(
    ("status", "message", "headers", "match", "retryable", "after_secs", "cause"),
    [
        (429, DAY_LIMIT, {"retry-after": "107"}, "HTTP 429: the day's quota is used up", True, 107.0, Cause.QUOTA),
        (429, "slow down", {}, "HTTP 429: too many requests", True, None, Cause.BUSY),
        (498, "capacity_exceeded", {}, "HTTP 498", True, None, Cause.BUSY),
        (500, "oops", {}, "HTTP 500: the vendor has a fault", True, None, Cause.FAULT),
        (413, "Request too large", {}, "HTTP 413: the prompt is too long", False, None, Cause.SIZE),
        (401, "Invalid API Key", {}, r"refuses the key \(HTTP 401\); set GROQ_API_KEY", False, None, Cause.KEY),
    ],
)
async def test_refusals_are_told_by_their_cause_and_tried_once(
    status, message, headers, match, retryable, after_secs, cause
):
    async with serving() as (server, model):
        server.status, server.headers = status, headers
        server.body = {"error": {"message": message, "code": "x"}}
        with pytest.raises(LanguageModelError, match=match) as error:
            await collect(model)
        assert error.value.retryable is retryable
        assert error.value.retry_after_secs == after_secs
        assert error.value.cause is cause
        assert "gsk_secret" not in str(error.value)
        assert message not in str(error.value), "Groq's own words may hold anything"
        assert len(server.requests) == 1


async def test_a_stream_that_ends_without_a_finish_has_none():
    async with serving() as (server, model):
        server.chunks, server.done = [chunk({"content": "Half a"})], False
        assert await collect(model) == [TextDelta("Half a")]


async def test_nobody_there_is_a_retryable_error():
    model = GroqModel(SecretStr("k"), "m", base_url="http://127.0.0.1:9")
    with pytest.raises(LanguageModelError, match="no connection to Groq") as error:
        await collect(model)
    assert error.value.retryable
    await model.close()


async def test_warming_asks_for_one_token():
    async with serving() as (server, model):
        server.chunks = [chunk({"content": "Hi"}), chunk({}, finish="length")]
        await model.warm("Be brief.")
        assert server.requests[0][0]["max_completion_tokens"] == 1
        assert server.requests[0][0]["messages"][0] == PROMPT[0]


@pytest.mark.parametrize(
    ("value", "secs"),
    [("2", 2.0), ("0.5", 0.5), ("-1", 0.0), (None, None), ("soon", None), ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
     ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after_in_all_its_forms(value, secs):
    assert retry_after_secs(value, now=60.0) == secs


def test_the_tokens_of_a_day_are_told_by_refusals_only():
    headers = {
        "x-ratelimit-limit-requests": "1000",
        "x-ratelimit-remaining-requests": "990",
        "x-ratelimit-limit-tokens": "many",
    }
    assert allowances(headers, DAY_LIMIT) == (
        Allowance(Quota.REQUESTS_PER_DAY, 1000, 990),
        Allowance(Quota.TOKENS_PER_DAY, 100_000, 288, met=True),
    )


async def test_the_connection_is_kept_while_the_caller_speaks_and_thinks(virtual):
    timing = {"groq": {"connect": {"p50_ms": 400}, "first_byte": {"p50_ms": 100}}}
    async with emulated(groq.make_app, timing=timing) as (_, where):
        model = GroqModel(SecretStr("gsk_test"), "openai/gpt-oss-120b", base_url=f"http://{where}")
        took = []
        for _ in range(3):
            began = virtual.time()
            await collect(model)
            took.append(virtual.time() - began)
            await asyncio.sleep(30.0)
        await model.close()
    assert took[0] > 0.5
    assert max(took[1:]) < 0.4
