"""What a call is to the pipeline, whatever carries it."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from pipecat.processors.frame_processor import FrameProcessor

from contracts.caller_identity import CallerIdentity
from contracts.transfer import Transfer, TransferOutcome, not_transferred
from transports.output import PlayoutOutput


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

    @property
    def close_reason(self) -> str:
        """Why the call ended; empty while it goes on."""
        ...

    @property
    def quality(self) -> Mapping[str, float]:
        """How good the line is, as far as it is known; names say the units."""
        ...

    @property
    def identity(self) -> CallerIdentity | None:
        """Who the caller is by a signed token; None: nobody vouches for them."""
        ...

    @property
    def request_data(self) -> Mapping[str, Any]:
        """What the client sent when it called; nobody vouches for it."""
        ...

    def input(self) -> FrameProcessor:
        """Pushes the caller's audio: 16 kHz mono, 20 ms; and the frames that the client's messages stand for."""
        ...

    def output(self) -> PlayoutOutput:
        """Plays to the caller."""
        ...

    def hang_up(self) -> None:
        """End the call from our side."""
        ...

    def send_message(self, message: dict[str, Any]) -> None:
        """Send the client a message, or drop it when the call is over."""
        ...


@runtime_checkable
class Transferable(Protocol):
    """A call whose caller can be put through to somebody else."""

    async def transfer(self, target: str, within_secs: float) -> TransferOutcome:
        """Put the caller through, and leave the call if somebody takes it."""
        ...


def transfer_of(call: Call) -> Transfer:
    """How a call's caller is put through."""
    return call.transfer if isinstance(call, Transferable) else not_transferred
