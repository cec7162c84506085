"""Any server that speaks OpenAI's chat completions: Ollama, llama.cpp, vLLM and others."""

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import openai
from openai import AsyncOpenAI
from pydantic import SecretStr

from contracts.llm import Cause, Delta, LanguageModelError, Message, ToolSpec
from contracts.vendor_errors import kind, status_words
from processors.llm.chat_completions import cause_of, deltas, is_too_long, retry_after_secs, retryable, tool_arguments
from processors.llm.damaged_text import mend_stream
from processors.llm.unopened_thoughts import UnopenedThoughts

CONNECT_SECS = 3.0
"""A server that does not take the connection for so long is not there."""

READ_SECS = 30.0
"""Longest silence on the socket; the reply's own deadlines are shorter."""


class OpenAICompatibleModel:
    """A :class:`~contracts.llm.LanguageModel` behind a base URL.

    The client never retries by itself: whoever calls knows how long the caller can wait.

    Args:
        base_url: Up to and without ``/chat/completions``.
        model: Name of the model at that server.
        api_key: Key, if the server wants one.
        max_tokens: Longest reply.
        temperature: Sampling temperature.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: SecretStr,
        *,
        max_tokens: int = 160,
        temperature: float = 0.3,
    ) -> None:
        self.name = f"{model} at {base_url}"
        self._model = model
        self._thoughts = UnopenedThoughts(model)
        self._max_tokens = max_tokens
        self._temperature = temperature
        timeout = openai.Timeout(READ_SECS, connect=CONNECT_SECS)
        key = api_key.get_secret_value() or "none"  # the client refuses to start without any
        self._client = AsyncOpenAI(
            base_url=base_url,
            api_key=key,
            max_retries=0,
            timeout=timeout,
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"response": [mend_stream]}),
        )

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Have the server load the model and read the prompt: the shortest request that does both.

        Raises:
            LanguageModelError: It can't.
        """
        prompt = [{"role": "system", "content": system_prompt}, {"role": "user", "content": "Hello"}]
        async with contextlib.aclosing(self._stream(prompt, tools, max_tokens=1)) as deltas:
            async for _ in deltas:
                pass

    def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer; see :meth:`~contracts.llm.LanguageModel.stream`."""
        return self._stream(messages, tools, self._max_tokens)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], max_tokens: int
    ) -> AsyncGenerator[Delta]:
        request: dict[str, Any] = {"messages": list(messages), "max_tokens": max_tokens, **tool_arguments(tools)}
        try:
            chunks = await self._client.chat.completions.create(
                model=self._model,
                temperature=self._temperature,
                stream=True,
                stream_options={"include_usage": True},
                **request,
            )
            async with chunks, contextlib.aclosing(self._thoughts.without(deltas(chunks))) as answer:
                async for delta in answer:
                    yield delta
        except openai.APIStatusError as error:
            raise _refused(error) from None
        except openai.APITimeoutError:
            raise LanguageModelError("the server does not answer", retryable=True) from None
        except openai.APIConnectionError as error:
            raise LanguageModelError(f"no connection ({kind(error.__cause__ or error)})", retryable=True) from None
        except openai.APIError:
            raise LanguageModelError("an error in the middle of the stream", retryable=True) from None
        except (ValueError, RecursionError):  # what is no JSON, and what is no text
            raise LanguageModelError("the stream is damaged", retryable=True) from None


def _refused(error: openai.APIStatusError) -> LanguageModelError:
    status = error.status_code
    # 404: the model is not there yet; whoever runs the server may fetch it at any time.
    cause = Cause.FAULT if status == 404 else cause_of(status)
    message = status_words(status)
    if is_too_long(status, f"{error.code} {error.message}"):
        cause, message = Cause.SIZE, f"HTTP {status}: the prompt is too long"
    return LanguageModelError(
        message,
        retryable=retryable(status),
        cause=cause,
        retry_after_secs=retry_after_secs(error.response.headers.get("retry-after"), time.time()),
    )
