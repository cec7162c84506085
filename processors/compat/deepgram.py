"""Deepgram's SDK: its sockets offer neither a ping nor a way out that does not wait."""

from typing import Final

import websockets.legacy.protocol
from deepgram.listen.v1.socket_client import AsyncV1SocketClient
from deepgram.listen.v2.socket_client import AsyncV2SocketClient

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
