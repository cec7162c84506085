"""Carries faults out on a connection."""

import asyncio
import email.utils
import socket
import struct
import time
from collections.abc import Callable
from enum import Enum

from aiohttp import web
from aiohttp.typedefs import Handler

from emulators.faults import FaultRule, Kind, Vendor
from emulators.log import Entry
from emulators.world import World

Refusal = Callable[[int, str | None, bool], web.Response]
"""Makes a vendor's error answer of HTTP status, ``retry-after`` header, and whether the quota is gone for good."""

FOREVER_SECS = 3600.0


class Broken(Exception):
    """The connection has been broken on purpose: whoever serves it stops."""


class Send(Enum):
    """What becomes of a chunk."""

    WHOLE = "whole"
    CUT = "cut"
    """Its first half, as a message of its own."""
    BAD = "bad"
    """Whole, with one byte that is no UTF-8."""
    ERROR = "error"
    """The vendor's error message in its place; then the end."""
    END = "end"
    """Nothing more."""


@web.middleware
async def broken_connections(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ends a request whose connection is gone, broken on purpose or not: nobody is left to read an answer."""
    try:
        return await handler(request)
    except (Broken, ConnectionError):
        return web.Response()


def break_connection(request: web.BaseRequest, how: str) -> None:
    """End the TCP connection under a request: by FIN, or at once by RST."""
    transport = request.transport
    if transport is None:
        return
    if how == "rst":
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()


async def at_connect(
    world: World,
    vendor: Vendor,
    request: web.Request,
    entry: Entry,
    refusal: Refusal,
    model: str | None = None,
    said: str = "",
) -> web.Response | None:
    """Wait as long as a connection takes, and play the fault that strikes it, if any.

    Returns:
        The answer to give instead of the vendor's own; None if all is well.

    Raises:
        Broken: The connection is gone.
    """
    await world.connect(vendor, request.transport)
    rule = world.faults.strike(vendor, "connect", world.now(), model, said)
    if rule is None:
        return None
    entry.fault = rule.kind.value
    match rule.kind:
        case Kind.RESET:
            break_connection(request, "rst")
            raise Broken
        case Kind.HANG:
            await asyncio.sleep(FOREVER_SECS)
            raise Broken
        case Kind.RETIRED:
            return None  # the vendor's own check answers
        case kind:
            gone = kind is Kind.QUOTA_GONE
            answer = refusal(429 if gone else rule.status, retry_after(rule.retry_after), gone)
            entry.status = answer.status
            return answer


def retry_after(value: str | None) -> str | None:
    """The header's value; ``date:SECONDS`` is a date so many seconds from now."""
    if value is None or not value.startswith("date:"):
        return value
    return email.utils.formatdate(time.time() + float(value.removeprefix("date:")), usegmt=True)


class InjectedFault:
    """The fault of one answer, asked before each of its chunks.

    Args:
        world: Whose rules decide.
        vendor: Who answers.
        request: Whose connection it is.
        entry: Where it is noted.
        model: What was asked for.
        said: What the user said, in lower case.
    """

    def __init__(
        self,
        world: World,
        vendor: Vendor,
        request: web.BaseRequest,
        entry: Entry,
        model: str | None = None,
        said: str = "",
    ) -> None:
        self._world = world
        self._vendor = vendor
        self._request = request
        self._entry = entry
        self._model = model
        self._said = said
        self._generation = -1
        self.look_again()

    def look_again(self) -> None:
        """Ask the rules, if they are others than before: a fault may begin in the middle of an answer."""
        faults = self._world.faults
        if faults.generation == self._generation:
            return
        self._generation = faults.generation
        self.rule: FaultRule | None = faults.strike(self._vendor, "answer", self._world.now(), self._model, self._said)
        self._chunks = 0
        self._began = time.monotonic()
        self._stalled = False
        if self.rule is not None:
            self._entry.fault = self.rule.kind.value

    def is_(self, kind: Kind) -> bool:
        """Whether this is the fault."""
        return self.rule is not None and self.rule.kind is kind

    @property
    def _due(self) -> bool:
        rule = self.rule
        assert rule is not None
        elapsed_ms = (time.monotonic() - self._began) * 1000
        return self._chunks >= rule.after_chunks and elapsed_ms >= rule.after_ms

    async def before_chunk(self) -> Send:
        """What becomes of the next chunk; waits where the fault is to wait.

        Raises:
            Broken: The connection is gone.
            Closed: The WebSocket is to be closed so.
        """
        self.look_again()
        rule = self.rule
        if rule is None or not self._due:
            self._chunks += 1
            return Send.WHOLE
        self._chunks += 1
        match rule.kind:
            case Kind.SILENT:
                await asyncio.sleep(FOREVER_SECS)
                raise Broken
            case Kind.STOP_READING:
                if self._request.transport is not None:
                    # The transport's own pause is undone by the server; a raw socket's buffer is not read any more.
                    self._request.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
                await asyncio.sleep(FOREVER_SECS)
                raise Broken
            case Kind.DROP:
                break_connection(self._request, rule.how)
                raise Broken
            case Kind.CLOSE:
                raise Closed(rule.code, rule.reason)
            case Kind.STALL:
                if not self._stalled:
                    self._stalled = True
                    await asyncio.sleep(rule.stall_ms / 1000)
            case Kind.DRIP:
                await asyncio.sleep(rule.every_ms / 1000)
            case Kind.MALFORMED_JSON:
                if not self._stalled:
                    self._stalled = True
                    return Send.CUT
            case Kind.BAD_BYTE:
                if not self._stalled:
                    self._stalled = True
                    return Send.BAD
            case Kind.ERROR_EVENT:
                return Send.ERROR
            case _:
                pass
        return Send.WHOLE


class Closed(Exception):
    """The WebSocket is to be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
