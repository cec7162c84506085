"""A caller who speaks to a recogniser in real time, with the VAD's events."""

import asyncio
import wave
from pathlib import Path

import numpy as np

from contracts.stt import RecogniserError, Transcript
from processors.vad.processor import SileroStream, SpeechGate

DATA = Path(__file__).resolve().parent.parent / "data"
WINDOW_SECS = 0.032


def clip(name: str) -> np.ndarray:
    """int16 at 16 kHz."""
    with wave.open(str(DATA / f"{name}.wav")) as file:
        assert file.getframerate() == 16_000
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def silence(secs: float) -> np.ndarray:
    return np.zeros(round(16_000 * secs), np.int16)


class Caller:
    """Feeds a recogniser; keeps what it says, with the loop's time.

    ``stopped_at`` holds when the VAD said that speech had stopped; ``late_secs`` is how late the busiest moment of this
    machine made the caller itself, which is no fault of the recogniser's.
    """

    def __init__(self, recogniser) -> None:
        self.recogniser = recogniser
        self.told: list[tuple[float, Transcript]] = []
        self.errors: list[RecogniserError] = []
        self.stopped_at: list[float] = []
        self.late_secs = 0.0
        self._silero, self._gate = SileroStream(), SpeechGate()

    async def __aenter__(self):
        await self.recogniser.start(self._emit, self._fail)
        return self

    async def __aexit__(self, *_) -> None:
        await self.recogniser.close()

    async def _emit(self, transcript: Transcript) -> None:
        self.told.append((asyncio.get_running_loop().time(), transcript))

    async def _fail(self, error: RecogniserError) -> None:
        self.errors.append(error)

    async def say(self, *parts: np.ndarray) -> None:
        """Speak in real time."""
        loop = asyncio.get_running_loop()
        heard = np.concatenate(parts)
        began = loop.time()
        for index in range(len(heard) // 512):
            window = heard[512 * index : 512 * (index + 1)].tobytes()
            prob = self._silero.speech_prob(window)
            change = self._gate.push(prob)
            if change == "started":
                self.recogniser.speech_started()
            self.recogniser.feed(window, prob)
            if change == "stopped":
                self.recogniser.speech_stopped()
                self.stopped_at.append(loop.time())
            await self._sleep_until(began + (index + 1) * WINDOW_SECS)

    async def until(self, condition, timeout_secs: float = 30.0) -> None:
        """Go on listening until a condition holds."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_secs):
            while not condition():
                await self._sleep_until(loop.time() + 0.01)

    async def _sleep_until(self, at: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(at - loop.time())
        self.late_secs = max(self.late_secs, loop.time() - at)

    def finals(self) -> list[str]:
        """Each segment's last final text, in order."""
        return [text for _, text in sorted({t.segment: t.text for _, t in self.told if t.final}.items())]

    def words(self) -> str:
        """All words, without case and punctuation, numbers spelt out."""
        text = "".join(c for c in " ".join(self.finals()).lower() if c.isalnum() or c == " ").strip()
        return text.replace("10", "ten")
