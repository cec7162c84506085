"""What is private to aiortc's SCTP: bounds to what a peer may make it keep."""

import struct
from collections.abc import Callable
from typing import Final

from aiortc import RTCPeerConnection, RTCSctpTransport

from processors.compat.contract import PrivateFields, PrivateFunctions

MAX_FRAGMENTS: Final = 256
"""Fragments of messages that are not complete; the longest message that we announce has 239."""

MAX_CHANNELS: Final = 16
MAX_STREAMS: Final = 64

FUNCTIONS: Final[PrivateFunctions] = ((RTCSctpTransport, "_handle_data", ("self", "data")),)

FIELDS: Final[PrivateFields] = (
    (RTCSctpTransport, ("_advertised_rwnd", "_data_channels", "_inbound_streams", "_sack_misordered")),
)


def bound_messages(pc: RTCPeerConnection, on_breach: Callable[[], None]) -> None:
    """Stop listening to the data channels of a peer that breaks their rules (RFC 9260, RFC 8832).

    aiortc keeps fragments without end, takes any number of channels, and meets what should not happen with an
    assertion, which ends the call without a word.

    Args:
        pc: A connection with an offer; that it has no data channel is fine. A second time nothing changes.
        on_breach: Called once.
    """
    sctp = pc.sctp
    if sctp is None or "_handle_data" in vars(sctp):
        return
    handle = sctp._handle_data
    broken = False

    async def handle_data(data: bytes) -> None:
        nonlocal broken
        if broken:
            return
        try:
            await handle(data)
        except (AssertionError, ValueError, LookupError, struct.error):
            broken = True
        if broken or _keeps_too_much(sctp):
            broken = True
            on_breach()

    setattr(sctp, "_handle_data", handle_data)  # noqa: B010 - on the instance


def _keeps_too_much(sctp: RTCSctpTransport) -> bool:
    streams = sctp._inbound_streams
    return (
        sctp._advertised_rwnd < 0
        or len(sctp._data_channels) > MAX_CHANNELS
        or len(streams) > MAX_STREAMS
        or len(sctp._sack_misordered) > MAX_FRAGMENTS
        or sum(len(stream.reassembly) for stream in streams.values()) > MAX_FRAGMENTS
    )
