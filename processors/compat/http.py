"""aiohttp's server: how many requests a connection has brought, which only its protocol knows."""

from typing import Final

from aiohttp.web_protocol import RequestHandler

from processors.compat.contract import PrivateFields

FIELDS: Final[PrivateFields] = ((RequestHandler, ("_request_count",)),)


def requests_begun(protocol: RequestHandler) -> int:
    """Requests whose header has come whole on this connection so far."""
    return protocol._request_count
