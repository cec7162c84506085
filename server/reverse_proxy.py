"""The one port of several bot processes: who gets a request, says :mod:`server.dispatch`; here it is passed on.

| address | what becomes of it |
|---|---|
| ``/api/offer`` | to the worker whose call it is about, or to the least loaded one |
| ``/health``, ``/stats``, ``/metrics`` | asked of all workers, and put together |
| ``/dashboard``, ``/api/calls``, ``/api/events`` | the first worker's; ``/workers/N/dashboard`` is that of worker N |
| ``/api/info`` | any worker's |
| all other pages | from here |

Voice does not come through here: callers and workers send it to each other.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import HttpVersion11, hdrs, web
from multidict import CIMultiDict
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import generate_latest
from pydantic import BaseModel
from yarl import URL

from admission.caller_queue import Wait
from observe.merged import merged
from observe.metrics import CONTENT_TYPE
from server.access import Access, AccessError
from server.bodies import Candidates, Goodbye, Offer, read_body
from server.call_tokens import CallTokens, TokenError
from server.dispatch import Dispatcher, Limited, NoWorker, Refusal, Stopping, TakeOver, Ticket, TooManyCalls
from server.errors import (
    MAX_BODY_BYTES,
    NO_STANDING_CALL,
    ApiError,
    at_capacity,
    errors_as_json,
    later,
    stopping,
    token_refused,
    too_many_calls,
    too_many_offers,
    unknown_call,
)
from server.pages import WEB_DIR, file_response
from server.request_guard import GuardParams, RequestGuard, guard_middleware
from server.signalling import address_of, identified, readiness
from server.worker import HEADERS, PLACE_HEADER, REMOTE_HEADER, SECRET_HEADER
from server.workers import Workers
from transports.sdp import OfferError
from transports.takeover import CallerId, read_caller

NO_WORKER_RETRY_SECS: Final = 2
ANSWER_SECS: Final = 15.0
"""How long a worker may take to answer: longer than it takes itself to give an offer up."""

ASK_SECS: Final = 2.0
"""How long it may take to tell figures."""

WRITE_SECS: Final = 10.0
"""A client that takes nothing for so long is let go."""

_ONE: Final = r"/workers/{worker:\d{1,4}}"
"""One worker's dashboard stands below this, with the same addresses."""

_ONE_HOP: Final = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te"),
        *("trailer", "transfer-encoding", "upgrade", "expect", "content-length", "host"),
        *(name.lower() for name in HEADERS),
    )
)
"""Headers that are not passed on, or made anew. What a client's ``Connection`` names is passed on all the same: else it
could take away the headers by which a proxy tells that it stands in between."""


@dataclass(frozen=True)
class _Answer:
    """What a worker answered.

    Attributes:
        status: HTTP status.
        headers: Those that are passed on.
        body: All of it.
    """

    status: int
    headers: CIMultiDict[str]
    body: bytes

    def response(self) -> web.Response:
        """The same, to the client."""
        return web.Response(status=self.status, headers=self.headers, body=self.body)


class ReverseProxy:
    """Passes requests on.

    Args:
        dispatcher: Knows to whom.
        workers: Those who answer.
        http: Asks them.
        secret: Tells them that it is the proxy who asks.
        tokens: What callers need; by default nothing.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        workers: Workers,
        http: aiohttp.ClientSession,
        secret: str,
        tokens: CallTokens | None = None,
    ) -> None:
        self._tokens = tokens or CallTokens()
        self._dispatcher = dispatcher
        self._workers = workers
        self._http = http
        self._secret = secret
        self._registry = CollectorRegistry()
        self._refused = Counter("parley_calls_refused", "Offers refused, by why.", ["code"], registry=self._registry)
        waiting = Gauge("parley_callers_waiting", "Callers who wait in the queue.", registry=self._registry)
        waiting.set_function(lambda: dispatcher.waiting)
        ready = Gauge("parley_workers_ready", "Processes that take calls.", registry=self._registry)
        ready.set_function(lambda: len(self._live()))

    # --- calls -------------------------------------------------------------------------------

    async def offer(self, request: web.Request) -> web.Response:
        """``POST /api/offer``."""
        try:
            body = await read_body(request, Offer)
            caller = read_caller(body.request_data)
            if body.pc_id:
                if (limited := self._dispatcher.counted(address_of(request), self._now())) is not None:
                    raise _refused(limited)
                return (await self._about_a_call(request, body.pc_id, caller)).response()
            who = identified(self._tokens, request, body.request_data)
            # Who has a call goes on with it, though its token may have expired; the worker decides.
            if isinstance(who, TokenError) and self._dispatcher.owner("", caller) is None:
                raise token_refused(who)
            return (await self._open(request, caller)).response()
        except (ApiError, OfferError) as error:
            self._refused.labels(error.code).inc()
            raise

    async def trickle(self, request: web.Request) -> web.Response:
        """``PATCH /api/offer``."""
        body = await read_body(request, Candidates)
        return (await self._about_a_call(request, body.pc_id, None)).response()

    async def goodbye(self, request: web.Request) -> web.Response:
        """``DELETE /api/offer``."""
        body = await read_body(request, Goodbye)
        return (await self._about_a_call(request, body.pc_id, read_caller(body.request_data))).response()

    async def _open(self, request: web.Request, caller: CallerId | None) -> _Answer:
        """A first offer: try workers until one answers it."""
        dispatcher, address = self._dispatcher, address_of(request)
        goes_to = dispatcher.offered(caller, address, self._now())
        if isinstance(goes_to, TakeOver):
            answer = await self._ask(goes_to.worker, request)
            if answer.status != web.HTTPConflict.status_code or _code(answer) != NO_STANDING_CALL:
                self._note(goes_to.worker, answer)
                return answer
            goes_to = dispatcher.admit(caller, address, self._now())
        while isinstance(goes_to, Ticket):
            answer = await self._begin(goes_to, request)
            if answer is not None:
                return answer
            goes_to = dispatcher.elsewhere(goes_to, self._now())
        raise _refused(goes_to)

    async def _begin(self, ticket: Ticket, request: web.Request) -> _Answer | None:
        """Offer a call to a worker; None: it takes none now, or has gone."""
        try:
            answer = await self._pass_on(ticket.worker, request, ticket.name)
        except (aiohttp.ClientError, ConnectionError):
            return None
        except BaseException:  # too late, or the client has gone: the worker may have begun the call
            self._dispatcher.settled(ticket, self._now())
            raise
        if answer.status == web.HTTPServiceUnavailable.status_code:
            return None
        if answer.status == web.HTTPOk.status_code:
            self._dispatcher.settled(ticket, self._now())
            self._note(ticket.worker, answer)
        else:
            self._dispatcher.dropped(ticket)
        return answer

    async def _about_a_call(self, request: web.Request, pc_id: str, caller: CallerId | None) -> _Answer:
        worker = self._dispatcher.owner(pc_id, caller)
        if worker is None:
            raise unknown_call()
        answer = await self._ask(worker, request)
        self._note(worker, answer)
        return answer

    def _note(self, worker: int, answer: _Answer) -> None:
        """Keep in mind whose peer connection an answer names."""
        if answer.status == web.HTTPOk.status_code and (pc_id := _Named.model_validate_json(answer.body).pc_id):
            self._dispatcher.answered(worker, pc_id, self._now())

    # --- figures -----------------------------------------------------------------------------

    async def health(self, _: web.Request) -> web.Response:
        """``GET /health``."""
        await self._workers.look()
        live = self._live()
        calls = sum(self._dispatcher.taken(worker) for worker in live)
        most = sum(self._dispatcher.most(worker) for worker in live)
        body = {
            "status": self._status(live, calls < most),
            "calls": calls,
            "max_calls": most,
            "workers": len(self._workers),
            "workers_ready": len(live),
        }
        return web.json_response(body, status=200 if live else 503)

    async def ready(self, _: web.Request) -> web.Response:
        """``GET /ready``."""
        status = self._status(self._live(), has_room=True)
        return readiness("ready" if status == "ok" else status)

    def _status(self, live: Sequence[int], has_room: bool) -> str:
        if not live:
            return "down"
        if self._dispatcher.stops:
            return "draining"
        return "ok" if has_room else "full"

    async def stats(self, access: Access, request: web.Request) -> web.Response:
        """``GET /stats``: of each figure but the number of calls, the worst."""
        try:
            access.require(request)
        except AccessError as error:
            return error.response()
        path = "/stats?reset=1" if request.query.get("reset") == "1" else "/stats"
        texts = await asyncio.gather(*(self._tell(worker, path, request) for worker in self._live()))
        told: list[dict[str, Any]] = [json.loads(text) for text in texts if text]
        body: dict[str, float] = {"calls": sum(each["calls"] for each in told)}
        for name in (name for each in told for name in each if name != "calls"):
            body[name] = max(each.get(name, 0) for each in told)
        return web.json_response(body)

    async def metrics(self, access: Access, request: web.Request) -> web.Response:
        """``GET /metrics``."""
        try:
            access.require(request)
        except AccessError as error:
            return error.response()
        live = self._live()
        texts = await asyncio.gather(*(self._tell(worker, "/metrics", request) for worker in live))
        told = {str(worker): text.decode() for worker, text in zip(live, texts, strict=True) if text}
        body = merged({**told, "proxy": generate_latest(self._registry).decode()})
        return web.Response(body=body.encode(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE})

    async def _tell(self, worker: int, path: str, request: web.Request) -> bytes:
        """What a worker tells the proxy itself, for a client that may know; empty if it does not answer."""
        headers = {SECRET_HEADER: self._secret, REMOTE_HEADER: "127.0.0.1"}
        if (token := request.headers.get(hdrs.AUTHORIZATION)) is not None:
            headers[hdrs.AUTHORIZATION] = token
        timeout = aiohttp.ClientTimeout(total=ASK_SECS)
        try:
            async with self._http.get(self._workers.url(worker) + path, headers=headers, timeout=timeout) as answer:
                return await answer.read() if answer.status == web.HTTPOk.status_code else b""
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return b""

    # --- passing on --------------------------------------------------------------------------

    async def to_any(self, request: web.Request) -> web.StreamResponse:
        """To whichever worker is there."""
        if not (live := self._live()):
            raise _no_worker()
        return await self.stream(live[0], request)

    async def stream(self, worker: int, request: web.Request, path: str = "") -> web.StreamResponse:
        """Pass a request on, and the answer back as it comes, for as long as the client listens.

        Args:
            worker: To whom.
            request: The client's.
            path: What is asked of the worker, if it is not what the client asked.
        """
        if worker >= len(self._workers):
            raise ApiError(404, "unknown_worker", "there is no such worker")
        if not self._workers.url(worker):
            raise _no_worker()
        response: web.StreamResponse | None = None
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ASK_SECS)
        try:
            async with self._request(worker, request, path=path, timeout=timeout) as answer:
                response = web.StreamResponse(status=answer.status, headers=_passed_on(answer.headers))
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    async with asyncio.timeout(WRITE_SECS):
                        await response.write(chunk)
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            if response is None:
                raise _no_worker() from None
            if request.transport is not None:  # what the client has is not the whole, and must not look like it
                request.transport.abort()
        return response

    async def _ask(self, worker: int, request: web.Request) -> _Answer:
        """A worker's answer.

        Raises:
            ApiError: There is none.
        """
        try:
            return await self._pass_on(worker, request)
        except (aiohttp.ClientError, ConnectionError):
            raise _no_worker() from None

    async def _pass_on(self, worker: int, request: web.Request, place: str = "") -> _Answer:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECS)
        if not self._workers.url(worker):
            raise ConnectionError(f"worker {worker} has gone")
        try:
            body = await request.read()
            async with self._request(worker, request, place=place, body=body, timeout=timeout) as answer:
                return _Answer(answer.status, _passed_on(answer.headers), await answer.read())
        except TimeoutError:
            raise _no_worker() from None

    def _request(
        self,
        worker: int,
        request: web.Request,
        *,
        timeout: aiohttp.ClientTimeout,
        path: str = "",
        place: str = "",
        body: bytes | None = None,
    ) -> Any:
        url = URL(self._workers.url(worker) + (path or request.rel_url.raw_path_qs), encoded=True)
        headers = _passed_on(request.headers)
        # Both always: what one of them lacks would be taken to mean this machine.
        headers[hdrs.HOST] = request.headers.get(hdrs.HOST, "")
        headers[REMOTE_HEADER] = request.remote or ""
        if request.version < HttpVersion11:  # as a gateway does (RFC 9110, 7.6.3): else it would be taken for ours
            headers.add(hdrs.VIA, f"{request.version.major}.{request.version.minor} parley")
        headers[SECRET_HEADER] = self._secret
        headers[PLACE_HEADER] = place
        return self._http.request(
            request.method, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
        )

    def _live(self) -> list[int]:
        return self._dispatcher.live(self._now())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class _Named(BaseModel):
    """An answer that may name a peer connection, or an error."""

    pc_id: str = ""
    code: str = ""


def _code(answer: _Answer) -> str:
    return _Named.model_validate_json(answer.body).code


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _ONE_HOP)


def _no_worker() -> ApiError:
    return later(503, "no_worker", "no process of the bot answers just now", NO_WORKER_RETRY_SECS)


def _refused(refusal: Refusal) -> ApiError:
    match refusal:
        case Wait():
            return at_capacity(refusal)
        case Limited():
            return too_many_offers(refusal.wait_secs)
        case TooManyCalls():
            return too_many_calls()
        case Stopping():
            return stopping()
        case NoWorker():
            return _no_worker()


def make_proxy_app(
    proxy: ReverseProxy, access: Access, guard: RequestGuard | None = None, web_dir: Path = WEB_DIR
) -> web.Application:
    """Make the web application.

    Args:
        proxy: What answers.
        access: Who may see figures and metrics; for all else the workers ask.
        guard: Which requests are served; by default those that are meant for this machine.
        web_dir: The pages' files.
    """
    admit = guard_middleware(guard or RequestGuard(GuardParams()))
    app = web.Application(middlewares=[admit, errors_as_json], client_max_size=MAX_BODY_BYTES)

    async def stats(request: web.Request) -> web.StreamResponse:
        return await proxy.stats(access, request)

    async def metrics(request: web.Request) -> web.StreamResponse:
        return await proxy.metrics(access, request)

    async def of_the_first(request: web.Request) -> web.StreamResponse:
        return await proxy.stream(0, request)

    async def of_one(request: web.Request) -> web.StreamResponse:
        _, _, worker, path = request.rel_url.raw_path_qs.split("/", 3)
        return await proxy.stream(int(worker), request, f"/{path}")

    async def overview(_: web.Request) -> web.StreamResponse:
        return file_response(web_dir, "dashboard.html")

    async def call_page(_: web.Request) -> web.StreamResponse:
        return file_response(web_dir, "dashboard-call.html")

    async def page(request: web.Request) -> web.StreamResponse:
        return file_response(web_dir, request.match_info.get("path") or "index.html")

    async def talk(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={hdrs.LOCATION: "../../"})  # calls are begun at the proxy

    app.router.add_post("/api/offer", proxy.offer)
    app.router.add_patch("/api/offer", proxy.trickle)
    app.router.add_delete("/api/offer", proxy.goodbye)
    app.router.add_get("/api/info", proxy.to_any)
    app.router.add_get("/health", proxy.health)
    app.router.add_get("/ready", proxy.ready)
    app.router.add_get("/stats", stats)
    app.router.add_get("/metrics", metrics)
    app.router.add_get(f"{_ONE}/metrics", of_one)
    app.router.add_get(f"{_ONE}/", talk)
    for prefix, data in (("", of_the_first), (_ONE, of_one)):
        app.router.add_get(f"{prefix}/dashboard", overview)
        app.router.add_get(f"{prefix}/dashboard/calls/{{id}}", call_page)
        for path in ("/api/events", "/api/calls", "/api/calls/{id}"):
            app.router.add_get(prefix + path, data)
        app.router.add_get(f"{prefix}/{{path:(?!api/).*}}", page)
    return app
