"""Voice activity: is there speech in this window, and has somebody started or stopped speaking?

:class:`~processors.vad.silero.SileroStream` gives each 32 ms window a probability, :class:`SpeechGate` (pure) makes
"started" and "stopped" of the probabilities, :class:`VADProcessor` is the node of the pipeline.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    StartFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from contracts.frames import INPUT_SAMPLE_RATE_HZ, AudioWindowFrame
from processors.audio_filter.caller_filter import CallerFilter
from processors.compat import InlineAudio
from processors.vad.silero import WINDOW_BYTES, WINDOW_MS, SileroStream, SpeechRater

NO_AUDIO_SECS: Final = 0.5
"""When audio stops coming in mid-speech (muted, or the network is gone) for this long, speech has stopped."""


@dataclass(frozen=True)
class SpeechGateParams:
    """When speech starts and stops.

    Attributes:
        start_prob: Probability from which a window counts towards a start.
        end_prob: Probability below which a window counts towards a stop; between the two nothing changes.
        start_windows: Windows (32 ms each) in a row that make a start. Three keep out twice as many noises as two
            and no word: nobody waits for the third, for whoever must react to the first looks at the windows.
        stop_ms: Milliseconds of windows below ``end_prob`` that make a stop; rounded to whole windows.
    """

    start_prob: float = 0.5
    end_prob: float = 0.35
    start_windows: int = 3
    stop_ms: int = 200


Change = Literal["started", "stopped"]


class SpeechGate:
    """Turns speech probabilities, window by window, into starts and stops. Pure."""

    def __init__(self, params: SpeechGateParams | None = None) -> None:
        self.params = params or SpeechGateParams()
        self.speaking = False
        self._stop_windows = max(1, round(self.params.stop_ms / WINDOW_MS))
        self._in_row = 0

    def push(self, speech_prob: float) -> Change | None:
        """Take one window's probability; tell what it changed."""
        if not self.speaking:
            self._in_row = self._in_row + 1 if speech_prob >= self.params.start_prob else 0
            if self._in_row >= self.params.start_windows:
                return self._turn(True)
            return None
        if speech_prob >= self.params.start_prob:
            self._in_row = 0
        elif speech_prob < self.params.end_prob:
            self._in_row += 1
            if self._in_row >= self._stop_windows:
                return self._turn(False)
        return None

    def stop(self) -> Change | None:
        """No more audio is coming: whoever spoke has stopped."""
        return self._turn(False) if self.speaking else None

    def _turn(self, speaking: bool) -> Change:
        self.speaking = speaking
        self._in_row = 0
        return "started" if speaking else "stopped"


class VADProcessor(InlineAudio, FrameProcessor):
    """Swallows the transport's audio, pushes it on in windows with their speech probability.

    A start or stop is pushed (downstream) before the window that brought it. Windows are judged together with those of
    other calls, so they may come a little later than their audio; no other frame overtakes them.

    Args:
        params: When speech starts and stops.
        caller_filter: Takes out what is not the caller's; None: everything counts.
        rater: Rates the windows; None: Silero.
    """

    def __init__(
        self,
        params: SpeechGateParams | None = None,
        caller_filter: CallerFilter | None = None,
        rater: SpeechRater | None = None,
    ) -> None:
        super().__init__(name="vad")
        self._gate = SpeechGate(params)
        self._caller_filter = caller_filter or CallerFilter(None)
        self._rater = rater or SileroStream()
        self._pcm = bytearray()
        self._heard_at = 0.0
        self._judged: deque[tuple[bytes, float]] = deque()
        self._judged_came = asyncio.Event()
        self._pushing = asyncio.Lock()
        self._pusher: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Cut audio into windows; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self._take(frame)
            await self._push_judged()
            return
        if isinstance(frame, StartFrame):
            self._pusher = self.create_task(self._push_for_ever())
        if isinstance(frame, EndFrame | CancelFrame):
            self._unwatch()
        if direction is FrameDirection.DOWNSTREAM:
            self._rater.settle()
            await self._push_judged()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Drop the timer and the task."""
        await super().cleanup()
        self._unwatch()
        if self._pusher is not None:
            await self.cancel_task(self._pusher)
            self._pusher = None

    def _take(self, frame: InputAudioRawFrame) -> None:
        if frame.sample_rate != INPUT_SAMPLE_RATE_HZ or frame.num_channels != 1:
            raise ValueError(
                f"the VAD hears 16000 Hz mono, not {frame.sample_rate} Hz with {frame.num_channels} channels"
            )
        self.hear(frame.audio)

    def hear(self, pcm: bytes) -> None:
        """Take 16 kHz mono 16-bit PCM by a plain call; its windows follow as frames as soon as they are judged."""
        self._heard_at = self.get_event_loop().time()
        self._pcm += pcm
        while len(self._pcm) >= WINDOW_BYTES:
            window = bytes(self._pcm[:WINDOW_BYTES])
            del self._pcm[:WINDOW_BYTES]
            self._caller_filter.arrive()
            self._rater.judge(window, self._keep)

    def _keep(self, window: bytes, prob: float) -> None:
        self._judged.append((window, prob))
        self._judged_came.set()

    async def _push_for_ever(self) -> None:
        """Push what is judged between the frames that come in."""
        while True:
            await self._judged_came.wait()
            await self._push_judged()

    async def _push_judged(self) -> None:
        self._judged_came.clear()
        if not self._judged:
            return
        async with self._pushing:
            while self._judged:
                for window, prob in self._caller_filter.hear(*self._judged.popleft()):
                    await self._tell(self._gate.push(prob))
                    await self.push_frame(AudioWindowFrame(window, INPUT_SAMPLE_RATE_HZ, 1, speech_prob=prob))

    async def _tell(self, change: Change | None) -> None:
        if change == "started":
            secs = self._gate.params.start_windows * WINDOW_MS / 1000
            self._watch_from(self._heard_at)
            await self.push_frame(VADUserStartedSpeakingFrame(start_secs=secs))
        elif change == "stopped":
            self._unwatch()
            await self.push_frame(VADUserStoppedSpeakingFrame(stop_secs=self._gate.params.stop_ms / 1000))

    # --- audio that stops coming -------------------------------------------------------

    def _watch_from(self, heard_at: float) -> None:
        self._watch = self.get_event_loop().call_at(heard_at + NO_AUDIO_SECS, self._check)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _check(self) -> None:
        """Speech is on: has any audio come since the timer was set?"""
        if self.get_event_loop().time() - self._heard_at < NO_AUDIO_SECS:
            self._watch_from(self._heard_at)
        else:
            self._pcm.clear()
            self._stopping = asyncio.create_task(self._tell(self._gate.stop()))
