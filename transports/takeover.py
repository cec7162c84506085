"""Who a caller is from one page to the next: a token that the page makes up, keeps, and sends with each offer.

Whoever has a call's token has the call: a reload or a second tab takes it over, and so its history. Tokens are as
long as keys therefore, are kept as digests only, and are never told to anybody.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from transports.sdp import OfferError

FIELD: Final = "caller_token"
"""Where in an offer's ``requestData`` the token stands."""

SAYS_READY: Final = "says_ready"
"""Where in ``requestData`` a client announces that it says ``client-ready`` on every connection: the bot waits for it
then. Pipecat's clients say it on a call's first one only."""

HEARD: Final = "heard"
"""Where in ``requestData`` a client tells how much of the bot's last reply was heard there."""

_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{22,128}")
"""128 bits and more in base 64 for URLs (RFC 4648 §5), or in hexadecimal digits."""

_FEWEST_DIFFERENT: Final = 8
"""Of 22 random characters fewer are different once in ten million times or less: less is no accident."""


@dataclass(frozen=True)
class CallerId:
    """A caller; equal if the token is the same.

    Attributes:
        digest: SHA-256 of the token.
        key: Seals what of the call leaves the process: only who has the token has it. Made of the token too, but not of
            the digest.
    """

    digest: bytes = field(repr=False)
    key: bytes = field(default=b"", repr=False, compare=False)


class HasCaller(Protocol):
    """A call, as far as it matters here."""

    @property
    def caller(self) -> CallerId | None:
        """Whose it is; None: nobody can take it over."""
        ...

    @property
    def over(self) -> bool:
        """Whether it has ended, though it may hold something still."""
        ...


CallT = TypeVar("CallT", bound=HasCaller)


def read_caller(request_data: Any) -> CallerId | None:
    """The caller that an offer's ``requestData`` names; None if it names none.

    Raises:
        OfferError: What stands there can be guessed.
    """
    token = request_data.get(FIELD) if isinstance(request_data, Mapping) else None
    if token is None:
        return None
    if not isinstance(token, str) or not _SHAPE.fullmatch(token) or len(set(token)) < _FEWEST_DIFFERENT:
        raise OfferError("weak_token", f"{FIELD} must be 22 to 128 random letters, digits, - or _")
    return _caller(token.encode())


def caller_of_peer(pc_id: str) -> CallerId:
    """Whose call it is where the client names no caller: whoever knows the random name of the peer connection."""
    return _caller(b"peer " + pc_id.encode())


def _caller(token: bytes) -> CallerId:
    return CallerId(hashlib.sha256(token).digest(), hmac.digest(token, b"parley call state", "sha256"))


def says_ready(request_data: Any) -> bool:
    """Whether an offer's ``requestData`` announces a ``client-ready``; see :data:`SAYS_READY`."""
    return isinstance(request_data, Mapping) and request_data.get(SAYS_READY) is True


def heard_there(request_data: Any) -> tuple[int, int] | None:
    """A reply, and how many of its characters (white space not counted) an offer's ``requestData`` says were heard."""
    heard = request_data.get(HEARD) if isinstance(request_data, Mapping) else None
    if not isinstance(heard, Mapping):
        return None
    reply_id, letters = heard.get("reply_id"), heard.get("letters")
    if type(reply_id) is not int or type(letters) is not int or letters < 0:
        return None
    return reply_id, letters


def call_of(calls: Iterable[CallT], caller: CallerId | None) -> CallT | None:
    """The call that a caller has; None for a stranger."""
    if caller is None:
        return None
    return next((call for call in calls if call.caller == caller and not call.over), None)


def places_of_others(calls: Iterable[HasCaller], caller: CallerId | None) -> int:
    """Places that are taken from this caller's point of view: a call of theirs that is closing makes room for them."""
    return sum(1 for call in calls if caller is None or call.caller != caller)
