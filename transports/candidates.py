"""Which of a peer's ICE candidates are sent to, and how many. Pure.

A candidate is an address that its sender chose, and each gets connectivity checks: without a limit, an offer would have
us send checks to a thousand addresses, some of them on this machine or behind our own firewall. A peer that is left
out of the list here can still call: its own checks tell where it is (RFC 8445 section 7.3.1.3).
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_network
from typing import Final

from admission.token_bucket import TokenBucket
from transports.sdp import CANDIDATE, MAX_CANDIDATES, too_many_candidates

LATER_PER_SEC: Final = 20 / 60
"""So many more may come later on, from a phone that goes from network to network."""

_FIRST_PORT: Final = 1024
"""Below are services; a translator keeps a caller's port out of that range (RFC 4787 section 4.2)."""

_END: Final = "a=end-of-candidates"


_NAT64: Final = ip_network("64:ff9b::/96")


def _behind_translator(address: IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that a translator sends to for it: mapped, 6to4 (RFC 3056), NAT64 (RFC 6052); else itself."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


class CandidateLimit:
    """How many candidates one peer connection may still have."""

    def __init__(self) -> None:
        self._left = TokenBucket(LATER_PER_SEC, MAX_CANDIDATES)

    def take(self, count: int, now: float) -> None:
        """Take so many more, at monotonic seconds ``now``.

        Raises:
            OfferError: They are too many; none is taken.
        """
        if not self._left.take(count, now):
            raise too_many_candidates()


class CandidatePolicy:
    """Where connectivity checks may go.

    Args:
        own: The addresses that the bot itself listens at, with their networks.
    """

    def __init__(self, own: Sequence[IPv4Interface | IPv6Interface]) -> None:
        self._networks = [interface.network for interface in own if not interface.is_loopback]

    def allows(self, host: str, port: int) -> bool:
        """Whether a candidate is an address that a caller may have.

        An address that is not on the public internet must be in a network of the bot's own. Loopback never is: who
        calls from this machine reaches us first.

        Args:
            host: An address, or a name of multicast DNS: browsers hide their own address behind one.
            port: The UDP port.
        """
        if not _FIRST_PORT <= port <= 0xFFFF:
            return False
        if host.endswith(".local"):
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        if isinstance(address, IPv6Address):
            address = _behind_translator(address)
        if address.is_loopback or address.is_multicast or address.is_unspecified or address.is_reserved:
            return False
        return address.is_global or any(address in network for network in self._networks)


def without_refused(sdp: str, policy: CandidatePolicy) -> tuple[str, bool]:
    """A session description without the candidates that are not sent to.

    Returns:
        The description, and whether something is missing from it; then it does not say either that no more are coming:
        the peer's own checks are waited for.
    """
    lines = sdp.splitlines()
    kept = [line for line in lines if not line.startswith(CANDIDATE) or _is_allowed(line, policy)]
    if len(kept) == len(lines):
        return sdp, False
    return "\r\n".join(line for line in kept if line.strip() != _END) + "\r\n", True


def _is_allowed(line: str, policy: CandidatePolicy) -> bool:
    fields = line.split()
    if len(fields) < 8:
        return True  # the parser tells what is wrong with it
    try:
        return policy.allows(fields[4], int(fields[5]))
    except ValueError:
        return True
