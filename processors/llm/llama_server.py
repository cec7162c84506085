"""llama.cpp's server in this process: loading it, its requests as they come to the event loop, and its slots' states.

One server object of ``xllamacpp`` serves all calls. It works in threads of its own and batches the replies that run at
once; each request is one thread here that hands events to the event loop.
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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from loguru import logger

from contracts.llm import Message
from processors.llm.openmp import ensure_openmp
from processors.llm.prompt_state import PromptState, prompts_folder
from processors.llm.weights import identity_of

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

END_OF_MESSAGE = "<|im_end|>\n"

Callback = Callable[[Any], bool]
"""Takes an event, or a list of them; returns whether to stop."""


class LlamaServer:
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


def load(path: Path, threads: int) -> LlamaServer:
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
    return LlamaServer(xllamacpp.Server(params), api_key, identity)


def chat(messages: Sequence[Message]) -> str:
    """Messages as the template writes them, up to where the reply begins."""
    return "".join(f"<|im_start|>{m['role']}\n{m['content']}{END_OF_MESSAGE}" for m in messages)


def free(server: LlamaServer) -> None:
    del server.library


class Request:
    """One request: a thread that waits for the server's events, and the loop that takes them.

    Args:
        handle: The server's method: takes a request and a callback, and blocks.
        executor: Where the thread comes from.
        request: The request.
    """

    def __init__(
        self,
        handle: Callable[[dict[str, Any], Callback], object],
        executor: ThreadPoolExecutor,
        request: dict[str, Any],
    ) -> None:
        self._handle = handle
        self._executor = executor
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._stopped = threading.Event()

    async def __aenter__(self) -> "Request":
        self._done = self._loop.run_in_executor(self._executor, self._run)
        self._done.add_done_callback(lambda _: self._events.put_nowait(None))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        self._done.cancel()  # only if it still waits for a thread

    def stop(self) -> None:
        """End the request after the step that it is in."""
        self._stopped.set()

    def __aiter__(self) -> "Request":
        return self

    async def __anext__(self) -> dict[str, Any]:
        event = await self._events.get()
        if event is None:
            self._done.result()
            raise StopAsyncIteration
        return event

    def _run(self) -> None:
        if not self._stopped.is_set():
            self._handle(self._request, self._on_event)

    def _on_event(self, event: dict[str, Any] | list[dict[str, Any]]) -> bool:
        """Called in the thread; True stops the request."""
        if self._stopped.is_set():
            return True
        for one in event if isinstance(event, list) else [event]:
            self._loop.call_soon_threadsafe(self._events.put_nowait, one)
        return False
