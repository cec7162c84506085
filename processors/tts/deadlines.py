"""A voice that must not be waited for for ever."""

import asyncio
from collections.abc import AsyncGenerator

from contracts.tts import Voice, VoiceChunk, VoiceError


async def in_time(
    voice: Voice, text: str, *, first_audio_secs: float | None, next_audio_secs: float | None
) -> AsyncGenerator[VoiceChunk]:
    """The chunks of a text, each in its time. Closing the generator stops the voice.

    Args:
        voice: Who speaks.
        text: What.
        first_audio_secs: Seconds until the first audio; None: any.
        next_audio_secs: Seconds between chunks from then on; None: any.

    Raises:
        VoiceError: Too late, or the voice's own.
    """
    stream = voice.speak(text)
    wait_secs = first_audio_secs
    try:
        while True:
            try:
                async with asyncio.timeout(wait_secs):
                    chunk = await anext(stream, None)
            except TimeoutError:
                raise VoiceError(f"no audio within {wait_secs:g} s") from None
            if chunk is None:
                return
            if chunk.pcm:
                wait_secs = next_audio_secs
            yield chunk
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
