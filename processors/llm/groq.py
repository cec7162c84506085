"""Groq, through its own SDK: https://console.groq.com/docs/api-reference#chat-create."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, cast

import groq
import httpx
from groq import AsyncGroq
from pydantic import SecretStr

from contracts.llm import (
    SHORT_NAMES,
    UNREADABLE,
    Allowance,
    Cause,
    Delta,
    Finish,
    LanguageModelError,
    LimitsTold,
    Message,
    Quota,
    TextDelta,
    ToolSpec,
)
from contracts.vendor_errors import key_refused, kind, status_words
from processors.llm.chat_completions import (
    KEY_STATUS,
    cause_of,
    deltas,
    is_too_long,
    retry_after_secs,
    retryable,
    tool_arguments,
)
from processors.llm.damaged_text import mend_stream
from processors.llm.machine_text import MachineTextFilter
from processors.llm.unopened_thoughts import UnopenedThoughts

CONNECT_SECS: Final = 3.0
READ_SECS: Final = 30.0
"""Longest silence on the socket; the reply's own deadlines are shorter."""

WARM_SECS: Final = 8.0

GONE_CODES: Final = frozenset({"model_decommissioned", "model_not_found"})
"""Error codes that say that a model is served no more."""

HEADERS: Final = {"requests": Quota.REQUESTS_PER_DAY, "tokens": Quota.TOKENS_PER_MINUTE}
"""``x-ratelimit-{limit,remaining}-*`` on every answer: requests are those of a day, tokens those of a minute."""

REFUSAL: Final = re.compile(r"\((RPM|RPD|TPM|TPD)\): Limit (\d+), Used (\d+)")
"""What a refusal tells of the limit that was met; the only place that tells the tokens of a day."""

FREE_ACCOUNT: Final = {
    Quota.REQUESTS_PER_MINUTE: 30.0,
    Quota.REQUESTS_PER_DAY: 1_000.0,
    Quota.TOKENS_PER_MINUTE: 8_000.0,
    Quota.TOKENS_PER_DAY: 200_000.0,
}
"""Published limits of a free account for the default models (console.groq.com/docs/rate-limits); headers correct
them, and an account with more than these in one respect is taken to be another kind of account."""

LIMITS: Final = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=120.0)
"""The SDK's own client closes a connection that was idle for 5 s; between two turns of a caller more passes than that,
and connecting anew costs the next answer two round trips and more."""


class GroqModel:
    """A :class:`~contracts.llm.LanguageModel` at Groq.

    The SDK's own retries are off: whoever calls knows how long the caller can wait. Each stream begins with what Groq
    says of its limits.

    Args:
        api_key: The key.
        model: Model id.
        base_url: Another host that speaks the same protocol.
        max_tokens: Longest reply.
        temperature: Sampling temperature.
    """

    def __init__(
        self,
        api_key: SecretStr,
        model: str,
        *,
        base_url: str | None = None,
        max_tokens: int = 160,
        temperature: float = 0.3,
    ) -> None:
        self._model = model
        self._thoughts = UnopenedThoughts(model)
        self.limits_told: tuple[Allowance, ...] = ()
        """What the vendor said of the account's limits when the model was warmed up."""
        self._max_tokens = max_tokens
        self._temperature = temperature
        self._client = AsyncGroq(
            api_key=api_key.get_secret_value(),
            base_url=base_url,
            max_retries=0,
            timeout=httpx.Timeout(READ_SECS, connect=CONNECT_SECS),
            http_client=groq.DefaultAsyncHttpxClient(limits=LIMITS, event_hooks={"response": [mend_stream]}),
        )

    @property
    def name(self) -> str:
        """The vendor and the model."""
        return f"groq {self._model}"

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Open a connection, and see that key and model are taken: the shortest request that does so.

        Raises:
            LanguageModelError: They are not, or nobody answers.
        """
        prompt = [{"role": "system", "content": system_prompt}, {"role": "user", "content": "Hello"}]
        try:
            async with asyncio.timeout(WARM_SECS), aclosing(self._stream(prompt, (), max_tokens=1)) as stream:
                async for delta in stream:
                    if isinstance(delta, LimitsTold):
                        self.limits_told = delta.allowances
        except TimeoutError:
            raise LanguageModelError(f"no answer within {WARM_SECS:g} s", retryable=True) from None

    def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer; see :meth:`~contracts.llm.LanguageModel.stream`."""
        return self._stream(messages, tools, self._max_tokens)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], max_tokens: int
    ) -> AsyncGenerator[Delta]:
        extras: dict[str, Any] = tool_arguments(tools)
        if self._model.startswith("openai/gpt-oss"):
            # It thinks before it speaks, and the caller waits meanwhile.
            extras |= {"reasoning_effort": "low", "include_reasoning": False}
        elif "qwen3" in self._model:
            extras |= {"reasoning_effort": "none"}
        try:
            answer = await self._client.chat.completions.with_raw_response.create(
                model=self._model,
                messages=cast(Any, list(messages)),
                max_completion_tokens=max_tokens,
                temperature=self._temperature,
                stream=True,
                **extras,
            )
            yield LimitsTold(allowances(answer.headers))
            async with await answer.parse() as chunks, aclosing(self._thoughts.without(deltas(chunks))) as told:
                async for delta in told:
                    yield delta
        except groq.APIStatusError as error:
            if _error(error).get("code") != "tool_use_failed":
                raise _refused(error) from None
            for delta in unreadable_answer(str(_error(error).get("failed_generation", "")), tools):
                yield delta
        except (groq.APITimeoutError, httpx.TimeoutException):
            raise LanguageModelError("Groq does not answer", retryable=True) from None
        except (groq.APIConnectionError, httpx.HTTPError) as error:
            raise LanguageModelError(
                f"no connection to Groq ({kind(error.__cause__ or error)})", retryable=True
            ) from None
        except groq.APIError:
            raise LanguageModelError("an error in the middle of Groq's stream", retryable=True) from None
        except (ValueError, RecursionError):  # what is no JSON, and what is no text
            raise LanguageModelError("Groq's stream is damaged", retryable=True) from None


def allowances(headers: Mapping[str, str], refusal: str = "") -> tuple[Allowance, ...]:
    """What an answer says of the account's limits.

    Args:
        headers: Its headers.
        refusal: The text of its error.
    """
    found: dict[Quota, Allowance] = {}
    for unit, quota in HEADERS.items():
        try:
            limit, left = (float(headers[f"x-ratelimit-{part}-{unit}"]) for part in ("limit", "remaining"))
        except (KeyError, ValueError):
            continue
        found[quota] = Allowance(quota, limit, left)
    told = REFUSAL.search(refusal)
    if told is not None:
        quota = SHORT_NAMES[told[1]]
        found[quota] = Allowance(quota, float(told[2]), float(told[2]) - float(told[3]), met=True)
    return tuple(found.values())


def unreadable_answer(written: str, tools: Sequence[ToolSpec]) -> Iterator[Delta]:
    """An answer that Groq could not read (``tool_use_failed``, console.groq.com/docs/tool-use), as far as it can be.

    The tools' own checks then tell the model what is wrong with its calls, which a refused request would not.

    Args:
        written: What the model wrote.
        tools: Tools that it may call.
    """
    found = MachineTextFilter(tools)
    text = found.feed(written)
    rest = found.finish()
    text += rest.text
    if text:
        yield TextDelta(text)
    yield from rest.calls
    yield Finish("tool_calls" if rest.calls else "stop" if text.strip() and not rest.broken else UNREADABLE)


def _error(error: groq.APIStatusError) -> Mapping[str, Any]:
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}


def _refused(error: groq.APIStatusError) -> LanguageModelError:
    """Groq's refusal by its cause, which is read in its words."""
    inner = _error(error)
    said = str(inner.get("message") or error.message)
    status = error.status_code
    if status in KEY_STATUS:
        message = key_refused("Groq", "GROQ_API_KEY", status)
        return LanguageModelError(message, retryable=False, cause=Cause.KEY)
    message = status_words(status)
    if inner.get("code") in GONE_CODES:
        message = f"HTTP {status}: the model is served no more"
        return LanguageModelError(message, retryable=False, cause=Cause.GONE)
    cause = Cause.BUSY if status == 498 else cause_of(status)  # 498: the flex tier's capacity
    if cause is Cause.BUSY and "per day" in said:
        cause = Cause.QUOTA
        message = f"HTTP {status}: the day's quota is used up"
    if is_too_long(status, f"{inner.get('code')} {said}"):
        cause, message = Cause.SIZE, f"HTTP {status}: the prompt is too long"
    headers = error.response.headers
    return LanguageModelError(
        message,
        retryable=status == 498 or retryable(status),
        retry_after_secs=retry_after_secs(headers.get("retry-after"), time.time()),
        cause=cause,
        allowances=allowances(headers, said),
    )
