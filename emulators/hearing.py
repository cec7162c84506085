"""How the speech-to-text emulators hear: a real recogniser reads the audio that the client sends, and nothing else.

There is no side channel and no watermark. The recogniser is the local one, behind the vendor's protocol: what it makes
of noise, of silence or of a wrong sample rate is what a client gets.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from audio.pcm import Resampler
from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from contracts.stt import RecogniserError, Transcript
from processors.stt import moonshine_model
from processors.stt.moonshine import MoonshineParams, MoonshineRecogniser
from processors.vad.processor import SileroStream, SpeechGate, SpeechGateParams

WINDOW_BYTES: Final = 2 * WINDOW_SAMPLES
VENDOR_STOP_MS: Final = 320


@dataclass(frozen=True)
class Heard:
    """One result.

    Attributes:
        text: Words; empty if there are none.
        segment: Number of the stretch of speech.
        start_secs: Its start in the stream's own audio.
        end_secs: Its end so far.
        final: Whether the words may still change.
        confidence: Mean probability of the words.
        language: Code of the language that they are in.
    """

    text: str
    segment: int
    start_secs: float
    end_secs: float
    final: bool
    confidence: float
    language: str = "en"


@dataclass
class Span:
    """Where a stretch of speech lies in the stream, in seconds."""

    start_secs: float
    end_secs: float


async def warm(_: web.Application) -> None:
    """Load the models before the first stream comes: it would find a server that does not even answer its pings."""
    await asyncio.to_thread(moonshine_model.load)
    SileroStream().speech_prob(bytes(WINDOW_BYTES))


class StreamRecogniser:
    """Hears one stream.

    Args:
        sample_rate_hz: What the client says that it sends.
        on_heard: Told of each result.
        on_speech: Told when speech starts (True) and stops.
    """

    def __init__(
        self, sample_rate_hz: int, on_heard: Callable[[Heard], None], on_speech: Callable[[bool], None]
    ) -> None:
        self._resampler = Resampler(sample_rate_hz, INPUT_SAMPLE_RATE_HZ)
        self._on_heard = on_heard
        self._on_speech = on_speech
        self._silero = SileroStream()
        self._gate = SpeechGate(SpeechGateParams(stop_ms=VENDOR_STOP_MS))
        # A segment never goes on after its end: the vendors' don't.
        self._recogniser = MoonshineRecogniser(MoonshineParams(resume_ms=1))
        self._rest = b""
        self._windows = 0
        self._spans: list[Span] = []

    async def start(self) -> None:
        """Load the recogniser."""
        await self._recogniser.start(self._take, self._fail)

    @property
    def heard_secs(self) -> float:
        """Seconds of audio so far."""
        return self._windows * WINDOW_SAMPLES / INPUT_SAMPLE_RATE_HZ

    @property
    def speaking(self) -> bool:
        """Whether speech goes on."""
        return self._gate.speaking

    def feed(self, pcm: bytes) -> None:
        """Take mono 16-bit PCM of the stream's rate."""
        self._rest += self._resampler.push(pcm)
        while len(self._rest) >= WINDOW_BYTES:
            window, self._rest = self._rest[:WINDOW_BYTES], self._rest[WINDOW_BYTES:]
            self._window(window)

    def finish(self) -> bool:
        """The client asks for its last words now. Returns whether any are due."""
        if self._gate.stop() is None:
            return False
        self._stop()
        return True

    async def close(self) -> None:
        """Hear no more."""
        await self._recogniser.close()

    def _window(self, window: bytes) -> None:
        prob = self._silero.speech_prob(window)
        change = self._gate.push(prob)
        if change == "started":
            start_secs = max(0.0, self.heard_secs - 0.1)
            self._spans.append(Span(start_secs, start_secs))
            self._recogniser.speech_started()
            self._on_speech(True)
        self._recogniser.feed(window, prob)
        self._windows += 1
        if self._gate.speaking and self._spans and prob >= self._gate.params.end_prob:
            self._spans[-1].end_secs = self.heard_secs
        if change == "stopped":
            self._stop()

    def _stop(self) -> None:
        self._recogniser.speech_stopped()
        self._on_speech(False)

    async def _take(self, transcript: Transcript) -> None:
        span = self._spans[min(transcript.segment, len(self._spans)) - 1]
        self._on_heard(
            Heard(
                transcript.text,
                transcript.segment,
                span.start_secs,
                span.end_secs,
                transcript.final,
                transcript.confidence,
            )
        )

    async def _fail(self, error: RecogniserError) -> None:
        raise AssertionError(error)
