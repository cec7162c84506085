"""Who may see the dashboard and the metrics.

From the machine itself, everybody; from elsewhere, whoever has the token: ``Authorization: Bearer TOKEN``, or HTTP
basic authentication (RFC 7617) with the token as the password and any user name, for which browsers ask by themselves.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from pydantic import SecretStr

FORWARDED: Final = (hdrs.FORWARDED, hdrs.X_FORWARDED_FOR, hdrs.X_FORWARDED_HOST, "X-Real-IP", hdrs.VIA)
"""A request with one of these came through a proxy: that the proxy stands on this machine says nothing."""


class AccessError(Exception):
    """Access is refused.

    Args:
        status: HTTP status.
        code: A word for programs.
        reason: A sentence for people.
    """

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason

    def response(self) -> web.Response:
        """The HTTP response; a browser asks for the token if one would help."""
        headers = {hdrs.WWW_AUTHENTICATE: 'Basic realm="Parley dashboard", charset="UTF-8"'}
        return web.json_response(
            {"code": self.code, "reason": self.reason},
            status=self.status,
            headers=headers if self.status == web.HTTPUnauthorized.status_code else None,
        )


class Access:
    """The rule.

    Args:
        token: What opens the door from elsewhere; empty: nothing does.
    """

    def __init__(self, token: SecretStr) -> None:
        secret = token.get_secret_value()
        self._digest = _digest(secret) if secret else None

    def require(self, request: web.Request) -> None:
        """Let a request pass.

        Raises:
            AccessError: It may not.
        """
        if is_from_here(request):
            return
        if self._digest is None:
            raise AccessError(
                403, "no_token_set", "from other machines this needs a token, and none is set: set DASHBOARD_TOKEN"
            )
        if not hmac.compare_digest(_digest(_given_token(request)), self._digest):
            raise AccessError(401, "wrong_token", "give the dashboard's token as password, or as a bearer token")


def is_from_here(request: web.Request) -> bool:
    """Whether a request comes from this machine and was meant for it.

    The address that was asked for counts too: a page of anybody's may have its own name resolved to loopback, and then
    read what the browser gets from there (DNS rebinding).
    """
    if not _is_loopback(request.remote or "") or any(name in request.headers for name in FORWARDED):
        return False
    host = urlsplit(f"//{request.headers.get(hdrs.HOST, '')}").hostname or ""
    return host == "localhost" or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


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
