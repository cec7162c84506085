"""Any node takes any request: what belongs to another node is passed on, what a dead one has left is taken up.

Nodes show each other a secret that they share through Redis; a client's address and name go along, so that limits and
checks are those of the node that serves.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import aiohttp
from aiohttp import hdrs, web
from loguru import logger
from pydantic import BaseModel, Field, ValidationError

from cluster.node import ClusterNode, TakenUp
from cluster.routing import Asked, Way, node_of
from cluster.store import NodeInfo
from server.calls import CALLS
from server.errors import ApiError
from server.request_guard import ADDRESS
from transports.sdp import OfferError
from transports.takeover import CallerId, caller_of_peer, heard_there, read_caller

SECRET_HEADER: Final = "X-Parley-Node"
ADDRESS_HEADER: Final = "X-Parley-Node-Address"
"""The client's address, as limits count it."""

TAKEN_UP: Final = web.RequestKey("taken_up", TakenUp)
"""Where a request holds the call that it goes on with."""

CONNECT_SECS: Final = 0.5
ANSWER_SECS: Final = 10.0
LOOK_SECS: Final = 0.25
"""While another node does not answer, so often it is looked whether it is alive."""

_PASSED: Final = (hdrs.CONTENT_TYPE, hdrs.AUTHORIZATION, hdrs.HOST, hdrs.ORIGIN, hdrs.X_FORWARDED_PROTO)
_RETURNED: Final = (hdrs.CONTENT_TYPE, hdrs.RETRY_AFTER)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Named(BaseModel):
    """What every body of ``/api/offer`` may say of the call that it is about."""

    pc_id: str | None = None
    request_data: Any = Field(default=None, alias="requestData")


class ClusterRoutes:
    """One node's.

    Args:
        node: The node.
    """

    def __init__(self, node: ClusterNode) -> None:
        self._node = node
        self._http: aiohttp.ClientSession | None = None
        self.passed_on = 0
        """Requests that were passed on so far."""

    def add_to(self, app: web.Application) -> None:
        """Serve."""

        @web.middleware
        async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path != "/api/offer" or request.method == hdrs.METH_OPTIONS:
                return await handler(request)
            return await self._serve(request, handler)

        async def running(_: web.Application) -> AsyncIterator[None]:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
            )
            self._node.start()
            yield
            await self._node.close()
            await self._http.close()

        app.middlewares.append(serve)  # the innermost: requests have been looked at
        app.cleanup_ctx.append(running)

    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        calls = request.app[CALLS]
        passed = self._came_from_a_node(request)
        if passed:
            request.pop(ADDRESS, None)
            if (address := request.headers.get(ADDRESS_HEADER)) is not None:
                request[ADDRESS] = address
        try:
            named = _Named.model_validate_json(await request.read())
            caller = read_caller(named.request_data)
        except (ValidationError, OfferError):
            return await handler(request)  # which says what is wrong
        if caller is None and named.pc_id:
            caller = caller_of_peer(named.pc_id)
        asked = Asked(
            has_call=calls.has(named.pc_id, caller),
            owner=None,
            pc_node=node_of(named.pc_id),
            offers=request.method == hdrs.METH_POST,
            may_pass=not passed,
        )
        route = await self._node.route(asked, caller, draining=calls.draining)
        if route.way is Way.PASS_ON and route.node is not None:
            answer = await self._pass_on(request, route.node)
            if answer is not None:
                return answer
            logger.info("node {} does not answer", route.node.node)
        if route.way is not Way.HERE and asked.offers and caller is not None:
            await self._take_up(request, caller, heard_there(named.request_data))
        return await handler(request)

    async def _take_up(self, request: web.Request, caller: CallerId, heard: tuple[int, int] | None) -> None:
        if (taken := await self._node.take_up(caller, heard)) is not None:
            logger.info("call {}: taken up from a node that is gone", taken.state.call_id)
            request[TAKEN_UP] = taken

    def _came_from_a_node(self, request: web.Request) -> bool:
        given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        return bool(self._node.secret) and hmac.compare_digest(given, self._node.secret.encode())

    async def _pass_on(self, request: web.Request, node: NodeInfo) -> web.Response | None:
        """The other node's answer; None if it is dead."""
        asking = asyncio.ensure_future(self._asked(request, node))
        try:
            while not (await asyncio.wait([asking], timeout=LOOK_SECS))[0]:
                if not await self._node.is_alive(node.node):
                    return None
            self.passed_on += 1
            return asking.result()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.debug("node {}: {}", node.node, type(error).__name__)
            return None
        finally:
            asking.cancel()

    async def _asked(self, request: web.Request, node: NodeInfo) -> web.Response:
        if self._http is None:
            raise ApiError(503, "stopping", "this node stops")
        headers: dict[str, str] = {str(name): request.headers[name] for name in _PASSED if name in request.headers}
        headers[SECRET_HEADER] = self._node.secret
        if (address := request.get(ADDRESS)) is not None:
            headers[ADDRESS_HEADER] = address
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECS, sock_connect=CONNECT_SECS)
        async with self._http.request(
            request.method, node.url + request.path_qs, data=await request.read(), headers=headers, timeout=timeout
        ) as answer:
            returned = {name: answer.headers[name] for name in _RETURNED if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=returned)
