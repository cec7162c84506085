"""The pipeline's input from the caller: what comes over the line, while the call runs and is not on hold."""

import asyncio
from typing import Final, Protocol, runtime_checkable

from pipecat.frames.frames import CancelFrame, EndFrame, Frame, InputAudioRawFrame, StartFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from contracts.frames import INPUT_SAMPLE_RATE_HZ, CallHoldComesFrame, CallHoldFrame, UserTextFrame
from transports.receive import FRAME_MS, SILENCE
from transports.tap import CallTap

HOLD_SILENCE_MS: Final = 2_000
"""Silence that is heard when a hold begins, so that whoever was speaking comes to an end; any turn has by then."""


@runtime_checkable
class DirectListener(Protocol):
    """A processor that takes audio by a plain call as well as in frames."""

    def hear(self, pcm: bytes) -> None:
        """Take 20 ms of 16 kHz mono 16-bit PCM; waits for nothing."""
        ...


class CallInput(FrameProcessor):
    """The pipeline's first processor: pushes what comes from the peer, while the pipeline runs.

    Audio can go to the next processor by a plain call, if that is a :class:`DirectListener`: 50 times a second that
    is cheaper than a frame. Observers of the pipeline do not see it then.

    On hold nothing is listened to: what a caller says to somebody else meanwhile is not for us. A text or a key takes
    the call off hold.
    """

    def __init__(self) -> None:
        super().__init__()
        self._running = False
        self._taking = asyncio.Lock()
        self._listener: DirectListener | None = None
        self.on_hold = False
        self.tap: CallTap | None = None
        """Told what comes, from when the pipeline takes it."""
        self.started = asyncio.Event()
        """Set when the pipeline takes what comes."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass every frame on; the start frame opens the door for the peer, end and cancel close it."""
        await super().process_frame(frame, direction)
        if isinstance(frame, (EndFrame, CancelFrame)):
            self._running = False
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._running = True
            self._listener = self.next if isinstance(self.next, DirectListener) else None
            self.started.set()

    async def take(self, frame: Frame) -> None:
        """Push a frame from the peer; dropped before the pipeline has started and after it has ended."""
        async with self._taking:  # one that ends a hold must not overtake the one that begins it
            if not self._running:
                return
            if self.tap is not None:
                self.tap.took(frame)
            match frame:
                case CallHoldFrame():
                    await self._hold(frame)
                case UserTextFrame():
                    await self._hold(CallHoldFrame(False))
                    await self.push_frame(frame)
                case _:
                    await self.push_frame(frame)

    async def hear(self, pcm: bytes) -> None:
        """Push 20 ms of 16 kHz mono 16-bit PCM as a frame; the next processor has taken it when this returns."""
        if self._running and not self.on_hold:
            if self.tap is not None:
                self.tap.heard(pcm, directly=False)
            await self._push_audio(pcm)

    def hear_directly(self, pcm: bytes) -> bool:
        """Hand 20 ms of 16 kHz mono 16-bit PCM to the next processor, from outside of any task.

        Returns:
            Whether that is done; False: it takes audio in frames only.
        """
        if self._listener is not None and self._running and not self.on_hold:
            self._listener.hear(pcm)
            if self.tap is not None:
                self.tap.heard(pcm, directly=True)
        return self._listener is not None or not self._running

    async def _hold(self, frame: CallHoldFrame) -> None:
        if frame.on is self.on_hold:
            return
        self.on_hold = frame.on
        if frame.on:
            await self.push_frame(CallHoldComesFrame())
            for _ in range(HOLD_SILENCE_MS // FRAME_MS):
                await self._push_audio(SILENCE)
        await self.push_frame(frame)

    async def _push_audio(self, pcm: bytes) -> None:
        await self.push_frame(InputAudioRawFrame(audio=pcm, sample_rate=INPUT_SAMPLE_RATE_HZ, num_channels=1))
