"""Silero VAD: the probability that 32 ms of sound hold speech, for one stream or for those of all calls at once.

Run alone, the model costs more for getting at its weights than for its arithmetic: with eight windows in one run each
costs a quarter. So the windows of all calls that come within :data:`BATCH_SECS` are judged together. A stream that is
alone waits for nobody.

To judge fewer windows would save more, and cannot be done: the model remembers, so that leaving out even windows of
steady background noise moves the starts and stops of the speech after them. Only digital silence is left out.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from processors.vad.silero_network import CONTEXT_SAMPLES, INPUT_SAMPLES, STATE_SIZE, network

WINDOW_MS: Final = 1000 * WINDOW_SAMPLES // INPUT_SAMPLE_RATE_HZ
"""Length of one window."""

WINDOW_BYTES: Final = 2 * WINDOW_SAMPLES

SILENT_WINDOWS: Final = 1000 // WINDOW_MS
"""After so many windows of digital silence (about 1 s) the model is not asked any more."""

BATCH_SECS: Final = 0.016
"""The longest that a window waits for those of other calls: half a window, 9 ms on average."""

_ZEROS: Final = bytes(WINDOW_BYTES)
_FULL_SCALE: Final = np.float32(1 / 32768)

OnProb = Callable[[bytes, float], None]
"""Given a window and its probability of speech."""


class SpeechRater(Protocol):
    """Gives each window of one stream its probability of speech."""

    def judge(self, window: bytes, told: OnProb) -> None:
        """Rate a window: 512 samples of 16 kHz mono 16-bit PCM; windows are told in order, each at once or soon."""
        ...

    def settle(self) -> None:
        """Wait no longer: what has been given to :meth:`judge` is told before this returns."""
        ...


class SileroStream:
    """Silero VAD over one stream of audio.

    Muted microphones send zeros for minutes: after about a second of them the model rests and its memory is wiped, so
    that the first sound afterwards is heard as at the start of a call.

    Raises:
        ModelError: The model is not installed.
    """

    def __init__(self) -> None:
        self.network = network()
        self._silent_windows = 0
        self._wipe()

    def _wipe(self) -> None:
        self.state = np.zeros((2, 1, STATE_SIZE), np.float32)
        self.context = np.zeros(CONTEXT_SAMPLES, np.float32)

    def speech_prob(self, window: bytes) -> float:
        """Probability (0 to 1) that the window holds speech.

        Args:
            window: 512 samples of 16 kHz mono 16-bit PCM.
        """
        if self._is_silent(window):
            self._rest()
            return 0.0
        return _judge([(self, window)])[0]

    def judge(self, window: bytes, told: OnProb) -> None:
        """The same together with the windows of other streams, on the event loop; windows are told in order.

        Args:
            window: 512 samples of 16 kHz mono 16-bit PCM.
            told: Called at once, or within :data:`BATCH_SECS`.
        """
        if self._is_silent(window):
            self.settle()
            self._rest()
            told(window, 0.0)
        else:
            _batch().add(self, window, told)

    def settle(self) -> None:
        """Wait no longer: what has been given to :meth:`judge` is told before this returns."""
        batch = _batch()
        if batch.holds(self):
            batch.run()

    def _is_silent(self, window: bytes) -> bool:
        """Whether there has been nothing but digital silence for so long that there is nothing to judge."""
        self._silent_windows = self._silent_windows + 1 if window == _ZEROS else 0
        return self._silent_windows >= SILENT_WINDOWS

    def _rest(self) -> None:
        if self._silent_windows == SILENT_WINDOWS:
            self._wipe()


def _judge(windows: list[tuple[SileroStream, bytes]]) -> list[float]:
    """Probabilities of windows of different streams; moves the streams' memories on."""
    count = len(windows)
    heard = np.empty((count, INPUT_SAMPLES), np.float32)
    pcm = np.frombuffer(b"".join([window for _, window in windows]), np.int16)
    np.multiply(pcm.reshape(count, WINDOW_SAMPLES), _FULL_SCALE, out=heard[:, CONTEXT_SAMPLES:])
    for row, (stream, _) in zip(heard, windows, strict=True):
        row[:CONTEXT_SAMPLES] = stream.context
    states = [stream.state for stream, _ in windows]
    memory = states[0] if count == 1 else np.concatenate(states, axis=1)
    probs, memory = windows[0][0].network.run(heard, memory)
    for index, (stream, _) in enumerate(windows):
        stream.state = memory[:, index : index + 1]
        stream.context = heard[index, -CONTEXT_SAMPLES:]
    return probs.tolist()


class _Batch:
    """Windows of one event loop's streams that wait to be judged together."""

    def __init__(self) -> None:
        self._waiting: dict[SileroStream, tuple[bytes, OnProb]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last: SileroStream | None = None

    def holds(self, stream: SileroStream) -> bool:
        return stream in self._waiting

    def add(self, stream: SileroStream, window: bytes, told: OnProb) -> None:
        if stream in self._waiting:
            self.run()  # a window follows the one before it
        alone = stream is self._last
        self._last = stream
        self._waiting[stream] = (window, told)
        if alone:
            self.run()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BATCH_SECS, self.run)

    def run(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, {}
        probs = _judge([(stream, window) for stream, (window, _) in waiting.items()])
        for (window, told), prob in zip(waiting.values(), probs, strict=True):
            told(window, prob)


_batches: WeakKeyDictionary[asyncio.AbstractEventLoop, _Batch] = WeakKeyDictionary()


def _batch() -> _Batch:
    loop = asyncio.get_running_loop()
    batch = _batches.get(loop)
    if batch is None:
        batch = _batches[loop] = _Batch()
    return batch
