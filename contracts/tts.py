"""What every voice is: text in, PCM out, stopped at any moment."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.frames import Word


class VoiceError(Exception):
    """A text could not be spoken, or not to its end.

    Args:
        message: Why, in a few words.
        retryable: Whether the voice may work later, as it is set up now.
        retry_after_secs: When, if the vendor says.
    """

    def __init__(self, message: str, *, retryable: bool = True, retry_after_secs: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after_secs = retry_after_secs


@dataclass(frozen=True, slots=True)
class VoiceChunk:
    """A piece of an utterance's audio.

    Attributes:
        pcm: Mono 16-bit PCM; may end in the middle of a sample, may be empty.
        sample_rate_hz: Its rate; the same for all chunks of an utterance.
        words: Words of the text whose times are known now, counted from the utterance's first sample; joined, those of
            all chunks are the text. Voices that don't know give none.
    """

    pcm: bytes
    sample_rate_hz: int
    words: Sequence[Word] = ()


class Voice(Protocol):
    """A voice that any number of calls may use at once."""

    @property
    def name(self) -> str:
        """For logs and the dashboard."""
        ...

    async def load(self) -> None:
        """Load what must be loaded, or connect.

        Raises:
            ModelError: A model is missing.
            VoiceError: It cannot be used at all.
        """
        ...

    async def warm_up(self, texts: Iterable[str]) -> None:
        """Have these sentences at hand, if that is how the voice works; they are spoken often, and must not be late."""
        ...

    def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Speak. Closing the iterator, or cancelling its consumer, stops the work.

        Args:
            text: One clause or sentence, without markup.

        Raises:
            VoiceError: While iterating.
        """
        ...

    async def close(self) -> None:
        """Give back what :meth:`load` took."""
        ...
