"""Which datagrams of a call's socket go further: a firewall for ICE, DTLS, SRTP and RTCP. Pure: the time is told.

Anybody can send to a UDP port. What does not come from an address that has proved, by a STUN message with the call's
own password, that it belongs to the call (RFC 8445 section 7), is dropped before anything is parsed or decrypted; so is
what no peer sends. Everything is counted. Addresses that are known may send a multiple of what a call needs, and no
more: what comes faster is lost, as on a line that is too narrow.
"""

from collections import Counter, OrderedDict
from collections.abc import Container, Hashable
from enum import Enum
from typing import Final

from admission.token_bucket import TokenBucket

MAX_ADDRESSES: Final = 32
"""Addresses that one connection may prove: a phone that walks from cell to cell has a new one each time."""

MAX_SOURCES: Final = 16
"""RTP sources (SSRCs) of one connection at a time; a receiver report has room for 31 (RFC 3550 section 6.4.1)."""

_STUN_HEADER_BYTES: Final = 20
_STUN_COOKIE: Final = bytes.fromhex("2112a442")
_DTLS_HEADER_BYTES: Final = 13
_RTP_HEADER_BYTES: Final = 12

_ALERT: Final = 21
_HANDSHAKE_TYPES: Final = range(20, 27)


class Kind(Enum):
    """What a datagram is, by its first bytes (RFC 7983)."""

    STUN = "stun"
    DTLS = "dtls"
    RTP = "rtp"
    RTCP = "rtcp"


class Drop(Enum):
    """Why a datagram goes no further."""

    MALFORMED = "malformed"
    """It is nothing that ICE, DTLS or RTP sends."""
    STRANGER = "stranger"
    """It comes from an address that has not proved to belong to the call."""
    PLAIN_ALERT = "plain_alert"
    """A DTLS alert in plain text, which anybody could have written (RFC 9147 section 4.5.2)."""
    FLOOD = "flood"
    """More than any call needs."""
    SOURCES = "sources"
    """From more RTP sources than any call has."""


dropped: Final[Counter[Drop]] = Counter()
"""Datagrams that this process has dropped."""


def dropped_by_reason() -> dict[str, int]:
    """:data:`dropped` with names as they stand in metrics, zeros included."""
    return {reason.value: dropped[reason] for reason in Drop}


def kind_of(datagram: bytes) -> Kind | None:
    """What a datagram is; None: nothing that belongs on a call's socket."""
    size = len(datagram)
    if size < _RTP_HEADER_BYTES:
        return None
    first = datagram[0]
    if first < 4:
        whole = size >= _STUN_HEADER_BYTES and size == _STUN_HEADER_BYTES + int.from_bytes(datagram[2:4])
        return Kind.STUN if whole and datagram[4:8] == _STUN_COOKIE else None
    if 20 <= first < 64:
        return Kind.DTLS if size >= _DTLS_HEADER_BYTES else None
    if 128 <= first < 192:
        return Kind.RTCP if 192 <= datagram[1] <= 223 else Kind.RTP
    return None


def has_plain_alert(datagram: bytes) -> bool:
    """Whether one of the records in a DTLS datagram is an alert in plain text.

    A peer's own failure shows by the deadline for connecting instead; a goodbye is encrypted.
    """
    at, size = 0, len(datagram)
    while at + _DTLS_HEADER_BYTES <= size and datagram[at] in _HANDSHAKE_TYPES:
        if datagram[at] == _ALERT and datagram[at + 3 : at + 5] == b"\0\0":
            return True
        at += _DTLS_HEADER_BYTES + int.from_bytes(datagram[at + 11 : at + 13])
    return False


class SourceLimit:
    """RTP sources of one connection: new ones are taken as long as they do not come without end.

    Args:
        most: Sources at a time; the one that was first is forgotten for one more.
        per_sec: New ones each second, beyond the first ``most``.
    """

    def __init__(self, most: int = MAX_SOURCES, per_sec: float = 1.0) -> None:
        self._most = most
        self._new = TokenBucket(per_sec, most)
        self._known: OrderedDict[int, None] = OrderedDict()

    def may_take(self, ssrc: int, now: float) -> bool:
        """Whether :meth:`take` would take a source now."""
        return ssrc in self._known or self._new.has(1, now)

    def take(self, ssrc: int, now: float) -> tuple[bool, int | None]:
        """Take a source.

        Returns:
            Whether its packets may pass, and the source that is forgotten for it.
        """
        if ssrc in self._known:
            return True, None
        if not self._new.take(1, now):
            return False, None
        self._known[ssrc] = None
        return True, self._known.popitem(last=False)[0] if len(self._known) > self._most else None


class PacketGate:
    """Decides about the datagrams of one ICE connection.

    Args:
        username: The connection's own ICE user name fragment: checks of its peer begin with it.
    """

    def __init__(self, username: str) -> None:
        self._username = username.encode() + b":"
        self._proved: set[Hashable] = set()
        self._rates = {
            Kind.STUN: TokenBucket(50, 200),  # a check each 20 ms for each pair, later one in 2.5 s
            Kind.DTLS: TokenBucket(100, 300),  # 100 kB a second of messages, acknowledgements included
            Kind.RTP: TokenBucket(200, 600),  # four times packets of 20 ms, and a burst after 12 s without a line
            Kind.RTCP: TokenBucket(20, 100),
        }
        self._unproved = TokenBucket(50, 200)
        self._rtcp_sources = SourceLimit(per_sec=0.1)

    def proves(self, where: Hashable) -> bool:
        """An address has sent a STUN message with the right password.

        Returns:
            Whether it may take part; False: the connection has had too many.
        """
        if where not in self._proved and len(self._proved) >= MAX_ADDRESSES:
            return False
        self._proved.add(where)
        return True

    def refuses(
        self, kind: Kind | None, datagram: bytes, where: Hashable, awaited: Container[bytes], now: float
    ) -> Drop | None:
        """Why a datagram goes no further; None: it does, and if it is STUN its password is checked next.

        Args:
            kind: See :func:`kind_of`.
            datagram: The bytes.
            where: The socket and the address that it came from.
            awaited: Transaction ids of our own STUN requests that wait for a response.
            now: Monotonic seconds.
        """
        if kind is None:
            return Drop.MALFORMED
        known = where in self._proved
        if kind is Kind.STUN and not known:
            return self._refuses_stun(datagram, awaited, now)
        if not known:
            return Drop.STRANGER
        if not self._rates[kind].take(1, now):
            return Drop.FLOOD
        if kind is Kind.DTLS and has_plain_alert(datagram):
            return Drop.PLAIN_ALERT
        if kind is Kind.RTCP and not self._rtcp_sources.take(int.from_bytes(datagram[4:8]), now)[0]:
            return Drop.SOURCES
        return None

    def _refuses_stun(self, datagram: bytes, awaited: Container[bytes], now: float) -> Drop | None:
        """Look at as few bytes as tell that a sender knows nothing of the call."""
        if datagram[0] & 0x01:  # a response (RFC 8489 section 5)
            return None if datagram[8:20] in awaited else Drop.STRANGER
        if datagram[1] & 0x10 or self._username not in datagram:
            return Drop.STRANGER
        return None if self._unproved.take(1, now) else Drop.FLOOD
