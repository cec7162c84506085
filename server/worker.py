"""The worker's side of several processes behind one port: whom it believes, what it tells, and when it ends.

The proxy writes to the worker's standard input: first a line of JSON (:class:`WorkerConfig`), then a line each time
that the worker is to stop, as a signal would tell a process that stands alone. When the input ends, the proxy is gone,
and the worker with it, whatever it is doing.

Each request must bear the secret of the configuration, which only the proxy knows. It names the client's address, for
:mod:`server.access`: seen from here everything comes from this machine.
"""

import asyncio
import hmac
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import BinaryIO, Final, Self

from aiohttp import web

from server.calls import CALLS
from server.request_guard import PLACE

SECRET_HEADER: Final = "X-Parley-Secret"
REMOTE_HEADER: Final = "X-Parley-Remote"
"""The address that the proxy's client has."""

PLACE_HEADER: Final = "X-Parley-Place"
"""See :data:`server.request_guard.PLACE`."""

HEADERS: Final = (SECRET_HEADER, REMOTE_HEADER, PLACE_HEADER)
"""The proxy's own: what clients put there goes no further."""

HELD_PATH: Final = "/worker/held"
"""Tells what the worker holds: :meth:`server.calls.Calls.held`."""

STOP: Final = b"stop\n"


@dataclass(frozen=True)
class WorkerConfig:
    """What the proxy tells a worker before all else.

    Attributes:
        index: Its number, from 0.
        count: How many there are.
        secret: What the proxy's requests bear.
        core: The core that it runs on; None: any.
    """

    index: int
    count: int
    secret: str
    core: int | None = None

    def line(self) -> bytes:
        """As it is sent."""
        return json.dumps(asdict(self)).encode() + b"\n"


class ProxyLink:
    """The proxy, as a worker sees it.

    Args:
        config: What it told.
        orders: What it tells later.
    """

    def __init__(self, config: WorkerConfig, orders: BinaryIO) -> None:
        self.config = config
        self._orders = orders
        self._secret = config.secret.encode()

    @classmethod
    def receive(cls) -> Self:
        """Read the configuration from standard input; without one there is nothing to do here.

        It comes before anything starts threads, so that they run on the worker's core too.
        """
        orders = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115 - for as long as it lives
        if not (line := orders.readline()):
            sys.exit("error: no proxy configures this worker; start the bot with WORKERS")
        config = WorkerConfig(**json.loads(line))
        if config.core is not None:
            os.sched_setaffinity(0, {config.core})
        # A supervisor may signal all processes at once: the proxy alone says when, and whether again.
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: None)
        return cls(config, orders)

    @property
    def worker(self) -> dict[str, int]:
        """Which worker this is, for the page."""
        return {"index": self.config.index, "count": self.config.count}

    def stop_orders(self) -> asyncio.Event:
        """An event that each order to stop sets."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._obey, args=(loop, stopped), name="proxy", daemon=True).start()
        return stopped

    def _obey(self, loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
        while self._orders.readline():
            loop.call_soon_threadsafe(stopped.set)
        os._exit(1)  # not by the loop: it may hang

    def guard(self, app: web.Application) -> None:
        """Let the proxy in, and nobody else; tell it what the calls hold."""

        @web.middleware
        async def only_the_proxy(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, self._secret):
                body = {"code": "not_the_front", "reason": "this is a worker: ask the address that Parley told"}
                return web.json_response(body, status=403)
            request[PLACE] = request.headers.get(PLACE_HEADER, "")
            return await handler(request.clone(remote=request.headers.get(REMOTE_HEADER, "")))

        async def held(_: web.Request) -> web.Response:
            return web.json_response(app[CALLS].held())

        app.middlewares.insert(0, only_the_proxy)
        app.router.add_get(HELD_PATH, held)
