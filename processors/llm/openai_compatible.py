"""Any server that speaks OpenAI's chat completions: Ollama, llama.cpp, vLLM and others."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import openai
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk
from pydantic import SecretStr

from processors.llm.base import Delta, Finish, LanguageModelError, Message, TextDelta, ToolCallDelta, ToolSpec, Usage

CONNECT_SECS = 3.0
"""A server that does not take the connection for so long is not there."""

READ_SECS = 30.0
"""Longest silence on the socket; the reply's own deadlines are shorter."""

RETRYABLE_STATUS = frozenset({408, 409, 425, 429, 499})
"""Client errors that may pass by themselves; server errors may all."""


class OpenAICompatibleModel:
    """A :class:`~processors.llm.base.LanguageModel` behind a base URL.

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
        self._max_tokens = max_tokens
        self._temperature = temperature
        timeout = openai.Timeout(READ_SECS, connect=CONNECT_SECS)
        key = api_key.get_secret_value() or "none"  # the client refuses to start without any
        self._client = AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=timeout)

    async def warm(self, system_prompt: str) -> None:
        """Have the server load the model and read the prompt: the shortest request that does both.

        Raises:
            LanguageModelError: It can't.
        """
        prompt = [{"role": "system", "content": system_prompt}, {"role": "user", "content": "Hello"}]
        async with contextlib.aclosing(self._stream(prompt, (), max_tokens=1)) as deltas:
            async for _ in deltas:
                pass

    def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer; see :meth:`~processors.llm.base.LanguageModel.stream`."""
        return self._stream(messages, tools, self._max_tokens)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], max_tokens: int
    ) -> AsyncGenerator[Delta]:
        request: dict[str, Any] = {"messages": list(messages), "max_tokens": max_tokens}
        if tools:
            request["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
                }
                for tool in tools
            ]
        try:
            chunks = await self._client.chat.completions.create(
                model=self._model,
                temperature=self._temperature,
                stream=True,
                stream_options={"include_usage": True},
                **request,
            )
            async with chunks:
                async for delta in _deltas(chunks):
                    yield delta
        except openai.APIStatusError as error:
            retryable = error.status_code >= 500 or error.status_code in RETRYABLE_STATUS
            message = f"HTTP {error.status_code}: {error.message[:200]}"
            raise LanguageModelError(message, retryable=retryable) from None
        except openai.APITimeoutError:
            raise LanguageModelError("the server does not answer", retryable=True) from None
        except openai.APIConnectionError as error:
            raise LanguageModelError(f"no connection: {error.__cause__ or error}", retryable=True) from None
        except openai.APIError as error:
            # An error in the middle of the stream.
            raise LanguageModelError(error.message[:200], retryable=True) from None


async def _deltas(chunks: AsyncIterator[ChatCompletionChunk]) -> AsyncIterator[Delta]:
    """Text at once; tool calls, whose pieces come apart, when they are whole; the finish when the usage is known."""
    calls: dict[int, list[str]] = {}
    reason: str | None = None
    usage: Usage | None = None
    async for chunk in chunks:
        if chunk.usage is not None:
            details = chunk.usage.prompt_tokens_details
            cached = (details.cached_tokens if details else None) or 0
            usage = Usage(chunk.usage.prompt_tokens, cached, chunk.usage.completion_tokens)
        for choice in chunk.choices:
            if choice.delta.content:
                yield TextDelta(choice.delta.content)
            for piece in choice.delta.tool_calls or ():
                call = calls.setdefault(piece.index, ["", "", ""])
                call[0] = call[0] or piece.id or ""
                if piece.function is not None:
                    call[1] += piece.function.name or ""
                    call[2] += piece.function.arguments or ""
            reason = choice.finish_reason or reason
    if reason is None:
        return
    for _, (call_id, name, arguments) in sorted(calls.items()):
        yield ToolCallDelta(call_id, name, arguments)
    yield Finish(reason, usage)
