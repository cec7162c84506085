"""An interruption drops everything that came before it, also what still waits to be looked at.

Pipecat lets an :class:`~pipecat.frames.frames.InterruptionFrame` overtake data and drops the data that a processor
has already sorted; data that still lies in the processor's input queue, behind the interruption that has just overtaken
it, is processed afterwards as if it were new. When a busy loop hands a processor the first words of a reply and the
interruption in the same instant, the dead reply would be spoken.
"""

from dataclasses import dataclass, field

from pipecat.frames.frames import ControlFrame, Frame, InterruptionFrame
from pipecat.processors.frame_processor import FrameCallback, FrameDirection, FrameProcessor


@dataclass
class _InterruptionMark(ControlFrame):
    """Follows an interruption in the queue of ordinary frames: what comes before it is older than that."""

    interruptible: bool = field(default=False, init=False)


class OvertakingInterruptions(FrameProcessor):
    """A processor that can tell frames that an interruption has overtaken; see :attr:`overtaken`."""

    _marks_awaited = 0

    @property
    def overtaken(self) -> bool:
        """Whether the data or control frame that is being processed is older than the last interruption."""
        return self._marks_awaited > 0

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = FrameDirection.DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Queue the frame; behind an interruption, a mark."""
        await super().queue_frame(frame, direction, callback)
        if isinstance(frame, InterruptionFrame):
            await super().queue_frame(_InterruptionMark(), direction)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Count interruptions and their marks; subclasses call this first, and never see a mark twice."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._marks_awaited += 1
        elif isinstance(frame, _InterruptionMark):
            self._marks_awaited -= 1

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        """Push the frame; marks concern this processor only."""
        if not isinstance(frame, _InterruptionMark):
            await super().push_frame(frame, direction)
