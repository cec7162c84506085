"""The part of a :class:`~transports.call.Call` that needs no network: its nodes, and how it ends."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any

from transports.call_input import CallInput
from transports.output import PlayoutOutput
from transports.playout import PlayoutEngine


class OfflineCall(ABC):
    """A call without a network; what its client is told goes to :meth:`send_message`.

    Args:
        pc_id: Its name.
        engine: The playout's; by default one of its own.

    Attributes:
        closed: Is set when the call is over.
        close_reason: Why it is.
    """

    def __init__(self, pc_id: str, engine: PlayoutEngine | None = None) -> None:
        self.closed = asyncio.Event()
        self.pc_id = pc_id
        self.close_reason = ""
        self._input = CallInput()
        self._output = PlayoutOutput(self.send_message, engine)

    def input(self) -> CallInput:
        """The pipeline's first node."""
        return self._input

    def output(self) -> PlayoutOutput:
        """The pipeline's mouth."""
        return self._output

    def hang_up(self) -> None:
        """The bot ends the call."""
        self.end("the bot hung up")

    def end(self, reason: str) -> None:
        """The call is over."""
        if not self.closed.is_set():
            self.close_reason = reason
            self.closed.set()

    @abstractmethod
    def send_message(self, message: dict[str, Any]) -> None:
        """Tell the client."""
