"""A chain of processors between two recorders, without a pipeline worker: frames in, frames and their times out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from pipecat.clocks.system_clock import SystemClock
from pipecat.frames.frames import CancelFrame, Frame, InterruptionFrame, StartFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor, FrameProcessorSetup
from pipecat.utils.asyncio.task_manager import TaskManager

F = TypeVar("F", bound=Frame)


class Recorder(FrameProcessor):
    """Keeps what reaches one end of the chain, with the loop's time."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.seen: list[tuple[float, Frame]] = []
        self.news = asyncio.Event()

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if not isinstance(frame, StartFrame):
            self.seen.append((asyncio.get_running_loop().time(), frame))
            self.news.set()


class Chain:
    """Processors under test, between ``source`` (sees what goes up) and ``sink`` (sees what goes down)."""

    def __init__(self, processors: Sequence[FrameProcessor]) -> None:
        self.source, self.sink = Recorder("source"), Recorder("sink")
        self.all = [self.source, *processors, self.sink]
        self.processors = list(processors)

    async def push(self, *frames: Frame) -> None:
        """Push frames down into the first processor."""
        for frame in frames:
            await self.processors[0].queue_frame(frame, FrameDirection.DOWNSTREAM)

    async def interrupt(self) -> None:
        await self.push(InterruptionFrame())

    def down(self, *types: type[F]) -> list[F]:
        """Frames of these types that came out at the end."""
        return [frame for _, frame in self.sink.seen if isinstance(frame, types)]

    def up(self, *types: type[F]) -> list[F]:
        """Frames of these types that came out at the start."""
        return [frame for _, frame in self.source.seen if isinstance(frame, types)]

    def at(self, frame: Frame) -> float:
        """When a frame reached an end."""
        return next(at for at, other in self.sink.seen + self.source.seen if other is frame)

    async def until(self, type_: type[F], count: int = 1, timeout_secs: float = 5.0) -> F:
        """Wait for the ``count``-th frame of a type at the end."""
        async with asyncio.timeout(timeout_secs):
            while len(self.down(type_)) < count:
                self.sink.news.clear()
                await self.sink.news.wait()
        return self.down(type_)[count - 1]


@asynccontextmanager
async def running(*processors: FrameProcessor) -> AsyncIterator[Chain]:
    """Set the processors up, start them, and clean up afterwards."""
    chain = Chain(processors)
    manager = TaskManager()
    for first, second in zip(chain.all, chain.all[1:], strict=False):
        first.link(second)
    for processor in chain.all:
        setup = FrameProcessorSetup(clock=SystemClock(), task_manager=manager, pipeline_worker=None)
        await processor.setup(setup)
    # The recorders keep what they get, so each end is started by itself.
    await chain.source.queue_frame(StartFrame(), FrameDirection.DOWNSTREAM)
    await chain.push(StartFrame())
    await asyncio.sleep(0.001)
    try:
        yield chain
    finally:
        await chain.source.queue_frame(CancelFrame(), FrameDirection.DOWNSTREAM)
        await chain.push(CancelFrame())
        await asyncio.sleep(0.001)
        for processor in chain.all:
            await processor.cleanup()
