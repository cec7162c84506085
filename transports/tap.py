"""Where a call can be listened in on: all that comes from its caller, and all that leaves to them."""

from collections.abc import Mapping
from typing import Any, Protocol

from pipecat.frames.frames import Frame

from audio.rtp import AudioPacket


class CallTap(Protocol):
    """Told of everything at the moment at which it happens; waits for nothing."""

    def heard(self, pcm: bytes, *, directly: bool) -> None:
        """20 ms of 16 kHz mono 16-bit PCM go to the pipeline.

        Args:
            pcm: The audio.
            directly: Whether by a plain call; then this is told after it, else before the frame is pushed.
        """
        ...

    def packet(self, peer: int, packet: AudioPacket, frames: int) -> None:
        """A packet has been taken, and :meth:`heard` was told of what came of it.

        Args:
            peer: Number of the peer connection, from 1.
            packet: As it came.
            frames: How many frames it completed, listened to or not.
        """
        ...

    def stream(self, peer: int, what: str) -> None:
        """A peer's stream of packets is given up on (``flush``), or goes on without one (``skip``)."""
        ...

    def took(self, frame: Frame) -> None:
        """A frame of the client's goes to the pipeline."""
        ...

    def pulled(self, pcm: bytes) -> None:
        """24 kHz mono 16-bit PCM leaves."""
        ...

    def line(self, unheard_secs: float | None) -> None:
        """Nothing comes through, since so long; None: it does again."""
        ...

    def sent(self, message: Mapping[str, Any]) -> None:
        """The client is sent a message."""
        ...
