"""The language model that runs in this process: a small GGUF model on llama.cpp, without keys or network.

A stream that is closed stops the work: the server (:mod:`processors.llm.llama_server`) drops the request after the step
(token, or slice of the prompt) that it is in.

What it has read of a conversation stays in its cache, so only the new words of a prompt cost time. Reading is slow
(some 20 ms a token on two cores); the system prompt is therefore read before the first call, and what the model holds
of it is kept on disk for the next start (:mod:`processors.llm.prompt_state`).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from loguru import logger

from contracts.llm import Delta, Finish, LanguageModelError, Message, TextDelta, ToolSpec, Usage
from processors.llm.go_on import in_words
from processors.llm.llama_server import CONTEXT_TOKENS, END_OF_MESSAGE, PARALLEL, LlamaServer, Request, chat, free, load
from processors.llm.plain_chat import offer, plain
from processors.llm.prompt_state import PromptState
from processors.llm.reading import Reader, without_last_word
from processors.llm.weights import WeightsUnavailable, ensure

VOICE_PROMPT = (
    "You are the voice of a help line, and everything you write is spoken aloud. Answer in one or two short, plain "
    "sentences, without lists, markup, links or emoji. Ask back if something is unclear. Say so if you do not know or "
    "cannot do something; never claim to have done what you have not."
)
"""Default system prompt."""

CHARS_PER_TOKEN = 2.5
"""For guessing how long a prompt is, on the safe side: English has four, other languages fewer."""


class LocalModel:
    """A :class:`~contracts.llm.LanguageModel` in this process.

    Args:
        weights: GGUF file; None: found, or fetched once (see :mod:`processors.llm.weights`).
        threads: CPU threads.
        max_tokens: Longest reply.
        temperature: Sampling temperature: low, small models wander.
    """

    name = "local"

    def __init__(
        self,
        weights: Path | None = None,
        *,
        threads: int = 2,
        max_tokens: int = 160,
        temperature: float = 0.2,
    ) -> None:
        self._weights = weights
        self._threads = threads
        self._max_tokens = max_tokens
        self._temperature = temperature
        self._server: LlamaServer | None = None
        self._streams = ThreadPoolExecutor(PARALLEL, thread_name_prefix="llm")
        self._turn = asyncio.Semaphore(PARALLEL)
        self._streaming = 0
        self._reader = Reader(self._read_text)

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Load the weights, and read system prompt and tools; takes seconds, or minutes if they must be fetched.

        Raises:
            LanguageModelError: No weights, or they cannot be loaded.
        """
        loop = asyncio.get_running_loop()
        server = self._server = self._server or await self._loaded()
        began = loop.time()
        state = PromptState.of(server.identity, json.dumps(plain(_first_prompt(system_prompt), tools)))
        if await loop.run_in_executor(self._streams, server.restore, state):
            logger.info("{}: remembered the system prompt in {:.2f} s", self.name, loop.time() - began)
            return
        await self._read(_first_prompt(system_prompt), tools, slot=0)
        # Each slot has a cache of its own.
        await loop.run_in_executor(self._streams, server.save, state)
        if not await loop.run_in_executor(self._streams, server.restore, state):
            for slot in range(1, PARALLEL):
                await self._read(_first_prompt(system_prompt), tools, slot)
        logger.info("{}: read the system prompt in {:.1f} s", self.name, loop.time() - began)

    async def _loaded(self) -> "LlamaServer":
        loop = asyncio.get_running_loop()
        try:
            path = await loop.run_in_executor(None, ensure, self._weights)
            return await loop.run_in_executor(self._streams, load, path, self._threads)
        except WeightsUnavailable as error:
            raise LanguageModelError(str(error), retryable=False) from None
        except (RuntimeError, ImportError, OSError) as error:  # of the library, and of what it needs
            raise LanguageModelError(f"the model cannot be loaded: {error}", retryable=False) from None

    async def _read(self, prompt: Sequence[Message], tools: Sequence[ToolSpec], slot: int) -> None:
        async for _ in self._stream(prompt, tools, max_tokens=1, id_slot=slot):
            pass

    def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer; see :meth:`~contracts.llm.LanguageModel.stream`. Tool calls come as text."""
        return self._stream(in_words(messages), tools, self._max_tokens)

    def read_ahead(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> None:
        """Read a prompt whose last words are still being spoken; see :mod:`processors.llm.reading`.

        Nothing is read while replies are being generated: they need the cores.
        """
        *before, last = messages
        words = without_last_word(last["content"] or "")
        if self._server is None or self._streaming or not words:
            return
        text = chat(self._fitting([*before, {**last, "content": words}], tools, self._max_tokens))
        self._reader.begin(text.removesuffix(END_OF_MESSAGE))

    async def close(self) -> None:
        """Free the model's memory. Streams must have been closed."""
        await self._reader.give_way("")
        server, self._server = self._server, None
        if server is not None:
            await asyncio.get_running_loop().run_in_executor(self._streams, free, server)
        self._streams.shutdown(wait=False)

    async def _stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], max_tokens: int, **more: Any
    ) -> AsyncGenerator[Delta]:
        if self._server is None:
            raise LanguageModelError("the model is not loaded", retryable=True)
        shown = self._fitting(messages, tools, max_tokens)
        request = {
            "messages": shown,
            "max_tokens": max_tokens,
            "temperature": self._temperature,
            "stream": True,
            "return_progress": True,  # a callback, and so a chance to stop, at each slice of the prompt
            "cache_prompt": True,
            **more,
        }
        self._streaming += 1
        try:
            await self._reader.give_way(chat(shown))
            answer = self._server.library.handle_chat_completions
            async with self._turn, Request(answer, self._streams, request) as bridge:
                async for event in bridge:
                    for delta in _deltas(event):
                        yield delta
        finally:
            self._streaming -= 1

    async def _read_text(self, text: str, give_up: Callable[[], bool]) -> None:
        """Read a text into the cache and generate nothing."""
        if self._server is None:
            return
        request = {"prompt": text, "n_predict": 0, "stream": True, "return_progress": True, "cache_prompt": True}
        read = self._server.library.handle_completions
        async with self._turn, Request(read, self._streams, request) as reading:
            async for event in reading:
                if give_up():
                    reading.stop()
                _raise_error(event)

    @staticmethod
    def _fitting(messages: Sequence[Message], tools: Sequence[ToolSpec], max_tokens: int) -> list[Message]:
        room_tokens = CONTEXT_TOKENS - max_tokens - round(len(offer(tools)) / CHARS_PER_TOKEN)
        return plain(fitting(messages, room_tokens), tools)


def _first_prompt(system_prompt: str) -> list[Message]:
    return [{"role": "system", "content": system_prompt}, {"role": "user", "content": "Hello"}]


def fitting(messages: Sequence[Message], max_tokens: int) -> list[Message]:
    """The messages that fit, by a careful guess: the system message, and as many of the last turns as there is room.

    A turn begins at a user message and is never split; the last one stays in any case.
    """
    system, rest = list(messages[:1]), list(messages[1:])
    while _estimated_tokens(system + rest) > max_tokens:
        later_turns = [i for i, message in enumerate(rest) if i > 0 and message["role"] == "user"]
        if not later_turns:
            break
        rest = rest[later_turns[0] :]
    return system + rest


def _estimated_tokens(messages: Sequence[Message]) -> float:
    return sum(8 + len(json.dumps(message, ensure_ascii=False)) / CHARS_PER_TOKEN for message in messages)


def _deltas(event: dict[str, Any]) -> list[Delta]:
    """What one event of the server says.

    Raises:
        LanguageModelError: It is an error.
    """
    _raise_error(event)
    deltas: list[Delta] = []
    for choice in event.get("choices", ()):
        delta = choice.get("delta", {})
        if delta.get("content"):
            deltas.append(TextDelta(delta["content"]))
        if choice.get("finish_reason"):
            timings = event.get("timings", {})
            cached = timings.get("cache_n", 0)
            usage = Usage(timings.get("prompt_n", 0) + cached, cached, timings.get("predicted_n", 0))
            deltas.append(Finish(choice["finish_reason"], usage))
    return deltas


def _raise_error(event: dict[str, Any]) -> None:
    """Raise :class:`LanguageModelError` if an event is one."""
    if "error" in event or "code" in event:
        error = event.get("error", event)
        code = int(error.get("code", 500))
        raise LanguageModelError(f"the local model failed ({code})", retryable=code >= 500)
