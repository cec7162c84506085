"""A chain of voices: when one fails, the next speaks the same sentence."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing

from loguru import logger

from processors.tts.base import Voice, VoiceChunk, VoiceError
from processors.tts.deadlines import in_time

REST_SECS = 15.0
"""How long a voice that failed is left alone; then the next sentence tries it again."""


class VoiceChain:
    """A :class:`~processors.tts.base.Voice` made of others, the preferred one first.

    A sentence whose audio has begun is not spoken again by another voice: if it breaks off, that is an error.

    Args:
        voices: At least one.
        first_audio_secs: How long every voice but the last may take to begin.
    """

    def __init__(self, voices: Sequence[Voice], *, first_audio_secs: float = 1.5) -> None:
        if not voices:
            raise ValueError("no voice")
        self._voices = list(voices)
        self._first_audio_secs = first_audio_secs
        self._rests_until: dict[int, float] = {}

    @property
    def name(self) -> str:
        """All names, in order."""
        return ", then ".join(voice.name for voice in self._voices)

    async def load(self) -> None:
        """Load all."""
        for voice in self._voices:
            await voice.load()

    async def rehearse(self, texts: Iterable[str]) -> None:
        """Have all rehearse."""
        sentences = list(texts)
        for voice in self._voices:
            await voice.rehearse(sentences)

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Speak with the first voice that begins."""
        now = asyncio.get_running_loop().time()
        for index, voice in enumerate(self._voices):
            last = index == len(self._voices) - 1
            if not last and now < self._rests_until.get(index, 0.0):
                continue
            begun = False
            try:
                first_secs = None if last else self._first_audio_secs
                stream = in_time(voice, text, first_audio_secs=first_secs, next_audio_secs=None)
                async with aclosing(stream) as chunks:
                    async for chunk in chunks:
                        begun = begun or bool(chunk.pcm)
                        yield chunk
                if begun:
                    return
                raise VoiceError("no audio")
            except VoiceError as error:
                if last or begun:
                    raise
                self._rests_until[index] = asyncio.get_running_loop().time() + REST_SECS
                logger.warning("voice {}: {}; {} speaks instead", voice.name, error, self._voices[index + 1].name)

    async def close(self) -> None:
        """Close all."""
        for voice in self._voices:
            await voice.close()
