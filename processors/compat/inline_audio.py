"""Audio frames that pass Pipecat's queues by, where that changes nothing but the cost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

from pipecat.frames.frames import Frame, InputAudioRawFrame
from pipecat.pipeline.worker_observer import WorkerObserver
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.base_object import BaseObject
from pipecat.utils.errors import ErrorCategory

from processors.compat.contract import PrivateFields, PrivateFunctions

FrameCallback = Callable[[FrameProcessor, Frame, FrameDirection], Awaitable[None]]

# Names that the compiler mangles; read with getattr.
_INPUT_QUEUE: Final = "_FrameProcessor__input_queue"
_INPUT_TASK: Final = "_FrameProcessor__input_frame_task"
_INPUT_PAUSED: Final = "_FrameProcessor__should_block_system_frames"
_PROCESS: Final = "_FrameProcessor__process_frame"

FUNCTIONS: Final[PrivateFunctions] = (
    (FrameProcessor, _PROCESS, ("self", "frame", "direction", "callback")),
    (FrameProcessor, "queue_frame", ("self", "frame", "direction", "callback")),
)

FIELDS: Final[PrivateFields] = (
    (FrameProcessor, (_INPUT_QUEUE, _INPUT_TASK, _INPUT_PAUSED, "_cancelling", "_next", "_setup")),
    (BaseObject, ("_event_handlers",)),
    (WorkerObserver, ("_proxies",)),
    (asyncio.Queue, ("_unfinished_tasks",)),
)


class InlineAudio(FrameProcessor):
    """A processor that takes audio in the caller's task where that changes nothing but the cost.

    Pipecat queues each frame for a task of the receiving processor; for 50 audio frames a second, at each processor
    of each call, those hops cost more than the signal processing. Audio frames (:class:`InputAudioRawFrame` and its
    subclasses, all system frames) are processed at once when this processor has started, is neither paused nor
    cancelled, and nothing that came earlier waits in its input queue or is being processed from it. Frames that
    arrive while an audio frame is being processed inline wait behind it, as they would in the queue.

    So order, exceptions, interruptions, pauses, events and observers are as ever; but the pusher's ``push_frame``
    returns only when the audio has been processed: whoever uses this must not wait long meanwhile.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._audio_inline = False
        self._behind_audio: list[tuple[Frame, FrameDirection, FrameCallback | None]] = []
        self._inline_queue: asyncio.Queue[Any] = getattr(self, _INPUT_QUEUE)
        self._inline_process: Callable[..., Awaitable[None]] = getattr(self, _PROCESS)

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = FrameDirection.DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Process an audio frame now if that is safe, else queue the frame as Pipecat does."""
        if self._audio_inline:
            self._behind_audio.append((frame, direction, callback))
        elif isinstance(frame, InputAudioRawFrame) and self._nothing_ahead():
            await self._process_inline(frame, direction, callback)
        else:
            await super().queue_frame(frame, direction, callback)

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        """Push a frame; audio that nobody observes goes straight to the next processor's door."""
        if (
            isinstance(frame, InputAudioRawFrame)
            and direction is FrameDirection.DOWNSTREAM
            and self._next is not None
            and self._is_unobserved("push")
        ):
            await self._next.queue_frame(frame, direction)
        else:
            await super().push_frame(frame, direction)

    async def process_audio(self, frame: InputAudioRawFrame, direction: FrameDirection) -> None:
        """Process an audio frame that is processed inline and observed by nobody.

        Override it to do what ``process_frame`` does, past Pipecat's base class, which for audio only tells observers.
        """
        await self.process_frame(frame, direction)

    def _is_unobserved(self, what: Literal["push", "process"]) -> bool:
        observer = self._setup.observer if self._setup else None
        events = self._event_handlers
        return (
            (observer is None or (type(observer) is WorkerObserver and not observer._proxies))
            and not events[f"on_before_{what}_frame"].handlers
            and not events[f"on_after_{what}_frame"].handlers
        )

    def _nothing_ahead(self) -> bool:
        # The queue counts a frame as unfinished until its processing, not just its removal, is done.
        return (
            getattr(self._inline_queue, "_unfinished_tasks") == 0  # noqa: B009 - private to asyncio
            and getattr(self, _INPUT_TASK) is not None
            and not getattr(self, _INPUT_PAUSED)
            and not self._cancelling
        )

    async def _process_inline(
        self, frame: InputAudioRawFrame, direction: FrameDirection, callback: FrameCallback | None
    ) -> None:
        self._audio_inline = True
        try:
            if callback is None and self._is_unobserved("process"):
                try:
                    await self.process_audio(frame, direction)
                except Exception as error:  # noqa: BLE001 - Pipecat's own boundary: a frame's failure is told
                    await self.push_error(
                        error_msg=f"Error processing frame: {error}", exception=error, category=ErrorCategory.UNKNOWN
                    )
            else:
                await self._inline_process(frame, direction, callback)
        finally:
            self._audio_inline = False
            if self._behind_audio:
                waiting, self._behind_audio = self._behind_audio, []
                for item in waiting:
                    await super().queue_frame(*item)  # never blocks: the queue is unbounded
