"""Azure's neural voices through the Speech SDK, with its word boundaries.

https://learn.microsoft.com/azure/ai-services/speech-service/how-to-speech-synthesis. The SDK works in native threads
and calls back from them. It waits 80 s for a first byte, so the deadlines are the voice's own.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from typing import Final

from pydantic import SecretStr

from contracts.frames import Word
from contracts.tts import VoiceChunk, VoiceError
from processors.tts.alignment import BoundaryFollower
from processors.tts.azure_synthesizer import SAMPLE_RATE_HZ, Audio, Boundary, Ended, Synthesizer, SynthesizerMaker

KEPT: Final = 3
"""Synthesizers that wait with an open connection, so that no sentence waits for a handshake."""

LOAD_SECS: Final = 3.0
NEXT_AUDIO_SECS: Final = 1.2
LOST_END_SECS: Final = 0.5
"""With the audio of all words there, the end is waited for so long, and may be lost."""

RUN_OUT_SECS: Final = 2.0
"""A sentence that nobody wants any more may run to its end for so long: cheaper than stopping it, which costs the
connection."""

PROBE: Final = "OK."


class AzureVoice:
    """A :class:`~contracts.tts.Voice` at Azure.

    Args:
        key: The speech resource's key.
        region: Its region; unused with ``base_url``.
        voice: Voice name.
        locale: BCP 47 tag of the language.
        first_audio_secs: Longest wait for a sentence's first audio.
        base_url: Another host that speaks the same protocol.
    """

    name = "azure"

    def __init__(
        self,
        key: SecretStr,
        region: str,
        voice: str = "en-US-AvaMultilingualNeural",
        *,
        locale: str = "en-US",
        first_audio_secs: float = 1.5,
        base_url: str | None = None,
    ) -> None:
        self._maker = SynthesizerMaker(key, region, voice, locale, base_url)
        self._first_audio_secs = first_audio_secs
        self._idle: list[Synthesizer] = []
        self._leaving: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Load the SDK, connect, and see that the key is taken.

        Raises:
            VoiceError: It is not, in the SDK's own words.
        """
        await self._maker.load()
        synthesizer = self._maker.make()
        synthesizer.connect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOAD_SECS):
                await synthesizer.connected.wait()
                self._idle.append(synthesizer)
                return
        await synthesizer.end()
        # Nothing tells why there is no connection but a text.
        async with aclosing(self.speak(PROBE)) as chunks:
            async for _ in chunks:
                pass

    async def warm_up(self, texts: Iterable[str]) -> None:
        """Nothing: every text costs."""

    async def speak(self, text: str) -> AsyncGenerator[VoiceChunk]:
        """Speak; chunks as they come, words with the vendor's times."""
        await self._maker.load()
        synthesizer = self._idle.pop() if self._idle else self._maker.make()
        events = synthesizer.speak(text)
        try:
            async with aclosing(self._said(events, text)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self._leave(synthesizer)

    async def close(self) -> None:
        """End all synthesizers; within some seconds, even if the vendor is silent."""
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        idle, self._idle = self._idle, []
        await asyncio.gather(*(synthesizer.end() for synthesizer in idle))

    # --- one sentence ----------------------------------------------------------------------

    async def _said(self, events: AsyncIterator[Audio | Boundary | Ended], text: str) -> AsyncGenerator[VoiceChunk]:
        follower = BoundaryFollower(text)
        words: list[Word] = []
        sent_secs = 0.0
        wait_secs = self._first_audio_secs
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_secs
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    event = await anext(events)
            except TimeoutError:
                if sent_secs and follower.over(sent_secs):
                    break
                raise VoiceError(f"Azure: no {'more ' if sent_secs else ''}audio within {wait_secs:g} s") from None
            match event:
                case Audio(pcm):
                    yield VoiceChunk(pcm, SAMPLE_RATE_HZ, words)
                    words = []
                    sent_secs += len(pcm) / 2 / SAMPLE_RATE_HZ
                    wait_secs = LOST_END_SECS if follower.over(sent_secs) else NEXT_AUDIO_SECS
                    deadline = loop.time() + wait_secs
                case Boundary(word, position, start_secs, duration_secs):
                    words += follower.push(word, position, start_secs, duration_secs)
                case Ended(error):
                    if error is None or (sent_secs and follower.over(sent_secs)):
                        break
                    raise error
        if not sent_secs:
            raise VoiceError("Azure: the text came back without audio")
        if left := words + follower.finish(sent_secs):
            yield VoiceChunk(b"", SAMPLE_RATE_HZ, left)

    # --- synthesizers ----------------------------------------------------------------------

    def _leave(self, synthesizer: Synthesizer) -> None:
        """A sentence is over, or unwanted: have a synthesizer ready for the next one, whatever becomes of this one."""
        if synthesizer.at_rest and len(self._idle) < KEPT:
            self._idle.append(synthesizer)
            return
        if not self._idle:
            fresh = self._maker.make()
            fresh.connect()
            self._idle.append(fresh)
        task = asyncio.create_task(self._run_out(synthesizer), name="azure run-out")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _run_out(self, synthesizer: Synthesizer) -> None:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RUN_OUT_SECS):
                    await synthesizer.rest()
        finally:
            if synthesizer.at_rest and len(self._idle) < KEPT:
                self._idle.append(synthesizer)
            else:
                await synthesizer.end()
