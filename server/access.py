"""Who may see the dashboard and the metrics.

Whoever has the token: ``Authorization: Bearer TOKEN``, or HTTP basic authentication (RFC 7617) with the token as the
password and any user name, for which browsers ask by themselves. Where no token is set, everybody on this machine, and
nobody else: a request that may have come through a proxy is not from this machine, though the proxy may be.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from aiohttp import HttpVersion11, hdrs, web
from pydantic import SecretStr

from server.addresses import is_loopback, split_host
from server.refusal import Refusal

FORWARDED: Final = (hdrs.FORWARDED, hdrs.X_FORWARDED_FOR, hdrs.X_FORWARDED_HOST, "X-Real-IP", hdrs.VIA)
"""A request with one of these came through a proxy: that the proxy stands on this machine says nothing."""

OPEN_HERE: Final = (
    "the dashboard is open to everybody on this machine, and so through a proxy that hides itself: set DASHBOARD_TOKEN"
)
SHUT: Final = "the dashboard is shut, since others than this machine's users come in here: set DASHBOARD_TOKEN"
"""What the log says at the start where no token is set."""


class AccessError(Refusal):
    """Access is refused."""

    def response(self) -> web.Response:
        """The HTTP response; a browser asks for the token if one would help."""
        response = super().response()
        if self.status == web.HTTPUnauthorized.status_code:
            response.headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="Parley dashboard", charset="UTF-8"'
        return response


class Access:
    """The rule.

    Args:
        token: What opens the door; empty: nothing does, except on this machine.
        faces_others: Whether the settings speak of proxies or of names in the net: then this machine's own address
            proves nothing.
    """

    def __init__(self, token: SecretStr, *, faces_others: bool = False) -> None:
        secret = token.get_secret_value()
        self._digest = _digest(secret) if secret else None
        self._faces_others = faces_others

    @property
    def advice(self) -> str:
        """What the operator should know; empty if nothing."""
        if self._digest is not None:
            return ""
        return SHUT if self._faces_others else OPEN_HERE

    def require(self, request: web.Request) -> None:
        """Let a request pass.

        Raises:
            AccessError: It may not.
        """
        if self._digest is None:
            if not self._faces_others and is_from_here(request):
                return
            raise AccessError(
                403, "no_token_set", "from other machines this needs a token, and none is set: set DASHBOARD_TOKEN"
            )
        if not hmac.compare_digest(_digest(_given_token(request)), self._digest):
            raise AccessError(401, "wrong_token", "give the dashboard's token as password, or as a bearer token")


def is_from_here(request: web.Request) -> bool:
    """Whether a request comes from this machine and was meant for it.

    The address that was asked for counts too: a page of anybody's may have its own name resolved to loopback, and then
    read what the browser gets from there (DNS rebinding). So does the version: no browser speaks HTTP/1.0, but nginx
    does as it comes, and tells nothing else of itself.
    """
    if not is_loopback(request.remote or "") or any(name in request.headers for name in FORWARDED):
        return False
    if request.version < HttpVersion11:
        return False
    host = split_host(request.headers.get(hdrs.HOST, ""))
    return host is not None and (host[0] == "localhost" or is_loopback(host[0]))


def _given_token(request: web.Request) -> str:
    scheme, _, value = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                _, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return ""
            return password
        case _:
            return ""


def _digest(token: str) -> bytes:
    """Of equal length for all tokens, so that comparing tells nothing of theirs."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
