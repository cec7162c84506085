"""What a carrier is to a call: how it asks who takes a call, and how it streams one. Pure.

Each carrier has a module with a class for both; what they say of themselves stands in their documentation, which the
modules name.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import parse_qsl

from transports.phone.sound import Encoding

MAX_ID_CHARS: Final = 128
"""Longest name of a call or a stream; carriers' have 16 to 80 characters."""

_ID: Final = re.compile(r"[A-Za-z0-9_.:=+/-]{1,128}")
"""What names of streams consist of: they stand in each message to the carrier."""

MAX_MARK_CHARS: Final = 16
"""Longest name of a mark: ours are numbers."""

FRESH_SECS: Final = 300.0
"""So old, or so far ahead, a signed request may be: the carriers' own advice."""


class SignatureError(Exception):
    """A request is not the carrier's, or is an old one."""


class MalformedError(ValueError):
    """A message or a request that the carrier would not send."""


@dataclass(frozen=True)
class Webhook:
    """A carrier's request.

    Attributes:
        url: The address that the carrier asked for, as it knows it.
        headers: Its headers; names do not care for case.
        body: Its body.
        now: Wall clock, in seconds since 1970.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    now: float

    def form(self) -> list[tuple[str, str]]:
        """The body as a form.

        Raises:
            MalformedError: It is none.
        """
        try:
            return parse_qsl(self.body.decode(), keep_blank_values=True, max_num_fields=200)
        except ValueError as error:
            raise MalformedError("the body is no form") from error

    def require_fresh(self, at: str) -> None:
        """Require that it was signed lately.

        Args:
            at: When it says it was, in seconds since 1970.

        Raises:
            SignatureError: It was not.
        """
        if not at.isascii() or not at.isdigit() or abs(self.now - int(at[:12])) > FRESH_SECS:
            raise SignatureError("it is old")


@dataclass(frozen=True)
class IncomingCall:
    """A call that wants to be taken.

    Attributes:
        call_id: The carrier's name for it.
        caller: The number that calls, as the carrier tells it; empty: withheld.
        called: The number that was called.
        account: The carrier's name for our account, where the request tells it.
    """

    call_id: str
    caller: str = ""
    called: str = ""
    account: str = ""


@dataclass(frozen=True)
class Order:
    """A request to a carrier's own interface.

    Attributes:
        url: Where it is posted.
        user: Who asks, for HTTP's basic authentication.
        password: Their password.
        form: What is asked.
    """

    url: str
    user: str
    password: str
    form: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What the carrier is answered.

    Attributes:
        text: The body.
        content_type: Its type.
    """

    text: str
    content_type: str = "application/xml"


# --- what a stream says --------------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """The stream begins.

    Attributes:
        encoding: How it carries sound.
        stream_id: What messages to it have to name; empty: nothing.
        call_id: The call; None: not told.
    """

    encoding: Encoding
    stream_id: str = ""
    call_id: str | None = None


@dataclass(frozen=True)
class Heard:
    """Sound of the caller.

    Attributes:
        payload: As the line carries it.
        number: Its place in the stream; None: messages come in order.
    """

    payload: bytes
    number: int | None = None


@dataclass(frozen=True)
class Key:
    """The caller pressed a key."""

    key: str


@dataclass(frozen=True)
class Played:
    """The carrier has played up to a mark, or has dropped it."""

    mark: str


@dataclass(frozen=True)
class Stopped:
    """The caller hung up, or the carrier ends the stream."""


Event = Started | Heard | Key | Played | Stopped
Wire = str | bytes


class Carrier(Protocol):
    """One carrier."""

    @property
    def name(self) -> str:
        """Its name, in paths and settings."""
        ...

    def verify(self, request: Webhook) -> None:
        """See that a request is the carrier's.

        Raises:
            SignatureError: It is not.
        """
        ...

    def incoming(self, request: Webhook) -> IncomingCall:
        """Who calls.

        Raises:
            MalformedError: The request does not say.
        """
        ...

    def connect(self, stream_url: str) -> Reply:
        """Take the call: stream it to this ``wss`` address, and hang up when that closes."""
        ...

    def wait(self, secs: int, url: str) -> Reply | None:
        """Let it wait, and ask there again; None: this carrier's calls cannot."""
        ...

    def refuse(self) -> Reply:
        """All lines are busy."""
        ...

    def read(self, message: Wire) -> Event | None:
        """What a message of the stream says; None: nothing that matters.

        Raises:
            MalformedError: It is none.
        """
        ...

    def audio(self, started: Started, payload: bytes) -> Wire:
        """Play this."""
        ...

    def mark(self, started: Started, name: str) -> Wire:
        """Tell when all before this has been played."""
        ...

    def clear(self, started: Started) -> Wire:
        """Drop what has not been played."""
        ...


@runtime_checkable
class Redirects(Protocol):
    """A carrier that can be told to call somebody else for a caller."""

    def redirect(self, call: IncomingCall, target: str, secs: int, url: str) -> Order:
        """Call a number, or a SIP address, for so many seconds, and ask at ``url`` what is next when that is over."""
        ...

    def hang_up(self) -> Reply:
        """The call is over."""
        ...

    def was_answered(self, request: Webhook) -> bool:
        """Whether somebody took the call, by what the carrier asks afterwards."""
        ...


# --- what their messages have in common ----------------------------------------------------------


def decoded(message: Wire) -> dict[str, Any]:
    """A message's JSON object.

    Raises:
        MalformedError: It is none.
    """
    try:
        found = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise MalformedError("no JSON") from error
    if not isinstance(found, dict):
        raise MalformedError("no object")
    return found


def part(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in a message.

    Raises:
        MalformedError: It has none of this name.
    """
    found = message.get(name)
    if not isinstance(found, Mapping):
        raise MalformedError(f"no {name}")
    return found


def text(message: Mapping[str, Any], name: str, most: int = MAX_ID_CHARS) -> str:
    """A text in a message.

    Raises:
        MalformedError: It has none of this name, or a longer one.
    """
    found = message.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= most:
        raise MalformedError(f"no {name}")
    return found


def name_of(message: Mapping[str, Any], name: str) -> str:
    """The name of a stream in a message.

    Raises:
        MalformedError: It has none of this name.
    """
    found = text(message, name)
    if not _ID.fullmatch(found):
        raise MalformedError(f"no {name}")
    return found


def sound(media: Mapping[str, Any]) -> bytes:
    """The sound in a message, from base64.

    Raises:
        MalformedError: There is none.
    """
    payload = media.get("payload")
    if not isinstance(payload, str):
        raise MalformedError("no payload")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("no base64") from error


def base64_text(payload: bytes) -> str:
    """Sound for a message."""
    return base64.b64encode(payload).decode()


def field_of(form: list[tuple[str, str]], name: str) -> str:
    """A form's field; empty if it has none."""
    return next((value for key, value in form if key == name), "")[:MAX_ID_CHARS]
