"""Keys and callers' words, followed through a whole call to every place where they could come out.

The vendor answers with all that it was sent: status line, headers and body hold the key and the caller's words.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiohttp import web
from loguru import logger
from pydantic import SecretStr

import bot
from contracts import provider_failures as vendors
from contracts import secrets
from contracts.llm import LanguageModelError
from contracts.tts import VoiceError
from loadtest.in_process import InProcessCall, calling
from observe.call_registry import CallRegistry
from observe.log_lines import log_to_terminal
from observe.metrics import Metrics, States
from observe.snapshot import Snapshots
from observe.statistics import Statistics
from processors.llm.groq import GroqModel
from processors.llm.openai_compatible import OpenAICompatibleModel
from processors.stt.deepgram import DeepgramError, DeepgramParams, probe
from processors.tools.base import ToolContext
from processors.tools.declare import tool
from processors.tts.elevenlabs import ElevenLabsVoice
from services.services import Services
from settings import Settings
from tests.conversations.test_reported_faults import ToneVoice
from tests.conversations.test_tools import ToolModel

KEY = "CANARY-LLM-0123456789abcdef"
CARD = "4111 1111 1111 1111"
SAID = f"My card is {CARD}, I am Jane Canary."
SECRETS = ("CANARY", "4111")
HOWS = [401, 403, 404, 429, 500, 503, "broken", "closed", "error event"]


@pytest.fixture
def lines():
    handlers, level = logging.root.handlers[:], logging.root.level
    secrets.register([KEY])
    found: list[str] = []
    log_to_terminal("DEBUG", as_json=False, write=found.append)
    yield found
    logger.remove()
    logger.configure(extra={}, patcher=None)  # type: ignore[arg-type]
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    secrets._known.clear()
    secrets.register([])


@asynccontextmanager
async def echoing(how: int | str) -> AsyncIterator[str]:
    """A vendor that answers with what it was sent; gives ``127.0.0.1:PORT``."""

    async def answer(request: web.Request) -> web.StreamResponse:
        sent = f"{dict(request.headers)} {(await request.read()).decode(errors='replace')}"
        error = {"error": {"message": sent, "code": sent[:60]}, "detail": {"status": sent[:60], "message": sent}}
        headers = {"dg-error": sent.replace("\n", " ")[:2000], "X-Echo": KEY}
        if how == "closed":
            request.transport.abort()  # type: ignore[union-attr]
            return web.Response()
        if how == "broken":
            return web.Response(text=f"data: {{{sent}\n\n", content_type="text/event-stream", headers=headers)
        if how == "error event":
            body = f"data: {json.dumps(error)}\n\n"
            return web.Response(text=body, content_type="text/event-stream", headers=headers)
        return web.json_response(error, status=int(how), reason=f"no {KEY}", headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def clean(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text, text[max(0, text.index(secret) - 200) : text.index(secret) + 100]


@pytest.mark.parametrize("how", HOWS)
async def test_no_vendors_error_holds_what_the_vendor_wrote(how, lines):
    key = SecretStr(KEY)
    async with echoing(how) as where, asyncio.timeout(20):
        told: list[str] = []
        for model in (
            GroqModel(key, "m", base_url=f"http://{where}"),
            OpenAICompatibleModel(f"http://{where}/v1", "m", key),
        ):
            try:
                async for _ in model.stream([{"role": "user", "content": SAID}]):
                    pass
            except LanguageModelError as error:
                told.append(str(error))
                logger.opt(exception=error).warning("{}", error)
            await model.close()
        try:
            await probe(DeepgramParams(key, url=f"ws://{where}"))
        except DeepgramError as error:
            told.append(str(error))
            logger.opt(exception=error).warning("{}", error)
        voice = ElevenLabsVoice(key, "v", base_url=f"ws://{where}")
        try:
            await voice.load()
        except VoiceError as error:
            told.append(str(error))
            logger.opt(exception=error).warning("{}", error)
        await voice.close()
    assert len(told) >= (2 if how in ("broken", "error event") else 4), told
    clean("\n".join(told))
    clean("".join(lines))


@tool()
async def look(context: ToolContext, card: str) -> str:
    """Look something up."""
    raise RuntimeError(f"no such card: {card} of Jane Canary, with {KEY}")


def asks_for_it(messages):
    return ["I cannot."] if messages[-1]["role"] == "tool" else [("look", json.dumps({"card": CARD}))]


@pytest.mark.parametrize("how", [401, 500, "error event", "tool"])
async def test_a_whole_call_leaves_neither_in_any_place(how, lines, virtual, monkeypatch):
    registry, statistics = CallRegistry(), Statistics()
    states = States(registry, lambda: 9, dict, None, None)
    metrics = Metrics(states)
    for listener in (metrics, statistics):
        registry.add_listener(listener)
    vendors.add_listener(registry)
    monkeypatch.setattr(bot, "run_call", partial(bot.run_call, registry=registry))
    async with echoing(500 if how == "tool" else how) as where:
        values = {"llm": "groq", "groq_api_key": KEY, "groq_url": f"http://{where}", "llm_fallback": "none"}
        settings = Settings(_env_file=None, greeting="", bank_file=":memory:", idle_secs=0, tools="none", **values)
        services = await Services.load(settings)
        services.voice = ToneVoice()
        if how == "tool":
            services.language_model, services.tools = ToolModel(asks_for_it), [look]
        call = InProcessCall()
        async with calling(services, call):
            await call.type(SAID)
            await call.listen(20.0)
        page = json.dumps(call.messages)
        info = json.dumps(services.info())
        await services.close()
    vendors.remove_listener(registry)
    (record,) = registry.ended()
    dashboard = json.dumps(Snapshots(states, statistics, services.info, time.monotonic).make(), default=str)
    timeline = json.dumps(record.timeline(0.0))
    exposition = metrics.exposition().decode()
    for place in (info, dashboard.replace("Jane Canary", ""), timeline.replace("Jane Canary", ""), exposition):
        clean(place)
    assert KEY not in page
    assert "Jane" not in exposition
    log = "".join(lines)
    assert KEY not in log
    assert "4111" not in log
    loud = [line for line in lines if " DEBUG " not in line.split("\n")[0]]
    assert loud, "the trouble is told"
    assert "Jane" not in "".join(loud), "no words of callers at INFO and above"
    assert "Jane" in timeline, "what has no form of a secret is kept, as the settings say"
    if how == "tool":
        assert "tool look failed" in log
        assert os.path.basename(__file__) in log, "where it failed is told"
