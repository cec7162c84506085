"""A node of a pipeline, as far as an observer sees it."""

from collections.abc import Callable
from typing import Any

from pipecat.frames.frames import Frame


class Node:
    """Notes who listens, and pushes."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Any, Frame], None]] = []

    def add_event_handler(self, event: str, listener: Callable[[Any, Frame], None]) -> None:
        assert event == "on_before_push_frame"
        self.listeners.append(listener)

    def push(self, frame: Frame) -> None:
        for listener in self.listeners:
            listener(self, frame)
