"""The voice that runs in this process: hibari, one English speaker, a hundred times faster than speech on one core."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from functools import cache
from typing import Any, Final

import numpy as np

from contracts.tts import VoiceChunk, VoiceError
from processors.models.files import ModelError, Urgency, run_heavy

SAMPLE_RATE_HZ: Final = 24_000
SEED: Final = 1
"""Of the noise in the voice's consonants: the same text always sounds the same."""

CACHE_BYTES: Final = 8 * 2**20
"""Sentences that are remembered: about three minutes of speech."""

MAX_CACHED_CHARS: Final = 240
QUIET: Final = 0.004
"""Samples below this (-48 dBFS) at either end are silence that the listener would only wait for."""

LEAD_SAMPLES: Final = SAMPLE_RATE_HZ // 100
CLAUSE_TRAIL_SAMPLES: Final = SAMPLE_RATE_HZ // 12
SENTENCE_TRAIL_SAMPLES: Final = SAMPLE_RATE_HZ // 4
"""Rests between pieces that follow each other."""


class HibariVoice:
    """A :class:`~contracts.tts.Voice` without network or key.

    Args:
        speed: 1: the speaker's own pace.
    """

    name = "local"

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0

    async def load(self) -> None:
        """Load the model and say a word.

        Raises:
            ModelError: It is not installed.
        """
        await run_heavy(synthesise, "Hello.", self._speed, urgency=Urgency.FINAL)

    async def warm_up(self, texts: Iterable[str]) -> None:
        """Synthesise these now."""
        for text in texts:
            async for _ in self.speak(text):
                pass

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Synthesise; one chunk, since a sentence takes some hundredths of a second."""
        pcm = self._cache.get(text)
        if pcm is None:
            try:
                pcm = await run_heavy(synthesise, text, self._speed, urgency=Urgency.FINAL)
            except (RuntimeError, ValueError, KeyError, IndexError) as error:  # what the library meets odd text with
                raise VoiceError(f"the text cannot be spoken ({type(error).__name__})") from error
            self._remember(text, pcm)
        else:
            self._cache.move_to_end(text)
        yield VoiceChunk(pcm, SAMPLE_RATE_HZ)

    async def close(self) -> None:
        """Forget what was remembered; the model stays with the process."""
        self._cache.clear()
        self._cached_bytes = 0

    def _remember(self, text: str, pcm: bytes) -> None:
        if len(text) > MAX_CACHED_CHARS or text in self._cache:
            return
        self._cache[text] = pcm
        self._cached_bytes += len(pcm)
        while self._cached_bytes > CACHE_BYTES:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= len(dropped)


@cache
def _model() -> Any:
    try:
        from hibari import Hibari
    except ImportError:
        raise ModelError("the voice (hibari) is not installed; run: pip install 'hibari-tts==0.2.1'") from None
    return Hibari(threads=1)


def synthesise(text: str, speed: float) -> bytes:
    """16-bit PCM of a text, without the silence around it."""
    wave = np.asarray(_model()(text, speed=speed, seed=SEED))
    loud = np.flatnonzero(np.abs(wave) >= QUIET)
    if not len(loud):
        raise ValueError("the voice made no sound")
    rest = SENTENCE_TRAIL_SAMPLES if text.rstrip("\"' )”’").endswith((".", "!", "?", "…")) else CLAUSE_TRAIL_SAMPLES
    wave = wave[max(0, loud[0] - LEAD_SAMPLES) : loud[-1] + rest]
    return (np.clip(wave, -1, 1) * 32767).astype(np.int16).tobytes()
