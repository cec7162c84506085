"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): one message a second, made once
for all who watch, and not at all when nobody does."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web
from loguru import logger

PERIOD_SECS: Final = 1.0
WRITE_SECS: Final = 5.0
"""A watcher that takes nothing for so long is let go; its browser comes back by itself."""

MAX_WATCHERS: Final = 50
RECONNECT_MS: Final = 2000


class TooManyWatchersError(Exception):
    """Nobody more can watch now."""


class EventStream:
    """One stream with any number of watchers.

    Args:
        make: Makes the message: plain values.
        period_secs: Time between two messages.
    """

    def __init__(self, make: Callable[[], Mapping[str, Any]], *, period_secs: float = PERIOD_SECS) -> None:
        self._make = make
        self._period_secs = period_secs
        self._watchers = 0
        self._latest = b""
        self._next = asyncio.Event()
        self._tick: asyncio.Task[None] | None = None
        self._closed = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Stream to one watcher until it leaves or the stream is closed.

        Raises:
            TooManyWatchersError: Others are watching already.
        """
        if self._watchers >= MAX_WATCHERS:
            raise TooManyWatchersError
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        self._watchers += 1
        try:
            await response.prepare(request)
            await response.write(f"retry: {RECONNECT_MS}\n\n".encode())
            await self._stream(response)
        except (ConnectionError, TimeoutError):
            pass  # the watcher has left
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._rest()
        return response

    def close(self) -> None:
        """Let all watchers go."""
        self._closed = True
        self._rest()

    async def _stream(self, response: web.StreamResponse) -> None:
        if self._tick is None and not self._closed:
            self._tick = asyncio.create_task(self._make_messages(), name="events")
        if self._latest:
            await self._write(response, self._latest)
        while not self._closed:
            await self._next.wait()
            if self._latest:
                await self._write(response, self._latest)

    async def _write(self, response: web.StreamResponse, message: bytes) -> None:
        async with asyncio.timeout(WRITE_SECS):
            await response.write(message)

    async def _make_messages(self) -> None:
        while True:
            try:
                self._latest = f"data: {json.dumps(self._make(), separators=(',', ':'))}\n\n".encode()
            except Exception:  # noqa: BLE001 - a figure that cannot be had must not end the stream for good
                logger.exception("the dashboard's figures could not be made")
            woken, self._next = self._next, asyncio.Event()
            woken.set()
            await asyncio.sleep(self._period_secs)

    def _rest(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._latest = b""
        self._next.set()
        self._next = asyncio.Event()
