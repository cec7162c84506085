"""Whose request it is: the client's address behind proxies that are trusted, and by what limits count it. Pure.

A proxy tells for whom it asks in ``X-Forwarded-For`` or ``Forwarded`` (RFC 7239), to the right of what its own client
told. So the list is read from the right: each address is told by the one after it, and is believed as long as that one
is a trusted proxy.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

IPV6_PREFIX: Final = 64
"""What one customer of a provider has at least (RFC 6177): limits count it as one address."""

_WITH_PORT: Final = re.compile(r"\[(?P<v6>[^\[\]]*)\](?::\w{1,20})?|(?P<v4>[^:]*):\w{1,20}")


_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?")


def split_host(header: str) -> tuple[str, int | None] | None:
    """Name, in lower case, and port of a ``Host`` header; None if it is none."""
    match = _HOST.fullmatch(header)
    if match is None:
        return None
    return match[1].lower().rstrip(".").strip("[]"), int(match[2]) if match[2] else None


def parse_address(text: str) -> Address | None:
    """An address, perhaps with a port; None if it is none. An IPv4 address mapped into IPv6 is an IPv4 address."""
    text = text.strip().strip('"')
    if match := _WITH_PORT.fullmatch(text):
        text = match["v6"] if match["v4"] is None else match["v4"]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def is_loopback(text: str) -> bool:
    """Whether a text is an address of this machine's own, which no other one reaches."""
    found = parse_address(text)
    return found is not None and found.is_loopback


def is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    """Whether an address is that of a trusted proxy."""
    return any(address.version == network.version and address in network for network in trusted)


def client_address(
    peer: str,
    x_forwarded_for: Sequence[str],
    forwarded: Sequence[Mapping[str, str]],
    trusted: Sequence[Network],
) -> str:
    """The client's address.

    Where both headers are there and name different clients, one of them is a client's invention that a proxy passed on;
    which one cannot be known, so the proxy itself counts as the client.

    Args:
        peer: The address that the connection comes from.
        x_forwarded_for: Values of ``X-Forwarded-For``, in order.
        forwarded: Elements of ``Forwarded``, in order.
        trusted: Networks of the proxies that are believed.
    """
    start = parse_address(peer)
    if start is None or not is_trusted(start, trusted):
        return peer
    told = [part for value in x_forwarded_for for part in value.split(",")]
    named = [element.get("for", "") for element in forwarded]
    found = {str(_first_untrusted(start, hops, trusted)) for hops in (told, named) if hops}
    return found.pop() if len(found) == 1 else str(start)


def _first_untrusted(start: Address, hops: Sequence[str], trusted: Sequence[Network]) -> Address:
    """The rightmost address that is no trusted proxy; what cannot be read hides whatever is to the left of it."""
    current = start
    for hop in reversed(hops):
        address = parse_address(hop)
        if address is None:
            break
        current = address
        if not is_trusted(address, trusted):
            break
    return current


def limit_key(address: str) -> str:
    """What limits count an address as: IPv6 by its network, else one customer had 2**64 addresses."""
    found = parse_address(address)
    if found is None:
        return address[:64]
    if found.version == 6:
        return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
    return str(found)
