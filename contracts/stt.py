"""What every speech recogniser looks like to the pipeline, be it a model in this process or a vendor's stream.

A recogniser serves one call. It is fed every window of the caller's audio, silence included, and told by the VAD when
speech starts and stops; it answers with transcripts whenever it has some. A local model reads only around speech; a
vendor's stream sends all audio on, has a silence detector of its own, and may use the VAD only to ask for its last
words sooner. Keeping a connection alive, and making a new one, is the recogniser's own business.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from contracts.call_language import HeardLanguage

SURE_ENOUGH = 0.2
"""Words that are heard this much less than surely still tell their language surely."""


class RecogniserError(Exception):
    """The recogniser can't hear, or could not read some speech; the message is one plain sentence for the caller."""


@dataclass(frozen=True)
class RecognisedWord:
    """One word and when it was said.

    Attributes:
        text: The word, cased and punctuated.
        confidence: Probability (0 to 1) that it was said.
        start_secs: Start, in seconds from the segment's first sample; None where the recogniser doesn't know.
        end_secs: End, likewise.
        language: Code of its language; empty where the recogniser doesn't tell.
    """

    text: str
    confidence: float
    start_secs: float | None = None
    end_secs: float | None = None
    language: str = ""


@dataclass(frozen=True)
class Transcript:
    """What a recogniser makes of one segment of speech.

    Attributes:
        text: All words of the segment so far. Empty and final says: there were no words in that sound.
        segment: Number of the segment (1, 2, ...). A later transcript of the same number replaces this one, even
            after a final one: the speaker went on, and the whole was read again.
        final: False while the segment is still being spoken; the words may change.
        confidence: Mean probability (0 to 1) of the words.
        words: The words one by one, where the recogniser tells.
        early: Whether it is of a second recogniser, whose words come sooner and do not count; see
            :mod:`processors.stt.early`.
        eager: Whether the vendor thinks that the turn may be over with these words, which are not final yet.
    """

    text: str
    segment: int
    final: bool
    confidence: float = 1.0
    words: tuple[RecognisedWord, ...] = ()
    early: bool = False
    eager: bool = False

    @property
    def language(self) -> HeardLanguage:
        """The language of most of the words, and how sure that is: their share, and how surely they were heard."""
        told = Counter(word.language for word in self.words if word.language)
        if not told:
            return HeardLanguage()
        code, count = told.most_common(1)[0]
        return HeardLanguage(code, count / len(self.words) * min(1.0, self.confidence + SURE_ENOUGH))


Emit = Callable[[Transcript], Awaitable[None]]
"""Takes each transcript, in order."""

OnError = Callable[[RecogniserError], Awaitable[None]]
"""Told when some speech could not be read, or nothing will be any more."""


class Recogniser(Protocol):
    """One call's recogniser. No method but ``start`` and ``close`` waits for anything."""

    async def start(self, emit: Emit, on_error: OnError) -> None:
        """Get ready. Whoever must connect first does so in the background and keeps the audio meanwhile.

        Raises:
            RecogniserError: It can't work at all.
        """
        ...

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        """Take one window: 512 samples of 16 kHz mono 16-bit PCM, and the VAD's probability of speech in it."""
        ...

    def speech_started(self) -> None:
        """The VAD is sure that somebody speaks; the window that made it sure is fed next."""
        ...

    def speech_stopped(self) -> None:
        """The VAD is sure that nobody speaks any more: a final transcript is wanted soon, with or without words."""
        ...

    async def close(self) -> None:
        """The call is over: drop everything. May be called twice, and before ``start``."""
        ...
