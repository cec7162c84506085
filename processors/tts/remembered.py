"""A vendor's voice that has at hand what it has said and is asked for again: answers that the reply cache keeps."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from contracts.llm import as_generator
from contracts.tts import Voice, VoiceChunk

RECENT_BYTES: Final = 6_000_000
"""What was said lately may yet turn out to be worth keeping: two minutes of 24 kHz."""


@dataclass
class _Texts:
    """Spoken texts within a size; those not asked for longest go first."""

    max_bytes: int
    spoken: OrderedDict[str, list[VoiceChunk]] = field(default_factory=OrderedDict)
    bytes_held: int = 0

    def put(self, text: str, chunks: list[VoiceChunk]) -> None:
        self.pop(text)
        self.spoken[text] = chunks
        self.bytes_held += _size(chunks)
        while self.bytes_held > self.max_bytes and self.spoken:
            self.pop(next(iter(self.spoken)))

    def pop(self, text: str) -> list[VoiceChunk] | None:
        chunks = self.spoken.pop(text, None)
        self.bytes_held -= _size(chunks or ())
        return chunks

    def get(self, text: str) -> list[VoiceChunk] | None:
        if text in self.spoken:
            self.spoken.move_to_end(text)
        return self.spoken.get(text)


class RememberingVoice:
    """A :class:`~contracts.tts.Voice` that says what it was told to keep from memory, and asks the vendor else.

    Only whole sentences are remembered, and spoken from memory only if :meth:`keep` was told so: other callers' words
    are never played to anybody.

    Args:
        voice: The vendor's voice.
        max_bytes: Size of what is kept.
    """

    def __init__(self, voice: Voice, max_bytes: int) -> None:
        self._voice = voice
        self._recent = _Texts(min(RECENT_BYTES, max_bytes))
        self._kept = _Texts(max_bytes)
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self.from_memory = 0
        """Texts that the vendor was not asked for."""

    @property
    def name(self) -> str:
        """The vendor's."""
        return self._voice.name

    @property
    def bytes_held(self) -> int:
        """Size of what is in memory."""
        return self._recent.bytes_held + self._kept.bytes_held

    def keep(self, texts: Iterable[str]) -> None:
        """Keep the sound of these sentences, now if they were just said, or when they are said next."""
        for text in texts:
            if (chunks := self._recent.pop(text)) is not None:
                self._kept.put(text, chunks)
            elif self._kept.get(text) is None:
                self._wanted[text] = None
                self._wanted.move_to_end(text)
                while len(self._wanted) > 256:
                    self._wanted.popitem(last=False)

    async def load(self) -> None:
        """Load the vendor's voice."""
        await self._voice.load()

    async def warm_up(self, texts: Iterable[str]) -> None:
        """Have the vendor's voice warm up."""
        await self._voice.warm_up(texts)

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Speak from memory, or by the vendor; what came to its end is remembered for a while."""
        if (known := self._kept.get(text)) is not None:
            self.from_memory += 1
            for chunk in known:
                yield chunk
            return
        said: list[VoiceChunk] = []
        async with aclosing(as_generator(self._voice.speak(text))) as chunks:
            async for chunk in chunks:
                said.append(chunk)
                yield chunk
        if text in self._wanted:
            del self._wanted[text]
            self._kept.put(text, said)
        else:
            self._recent.put(text, said)

    async def close(self) -> None:
        """Close the vendor's voice."""
        await self._voice.close()


def _size(chunks: Iterable[VoiceChunk]) -> int:
    return sum(len(chunk.pcm) for chunk in chunks)
