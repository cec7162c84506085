"""Why a vendor did not do it, in our own words, by the cause.

What vendors write themselves may hold anything: the key that they were given, the request's text, a page of HTML. It is
read to find the cause, and goes nowhere: not to the log, not to the page, not to the caller.
"""

from typing import Final

_BY_STATUS: Final = {
    400: "the request is refused",
    402: "the account has to be paid for",
    404: "what was asked for is not known there",
    408: "no answer in time",
    413: "the request is too large",
    422: "the request is refused",
    429: "too many requests",
    498: "there is no capacity just now",
    500: "the vendor has a fault",
    502: "the vendor has a fault",
    503: "the vendor is overloaded",
    504: "no answer in time",
}

KEY_REFUSED: Final = frozenset({401, 403})
"""Statuses that mean that the key is not taken."""


def status_words(status: int) -> str:
    """What an HTTP status means, with its number."""
    usual = "the vendor has a fault" if status >= 500 else "the request is refused"
    return f"HTTP {status}: {_BY_STATUS.get(status, usual)}"


def key_refused(vendor: str, setting: str, status: int | None = None) -> str:
    """What to say, and to set, where a key is not taken."""
    where = f" (HTTP {status})" if status is not None else ""
    return f"{vendor} refuses the key{where}; set {setting}"


def kind(error: BaseException) -> str:
    """What kind of error it is, without its words, which may be anybody's."""
    if isinstance(error, OSError) and isinstance(error.strerror, str) and error.errno is not None:
        return error.strerror
    return type(error).__name__
