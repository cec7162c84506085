"""The speech-to-text node, with a recogniser that does what the test says."""

import asyncio

import pytest
from pipecat.frames.frames import (
    EndFrame,
    TTSSpeakFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)

from contracts.frames import AudioWindowFrame, CallErrorFrame, InterimTranscriptFrame, TranscriptFrame
from contracts.stt import RecogniserError, Transcript
from processors.stt.processor import STTProcessor
from tests.processors.chain import running


class FakeRecogniser:
    """Notes what it is told."""

    def __init__(self, *, broken: bool = False) -> None:
        self.told: list[object] = []
        self.broken = broken
        self.emit = self.on_error = None

    async def start(self, emit, on_error):
        if self.broken:
            raise RecogniserError("I can't hear you.")
        self.emit, self.on_error = emit, on_error
        self.told.append("start")

    def feed(self, pcm, speech_prob):
        self.told.append((pcm, speech_prob))

    def speech_started(self):
        self.told.append("started")

    def speech_stopped(self):
        self.told.append("stopped")

    async def close(self):
        self.told.append("close")


def window(number: int, prob: float = 0.5) -> AudioWindowFrame:
    return AudioWindowFrame(bytes([number]) * 1024, 16_000, 1, speech_prob=prob)


async def test_the_recogniser_hears_windows_and_speech_in_order_and_all_goes_on_downstream():
    recogniser = FakeRecogniser()
    async with running(STTProcessor(recogniser)) as chain:
        frames = [
            window(1, 0.1),
            VADUserStartedSpeakingFrame(),
            window(2, 0.9),
            VADUserStoppedSpeakingFrame(),
            window(3, 0.2),
        ]
        await chain.push(*frames)
        await chain.until(AudioWindowFrame, 3)
        assert [frame for _, frame in chain.sink.seen] == frames
        assert recogniser.told == [
            "start",
            (b"\x01" * 1024, 0.1),
            "started",
            (b"\x02" * 1024, 0.9),
            "stopped",
            (b"\x03" * 1024, 0.2),
        ]


async def test_transcripts_become_frames():
    recogniser = FakeRecogniser()
    async with running(STTProcessor(recogniser)) as chain:
        await recogniser.emit(Transcript("Book", 3, final=False, confidence=0.5))
        await recogniser.emit(Transcript("Book a room.", 3, final=True, confidence=0.75))
        await recogniser.emit(Transcript("", 4, final=True))
        await chain.until(TranscriptFrame, 2)
        (interim,) = chain.down(InterimTranscriptFrame)
        assert (interim.text, interim.segment, interim.confidence) == ("Book", 3, 0.5)
        first, second = chain.down(TranscriptFrame)
        assert (first.text, first.segment, first.confidence) == ("Book a room.", 3, 0.75)
        assert (second.text, second.segment) == ("", 4)
        assert first.timestamp.startswith("20")


async def test_a_recogniser_that_cannot_start_is_told_and_the_call_goes_on():
    async with running(STTProcessor(FakeRecogniser(broken=True))) as chain:
        await chain.push(TTSSpeakFrame("still here"))
        await chain.until(TTSSpeakFrame)
        (error,) = chain.down(CallErrorFrame)
        assert (error.message, error.fatal) == ("I can't hear you.", False)


async def test_a_fault_in_mid_call_is_told():
    recogniser = FakeRecogniser()
    async with running(STTProcessor(recogniser)) as chain:
        await recogniser.on_error(RecogniserError("I lost a word."))
        assert (await chain.until(CallErrorFrame)).message == "I lost a word."


@pytest.mark.parametrize("ending", [True, False])
async def test_the_recogniser_is_closed_however_the_call_ends(ending):
    recogniser = FakeRecogniser()
    async with running(STTProcessor(recogniser)) as chain:
        if ending:
            await chain.push(EndFrame())
            await chain.until(EndFrame)
            assert recogniser.told == ["start", "close"]
    assert recogniser.told[-1] == "close"


async def test_speech_events_do_not_wait_for_recognition():
    class Slow(FakeRecogniser):
        async def read(self):
            await asyncio.sleep(60)
            await self.emit(Transcript("late", 1, final=True))

        def speech_stopped(self):
            self.reading = asyncio.create_task(self.read())

    recogniser = Slow()
    async with running(STTProcessor(recogniser)) as chain:
        await chain.push(VADUserStoppedSpeakingFrame())
        await chain.until(VADUserStoppedSpeakingFrame, timeout_secs=1)
        assert chain.down(TranscriptFrame) == []
        recogniser.reading.cancel()
