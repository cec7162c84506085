"""The port: how many connections it holds, how long each may take, and TLS.

A client that sends half a request, or nothing, costs a connection; so all of them together are bounded, and each has a
deadline for its first request. How long a body may take says :func:`server.bodies.read_body`.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from processors.compat.http import requests_begun

HEADER_SECS: Final = 10.0
"""How long a connection may take until its first request has begun, and a TLS handshake."""

IDLE_SECS: Final = 30.0
"""How long a connection may be kept between two requests; half a request is none."""


class TlsError(Exception):
    """Certificate and key cannot be used; says why."""


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """What serves HTTPS.

    Args:
        cert: PEM file: the certificate and those between it and the root.
        key: PEM file: its private key, without a password.

    Raises:
        TlsError: They cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # A key that wants a password must not stop the start with a question.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "they do not fit"
        raise TlsError(f"{cert} and {key} cannot be used: {why}") from None
    return context


def app_runner(app: web.Application, **options: Any) -> web.AppRunner:
    """An application's runner with the deadlines of this port; ``options`` are further ones of aiohttp's."""
    return web.AppRunner(app, access_log=None, keepalive_timeout=IDLE_SECS, **options)


class GuardedSite(web.TCPSite):
    """aiohttp's site with a cap on connections and a deadline for the first request of each.

    Args:
        runner: Whose requests it serves.
        host: Address to listen on.
        port: TCP port.
        max_connections: Connections at once; further ones are closed at once.
        tls: Serves HTTPS.
        header_secs: See :data:`HEADER_SECS`.
    """

    def __init__(
        self,
        runner: web.AppRunner,
        host: str,
        port: int,
        *,
        max_connections: int,
        tls: ssl.SSLContext | None = None,
        header_secs: float = HEADER_SECS,
    ) -> None:
        super().__init__(runner, host, port, ssl_context=tls, reuse_address=True)
        self._listen_on = (host, port)
        self._max_connections = max_connections
        self._header_secs = header_secs
        self._handshaking = 0

    async def start(self) -> None:
        """Listen."""
        await web.BaseSite.start(self)
        assert self._runner.server is not None
        self._server = await asyncio.get_running_loop().create_server(
            self._accept(self._runner.server),
            *self._listen_on,
            ssl=self._ssl_context,
            backlog=self._backlog,
            reuse_address=True,
            ssl_handshake_timeout=None if self._ssl_context is None else self._header_secs,
        )

    def _accept(self, server: web.Server) -> Callable[[], asyncio.Protocol]:
        loop = asyncio.get_running_loop()

        def accept() -> asyncio.Protocol:
            if len(server.connections) + self._handshaking >= self._max_connections:
                return _Refused()
            protocol = server()
            self._handshaking += 1
            loop.call_later(self._header_secs, self._look_at, protocol)
            loop.call_soon(self._made, protocol, loop.time() + self._header_secs)
            return protocol

        return accept

    def _made(self, protocol: RequestHandler, until: float) -> None:
        """Count a connection as one that shakes hands until it is made, or the time for that is over."""
        loop = asyncio.get_running_loop()
        if protocol.transport is None and self._ssl_context is not None and loop.time() < until:
            loop.call_later(0.05, self._made, protocol, until)
        else:
            self._handshaking -= 1

    @staticmethod
    def _look_at(protocol: RequestHandler) -> None:
        if protocol.transport is not None and not requests_begun(protocol):  # no request, or not yet a whole header
            protocol.transport.abort()


class _Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        transport.close()
