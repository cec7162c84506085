"""Groq, through its own SDK: https://console.groq.com/docs/api-reference#chat-create."""

import asyncio
import email.utils
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, cast

import groq
import httpx
from groq import AsyncGroq
from loguru import logger
from pydantic import SecretStr

from processors.llm.bare_calls import BareCallFilter
from processors.llm.base import Delta, Finish, LanguageModelError, Message, ToolCallDelta, ToolSpec
from processors.llm.chat_completions import RETRYABLE_STATUS, deltas, tool_arguments

CONNECT_SECS: Final = 3.0
READ_SECS: Final = 30.0
"""Longest silence on the socket; the reply's own deadlines are shorter."""

WARM_SECS: Final = 8.0

GONE_CODES: Final = frozenset({"model_decommissioned", "model_not_found"})
"""Error codes that say that a model is served no more."""

LIMIT_HEADERS: Final = tuple(
    f"x-ratelimit-{what}-{unit}" for what in ("limit", "remaining", "reset") for unit in ("requests", "tokens")
)
"""On every answer: requests are those of a day, tokens those of a minute; none tells the tokens of a day."""


class GroqModel:
    """A :class:`~processors.llm.base.LanguageModel` at Groq.

    The SDK's own retries are off: whoever calls knows how long the caller can wait. A model that is served no more is
    left for the next of the list, once, with a warning.

    Args:
        api_key: The key.
        models: Model ids in order of preference.
        base_url: Another host that speaks the same protocol.
        max_tokens: Longest reply.
        temperature: Sampling temperature.

    Attributes:
        limits: The rate-limit headers of the last answer, by name.
    """

    def __init__(
        self,
        api_key: SecretStr,
        models: Sequence[str],
        *,
        base_url: str | None = None,
        max_tokens: int = 160,
        temperature: float = 0.3,
    ) -> None:
        if not models:
            raise ValueError("no model")
        self._models = list(models)
        self._max_tokens = max_tokens
        self._temperature = temperature
        self.limits: dict[str, str] = {}
        self._client = AsyncGroq(
            api_key=api_key.get_secret_value(),
            base_url=base_url,
            max_retries=0,
            timeout=httpx.Timeout(READ_SECS, connect=CONNECT_SECS),
        )

    @property
    def name(self) -> str:
        """The vendor and the model in use."""
        return f"groq {self._models[0]}"

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Open a connection, and see that key and model are taken: the shortest request that does so.

        Raises:
            LanguageModelError: They are not, in Groq's own words.
        """
        prompt = [{"role": "system", "content": system_prompt}, {"role": "user", "content": "Hello"}]
        try:
            async with asyncio.timeout(WARM_SECS), aclosing(self._stream(prompt, (), max_tokens=1)) as stream:
                async for _ in stream:
                    pass
        except TimeoutError:
            raise LanguageModelError(f"no answer within {WARM_SECS:g} s", retryable=True) from None

    def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer; see :meth:`~processors.llm.base.LanguageModel.stream`."""
        return self._stream(messages, tools, self._max_tokens)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], max_tokens: int
    ) -> AsyncGenerator[Delta]:
        while True:
            model = self._models[0]
            try:
                async with aclosing(self._ask(model, messages, tools, max_tokens)) as stream:
                    async for delta in stream:
                        yield delta
                return
            except groq.APIStatusError as error:
                if _code(error) not in GONE_CODES or len(self._models) == 1:
                    raise _refused(error) from None
                # Another call may have left it already.
                if self._models[0] == model:
                    self._models.pop(0)
                    logger.warning("groq: {} is served no more; {} answers from now on", model, self._models[0])

    async def _ask(
        self, model: str, messages: Sequence[Message], tools: Sequence[ToolSpec], max_tokens: int
    ) -> AsyncGenerator[Delta]:
        extras: dict[str, Any] = tool_arguments(tools)
        if model.startswith("openai/gpt-oss"):
            # It thinks before it speaks, and the caller waits meanwhile.
            extras |= {"reasoning_effort": "low", "include_reasoning": False}
        try:
            answer = await self._client.chat.completions.with_raw_response.create(
                model=model,
                messages=cast(Any, list(messages)),
                max_completion_tokens=max_tokens,
                temperature=self._temperature,
                stream=True,
                **extras,
            )
            self.limits = _limits(answer.headers)
            async with await answer.parse() as chunks:
                async for delta in deltas(chunks):
                    yield delta
        except groq.APIStatusError as error:
            calls = written_calls(_error(error))
            if not calls:
                raise
            for call in calls:
                yield call
            yield Finish("tool_calls")
        except (groq.APITimeoutError, httpx.TimeoutException):
            raise LanguageModelError("Groq does not answer", retryable=True) from None
        except (groq.APIConnectionError, httpx.HTTPError) as error:
            raise LanguageModelError(f"no connection to Groq: {error.__cause__ or error}", retryable=True) from None
        except groq.APIError as error:
            # An error in the middle of the stream.
            raise LanguageModelError(error.message[:200], retryable=True) from None
        except json.JSONDecodeError:
            raise LanguageModelError("Groq's stream is damaged", retryable=True) from None


def _limits(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in LIMIT_HEADERS if name in headers}


def written_calls(error: Mapping[str, Any]) -> list[ToolCallDelta]:
    """The tool calls in an answer that Groq could not read (``tool_use_failed``, console.groq.com/docs/tool-use).

    The tools' own checks then tell the model what is wrong with them, which a refused request would not.

    Args:
        error: The error's body.
    """
    if error.get("code") != "tool_use_failed":
        return []
    found = BareCallFilter()
    found.feed(str(error.get("failed_generation", "")))
    return found.finish()[1]


def _error(error: groq.APIStatusError) -> Mapping[str, Any]:
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}


def _code(error: groq.APIStatusError) -> str:
    return str(_error(error).get("code", ""))


def _refused(error: groq.APIStatusError) -> LanguageModelError:
    """Groq's refusal in its own words, which name no key."""
    said = str(_error(error).get("message") or error.message)[:200]
    status = error.status_code
    if status in (401, 403):
        return LanguageModelError(f"Groq refuses the key: {said}; set GROQ_API_KEY", retryable=False)
    retryable = status >= 500 or status in RETRYABLE_STATUS or status == 498
    after_secs = retry_after_secs(error.response.headers.get("retry-after"), time.time())
    return LanguageModelError(f"HTTP {status}: {said}", retryable=retryable, retry_after_secs=after_secs)


def retry_after_secs(value: str | None, now: float) -> float | None:
    """Seconds of a ``Retry-After`` header, which holds seconds or a date (RFC 9110 section 10.2.3); None without one.

    Args:
        value: The header.
        now: Unix time.
    """
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (TypeError, ValueError):
        return None
