"""The pipeline's input: audio straight to the next processor, or in frames, and what a hold does to both."""

import numpy as np
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.processors.frame_processor import FrameProcessor

from contracts.frames import AudioWindowFrame, CallHoldComesFrame, CallHoldFrame, UserTextFrame
from processors.vad.processor import VADProcessor
from processors.vad.silero import WINDOW_BYTES
from tests.processors.chain import running
from transports.call_input import HOLD_SILENCE_MS, CallInput

RNG = np.random.default_rng(5)


def sound() -> bytes:
    return RNG.integers(-2000, 2000, 320).astype(np.int16).tobytes()


class Listener(FrameProcessor):
    """A processor that knows nothing but frames."""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


async def test_audio_goes_straight_to_a_processor_that_hears(virtual):
    call_input = CallInput()
    async with running(call_input, VADProcessor()) as chain:
        said = [sound() for _ in range(16)]
        assert all(call_input.hear_directly(pcm) for pcm in said)
        await chain.until(AudioWindowFrame, 10)
        assert b"".join(window.audio for window in chain.down(AudioWindowFrame)) == b"".join(said)


async def test_a_processor_that_takes_frames_only_is_left_to_frames(virtual):
    call_input = CallInput()
    async with running(call_input, Listener()) as chain:
        assert not call_input.hear_directly(sound())
        pcm = sound()
        await call_input.hear(pcm)
        assert (await chain.until(InputAudioRawFrame)).audio == pcm


async def test_on_hold_nothing_is_heard_and_what_came_before_stays_before(virtual):
    call_input = CallInput()
    async with running(call_input, VADProcessor()) as chain:
        for _ in range(8):
            call_input.hear_directly(sound())
        await call_input.take(CallHoldFrame(True))
        await chain.until(CallHoldFrame)
        order = [type(frame) for _, frame in chain.sink.seen]
        heard_before = 8 * 640 // WINDOW_BYTES
        assert order.pop(heard_before) is CallHoldComesFrame  # all after it is the hold's own silence
        windows = (8 * 640 + HOLD_SILENCE_MS * 32) // WINDOW_BYTES
        assert order == [AudioWindowFrame] * windows + [CallHoldFrame]
        assert call_input.hear_directly(sound())  # taken, and dropped
        await call_input.take(UserTextFrame("back"))
        await chain.until(UserTextFrame)
        assert len(chain.down(AudioWindowFrame)) == windows
        for _ in range(2):
            call_input.hear_directly(sound())
        await chain.until(AudioWindowFrame, windows + 1)


async def test_before_the_start_and_after_the_end_nothing_is_heard(virtual):
    call_input, vad = CallInput(), VADProcessor()
    assert call_input.hear_directly(sound())
    async with running(call_input, vad) as chain:
        pass
    assert call_input.hear_directly(sound())
    assert chain.down(AudioWindowFrame) == []
    assert not vad._pcm
