"""Voice activity: is there speech in this window, and has somebody started or stopped speaking?

Three parts. :class:`SileroStream` gives each 32 ms window a probability, :class:`SpeechGate` (pure) makes "started"
and "stopped" of the probabilities, :class:`VADProcessor` is the node of the pipeline.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from processors.compat import InlineAudio
from processors.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES, AudioWindowFrame
from processors.models import SILERO_VAD, session

WINDOW_MS: Final = 1000 * WINDOW_SAMPLES // INPUT_SAMPLE_RATE_HZ
"""Length of one window."""

WINDOW_BYTES: Final = 2 * WINDOW_SAMPLES

SILENT_WINDOWS: Final = 1000 // WINDOW_MS
"""After so many windows of digital silence (about 1 s) the model is not asked any more."""

NO_AUDIO_SECS: Final = 0.5
"""When audio stops coming in mid-speech (muted, or the network is gone) for this long, speech has stopped."""

_ZEROS: Final = bytes(WINDOW_BYTES)
_RATE: Final = np.array(INPUT_SAMPLE_RATE_HZ)
_CONTEXT_SAMPLES: Final = 64


class SileroStream:
    """Silero VAD over one stream of audio; about 0.13 ms of CPU per window, so it may run on the event loop.

    Muted microphones send zeros for minutes: after about a second of them the model rests and its memory is wiped, so
    that the first sound afterwards is heard as at the start of a call.

    Raises:
        ModelError: The model is not installed.
    """

    def __init__(self) -> None:
        self._session = session(SILERO_VAD)
        self._silent_windows = 0
        self._wipe()

    def _wipe(self) -> None:
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros((1, _CONTEXT_SAMPLES), np.float32)

    def speech_prob(self, window: bytes) -> float:
        """Probability (0 to 1) that the window holds speech.

        Args:
            window: 512 samples of 16 kHz mono 16-bit PCM.
        """
        if window == _ZEROS:
            self._silent_windows += 1
            if self._silent_windows == SILENT_WINDOWS:
                self._wipe()
            if self._silent_windows >= SILENT_WINDOWS:
                return 0.0
        else:
            self._silent_windows = 0
        samples = np.frombuffer(window, np.int16).astype(np.float32)[None] / 32768
        heard = np.concatenate([self._context, samples], axis=1)
        self._context = heard[:, -_CONTEXT_SAMPLES:]
        prob, self._state = self._session.run({"input": heard, "state": self._state, "sr": _RATE})
        return float(prob[0, 0])


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

    A start or stop is pushed (downstream) before the window that brought it.

    Args:
        params: When speech starts and stops.
    """

    def __init__(self, params: SpeechGateParams | None = None) -> None:
        super().__init__(name="vad")
        self._gate = SpeechGate(params)
        self._silero = SileroStream()
        self._pcm = bytearray()
        self._heard_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Cut audio into windows; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self._hear(frame)
            return
        if isinstance(frame, EndFrame | CancelFrame):
            self._unwatch()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Drop the timer."""
        await super().cleanup()
        self._unwatch()

    async def _hear(self, frame: InputAudioRawFrame) -> None:
        if frame.sample_rate != INPUT_SAMPLE_RATE_HZ or frame.num_channels != 1:
            raise ValueError(
                f"the VAD hears 16000 Hz mono, not {frame.sample_rate} Hz with {frame.num_channels} channels"
            )
        self._heard_at = self.get_event_loop().time()
        self._pcm += frame.audio
        while len(self._pcm) >= WINDOW_BYTES:
            window = bytes(self._pcm[:WINDOW_BYTES])
            del self._pcm[:WINDOW_BYTES]
            prob = self._silero.speech_prob(window)
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
