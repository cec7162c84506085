"""What a call is to the pipeline, whatever carries it."""

import asyncio
from typing import Any, Protocol

from pipecat.processors.frame_processor import FrameProcessor


class Call(Protocol):
    """The two ends of a pipeline, and a way to send the client messages."""

    @property
    def closed(self) -> asyncio.Event:
        """Set when the call is over and all that it held is freed."""
        ...

    @property
    def pc_id(self) -> str:
        """The call's name."""
        ...

    def input(self) -> FrameProcessor:
        """Pushes the caller's audio: 16 kHz mono, 20 ms; and the frames that the client's messages stand for."""
        ...

    def output(self) -> FrameProcessor:
        """Plays to the caller."""
        ...

    def hang_up(self) -> None:
        """End the call from our side."""
        ...

    def send_message(self, message: dict[str, Any]) -> None:
        """Send the client a message, or drop it when the call is over."""
        ...
