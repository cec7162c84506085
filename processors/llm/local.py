"""The language model that runs in this process: a small GGUF model on llama.cpp, without keys or network.

One server object of ``xllamacpp`` serves all calls. It works in threads of its own and batches the replies that run at
once; each stream is one thread here that hands deltas to the event loop. A stream is stopped in the middle by answering
its callback with True: the server then drops the request after the step (token, or slice of the prompt) it is in.

What it has read of a conversation stays in its cache, so only the new words of a prompt cost time. Reading is slow
(some 20 ms a token on two cores); the system prompt is therefore read before the first call, and what the model holds
of it is kept on disk for the next start (:mod:`processors.llm.prompt_state`).
"""

import asyncio
import importlib
import importlib.metadata
import json
import os
import secrets
import sys
import threading
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from loguru import logger

from processors.llm.base import Delta, Finish, LanguageModelError, Message, TextDelta, ToolSpec, Usage
from processors.llm.openmp import ensure_openmp
from processors.llm.plain_chat import offer, plain
from processors.llm.prompt_state import PromptState, prompts_folder
from processors.llm.weights import WeightsUnavailable, ensure, identity_of

VOICE_PROMPT = (
    "You are the voice of a help line, and everything you write is spoken aloud. Answer in one or two short, plain "
    "sentences, without lists, markup, links or emoji. Ask back if something is unclear. Say so if you do not know or "
    "cannot do something; never claim to have done what you have not."
)
"""Default system prompt."""

CONTEXT_TOKENS = 4096
"""Longest prompt and reply together, for each reply that runs at once."""

PARALLEL = 2
"""Replies that are generated at once; more wait their turn."""

PREFILL_TOKENS = 16
"""Prompt tokens read in one step. A stop takes effect between steps: measured, 16 tokens cost some 0.4 CPU-seconds and
hardly more for each token than the 512 of llama.cpp's default."""

REUSE_TOKENS = 32
"""Shortest run of tokens that is taken from the cache although something before it has gone (the oldest turn)."""

CACHE_MIB = 256
"""Memory for conversations that have no slot at the moment."""

CHARS_PER_TOKEN = 2.5
"""For guessing how long a prompt is, on the safe side: English has four, other languages fewer."""

NICENESS = 5
"""The model's threads give way to audio: a word that comes 20 ms later is not noticed, a packet is."""

STATE_SECS = 10.0
"""Longest wait for a slot's state; it takes some ten milliseconds."""

CHAT_TEMPLATE = """\
{%- for message in messages %}
{{- "<|im_start|>" + message.role + "\\n" + message.content + "<|im_end|>\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|im_start|>assistant\\n" }}{%- endif %}
"""
"""The chat format that Qwen2.5 is trained on (ChatML), without tools: see :mod:`processors.llm.plain_chat`."""

Callback = Callable[[Any], bool]
"""Takes an event, or a list of them; returns whether to stop."""


class LocalModel:
    """A :class:`~processors.llm.base.LanguageModel` in this process.

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
        self._server: _Server | None = None
        self._streams = ThreadPoolExecutor(PARALLEL, thread_name_prefix="llm")
        self._turn = asyncio.Semaphore(PARALLEL)

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

    async def _loaded(self) -> "_Server":
        loop = asyncio.get_running_loop()
        try:
            path = await loop.run_in_executor(None, ensure, self._weights)
            return await loop.run_in_executor(self._streams, _load, path, self._threads)
        except WeightsUnavailable as error:
            raise LanguageModelError(str(error), retryable=False) from None
        except (RuntimeError, ImportError, OSError) as error:  # of the library, and of what it needs
            raise LanguageModelError(f"the model cannot be loaded: {error}", retryable=False) from None

    async def _read(self, prompt: Sequence[Message], tools: Sequence[ToolSpec], slot: int) -> None:
        async for _ in self._stream(prompt, tools, max_tokens=1, id_slot=slot):
            pass

    def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer; see :meth:`~processors.llm.base.LanguageModel.stream`. Tool calls come as text."""
        return self._stream(messages, tools, self._max_tokens)

    async def close(self) -> None:
        """Free the model's memory. Streams must have been closed."""
        server, self._server = self._server, None
        if server is not None:
            await asyncio.get_running_loop().run_in_executor(self._streams, _free, server)
        self._streams.shutdown(wait=False)

    async def _stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], max_tokens: int, **more: Any
    ) -> AsyncGenerator[Delta]:
        if self._server is None:
            raise LanguageModelError("the model is not loaded", retryable=True)
        room_tokens = CONTEXT_TOKENS - max_tokens - round(len(offer(tools)) / CHARS_PER_TOKEN)
        request = {
            "messages": plain(fitting(messages, room_tokens), tools),
            "max_tokens": max_tokens,
            "temperature": self._temperature,
            "stream": True,
            "return_progress": True,  # a callback, and so a chance to stop, at each slice of the prompt
            "cache_prompt": True,
            **more,
        }
        async with self._turn, _Bridge(self._server.library, self._streams, request) as bridge:
            async for event in bridge:
                for delta in _deltas(event):
                    yield delta


class _Bridge:
    """One request: a thread that waits for the server's events, and the loop that takes them."""

    def __init__(self, server: Any, executor: ThreadPoolExecutor, request: dict[str, Any]) -> None:
        self._server = server
        self._executor = executor
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._stopped = threading.Event()

    async def __aenter__(self) -> "_Bridge":
        self._done = self._loop.run_in_executor(self._executor, self._run)
        self._done.add_done_callback(lambda _: self._events.put_nowait(None))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        self._done.cancel()  # only if it still waits for a thread

    def __aiter__(self) -> "_Bridge":
        return self

    async def __anext__(self) -> dict[str, Any]:
        event = await self._events.get()
        if event is None:
            self._done.result()
            raise StopAsyncIteration
        return event

    def _run(self) -> None:
        if not self._stopped.is_set():
            self._server.handle_chat_completions(self._request, self._on_event)

    def _on_event(self, event: dict[str, Any] | list[dict[str, Any]]) -> bool:
        """Called in the thread; True stops the request."""
        if self._stopped.is_set():
            return True
        for one in event if isinstance(event, list) else [event]:
            self._loop.call_soon_threadsafe(self._events.put_nowait, one)
        return False


class _Server:
    """The library's server, and what it says of itself over HTTP: only there can the state of a slot be had.

    Args:
        library: ``xllamacpp.Server``.
        api_key: Its key.
        identity: Names model, library and parameters: what is kept of one fits no other.
    """

    def __init__(self, library: Any, api_key: str, identity: str) -> None:
        self.library = library
        self.identity = identity
        self._api_key = api_key

    def restore(self, state: PromptState) -> bool:
        """Give every slot what was kept of a prompt; blocks. False: there is nothing that can be used."""
        if not state.usable():
            return False
        try:
            for slot in range(PARALLEL):
                self._ask(slot, "restore", state.file_name)
        except OSError as error:
            logger.warning("local: the kept prompt cannot be used: {}", error)
            state.discard()
            return False
        return True

    def save(self, state: PromptState) -> None:
        """Keep what the first slot has read; blocks. What cannot be kept is read again at the next start."""
        try:
            scratch = state.scratch_name()
            try:
                self._ask(0, "save", scratch)
                state.keep(scratch)
            finally:
                state.discard(scratch)
        except OSError as error:
            logger.warning("local: the read prompt cannot be kept: {}", error)

    def _ask(self, slot: int, action: str, file_name: str) -> None:
        """Have the library write or read a slot's state, in the folder that it was told.

        Raises:
            OSError: It cannot; HTTP errors are among them.
        """
        request = urllib.request.Request(
            f"{self.library.listening_address}/slots/{slot}?action={action}",
            json.dumps({"filename": file_name}).encode(),
            {"Authorization": f"Bearer {self._api_key}", "Content-Type": "application/json"},
        )
        with _DIRECT.open(request, timeout=STATE_SECS) as answer:
            answer.read()


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Opens addresses of this machine, whatever proxy the environment names."""


def _first_prompt(system_prompt: str) -> list[Message]:
    return [{"role": "system", "content": system_prompt}, {"role": "user", "content": "Hello"}]


def _load(path: Path, threads: int) -> _Server:
    """Load the weights; blocks for some seconds.

    Raises:
        RuntimeError: The library cannot load them.
        ImportError: The library itself cannot be loaded.
        OSError: What it needs is missing; the message says what to install.
    """
    # OpenMP's threads would spin between tokens and take the cores from everybody else. Read when the library loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    ensure_openmp()
    xllamacpp: Any = importlib.import_module("xllamacpp")  # 100 MB that only this provider needs; it has no types

    if sys.platform == "linux":
        # On Linux niceness belongs to a thread, and threads inherit it: the server's come from this one.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = PARALLEL
    params.n_ctx = CONTEXT_TOKENS * PARALLEL
    params.n_batch = params.n_ubatch = PREFILL_TOKENS
    params.n_cache_reuse = REUSE_TOKENS
    params.cache_ram_mib = CACHE_MIB
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.chat_template = CHAT_TEMPLATE
    params.use_jinja = True
    params.verbosity = -1
    # The library always opens an HTTP port: a random one, on this machine only, and locked.
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    api_key = secrets.token_urlsafe(32)
    params.api_keys = [api_key]
    params.ui = False
    params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
    # Looks for a size that fits a graphics card by loading twice; there is no card here.
    params.fit_params = False
    params.slot_save_path = f"{prompts_folder()}{os.sep}"
    shape = f"{params.n_ctx} tokens, {PARALLEL} slots, {CHAT_TEMPLATE}"
    identity = f"{identity_of(path)} xllamacpp {importlib.metadata.version('xllamacpp')} {shape}"
    return _Server(xllamacpp.Server(params), api_key, identity)


def _free(server: _Server) -> None:
    del server.library


def fitting(messages: Sequence[Message], max_tokens: int) -> list[Message]:
    """The messages that fit, by a careful guess: the system message, and as many of the last turns as there is room.

    A turn begins at a user message and is never split; the last one stays in any case.
    """
    system, rest = list(messages[:1]), list(messages[1:])
    while _guessed_tokens(system + rest) > max_tokens:
        later_turns = [i for i, message in enumerate(rest) if i > 0 and message["role"] == "user"]
        if not later_turns:
            break
        rest = rest[later_turns[0] :]
    return system + rest


def _guessed_tokens(messages: Sequence[Message]) -> float:
    return sum(8 + len(json.dumps(message, ensure_ascii=False)) / CHARS_PER_TOKEN for message in messages)


def _deltas(event: dict[str, Any]) -> list[Delta]:
    """What one event of the server says.

    Raises:
        LanguageModelError: It is an error.
    """
    if "error" in event or "code" in event:
        error = event.get("error", event)
        code = int(error.get("code", 500))
        raise LanguageModelError(f"the local model failed ({code})", retryable=code >= 500)
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
