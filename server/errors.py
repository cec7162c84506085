"""Answers that are errors: JSON ``{"code": a word for programs, "reason": a sentence for people}``."""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from loguru import logger

from admission.caller_queue import Wait
from server.call_tokens import TokenError
from transports.sdp import OfferError

MAX_BODY_BYTES: Final = 64 * 1024

AT_CAPACITY: Final = "at_capacity"

NO_STANDING_CALL: Final = "no_standing_call"

STOPPED_RETRY_SECS: Final = 10
"""When a server that stops may be there again."""

BUSY_ADDRESS_RETRY_SECS: Final = 10
"""When an address that has all the calls that it may have is to ask again."""


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
    """All places are taken."""
    return later(503, AT_CAPACITY, "all lines are busy", wait.retry_after_secs, {"queue_position": wait.position})


def token_refused(error: TokenError) -> ApiError:
    """A call token is missing or is not taken (RFC 6750, section 3)."""
    return ApiError(401, error.code, error.reason, headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="Parley calls"'})


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
    except Exception:  # noqa: BLE001 - the boundary to the network: the caller learns that, not why, it failed
        logger.exception(f"{request.method} {request.path} failed")
        return ApiError(500, "internal", "something went wrong on our side").response()
