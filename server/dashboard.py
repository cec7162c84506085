"""What the process tells of its calls, over HTTP: the dashboard, its data, and the metrics.

| address | what |
|---|---|
| ``/dashboard``, ``/dashboard/calls/ID`` | the pages |
| ``/api/events`` | server-sent events: what the dashboard shows, once a second |
| ``/api/calls`` | live calls, and the last that ended |
| ``/api/calls/ID`` | one call with its timeline; ``?after=REVISION&level=NUMBER``: only what is newer |
| ``/metrics`` | for Prometheus |

The pages are empty without their data, so that they can ask for the token; all else stands behind
:mod:`server.access`.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import hdrs, web
from loguru import logger
from pydantic import SecretStr

from admission.packet_gate import dropped_by_reason
from contracts import provider_failures
from observe.call_registry import CallRegistry
from observe.gateway import GatewaySnapshot
from observe.metrics import CONTENT_TYPE, Metrics, States
from observe.snapshot import Snapshots
from observe.statistics import Statistics
from server.access import Access, AccessError
from server.errors import AT_CAPACITY, NO_STANDING_CALL
from server.event_stream import PERIOD_SECS, EventStream, TooManyWatchersError
from server.pages import WEB_DIR, file_response
from server.request_guard import PLACE
from server.signalling import LOOP_LAG

LAG_SECS: Final = 60.0
"""The event loop's lag is told of the last minute."""

_COUNT: Final = re.compile(r"[0-9]{1,15}")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Sources:
    """Where the figures come from.

    Attributes:
        registry: The calls.
        max_calls: Calls that are taken at once, as of now.
        token: See :class:`~server.access.Access`.
        info: Providers and warnings.
        gateway: What the gateway says of itself; see :mod:`observe.gateway`.
        cost: Cost so far in US dollars, by vendor.
        faces_others: See :class:`~server.access.Access`.
    """

    registry: CallRegistry
    max_calls: Callable[[], int]
    token: SecretStr = SecretStr("")
    info: Callable[[], Mapping[str, Any]] = dict
    gateway: GatewaySnapshot | None = None
    cost: Callable[[], Mapping[str, float]] | None = None
    faces_others: bool = False


def add_dashboard(
    app: web.Application, sources: Sources, web_dir: Path = WEB_DIR, *, period_secs: float = PERIOD_SECS
) -> EventStream:
    """Add the routes to the bot's server, and begin to count.

    Args:
        app: What :func:`server.signalling.make_app` made.
        sources: Where the figures come from.
        web_dir: The pages' files.
        period_secs: Time between two events.

    Returns:
        The stream behind ``/api/events``.
    """
    registry = sources.registry
    lag = app[LOOP_LAG]
    states = States(
        registry, sources.max_calls, lambda: lag.percentiles(LAG_SECS), sources.gateway, sources.cost, dropped_by_reason
    )
    metrics, statistics = Metrics(states), Statistics()
    registry.add_listener(metrics)
    registry.add_listener(statistics)
    access = Access(sources.token, faces_others=sources.faces_others)

    def now() -> float:
        return asyncio.get_running_loop().time()

    stream = EventStream(Snapshots(states, statistics, sources.info, now).make, period_secs=period_secs)

    def guarded(handler: Handler) -> Handler:
        async def guard(request: web.Request) -> web.StreamResponse:
            try:
                access.require(request)
            except AccessError as error:
                return error.response()
            return await handler(request)

        return guard

    async def overview(_: web.Request) -> web.StreamResponse:
        return file_response(web_dir, "dashboard.html")

    async def call_page(_: web.Request) -> web.StreamResponse:
        return file_response(web_dir, "dashboard-call.html")

    async def events(request: web.Request) -> web.StreamResponse:
        try:
            return await stream.serve(request)
        except TooManyWatchersError:
            return _error(503, "too_many_watchers", "too many dashboards are open")

    async def calls(_: web.Request) -> web.StreamResponse:
        at = now()
        return web.json_response(
            {
                "live": [record.summary(at) for record in registry.live()],
                "ended": [record.summary(at) for record in registry.ended()],
            }
        )

    async def call(request: web.Request) -> web.StreamResponse:
        record = registry.find(request.match_info["id"])
        if record is None:
            return _error(404, "unknown_call", "there is no such call, or it is forgotten")
        after, level = request.query.get("after", "0"), request.query.get("level", "0")
        if not (_COUNT.fullmatch(after) and _COUNT.fullmatch(level)):
            return _error(422, "bad_field", "after and level are whole numbers of 15 digits at most")
        return web.json_response(record.timeline(now(), int(after), int(level)))

    async def for_prometheus(_: web.Request) -> web.StreamResponse:
        return web.Response(body=metrics.exposition(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE})

    async def counting(_: web.Application) -> AsyncIterator[None]:
        registry.start()
        provider_failures.add_listener(registry)
        yield
        provider_failures.remove_listener(registry)
        registry.stop()

    async def let_watchers_go(_: web.Application) -> None:
        stream.close()

    async def note_refusal(request: web.Request, response: web.StreamResponse) -> None:
        if response.status >= 400 and request.method == hdrs.METH_POST and request.path == "/api/offer":
            code = _code(response)
            # A proxy asks elsewhere then, and counts who gets in nowhere.
            if PLACE not in request or code not in (AT_CAPACITY, NO_STANDING_CALL):
                registry.refused(code)

    app.router.add_get("/dashboard", overview)
    app.router.add_get("/dashboard/calls/{id}", call_page)
    app.router.add_get("/api/events", guarded(events))
    app.router.add_get("/api/calls", guarded(calls))
    app.router.add_get("/api/calls/{id}", guarded(call))
    app.router.add_get("/metrics", guarded(for_prometheus))
    app.cleanup_ctx.append(counting)
    app.on_shutdown.insert(0, let_watchers_go)  # first: the server waits for all requests to end
    app.on_response_prepare.append(note_refusal)
    return stream


def _error(status: int, code: str, reason: str) -> web.Response:
    return web.json_response({"code": code, "reason": reason}, status=status)


def _code(response: web.StreamResponse) -> str:
    """The word for programs in an error of the server's own."""
    try:
        return str(json.loads(response.text or "")["code"])  # pyright: ignore[reportAttributeAccessIssue]
    except (AttributeError, KeyError, TypeError, ValueError):
        logger.debug("an offer was refused without a code")
        return str(response.status)
