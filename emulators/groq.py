"""Groq's chat completions: https://console.groq.com/docs/api-reference#chat-create. Four limits for each model."""

import asyncio
import json
import math
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import web

from contracts.llm import Delta, LanguageModelError, TextDelta, ToolCallDelta, ToolSpec
from emulators.fault_injection import Broken, InjectedFault, Send, at_connect
from emulators.faults import FaultRule, Kind, Vendor
from emulators.log import Entry
from emulators.prompt_cache import CHARS_PER_TOKEN, PromptCache, rendered
from emulators.rates import Denial, ModelBudget
from emulators.world import World
from processors.llm.scripted import ScriptedModel

ORGANIZATION: Final = "org_emulated"
MAX_BODY_BYTES: Final = 4_000_000


def make_app(world: World) -> web.Application:
    """The server: ``POST /openai/v1/chat/completions``, ``GET /openai/v1/models``."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    vendor = _Groq(world)
    app.router.add_post("/openai/v1/chat/completions", vendor.complete)
    app.router.add_get("/openai/v1/models", vendor.models)
    return app


class _Refused(Exception):
    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


class _Groq:
    def __init__(self, world: World) -> None:
        self._world = world
        self._responder = ScriptedModel()
        self._budgets: dict[tuple[str, str], ModelBudget] = {}
        self._caches: dict[str, PromptCache] = {}

    async def models(self, request: web.Request) -> web.StreamResponse:
        """What the key may use, and what listens and speaks besides."""
        entry = self._world.log.open("groq", "models", f"req_{uuid.uuid4().hex[:12]}")
        try:
            instead = await at_connect(self._world, Vendor.GROQ, request, entry, self._refusal("models"), "models")
        except Broken:
            return web.Response(status=500)  # nobody is there to read it
        finally:
            self._world.log.close(entry)
        if instead is not None:
            return instead
        entry.status = 200
        served = [(name, 131_072) for name in self._world.profile.groq_models] + [("whisper-large-v3", 448)]
        more = {"object": "model", "created": 1, "owned_by": "emulated", "active": True, "public_apps": None}
        data = [{"id": name, "context_window": tokens, **more} for name, tokens in served]
        return web.json_response({"object": "list", "data": data})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        entry = self._world.log.open("groq", "chat", f"req_{uuid.uuid4().hex[:12]}")
        try:
            return await self._complete(request, entry)
        except _Refused as refused:
            entry.status = refused.response.status
            if (after := refused.response.headers.get("retry-after")) is not None:
                entry.detail["retry_after"] = after
            return refused.response
        except Broken:
            return web.Response(status=500)  # nobody is there to read it
        finally:
            self._world.log.close(entry)

    async def _complete(self, request: web.Request, entry: Entry) -> web.StreamResponse:
        raw = await request.read()
        entry.bytes_in = len(raw)
        try:
            body = json.loads(raw)
            model, messages = str(body["model"]), list(body["messages"])
        except (ValueError, KeyError, TypeError):
            raise _Refused(_error(400, "'messages' : property is missing", "invalid_request_error")) from None
        entry.detail = {"model": model}
        said = _said(messages)
        instead = await at_connect(self._world, Vendor.GROQ, request, entry, self._refusal(model), model, said)
        if instead is not None:
            raise _Refused(instead)
        budget = self._admitted(request, model)
        prompt = rendered(messages, body.get("tools") or ())
        prompt_tokens = _tokens(prompt)
        entry.prompt_tokens = prompt_tokens
        now = self._world.now()
        denial = budget.admit(prompt_tokens, now)
        if denial is not None:
            raise _Refused(_limited(denial, model, budget.headers(now)))
        injected = InjectedFault(self._world, Vendor.GROQ, request, entry, model, said)
        cached = self._cached(model)
        entry.cached_tokens = cached.cached_tokens(prompt, now) if cached is not None else 0
        try:
            await self._world.first_byte(Vendor.GROQ)
        finally:
            # Cached tokens count until the prompt has been processed (console.groq.com/docs/prompt-caching).
            now = self._world.now()
            budget.settle(-entry.cached_tokens, now)
            if cached is not None:
                cached.read(prompt, now)
        if not body.get("stream"):
            return await self._whole(entry, body, budget)
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **budget.headers(now)})
        await response.prepare(request)
        entry.status = 200
        try:
            await self._stream(response, injected, entry, body)
        except ConnectionResetError:
            entry.detail["client_left"] = True
        finally:
            budget.settle(entry.completion_tokens, self._world.now())
        return response

    def _cached(self, model: str) -> PromptCache | None:
        """What the model has read; None: its prompts are not cached."""
        rules = self._world.profile.groq_cache
        if model not in rules.models:
            return None
        if model not in self._caches:
            self._caches[model] = PromptCache(rules, self._world.chances.stream(f"groq cache {model}"))
        return self._caches[model]

    def _admitted(self, request: web.Request, model: str) -> ModelBudget:
        """The account's budget for this model.

        Raises:
            _Refused: Wrong key, or no such model.
        """
        profile = self._world.profile
        key = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        wanted = profile.keys.get(Vendor.GROQ, "")
        if not key or (wanted and key != wanted):
            raise _Refused(_error(401, "Invalid API Key", "invalid_request_error", "invalid_api_key"))
        if model in profile.groq_retired:
            text = (
                f"The model `{model}` has been decommissioned and is no longer supported. Please refer to "
                "https://console.groq.com/docs/deprecations for a recommendation on which model to use instead."
            )
            raise _Refused(_error(400, text, "invalid_request_error", "model_decommissioned"))
        limits = profile.groq_models.get(model)
        if limits is None:
            text = f"The model `{model}` does not exist or you do not have access to it."
            raise _Refused(_error(404, text, "invalid_request_error", "model_not_found"))
        if (key, model) not in self._budgets:
            self._budgets[key, model] = ModelBudget(limits, self._world.now(), profile.day_secs)
        return self._budgets[key, model]

    def _refusal(self, model: str) -> Any:
        def refuse(status: int, retry_after: str | None, for_good: bool) -> web.Response:
            headers = {"retry-after": retry_after} if retry_after is not None else {}
            if for_good:
                text = (
                    f"Rate limit reached for model `{model}` in organization `{ORGANIZATION}` service tier `on_demand` "
                    "on tokens per day (TPD): Limit 100000, Used 100000, Requested 412. Please try again in 23h59m0s."
                )
                return _error(429, text, "tokens", "rate_limit_exceeded", headers or {"retry-after": "86340"})
            if status == 429:
                text = f"Rate limit reached for model `{model}` in organization `{ORGANIZATION}`."
                return _error(429, text, "requests", "rate_limit_exceeded", headers)
            if status == 413:
                text = f"Request too large for model `{model}` in organization `{ORGANIZATION}`."
                return _error(413, f"{text} Please reduce your message size.", "tokens", "rate_limit_exceeded", headers)
            if status < 500:
                return _error(status, "The request is not valid.", "invalid_request_error", "", headers)
            return _error(status, "Service unavailable. Please try again later.", "internal_server_error", "", headers)

        return refuse

    async def _whole(self, entry: Entry, body: dict[str, Any], budget: ModelBudget) -> web.Response:
        text = "".join([delta.text async for delta in self._reply(body) if isinstance(delta, TextDelta)])
        entry.completion_tokens, entry.status = _tokens(text), 200
        now = self._world.now()
        budget.settle(entry.completion_tokens, now)
        answer = {
            "id": f"chatcmpl-{entry.request_id}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": _usage(entry),
        }
        return web.json_response(answer, headers=budget.headers(now))

    async def _stream(
        self, response: web.StreamResponse, injected: InjectedFault, entry: Entry, body: dict[str, Any]
    ) -> None:
        send = _Events(response, entry, str(body["model"]))
        limit = int(body.get("max_completion_tokens") or body.get("max_tokens") or 1_000_000)
        reason = "stop"
        await send.chunk({"role": "assistant", "content": ""}, x_groq={"id": entry.request_id})
        async for delta in self._reply(body, injected):
            if injected.is_(Kind.EMPTY_CHOICES):
                await send.no_choice()
                continue
            verdict = await injected.before_chunk()
            if verdict is Send.CUT:
                await send.raw('data: {"id":"chatcmpl-cut","object":"chat.comp\n\n')
                continue
            if verdict is Send.ERROR:
                await send.error("Internal server error while streaming")
                return
            send.damages = verdict is Send.BAD
            if isinstance(delta, ToolCallDelta):
                function = {"name": delta.name, "arguments": delta.arguments}
                call_id = delta.call_id or f"call_{uuid.uuid4().hex[:8]}"
                call = {"index": 0, "id": call_id, "type": "function", "function": function}
                await send.chunk({"tool_calls": [call]})
                reason = "tool_calls"
                entry.completion_tokens += _tokens(delta.arguments) + 5
            elif isinstance(delta, TextDelta):
                tokens = _tokens(delta.text)
                entry.completion_tokens += tokens
                await asyncio.sleep(tokens / self._world.profile.groq_tokens_per_sec)
                await send.chunk({"content": delta.text})
                if entry.completion_tokens >= limit and not injected.is_(Kind.REPLY):
                    reason = "length"
                    break
        if injected.is_(Kind.NO_END):
            return
        if injected.is_(Kind.REPLY) and injected.rule is not None:
            reason = injected.rule.finish
        x_groq = {"id": entry.request_id, "usage": _usage(entry)}
        await send.chunk({}, finish=reason, x_groq=x_groq)
        await send.raw("data: [DONE]\n\n")

    async def _reply(self, body: dict[str, Any], injected: InjectedFault | None = None) -> AsyncIterator[Delta]:
        """The scripted reply, up to where a fault puts another in its place."""
        after_tools = body["messages"][-1]["role"] == "tool"
        async for delta in self._scripted(body):
            instead = _instead(injected.rule if injected is not None else None, after_tools=after_tools)
            if instead is not None:
                for each in instead:
                    yield each
                return
            yield delta

    async def _scripted(self, body: dict[str, Any]) -> AsyncIterator[Delta]:
        tools = [
            ToolSpec(each["function"]["name"], each["function"].get("description", ""), each["function"]["parameters"])
            for each in body.get("tools") or ()
        ]
        try:
            async for delta in self._responder.stream(body["messages"], tools):
                if isinstance(delta, TextDelta | ToolCallDelta):
                    yield delta
        except LanguageModelError:
            yield TextDelta("Hello. What can I do for you?")


def _instead(rule: FaultRule | None, *, after_tools: bool) -> list[Delta] | None:
    """What is said in place of the reply; None: the reply itself."""
    match rule.kind if rule is not None else None:
        case Kind.REPLY if rule is not None:
            return [
                TextDelta(rule.text[at : at + rule.piece_chars]) for at in range(0, len(rule.text), rule.piece_chars)
            ]
        case Kind.PARALLEL_CALLS if rule is not None and not after_tools:
            return [ToolCallDelta("", name, "{}") for name in rule.tools]
        case _:
            return None


class _Events:
    """Writes server-sent events."""

    def __init__(self, response: web.StreamResponse, entry: Entry, model: str) -> None:
        self._response = response
        self._entry = entry
        self._model = model
        self.damages = False
        """Whether one byte of what is sent is to be bad."""

    async def chunk(
        self, delta: dict[str, Any], finish: str | None = None, x_groq: dict[str, Any] | None = None
    ) -> None:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        await self._event([choice], x_groq)
        if delta.get("content") or delta.get("tool_calls"):
            # Counted here, since the role comes before any content.
            self._sent(len(json.dumps(delta)))

    async def no_choice(self) -> None:
        await self._event([], None)

    async def error(self, message: str) -> None:
        await self.raw(f"event: error\ndata: {json.dumps({'error': {'message': message, 'type': 'server_error'}})}\n\n")

    async def raw(self, text: str) -> None:
        await self._response.write(text.encode())

    async def _event(self, choices: list[dict[str, Any]], x_groq: dict[str, Any] | None) -> None:
        event: dict[str, Any] = {
            "id": f"chatcmpl-{self._entry.request_id}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self._model,
            "system_fingerprint": "fp_emulated",
            "choices": choices,
        }
        if x_groq is not None:
            event["x_groq"] = x_groq
        text = f"data: {json.dumps(event)}\n\n"
        if not self.damages:
            await self.raw(text)
            return
        mark = '"content": "'
        at = text.index(mark) + len(mark) if mark in text else len(text) // 2
        await self._response.write(text[:at].encode() + b"\xff" + text[at:].encode())

    def _sent(self, size: int) -> None:
        entry = self._entry
        if entry.first_byte_ms is None:
            entry.first_byte_ms = round((time.monotonic() - entry.clock_at) * 1000, 1)
        entry.bytes_out += size


def _said(messages: list[Any]) -> str:
    """What the user said, in lower case."""
    return "\n".join(
        str(message.get("content")) for message in messages if isinstance(message, dict) and message["role"] == "user"
    ).lower()


def _tokens(text: str) -> int:
    return max(1, math.ceil(len(text) / CHARS_PER_TOKEN))


def _usage(entry: Entry) -> dict[str, Any]:
    return {
        "queue_time": 0.01,
        "prompt_tokens": entry.prompt_tokens,
        "prompt_time": 0.01,
        "completion_tokens": entry.completion_tokens,
        "completion_time": 0.1,
        "total_tokens": entry.prompt_tokens + entry.completion_tokens,
        "total_time": 0.11,
        "prompt_tokens_details": {"cached_tokens": entry.cached_tokens},
    }


def _limited(denial: Denial, model: str, headers: dict[str, str]) -> web.Response:
    message = denial.message(model, ORGANIZATION)
    if math.isinf(denial.wait_secs):
        return _error(413, message, denial.unit, "rate_limit_exceeded", headers)
    after = {"retry-after": str(max(1, math.ceil(denial.wait_secs)))}
    return _error(429, message, denial.unit, "rate_limit_exceeded", {**headers, **after})


def _error(status: int, message: str, kind: str, code: str = "", headers: dict[str, str] | None = None) -> web.Response:
    error = {"message": message, "type": kind, **({"code": code} if code else {})}
    return web.json_response({"error": error}, status=status, headers=headers)
