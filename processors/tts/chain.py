"""A chain of voices: when one fails, the next speaks the same sentence, from the word where it broke off."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import Final

from loguru import logger

from contracts.frames import Word
from contracts.provider_failures import report_failure
from contracts.tts import Voice, VoiceChunk, VoiceError
from processors.tts.deadlines import in_time
from processors.tts.remembered import RememberingVoice
from processors.tts.word_times import estimate

REST_SECS: Final = 5.0
"""How long a voice that failed is left alone before it is tried again, with no caller waiting; doubles each time."""

MAX_REST_SECS: Final = 120.0
PROBE: Final = "OK."
"""What is tried: every character costs, and nobody hears it."""


class VoiceChain:
    """A :class:`~contracts.tts.Voice` made of others, the preferred one first.

    A voice that fails rests; no sentence waits for it until a short text, spoken to nobody, has shown that it is back.
    One that breaks off in the middle of a sentence whose word times it tells is followed by the next one, which begins
    at the word that was cut; without word times it is an error, for nothing may be said twice.

    Args:
        voices: At least one.
        first_audio_secs: How long every voice but the last may take to begin.
        next_audio_secs: How long it may take from one chunk to the next.
    """

    def __init__(self, voices: Sequence[Voice], *, first_audio_secs: float = 1.5, next_audio_secs: float = 1.5) -> None:
        if not voices:
            raise ValueError("no voice")
        self._voices = list(voices)
        self._first_audio_secs = first_audio_secs
        self._next_audio_secs = next_audio_secs
        self._resting: dict[int, asyncio.Task[None] | None] = {}
        self._why: dict[int, VoiceError] = {}

    @property
    def name(self) -> str:
        """All names, in order."""
        return ", then ".join(voice.name for voice in self._voices)

    @property
    def troubles(self) -> list[str]:
        """Why a voice does not speak now, one sentence for each that rests."""
        return [f"Voice {self._voices[index].name}: {self._why[index]}." for index in sorted(self._resting)]

    async def load(self) -> None:
        """Load all. One that does not answer now rests, unless it is the last.

        Raises:
            VoiceError: One cannot work as it is set up.
            ModelError: A model is missing.
        """
        for index, voice in enumerate(self._voices):
            try:
                await voice.load()
            except VoiceError as error:
                if not error.retryable or self._is_last(index):
                    raise
                self._let_rest(index, error)

    async def warm_up(self, texts: Iterable[str]) -> None:
        """Have all warm up."""
        sentences = list(texts)
        for voice in self._voices:
            await voice.warm_up(sentences)

    def keep(self, texts: Iterable[str]) -> None:
        """Have those that can keep the sound of these sentences."""
        sentences = list(texts)
        for voice in self._voices:
            if isinstance(voice, RememberingVoice):
                voice.keep(sentences)

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Speak with the first voice that begins."""
        if not any(char.isalnum() for char in text):
            raise VoiceError("there is nothing to say")
        progress = _Progress(text)
        for index, voice in enumerate(self._voices):
            last = self._is_last(index)
            if index in self._resting and not last:
                continue
            before = progress.samples
            try:
                async with aclosing(self._spoken(voice, progress, last=last)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                if progress.samples > before:
                    return
                raise VoiceError("no audio")
            except VoiceError as error:
                if last:
                    raise
                self._let_rest(index, error)
                if progress.samples and not progress.words:
                    raise

    async def close(self) -> None:
        """Close all."""
        probes = [task for task in self._resting.values() if task is not None]
        for task in probes:
            task.cancel()
        await asyncio.gather(*probes, return_exceptions=True)
        for voice in self._voices:
            await voice.close()

    # --- one sentence ----------------------------------------------------------------------

    async def _spoken(self, voice: Voice, progress: "_Progress", *, last: bool) -> AsyncGenerator[VoiceChunk]:
        """What is left of a sentence, by one voice."""
        stream = in_time(
            voice,
            progress.begin(),
            first_audio_secs=None if last else self._first_audio_secs,
            next_audio_secs=None if last else self._next_audio_secs,
        )
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                yield progress.take(chunk)
        if words := progress.end():
            yield VoiceChunk(b"", progress.rate_hz, words)

    def _is_last(self, index: int) -> bool:
        return index == len(self._voices) - 1

    # --- rest and recovery -----------------------------------------------------------------

    def _let_rest(self, index: int, error: VoiceError) -> None:
        """Leave a voice alone until it has recovered; one that cannot, as it is set up, for good."""
        if index in self._resting:
            return
        voice = self._voices[index]
        logger.warning("voice {}: {}; {} speaks instead", voice.name, error, self._voices[index + 1].name)
        report_failure("tts", voice.name, str(error))
        self._why[index] = error
        if not error.retryable:
            self._resting[index] = None
            return
        recovery = self._recover(index, max(REST_SECS, error.retry_after_secs or 0.0))
        self._resting[index] = asyncio.create_task(recovery, name=f"recovery of {voice.name}")

    async def _recover(self, index: int, rest_secs: float) -> None:
        voice = self._voices[index]
        while True:
            await asyncio.sleep(rest_secs)
            try:
                await self._probe(voice)
            except VoiceError as error:
                self._why[index] = error
                if not error.retryable:
                    logger.warning("voice {}: {}; it is not tried again", voice.name, error)
                    return
                rest_secs = max(min(2 * rest_secs, MAX_REST_SECS), error.retry_after_secs or 0.0)
            else:
                logger.info("voice {} speaks again", voice.name)
                del self._resting[index]
                return

    async def _probe(self, voice: Voice) -> None:
        """Raises :class:`VoiceError` if the voice cannot speak."""
        stream = in_time(voice, PROBE, first_audio_secs=self._first_audio_secs, next_audio_secs=self._next_audio_secs)
        async with aclosing(stream) as chunks:
            sounded = [bool(chunk.pcm) async for chunk in chunks]
        if not any(sounded):
            raise VoiceError("no audio")


class _Progress:
    """How far a sentence has been spoken, by one voice after the other.

    Attributes:
        samples: Samples that were passed on.
        rate_hz: Their rate.
        words: Words that were passed on, each once it began to sound.
    """

    def __init__(self, text: str) -> None:
        self.samples = 0
        self.rate_hz = 0
        self.words: list[Word] = []
        self._text = text
        self._bytes = 0
        self._left = text
        self._began_at = 0
        self._pending: list[Word] = []
        self._told = False
        self._repeats = False

    def begin(self) -> str:
        """Another voice begins; returns what it is to say."""
        self._repeats = bool(self.words)
        # The word that sounded last may have been cut: it is said again, but passed on only once.
        said = sum(len(word.text) for word in self.words[:-1])
        self._left = self._text[said:]
        self._began_at = self.samples
        self._pending = []
        self._told = False
        return self._left

    def take(self, chunk: VoiceChunk) -> VoiceChunk:
        """What is passed on of a chunk: its audio, and the words that sound by its end.

        Raises:
            VoiceError: Its rate is not the one that the sentence began with.
        """
        if self.rate_hz and chunk.sample_rate_hz != self.rate_hz:
            raise VoiceError(f"{chunk.sample_rate_hz} Hz after {self.rate_hz} Hz")
        self.rate_hz = chunk.sample_rate_hz
        self._bytes += len(chunk.pcm)
        self.samples = self._bytes // 2
        self._add(chunk.words)
        count = sum(1 for word in self._pending if word.start_secs * self.rate_hz < self.samples)
        return VoiceChunk(chunk.pcm, chunk.sample_rate_hz, self._pass_on(count))

    def end(self) -> Sequence[Word]:
        """The voice came to its end: the words that are left."""
        if not self._told and self.words and self.samples > self._began_at:
            # The first voice told its words, this one does not.
            self._add(estimate(self._left, (self.samples - self._began_at) / self.rate_hz))
        return self._pass_on(len(self._pending))

    def _add(self, words: Sequence[Word]) -> None:
        if not words:
            return
        offset_secs = self._began_at / self.rate_hz
        first = 1 if self._repeats and not self._told else 0
        self._told = True
        self._pending += [Word(word.text, offset_secs + word.start_secs) for word in words[first:]]

    def _pass_on(self, count: int) -> list[Word]:
        told, self._pending = self._pending[:count], self._pending[count:]
        self.words += told
        return told
