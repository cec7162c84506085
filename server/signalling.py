"""HTTP: signalling for calls, the page, and what the process can say about itself.

The wire format of ``/api/offer`` is that of Pipecat's SmallWebRTC transport, so its clients work as they are.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from pydantic import SecretStr

from admission.loop_lag import LoopLag
from admission.shared_places import Places
from cluster.node import ClusterNode
from contracts.caller_identity import CallerIdentity
from server.access import Access, AccessError
from server.bodies import Candidates, Goodbye, Offer, read_body
from server.call_tokens import CallTokens, TokenError
from server.calls import CALLS, Calls, ServerSettings
from server.cluster_routes import TAKEN_UP, ClusterRoutes
from server.errors import MAX_BODY_BYTES, errors_as_json
from server.pages import WEB_DIR, file_response
from server.request_guard import ADDRESS, PLACE, GuardParams, RequestGuard, guard_middleware
from transports.sdp import parse_candidate
from transports.takeover import read_caller, says_ready

LOOP_LAG: Final = web.AppKey("loop_lag", LoopLag)
"""Where the application keeps the event loop's lag."""


def address_of(request: web.Request) -> str | None:
    """The address that asks, as limits count it; None: no limit holds up what comes from this machine itself."""
    return request.get(ADDRESS)


def identified(tokens: CallTokens, request: web.Request, request_data: Any) -> CallerIdentity | TokenError | None:
    """Who makes an offer, or why that is not known."""
    try:
        return tokens.identify(request, request_data)
    except TokenError as error:
        return error


def readiness(status: str) -> web.Response:
    """What ``GET /ready`` tells a balancer: whether new calls may come here. At capacity they may, and queue."""
    return web.json_response({"status": status}, status=200 if status == "ready" else 503)


def make_app(
    settings: ServerSettings,
    start_call: Callable[[Any], Awaitable[None]],
    *,
    info: Callable[[], Mapping[str, Any]] = dict,
    places: Places | None = None,
    node: ClusterNode | None = None,
    guard: RequestGuard | None = None,
    access: Access | None = None,
    tokens: CallTokens | None = None,
    web_dir: Path = WEB_DIR,
) -> web.Application:
    """Make the web application.

    Parameters:
        settings: Limits and timeouts.
        start_call: Runs a call's pipeline from its first offer to its end. The call is closed when it returns; when
            the call closes first, it has a few seconds to return.
        info: What ``GET /api/info`` says, beside the ICE servers if there are any: the providers in use, warnings.
        places: How many calls all processes together may have, if they share a limit.
        node: This process among several that go on with each other's calls; None: it is alone.
        guard: Which requests are served; by default those that are meant for this machine.
        access: Who may see the process's figures; by default whoever is on this machine.
        tokens: What callers need; by default nothing.
        web_dir: The page's files.

    Returns:
        The application; on shutdown it ends all calls.
    """
    admit = guard_middleware(guard or RequestGuard(GuardParams()))
    access = access or Access(SecretStr(""))
    tokens = tokens or CallTokens()
    app = web.Application(middlewares=[admit, errors_as_json], client_max_size=MAX_BODY_BYTES)
    lag = app[LOOP_LAG] = LoopLag()
    calls = app[CALLS] = Calls(settings, start_call, lag, places, node)
    if node is not None:
        ClusterRoutes(node).add_to(app)

    async def offer(request: web.Request) -> web.Response:
        body = await read_body(request, Offer)
        taken = request.get(TAKEN_UP)
        if body.pc_id and taken is None:
            answer = await calls.renegotiate(
                body.pc_id,
                body.sdp,
                restart_pc=bool(body.restart_pc),
                caller=read_caller(body.request_data),
                address=address_of(request),
                says_ready=says_ready(body.request_data),
            )
        else:
            answer = await calls.open(
                body.sdp,
                read_caller(body.request_data),
                address_of(request),
                request.get(PLACE),
                who=identified(tokens, request, body.request_data),
                request_data=body.request_data,
                taken=taken,
            )
        return web.json_response(answer)

    async def trickle(request: web.Request) -> web.Response:
        body = await read_body(request, Candidates)
        call = calls.find(body.pc_id)
        candidates = [parse_candidate(c.candidate, c.sdp_mid, c.sdp_mline_index) for c in body.candidates]
        for candidate in candidates:
            await call.add_candidate(body.pc_id, candidate)
        return web.json_response({"status": "success"})

    async def goodbye(request: web.Request) -> web.Response:
        body = await read_body(request, Goodbye)
        await calls.find_own(body.pc_id, read_caller(body.request_data)).close("the caller hung up")
        return web.json_response({"status": "success"})

    async def health(_: web.Request) -> web.Response:
        status = "draining" if calls.draining else "ok" if len(calls) < settings.max_calls else "full"
        named = {} if node is None else {"node": node.name}
        return web.json_response({"status": status, "calls": len(calls), "max_calls": settings.max_calls, **named})

    async def ready(_: web.Request) -> web.Response:
        return readiness("draining" if calls.draining else "ready")

    async def about(request: web.Request) -> web.Response:
        # Credentials of TURN servers are for those who may call.
        known = not tokens.required or isinstance(identified(tokens, request, None), CallerIdentity)
        servers = settings.ice_servers.for_client() if known else []
        return web.json_response({**info(), "ice_servers": servers} if servers else dict(info()))

    async def stats(request: web.Request) -> web.Response:
        try:
            access.require(request)
        except AccessError as error:
            return error.response()
        body = {"calls": len(calls), **lag.percentiles()}
        if request.query.get("reset") == "1":
            lag.reset()
        return web.json_response(body)

    async def page(request: web.Request) -> web.StreamResponse:
        return file_response(web_dir, request.match_info.get("path") or "index.html")

    async def running(_: web.Application) -> AsyncIterator[None]:
        lag.start()
        yield
        lag.stop()

    async def hang_up(_: web.Application) -> None:
        await calls.close()

    app.cleanup_ctx.append(running)
    app.on_shutdown.append(hang_up)
    app.router.add_post("/api/offer", offer)
    app.router.add_patch("/api/offer", trickle)
    app.router.add_delete("/api/offer", goodbye)
    app.router.add_get("/api/info", about)
    app.router.add_get("/health", health)
    app.router.add_get("/ready", ready)
    app.router.add_get("/stats", stats)
    app.router.add_get("/{path:(?!api/).*}", page)
    return app
