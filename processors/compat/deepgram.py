"""Deepgram's SDK: its sockets offer no ping, no way out that does not wait, and no say about compression."""

from typing import Final

import websockets.legacy.protocol
from deepgram.listen.v1.socket_client import AsyncV1SocketClient
from deepgram.listen.v2.socket_client import AsyncV2SocketClient
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame

from processors.compat.contract import PrivateFields

FIELDS: Final[PrivateFields] = (
    (AsyncV1SocketClient, ("_websocket",)),
    (AsyncV2SocketClient, ("_websocket",)),
)

DeepgramSocket = AsyncV1SocketClient | AsyncV2SocketClient


def _websocket(socket: DeepgramSocket) -> websockets.legacy.protocol.WebSocketCommonProtocol:
    return socket._websocket


async def deepgram_ping(socket: DeepgramSocket) -> None:
    """Send a WebSocket ping and wait for its pong (RFC 6455 section 5.5.2); the caller sets the deadline.

    Raises:
        ConnectionClosed: The connection is gone.
    """
    pong = await _websocket(socket).ping()
    await pong


def deepgram_abort(socket: DeepgramSocket) -> None:
    """Drop the connection at once: a close in good order waits for a peer that may be frozen."""
    transport = _websocket(socket).transport
    if transport is not None:
        transport.abort()


def deepgram_uncompressed(socket: DeepgramSocket) -> None:
    """Send sound as it is from now on: deflate takes CPU for each packet of each call, and sound hardly shrinks.

    A message may be sent uncompressed although compression was agreed on (RFC 7692 section 6).
    """
    for extension in _websocket(socket).extensions:
        if isinstance(extension, PerMessageDeflate):
            extension.encode = _as_it_is


def _as_it_is(frame: Frame) -> Frame:
    return frame
