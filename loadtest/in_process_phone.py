"""A line without a network: the acts and scores of real callers, on the pipeline itself, in virtual time."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from audio.opus import OpusDecoder
from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ
from loadtest.audio import BLOCK_SECS, LOUD_RMS, PACKET_SECS, SAMPLE_RATE_HZ, Clip, Samples, levels, resampled
from loadtest.caller import CallFailed
from loadtest.in_process import OUT_SAMPLES, TICK_SECS, InProcessCall, calling
from loadtest.recording import Message, Recording, Said, Sound
from services.services import Services

_SILENT: Final = bytes(2 * OUT_SAMPLES)


class PlainRecording(Recording):
    """A recording whose sound was never encoded.

    Args:
        call: The call, which keeps the sound.
    """

    def __init__(self, call: InProcessCall) -> None:
        super().__init__()
        self._call = call

    def sound(self) -> Sound:
        """Levels over time: a packet arrives at the tick that played it."""
        rms = levels(self.samples())
        starts = self._call.began_secs + BLOCK_SECS * np.arange(len(rms), dtype=np.float64)
        return Sound(starts, rms)

    def samples(self, from_secs: float = -np.inf, to_secs: float = np.inf) -> Samples:
        """The bot's voice at 48 kHz between two monotonic times, to whole ticks."""
        ticks = self._call.heard
        first = _tick(from_secs - self._call.began_secs, len(ticks))
        last = _tick(to_secs - self._call.began_secs, len(ticks))
        pcm = np.frombuffer(b"".join(ticks[first:last]), np.int16)
        return resampled(pcm, OUTPUT_SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)


def _tick(secs: float, ticks: int) -> int:
    return int(np.clip(np.ceil(np.clip(secs, -1.0, 1e9) / TICK_SECS - 1e-6), 0, ticks))


class _ToldCall(InProcessCall):
    """Also keeps the client's messages with their monotonic times."""

    def __init__(self) -> None:
        super().__init__()
        self.recording = PlainRecording(self)

    def send_message(self, message: dict[str, Any]) -> None:
        """Note what the client is told."""
        super().send_message(message)
        _, kind, data = self.messages[-1]
        self.recording.messages.append(Message(time.monotonic(), kind, data))


class InProcessPhone:
    """A :class:`~loadtest.acts.Phone` to a pipeline in this process.

    Args:
        services: What the call is made of.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._call = _ToldCall()
        self._stack = AsyncExitStack()

    @property
    def recording(self) -> Recording:
        """What passed."""
        return self._call.recording

    async def connect(self) -> None:
        """Start the pipeline."""
        await self._stack.enter_async_context(calling(self._services, self._call))

    async def hangup(self) -> None:
        """End the pipeline."""
        await self._stack.aclose()

    async def vanish(self) -> None:
        """The same: without a network nobody says goodbye."""
        await self.hangup()

    def say(self, clip: Clip) -> "asyncio.Future[Said]":
        """Say a clip from the next tick on, as the bot would hear it after Opus."""
        begins, ends = self._call.say(_decoded(clip))
        # A packet is handed over when its 20 ms are over, as on a real line.
        first = self._call.began_secs + begins - PACKET_SECS
        said = Said(clip.name, first + clip.first_loud_secs, first + clip.last_loud_secs)
        self.recording.said.append(said)

        async def until_said() -> Said:
            await self._call.listen(ends - self._call.now)
            return said

        return asyncio.ensure_future(until_said())

    @property
    def bot_is_speaking(self) -> bool:
        """Whether the bot's last 100 ms were not silent."""
        return any(map(_is_loud, self._call.heard[-5:]))

    async def bot_speaks(self, *, timeout_secs: float) -> None:
        """Wait until the bot is heard.

        Raises:
            CallFailed: It was not.
        """
        await self._until(lambda: self.bot_is_speaking, "the bot's voice", timeout_secs)

    async def bot_is_silent(self, *, for_secs: float, timeout_secs: float) -> None:
        """Wait until the bot has been silent for a while.

        Raises:
            CallFailed: It went on and on.
        """
        ticks = round(for_secs / TICK_SECS)
        await self._until(lambda: not any(map(_is_loud, self._call.heard[-ticks:])), "silence", timeout_secs)

    async def _until(self, condition: Callable[[], bool], what: str, timeout_secs: float) -> None:
        deadline = time.monotonic() + timeout_secs
        while not condition():
            if time.monotonic() >= deadline:
                raise CallFailed(f"timed out after {timeout_secs} s waiting for: {what}")
            await asyncio.sleep(TICK_SECS)


def _is_loud(tick: bytes) -> bool:
    if tick == _SILENT:
        return False
    samples: NDArray[np.float32] = np.frombuffer(tick, np.int16).astype(np.float32)
    return bool(np.dot(samples, samples) >= LOUD_RMS**2 * len(samples))


@lru_cache(maxsize=64)
def _decoded(clip: Clip) -> Samples:
    decoder = OpusDecoder(sample_rate_hz=INPUT_SAMPLE_RATE_HZ)
    return np.frombuffer(b"".join(decoder.decode(packet) for packet in clip.packets), np.int16)
