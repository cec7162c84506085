"""SIP messages as they come and go (RFC 3261). Pure.

The parser is aiosipua's. What this product demands of a message beyond that is checked here, once, so that nothing
behind it meets a message that is malformed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiosipua import SipMessage, SipRequest, SipResponse
from aiosipua.headers import Address as NameAddress
from aiosipua.headers import SipUri, Via, parse_address, parse_uri, parse_via, stringify_via

Address = tuple[str, int]
"""IP address and UDP port."""

MAX_DATAGRAM_BYTES: Final = 8192
"""Longest message; those of trunks have 500 to 3,000 bytes."""

DEFAULT_PORT: Final = 5060

MAGIC: Final = "z9hG4bK"
"""What each branch begins with (RFC 3261 section 8.1.1.7); those of RFC 2543 are not served."""

USER_AGENT: Final = "Parley"

_WORD: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3d\x3f-\x7e]{1,256}")
"""Call-IDs, tags and branches: printable ASCII without space, quote, comma, semicolon and angle brackets."""

_METHOD: Final = re.compile(r"[A-Z]{1,32}")
_CSEQ: Final = re.compile(r"(\d{1,10})\s+([A-Za-z]{1,32})")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ONCE: Final = ("From", "To", "Call-ID", "CSeq")
_URI: Final = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x7e]{1,512}")

REASONS: Final = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}
"""What the statuses are called that we answer with."""


class MalformedError(ValueError):
    """A datagram that is no SIP message, or one that no peer of ours would send."""


@dataclass(frozen=True)
class Request:
    """A request that has come.

    Attributes:
        method: In capitals.
        uri: The Request-URI, as it stands.
        call_id: Names the call, with the tags.
        cseq: Its number in the call.
        from_tag: The sender's tag.
        to_tag: Ours; empty outside of a dialog.
        via: The last hop.
        branch: Names the transaction, with ``via``.
        message: All of it.
    """

    method: str
    uri: str
    call_id: str
    cseq: int
    from_tag: str
    to_tag: str
    via: Via
    branch: str
    message: SipRequest

    @property
    def transaction(self) -> tuple[str, str, int, str]:
        """What its transaction is known by (RFC 3261 section 17.2.3); an ACK has that of its INVITE."""
        method = "INVITE" if self.method == "ACK" else self.method
        return self.branch, self.via.host, self.via.port or DEFAULT_PORT, method

    def header(self, name: str) -> str:
        """A header's first value; empty if it has none."""
        return self.message.get_header(name) or ""

    def headers(self, name: str) -> list[str]:
        """All values of a header."""
        return self.message.get_header_values(name)

    @property
    def caller(self) -> NameAddress:
        """The From header."""
        return parse_address(self.header("From"))

    @property
    def called(self) -> NameAddress:
        """The To header."""
        return parse_address(self.header("To"))


@dataclass(frozen=True)
class Response:
    """A response that has come.

    Attributes:
        status: 100 to 699.
        method: Of the request that it answers.
        branch: Of that request.
        message: All of it.
    """

    status: int
    method: str
    branch: str
    message: SipResponse

    def header(self, name: str) -> str:
        """A header's first value; empty if it has none."""
        return self.message.get_header(name) or ""


def read(datagram: bytes) -> Request | Response:
    """Read a datagram.

    Raises:
        MalformedError: It is no SIP message, or lacks what every one must have.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES or b"\r\n\r\n" not in datagram:
        raise MalformedError("no SIP message")
    try:
        message = SipMessage.parse(datagram)
        return _checked(message, datagram)
    except MalformedError:
        raise
    except (ValueError, IndexError, KeyError) as error:  # the parser's own
        raise MalformedError("no SIP message") from error


def _checked(message: SipRequest | SipResponse, datagram: bytes) -> Request | Response:
    for name in _ONCE:
        if len(message.get_header_values(name)) != 1:
            raise MalformedError(f"no {name}, or several")
    head, _, body = datagram.partition(b"\r\n\r\n")
    if _CONTROL.search(head.decode(errors="replace").replace("\r\n", "\n").replace("\n", "")):
        raise MalformedError("control characters")
    length = message.get_header("Content-Length")
    if length is not None and (not length.isascii() or not length.isdigit() or int(length[:9]) > len(body)):
        raise MalformedError("the body is cut")
    vias = message.get_header_values("Via")
    found = _CSEQ.fullmatch(message.get_header("CSeq") or "")
    if not vias or found is None:
        raise MalformedError("no Via or CSeq")
    via, number, method = parse_via(vias[0]), int(found[1]), found[2]
    if via.transport != "UDP" or not via.host or not 0 < (via.port or DEFAULT_PORT) < 65_536:
        raise MalformedError("the last hop is unknown")
    branch = _word(via.branch, "branch")
    if not branch.startswith(MAGIC) or len(branch) == len(MAGIC) or number >= 2**31:
        raise MalformedError("no RFC 3261")
    call_id = _word(message.get_header("Call-ID"), "Call-ID")
    from_tag = _word(parse_address(message.get_header("From") or "").tag, "From tag")
    to_tag = parse_address(message.get_header("To") or "").tag
    if isinstance(message, SipResponse):
        if not 100 <= message.status_code <= 699:
            raise MalformedError("no status")
        return Response(message.status_code, method, branch, message)
    if message.method != method or not _METHOD.fullmatch(method) or not _URI.fullmatch(message.uri):
        raise MalformedError("no request line")
    to_tag = _word(to_tag, "To tag") if to_tag is not None else ""
    return Request(method, message.uri, call_id, number, from_tag, to_tag, via, branch, message)


def _word(value: str | None, what: str) -> str:
    if value is None or not _WORD.fullmatch(value):
        raise MalformedError(f"no {what}")
    return value


# --- answers ---------------------------------------------------------------------------------------


def reply_address(request: Request, source: Address) -> Address:
    """Where a response goes: to the machine that asked, never elsewhere (RFC 3261 section 18.2.2, RFC 3581)."""
    host, port = source
    return host, port if "rport" in request.via.params else request.via.port or DEFAULT_PORT


def response(
    request: Request,
    source: Address,
    status: int,
    to_tag: str,
    headers: Iterable[tuple[str, str]] = (),
    body: str = "",
) -> bytes:
    """A response to a request.

    Args:
        request: The request.
        source: Where it came from.
        status: One of :data:`REASONS`.
        to_tag: Ours, where the request names none.
        headers: More of them.
        body: An SDP, or nothing.
    """
    made = SipResponse(status_code=status, reason_phrase=REASONS[status])
    via = request.via
    params = dict(via.params)
    if "rport" in params:
        params["rport"] = str(source[1])
    if "rport" in params or via.host != source[0]:
        params["received"] = source[0]
    made.add_header("Via", stringify_via(Via(via.protocol, via.transport, via.host, via.port, params)))
    for value in request.headers("Via")[1:]:
        made.add_header("Via", value)
    made.set_header("From", request.header("From"))
    to = request.header("To")
    made.set_header("To", to if request.to_tag or status == 100 else f"{_name_addr(to)};tag={to_tag}")
    made.set_header("Call-ID", request.call_id)
    made.set_header("CSeq", f"{request.cseq} {request.method}")
    if request.method == "INVITE" and status < 300:
        for value in request.headers("Record-Route"):
            made.add_header("Record-Route", value)
    for name, value in headers:
        made.add_header(name, value)
    if body:
        made.set_header("Content-Type", "application/sdp")
    made.set_header("User-Agent", USER_AGENT)
    made.text = body
    return bytes(made)


def _name_addr(value: str) -> str:
    """An address in angle brackets: a parameter behind a bare URI would become the header's."""
    if "<" in value:
        return value
    uri, semicolon, params = value.partition(";")
    return f"<{uri.strip()}>{semicolon}{params}"


# --- requests of ours --------------------------------------------------------------------------------


def request(
    method: str,
    uri: str,
    *,
    local: Address,
    branch: str,
    sender: str,
    receiver: str,
    call_id: str,
    cseq: int,
    route: Iterable[str] = (),
    headers: Iterable[tuple[str, str]] = (),
    user: str = "",
) -> bytes:
    """A request without a body.

    Args:
        method: Which.
        uri: The Request-URI.
        local: Where we are reached.
        branch: Names its transaction.
        sender: The From header, with its tag.
        receiver: The To header.
        call_id: The call.
        cseq: Its number there.
        route: Proxies on the way.
        headers: More of them.
        user: Our name in the address that we are reached at.
    """
    made = SipRequest(method=method, uri=uri)
    made.set_header("Via", f"SIP/2.0/UDP {host_port(local)};rport;branch={branch}")
    made.set_header("Max-Forwards", "70")
    for value in route:
        made.add_header("Route", value)
    made.set_header("From", sender)
    made.set_header("To", receiver)
    made.set_header("Call-ID", call_id)
    made.set_header("CSeq", f"{cseq} {method}")
    made.set_header("Contact", f"<sip:{user + '@' if user else ''}{host_port(local)}>")
    for name, value in headers:
        made.add_header(name, value)
    made.set_header("User-Agent", USER_AGENT)
    return bytes(made)


def host_port(address: Address) -> str:
    """An address as URIs have it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def uri_of(header: str) -> SipUri:
    """The URI in an address header."""
    return parse_address(header).uri


def uri_text(header: str) -> str:
    """The URI in an address header, as it stands there."""
    if "<" in header:
        return header.partition("<")[2].partition(">")[0]
    return header.partition(";")[0].strip()


def is_uri(text: str) -> bool:
    """Whether a text is a SIP URI that a request may name."""
    if not re.match(r"sips?:", text, re.IGNORECASE) or not _URI.fullmatch(text):
        return False
    return bool(parse_uri(text).host)
