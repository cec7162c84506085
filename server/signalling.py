"""HTTP: signalling for calls, the page, and what the process can say about itself.

The wire format of ``/api/offer`` is that of Pipecat's SmallWebRTC transport, so its clients work as they are.
Every error is JSON ``{"code": a word for programs, "reason": a sentence for people}``.
"""

import asyncio
import math
import mimetypes
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from loguru import logger
from pydantic import BaseModel, SecretStr, ValidationError

from admission.loop_lag import LoopLag
from admission.shared_places import OwnPlaces, Places
from admission.waiting_line import AddressLimit, Headroom, Wait, WaitingLine
from contracts.caller_identity import CallerIdentity
from server.access import Access, AccessError
from server.bodies import Candidates, Goodbye, Offer
from server.call_tokens import FIELD as TOKEN_FIELD
from server.call_tokens import CallTokens, TokenError
from server.ice_servers import IceServers
from server.request_guard import ADDRESS, PLACE, DoorParams, Doors, door_middleware
from transports.client_messages import MessageLimits
from transports.sdp import OfferError, parse_candidate
from transports.takeover import FIELD as CALLER_FIELD
from transports.takeover import CallerId, call_of, places_of_others, read_caller, says_ready
from transports.webrtc import Answer, WebRTCCall

Body = TypeVar("Body", bound=BaseModel)

MAX_BODY_BYTES: Final = 64 * 1024
BODY_SECS: Final = 10.0
"""How long a request's body may take to come."""

WEB_DIR: Final = Path(__file__).resolve().parent.parent / "web"

LOOP_LAG: Final = web.AppKey("loop_lag", LoopLag)
"""Where the application keeps the event loop's lag."""

LAG_SECS: Final = 5.0
"""The lag that counts is that of so long."""

AT_CAPACITY: Final = "at_capacity"
NO_STANDING_CALL: Final = "no_standing_call"

STOPPED_RETRY_SECS: Final = 10
"""When a server that stops may be there again."""

PARTING_SECS: Final = 10.0
"""So long before a stop ends what is left of the calls, the callers are told."""

BUSY_ADDRESS_RETRY_SECS: Final = 10
"""When an address that has all the calls that it may have is to ask again."""

HANG_UP_SECS: Final = 5.0
"""How long a call's pipeline may go on after the call has closed, before it is cancelled."""

_MIME_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Spelt out because the system's own table differs between machines, and a module of the wrong type does not run."""

_PAGE_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ServerSettings(Protocol):
    """What the server needs to know."""

    @property
    def max_calls(self) -> int:
        """Calls that the process takes at once."""
        ...

    @property
    def ice_servers(self) -> IceServers:
        """STUN and TURN servers, for us and for clients."""
        ...

    @property
    def connect_timeout_secs(self) -> float:
        """How long a peer may take to connect after its offer."""
        ...

    @property
    def hold_secs(self) -> float:
        """How long a lost call waits for its caller."""
        ...

    @property
    def max_loop_lag_ms(self) -> float:
        """How late the event loop may be for another call; 0: any lag."""
        ...

    @property
    def offers_per_minute(self) -> int:
        """Offers that one address may make, for a new call or an old one; 0: any number."""
        ...

    @property
    def calls_per_caller(self) -> int:
        """Calls at once of one caller whom tokens name; 0: any number."""
        ...

    @property
    def calls_per_address(self) -> int:
        """Calls at once of one address; 0: any number."""
        ...

    @property
    def message_limits(self) -> MessageLimits:
        """What one call's client may send over the data channel."""
        ...


class ApiError(Exception):
    """An answer that is an error.

    Parameters:
        status: HTTP status.
        code: A word for programs.
        reason: A sentence for people.
        extra: Further fields of the body.
        headers: Further headers.
    """

    def __init__(
        self,
        status: int,
        code: str,
        reason: str,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason
        self.extra = extra or {}
        self.headers = headers

    def response(self) -> web.Response:
        """The HTTP response."""
        body = {"code": self.code, "reason": self.reason, **self.extra}
        return web.json_response(body, status=self.status, headers=self.headers)


class Calls:
    """The calls of this process.

    Parameters:
        settings: Limits and timeouts.
        start_call: Runs a call's pipeline from its first offer to its end.
        lag: How late the event loop is.
        places: What is shared with other processes.
    """

    def __init__(
        self,
        settings: ServerSettings,
        start_call: Callable[[WebRTCCall], Awaitable[None]],
        lag: LoopLag,
        places: Places | None = None,
    ) -> None:
        self._settings = settings
        self._start_call = start_call
        self._calls: dict[WebRTCCall, asyncio.Task[None] | None] = {}
        self._places_of: dict[WebRTCCall, str] = {}
        self._address_of: dict[WebRTCCall, str | None] = {}
        self._line = WaitingLine()
        self._room = Headroom(settings.max_loop_lag_ms)
        self._asked = AddressLimit(settings.offers_per_minute)
        self._lag = lag
        self._stops = False
        self._refused = 0
        self._entering = 0
        self._places = places or OwnPlaces()

    def __len__(self) -> int:
        """Calls that take up a place, from their offer until all that they held is freed."""
        return len(self._calls)

    async def open(
        self,
        sdp: str,
        caller: CallerId | None = None,
        address: str | None = None,
        place: str | None = None,
        *,
        who: CallerIdentity | TokenError | None = None,
        request_data: Any = None,
    ) -> dict[str, str]:
        """Answer a first offer and start its call; or, if the caller has one, let it go on here.

        Parameters:
            sdp: The offer.
            caller: Whose it is.
            address: Where it comes from, as limits count it; None: no limit holds it up.
            place: See :data:`PLACE`.
            who: Who it is by a signed token, or why that is not known; None: nobody asks for tokens.
            request_data: What the client sent beside the offer.

        Raises:
            ApiError: The house is full, or closing, this address asks too often or has too many calls, or the token is
                not taken.
            OfferError: The offer cannot be answered.
        """
        self._count(address)
        if (standing := call_of(self._calls, caller)) is not None:
            # The call outlives its token; but nobody takes over another one's.
            if isinstance(who, CallerIdentity) and _differ(standing.identity, who):
                raise ApiError(403, "other_caller", "the call belongs to another caller")
            try:
                return _answered(await standing.answer(sdp, restart_pc=True, moves=True))
            except OfferError as error:
                if error.code != "call_over":
                    raise
        if place == "":
            raise ApiError(409, NO_STANDING_CALL, "this caller has no call here")
        if isinstance(who, TokenError):
            raise token_refused(who)
        # Behind a front the line is the front's: a name that this one kept would keep a place that nobody asks for.
        self._admit(caller, address, waits=place is None, identity=who)
        name = place or secrets.token_hex(8)
        self._entering += 1  # before anything is awaited, so that the count holds
        try:
            if not await self._places.take(name):
                raise self._full(caller if place is None else None)
        finally:
            self._entering -= 1
        call = WebRTCCall(
            ice_servers=self._settings.ice_servers,
            connect_timeout_secs=self._settings.connect_timeout_secs,
            caller=caller,
            hold_secs=self._settings.hold_secs,
            message_limits=self._settings.message_limits,
            identity=who,
            request_data=_for_tools(request_data),
        )
        self._calls[call] = None
        self._places_of[call], self._address_of[call] = name, address
        try:
            answer = await call.answer(sdp)
        except BaseException:
            del self._calls[call], self._places_of[call], self._address_of[call]
            await self._places.give_back(name)
            raise
        self._calls[call] = asyncio.create_task(self._run(call, name))
        return _answered(answer)

    async def renegotiate(
        self,
        pc_id: str,
        sdp: str,
        *,
        restart_pc: bool,
        caller: CallerId | None = None,
        address: str | None = None,
        says_ready: bool = False,
    ) -> dict[str, str]:
        """Answer a later offer of a call; for the parameters see :meth:`~transports.webrtc.WebRTCCall.answer`.

        Raises:
            ApiError: There is no such call, or this address asks too often.
            OfferError: The offer cannot be answered.
        """
        self._count(address)
        call = self.find_own(pc_id, caller)
        return _answered(await call.answer(sdp, restart_pc=restart_pc, says_ready=says_ready))

    def find_own(self, pc_id: str, caller: CallerId | None) -> WebRTCCall:
        """The call with this peer connection, if it is this caller's.

        Raises:
            ApiError: There is none, or it is somebody else's, or another page of theirs has it.
        """
        call = next((call for call in self._calls if call.has_peer(pc_id)), None)
        if call is None and call_of(self._calls, caller) is not None:
            raise ApiError(409, "call_moved", "the call goes on in another page")
        if call is None or (call.caller is not None and call.caller != caller):
            raise unknown_call()
        return call

    def find(self, pc_id: str) -> WebRTCCall:
        """The call with this peer connection.

        Raises:
            ApiError: There is none.
        """
        for call in self._calls:
            if call.has_peer(pc_id):
                return call
        raise unknown_call()

    async def close(self) -> None:
        """End all calls; returns when they are gone."""
        tasks = [task for task in self._calls.values() if task is not None]
        await asyncio.gather(*(call.close("the server stops") for call in list(self._calls)))
        if tasks:
            await asyncio.wait(tasks, timeout=2 * HANG_UP_SECS)

    async def drain(self, secs: float) -> None:
        """Take no more calls, and let those that run come to their own end; returns when they are gone, or in so long.

        Those that are left shortly before the end are told that the line closes (:data:`PARTING_SECS`).
        """
        self._stops = True
        until = asyncio.get_running_loop().time() + secs
        await self._gone_by(until - PARTING_SECS)
        for call in list(self._calls):
            call.part()
        await self._gone_by(until)

    @property
    def draining(self) -> bool:
        """Whether no further call is taken, since the process stops."""
        return self._stops

    async def _gone_by(self, until: float) -> None:
        """Wait until there are no calls, but not longer than the loop's time says."""
        while (left := until - asyncio.get_running_loop().time()) > 0 and self._calls:
            tasks = [task for task in self._calls.values() if task is not None]
            # One that is being answered has no task yet.
            await asyncio.wait(tasks, timeout=left) if tasks else await asyncio.sleep(min(left, 0.05))

    def held(self) -> dict[str, Any]:
        """Names of the places that calls take up, and of their peer connections; and how many calls there may be."""
        peers = [name for call in self._calls for name in call.peer_names]
        return {"places": list(self._places_of.values()), "peers": peers, "max_calls": self._settings.max_calls}

    def snapshot(self) -> dict[str, int]:
        """Plain values for the dashboard."""
        return {"waiting": len(self._line), "refused": self._refused}

    def _count(self, address: str | None) -> None:
        """Count an offer of whatever kind.

        Raises:
            ApiError: It is one too many.
        """
        now = asyncio.get_running_loop().time()
        if address is not None and (wait_secs := self._asked.wait_secs(address, now)) > 0:
            raise too_many_offers(wait_secs)

    def _admit(
        self,
        caller: CallerId | None,
        address: str | None,
        waits: bool = True,
        identity: CallerIdentity | None = None,
    ) -> None:
        """Let the caller in.

        Parameters:
            caller: Who asks.
            address: From where.
            waits: Whether the caller waits in this server's own line.
            identity: Who it is by a signed token.

        Raises:
            ApiError: Not now.
        """
        now = asyncio.get_running_loop().time()
        if self._stops:
            raise stopping()
        most = self._settings.calls_per_address
        if address is not None and most and self._calls_from(address, caller) >= most:
            raise too_many_calls()
        mine = self._settings.calls_per_caller
        if identity is not None and mine and self._calls_by(identity, caller) >= mine:
            raise later(429, "too_many_calls", "this caller has too many calls at once", BUSY_ADDRESS_RETRY_SECS)
        others = places_of_others(self._calls, caller) + self._entering
        free = self._settings.max_calls - others
        if (
            free > 0
            and len(self._calls) == others
            and not self._room.allows(others, self._lag.percentiles(LAG_SECS)["lag_p95_ms"])
        ):
            free = 0
        wait = self._line.knock(caller if waits else None, free, now)
        if wait is not None:
            raise self._at_capacity(wait)

    def _calls_from(self, address: str, caller: CallerId | None) -> int:
        """Calls of others at an address; one of the caller's own that is closing makes room."""
        own = {call for call in self._calls if caller is not None and call.caller == caller}
        return sum(1 for call, known in self._address_of.items() if known == address and call not in own)

    def _calls_by(self, identity: CallerIdentity, caller: CallerId | None) -> int:
        """Calls of somebody whom tokens name, beside one that is closing on this very page."""
        return sum(
            1
            for call in self._calls
            if not _differ(call.identity, identity) and (caller is None or call.caller != caller)
        )

    def _full(self, caller: CallerId | None) -> ApiError:
        """Other processes have taken what is left."""
        return self._at_capacity(self._line.put_back(caller, asyncio.get_running_loop().time()))

    def _at_capacity(self, wait: Wait) -> ApiError:
        self._refused += 1
        return at_capacity(wait)

    async def _run(self, call: WebRTCCall, name: str) -> None:
        pipeline = asyncio.ensure_future(self._start_call(call))
        closed = asyncio.create_task(call.closed.wait())
        try:
            await asyncio.wait({pipeline, closed}, return_when=asyncio.FIRST_COMPLETED)
            await call.close("the pipeline ended")
            await asyncio.wait({pipeline}, timeout=HANG_UP_SECS)
            if not pipeline.done():
                logger.warning(f"the pipeline of call {call.pc_id} went on after its end and is cancelled")
                pipeline.cancel()
                await asyncio.wait({pipeline}, timeout=HANG_UP_SECS)
            if pipeline.done() and not pipeline.cancelled() and (error := pipeline.exception()) is not None:
                logger.opt(exception=error).error(f"the pipeline of call {call.pc_id} failed")
        finally:
            closed.cancel()
            del self._calls[call], self._places_of[call], self._address_of[call]
            await self._places.give_back(name)


CALLS: Final = web.AppKey("calls", Calls)
"""Where the application keeps its calls."""


def later(status: int, code: str, reason: str, secs: int, extra: Mapping[str, Any] | None = None) -> ApiError:
    """An answer that says when to ask again (RFC 9110 section 10.2.3)."""
    told = {"retry_after_secs": secs, **(extra or {})}
    return ApiError(status, code, reason, extra=told, headers={"Retry-After": str(secs)})


def unknown_call() -> ApiError:
    """No call has this peer connection."""
    return ApiError(404, "unknown_pc_id", "there is no call with this pc_id")


def stopping() -> ApiError:
    """Nobody is taken any more."""
    return later(503, "stopping", "the server stops", STOPPED_RETRY_SECS)


def too_many_offers(wait_secs: float) -> ApiError:
    """An address has asked more often than it may."""
    return later(429, "too_many_offers", "this address asks for too many calls", math.ceil(wait_secs))


def too_many_calls() -> ApiError:
    """An address has as many calls as it may."""
    return later(429, "too_many_calls", "this address has too many calls at once", BUSY_ADDRESS_RETRY_SECS)


def at_capacity(wait: Wait) -> ApiError:
    """The house is full."""
    return later(503, AT_CAPACITY, "all lines are busy", wait.retry_after_secs, {"queue_position": wait.position})


def address_of(request: web.Request) -> str | None:
    """The address that asks, as limits count it; None: no limit holds up what comes from this machine itself."""
    return request.get(ADDRESS)


def readiness(status: str) -> web.Response:
    """What ``GET /ready`` tells a balancer: whether new calls may come here. A full house takes them: it has a line."""
    return web.json_response({"status": status}, status=200 if status == "ready" else 503)


def token_refused(error: TokenError) -> ApiError:
    """A call token is missing or is not taken (RFC 6750, section 3)."""
    return ApiError(401, error.code, error.reason, headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="Parley calls"'})


def identified(tokens: CallTokens, request: web.Request, request_data: Any) -> CallerIdentity | TokenError | None:
    """Who makes an offer, or why that is not known."""
    try:
        return tokens.identify(request, request_data)
    except TokenError as error:
        return error


def _differ(one: CallerIdentity | None, other: CallerIdentity | None) -> bool:
    return (one.subject if one is not None else None) != (other.subject if other is not None else None)


def _for_tools(request_data: Any) -> dict[str, Any]:
    """What a client sent beside its offer, without the tokens in it."""
    if not isinstance(request_data, Mapping):
        return {}
    return {str(key): value for key, value in request_data.items() if key not in (TOKEN_FIELD, CALLER_FIELD)}


def _answered(answer: Answer) -> dict[str, str]:
    return {"sdp": answer.sdp, "type": answer.type, "pc_id": answer.pc_id}


def make_app(
    settings: ServerSettings,
    start_call: Callable[[WebRTCCall], Awaitable[None]],
    *,
    info: Callable[[], Mapping[str, Any]] = dict,
    places: Places | None = None,
    doors: Doors | None = None,
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
        doors: Which requests are served; by default those that are meant for this machine.
        access: Who may see the process's figures; by default whoever is on this machine.
        tokens: What callers need; by default nothing.
        web_dir: The page's files.

    Returns:
        The application; on shutdown it ends all calls.
    """
    door = door_middleware(doors or Doors(DoorParams()))
    access = access or Access(SecretStr(""))
    tokens = tokens or CallTokens()
    app = web.Application(middlewares=[door, errors_as_json], client_max_size=MAX_BODY_BYTES)
    lag = app[LOOP_LAG] = LoopLag()
    calls = app[CALLS] = Calls(settings, start_call, lag, places)

    async def offer(request: web.Request) -> web.Response:
        body = await read_body(request, Offer)
        if body.pc_id:
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
        return web.json_response({"status": status, "calls": len(calls), "max_calls": settings.max_calls})

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


async def read_body(request: web.Request, model: type[Body]) -> Body:
    """A request's body.

    Raises:
        ApiError: It is none.
    """
    if request.content_type != "application/json":
        raise ApiError(415, "not_json", "the body must be application/json")
    try:
        async with asyncio.timeout(BODY_SECS):
            text = await request.read()
    except TimeoutError:
        raise ApiError(408, "too_slow", f"the body took longer than {BODY_SECS:g} s") from None
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise ApiError(400, "bad_json", "the body is not JSON") from None
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise ApiError(422, "bad_field", f"{where}: {first['msg']}") from None


def file_response(root: Path, name: str) -> web.FileResponse:
    """A file of the page.

    Parameters:
        root: The page's folder; nothing outside it is served.
        name: The path below it.

    Raises:
        ApiError: There is none.
    """
    root = root.resolve()
    try:
        path = (root / name).resolve()
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if hidden or not path.is_relative_to(root) or not path.is_file():
            raise ValueError(name)
    except (OSError, ValueError):  # also a name that no file system takes
        raise ApiError(404, "not_found", "there is no such page") from None
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    content_type = _MIME_TYPES.get(path.suffix.lower(), guessed)
    return web.FileResponse(path, headers={hdrs.CONTENT_TYPE: content_type, **_PAGE_HEADERS})


@web.middleware
async def errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer with an error's JSON what a handler raises."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except OfferError as error:
        return ApiError(404 if error.code == "call_over" else 400, error.code, error.reason).response()
    except web.HTTPRequestEntityTooLarge:
        return ApiError(413, "too_large", f"the body is larger than {MAX_BODY_BYTES} bytes").response()
    except web.HTTPMethodNotAllowed as error:
        allow = {"Allow": error.headers[hdrs.ALLOW]}
        return ApiError(405, "wrong_method", "this address does not take that method", headers=allow).response()
    except web.HTTPException as error:
        return ApiError(error.status, "http_error", error.reason.lower()).response()
    except (HttpProcessingError, web.RequestPayloadError):
        return ApiError(400, "bad_body", "the body cannot be read").response()
    except ConnectionError:  # the client has gone
        raise
    except Exception:  # the boundary to the network: the caller learns that, not why, it failed
        logger.exception(f"{request.method} {request.path} failed")
        return ApiError(500, "internal", "something went wrong on our side").response()
