"""What a request must be before anybody serves it: meant for this bot, and sent by a page that may.

Browsers send what any page tells them to send. They name that page in ``Origin``, and the name that was resolved to
this bot in ``Host``; so a page of anybody's can neither begin calls (cross-site request forgery) nor read anything by
having its own name resolved to this machine (DNS rebinding).
"""

import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import hdrs, web
from yarl import URL

from server.access import is_from_here
from server.addresses import Network, client_address, is_loopback, limit_key, parse_address, split_host
from server.refusal import Refusal

ADDRESS: Final = web.RequestKey("address", str)
"""Where a request says by what limits count it; a request from this machine itself says nothing."""

PLACE: Final = web.RequestKey("place", str)
"""Where a request says, behind a proxy, under which name its call takes up a place; empty: the proxy did not let it in,
and only a call that stands may be taken over. Requests to a server that has no proxy say nothing."""

CORS_PATHS: Final = ("/api/offer", "/api/info")
"""What pages elsewhere may ask for, if they are allowed to; it is served to known hosts only."""

PREFLIGHT_SECS: Final = 600
ANY: Final = "*"

_PORTS: Final = {"http": 80, "https": 443}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class GuardParams:
    """Who may come in.

    Attributes:
        trusted_proxies: Networks of the proxies whose word about their clients is taken.
        allowed_hosts: Names by which the bot is known, beside its own.
        allowed_origins: Pages elsewhere that may call, such as ``https://www.example.org``; ``*``: any page.
    """

    trusted_proxies: Sequence[Network] = ()
    allowed_hosts: Sequence[str] = ()
    allowed_origins: Sequence[str] = ()

    @property
    def faces_others(self) -> bool:
        """Whether the settings say that others than this machine's users come in, through a proxy for instance."""
        return bool(self.trusted_proxies or self.allowed_hosts)


class GuardError(Refusal):
    """A request that does not come in."""


class RequestGuard:
    """The rule.

    Args:
        params: Who may come in.
        host: The address that the bot listens on.
    """

    def __init__(self, params: GuardParams, host: str = "") -> None:
        self._params = params
        own = {host.lower(), socket.gethostname().lower()} - {""}
        self._names = {name.lower().rstrip(".") for name in params.allowed_hosts} | {
            name for name in own if parse_address(name) is None
        }
        self._origins = {origin.lower().rstrip("/") for origin in params.allowed_origins}

    def address(self, request: web.Request) -> str:
        """The client's address."""
        return client_address(
            request.remote or "",
            request.headers.getall(hdrs.X_FORWARDED_FOR, []),
            request.forwarded if hdrs.FORWARDED in request.headers else (),
            self._params.trusted_proxies,
        )

    def is_from_here(self, request: web.Request) -> bool:
        """Whether a request comes from this machine's own users for certain, which no limit holds up."""
        return not self._params.faces_others and is_from_here(request)

    def require_own_host(self, request: web.Request) -> None:
        """Let a request pass that is meant for this bot.

        Raises:
            GuardError: It may not.
        """
        found = split_host(request.headers.get(hdrs.HOST, ""))
        if found is None:
            raise GuardError(400, "bad_host", "the Host header is missing or is no host")
        if not self._is_own(found[0], request):
            raise GuardError(
                403,
                "foreign_host",
                f"this bot is not known as {found[0]}: ALLOWED_HOSTS names the hosts that it is known as",
            )

    def _is_own(self, name: str, request: web.Request) -> bool:
        if name == "localhost" or name.endswith(".localhost") or is_loopback(name) or name in self._names:
            return True
        asked = parse_address(name)
        sockname = request.transport.get_extra_info("sockname") if request.transport is not None else None
        here = parse_address(str(sockname[0])) if isinstance(sockname, tuple) and sockname else None
        return asked is not None and asked == here

    def foreign_origin(self, request: web.Request) -> str | None:
        """The page elsewhere that a request comes from, which may; None: it comes from no page, or from our own.

        Raises:
            GuardError: It may not.
        """
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return None
        if origin.lower() in self._origins:
            return origin
        try:
            url = URL(origin)
            name, port = (url.host or "").lower(), url.port
        except ValueError:
            raise GuardError(403, "foreign_origin", "the Origin header is none") from None
        host = split_host(request.headers.get(hdrs.HOST, ""))
        if name and host is not None:
            same_port = port == (host[1] if host[1] is not None else _PORTS.get(url.scheme))
            if name == host[0] and same_port:
                return None
            if name in self._names:
                return origin
        if ANY in self._origins and url.scheme in _PORTS:
            return origin
        raise GuardError(
            403, "foreign_origin", "this page may not call: ALLOWED_ORIGINS names the pages elsewhere that may"
        )


def _cors(origin: str) -> dict[str, str]:
    return {
        hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
        hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: hdrs.RETRY_AFTER,
        hdrs.VARY: hdrs.ORIGIN,
    }


def _preflight(request: web.Request, origin: str) -> web.Response:
    """The answer to a browser that asks whether a page may send what it wants to (the Fetch standard, CORS)."""
    headers = {
        **_cors(origin),
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, POST, PATCH, DELETE",
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: f"{hdrs.CONTENT_TYPE}, {hdrs.AUTHORIZATION}",
        hdrs.ACCESS_CONTROL_MAX_AGE: str(PREFLIGHT_SECS),
    }
    if request.headers.get("Access-Control-Request-Private-Network") == "true":
        headers["Access-Control-Allow-Private-Network"] = "true"
    return web.Response(status=204, headers=headers)


def guard_middleware(guard: RequestGuard) -> Any:
    """The rule as aiohttp's middleware; it is to be the outermost one, so that refusals are readable across origins."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if PLACE in request:  # the proxy has asked already
            return await handler(request)
        try:
            if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
                raise GuardError(415, "compressed", "the body must not be compressed")
            if not guard.is_from_here(request):
                address = guard.address(request)
                request[ADDRESS] = limit_key(address)
                request = request.clone(remote=address)
            if request.path not in CORS_PATHS:
                return await handler(request)
            guard.require_own_host(request)
            origin = guard.foreign_origin(request)
        except GuardError as error:
            return error.response()
        if request.method == hdrs.METH_OPTIONS and origin is not None:
            return _preflight(request, origin)
        response = await handler(request)
        if origin is not None and not response.prepared:
            response.headers.update(_cors(origin))
        return response

    return admit
