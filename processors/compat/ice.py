"""What is private to aioice: its sockets, behind a gate, and its candidates."""

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Any, Final, cast

import aioice.ice
import aioice.stun
import ifaddr
from aiortc import RTCPeerConnection
from aiortc.rtcicetransport import RTCIceTransport

from admission.packet_gate import Drop, Kind, PacketGate, dropped, kind_of
from processors.compat.contract import PrivateFields, PrivateFunctions

FUNCTIONS: Final[PrivateFunctions] = (
    (aioice.ice.StunProtocol, "datagram_received", ("self", "data", "addr")),
    (aioice.ice.StunProtocol, "send_stun", ("self", "message", "addr")),
    (aioice.ice.Connection, "build_request", ("self", "pair", "nominate")),
    (aioice.ice.Connection, "_valid_username", ("self", "username")),
    (aioice.ice.Connection, "data_received", ("self", "data", "component")),
    (aioice.ice.Connection, "request_received", ("self", "message", "addr", "protocol")),
    (aioice.ice, "get_host_addresses", ("use_ipv4", "use_ipv6")),
    (aioice.stun, "parse_message", ("data",)),
    (aioice.stun.Message, "check_message_integrity", ("self", "key")),
    (aioice.stun.Transaction, "response_received", ("self", "message", "addr")),
)

FIELDS: Final[PrivateFields] = (
    (RTCIceTransport, ("_connection",)),
    (aioice.ice.Connection, ("_nominated", "_protocols")),
    (aioice.ice.StunProtocol, ("id", "receiver", "transactions")),
)

_GATE: Final = "_parley_gate"
_ON_RTP: Final = "_parley_on_rtp"
_ON_SIGN_OF_LIFE: Final = "_parley_on_sign_of_life"
_ASKED: Final = "_parley_asked"
_ORIGINAL: Final = "_parley_original"

MAX_ASKED: Final = 16
"""So many questions whether a peer is there may be open; an older one's answer counts no more."""


class GatedStunProtocol(aioice.ice.StunProtocol):
    """A socket of an ICE connection, behind the connection's :class:`PacketGate` from the first moment on.

    aioice itself hands whatever is no STUN message to DTLS, wherever it comes from.
    """

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Let a datagram pass, or drop it and count that."""
        datagram = cast(bytes, data)
        connection = self.receiver
        gate = _gate_of(connection)
        kind = kind_of(datagram)
        where = (self.id, addr[0], addr[1])
        refusal = gate.refuses(kind, datagram, where, self.transactions, asyncio.get_running_loop().time())
        if refusal is None:
            if kind is Kind.STUN:
                refusal = self._take_stun(datagram, (addr[0], addr[1]), gate)
            elif kind is Kind.RTP and (on_rtp := vars(connection).get(_ON_RTP)) is not None:
                refusal = on_rtp(datagram)
            else:
                connection.data_received(datagram, self.local_candidate.component)
            on_sign_of_life = vars(connection).get(_ON_SIGN_OF_LIFE)
            if refusal is None and kind is not Kind.RTP and on_sign_of_life is not None:
                on_sign_of_life()
        if refusal is not None:
            dropped[refusal] += 1

    def _take_stun(self, datagram: bytes, addr: tuple[str, int], gate: PacketGate) -> Drop | None:
        connection = self.receiver
        try:
            message = aioice.stun.parse_message(datagram)
        except ValueError:
            return Drop.MALFORMED
        where = (self.id, *addr)
        match message.message_class:
            case aioice.stun.Class.REQUEST:
                if not _is_check(message, connection) or not gate.proves(where):
                    return Drop.STRANGER
                connection.request_received(message, addr, self)
            case aioice.stun.Class.RESPONSE | aioice.stun.Class.ERROR:
                transaction = self.transactions.get(message.transaction_id)
                if transaction is None:
                    return Drop.STRANGER
                if connection.remote_password and message.check_message_integrity(connection.remote_password.encode()):
                    gate.proves(where)
                transaction.response_received(message, addr)
        return None  # an indication is a sign of life (RFC 8445 section 11)


def _is_check(message: aioice.stun.Message, connection: aioice.ice.Connection) -> bool:
    """Whether a request is a connectivity check by who knows the connection's password (RFC 8445 section 7.3)."""
    attributes = message.attributes
    return (
        message.message_method == aioice.stun.Method.BINDING
        and "PRIORITY" in attributes
        and connection._valid_username(attributes.get("USERNAME", ""))
        and message.check_message_integrity(connection.local_password.encode())
    )


def _gate_of(connection: aioice.ice.Connection) -> PacketGate:
    fields = vars(connection)
    gate = fields.get(_GATE)
    if gate is None:
        gate = fields[_GATE] = PacketGate(connection.local_username)
    return gate


def install() -> None:
    """Put every socket that aioice opens from now on behind a gate, and the loopback address among the candidates.

    aioice leaves the loopback address out of the ICE candidates, so that a browser on the same machine connects only
    where some other interface is up. It is added after all the others. Idempotent.
    """
    setattr(aioice.ice, "StunProtocol", GatedStunProtocol)  # noqa: B010 - a class, to the type checker
    if not hasattr(aioice.stun.parse_message, _ORIGINAL):
        aioice.stun.parse_message = _raising_only_value_errors(aioice.stun.parse_message)
    if not hasattr(aioice.ice.get_host_addresses, _ORIGINAL):
        aioice.ice.get_host_addresses = _with_loopback(aioice.ice.get_host_addresses)


def is_installed() -> bool:
    """Whether :func:`install` has been called."""
    return aioice.ice.StunProtocol is GatedStunProtocol


def on_rtp(ice: RTCIceTransport, take: Callable[[bytes], Drop | None]) -> None:
    """Hand RTP to ``take`` where datagrams come in; it says why it drops a packet, if it does."""
    setattr(ice._connection, _ON_RTP, take)


def on_sign_of_life(ice: RTCIceTransport, take: Callable[[], None]) -> None:
    """Call ``take`` for each datagram of the peer's that is no RTP."""
    setattr(ice._connection, _ON_SIGN_OF_LIFE, take)


class _Question:
    """A binding request whose answer is a sign of life, and nothing else."""

    def response_received(self, message: aioice.stun.Message, addr: tuple[str, int]) -> None:
        """It has done what it is for by having come."""


def ask_whether_there(ice: RTCIceTransport) -> None:
    """Send the peer a binding request, which it answers if it is there (RFC 7675); waits for nothing."""
    connection = ice._connection
    pair = connection._nominated.get(1)
    if pair is None or connection.remote_password is None:
        return
    request = connection.build_request(pair, nominate=False)
    request.add_message_integrity(connection.remote_password.encode())
    asked: deque[bytes] = vars(connection).setdefault(_ASKED, deque())
    if len(asked) == MAX_ASKED:
        pair.protocol.transactions.pop(asked.popleft(), None)
    asked.append(request.transaction_id)
    pair.protocol.transactions[request.transaction_id] = cast(aioice.stun.Transaction, _Question())
    pair.protocol.send_stun(request, pair.remote_addr)


def close_sockets(pc: RTCPeerConnection) -> None:
    """Close a connection's sockets at once and without a word, where its own closing does not come to an end."""
    transports = [transceiver.receiver.transport for transceiver in pc.getTransceivers()]
    if pc.sctp is not None:
        transports.append(pc.sctp.transport)
    for dtls in transports:
        for protocol in dtls.transport._connection._protocols:
            protocol.transport.close()


def own_interfaces() -> list[IPv4Interface | IPv6Interface]:
    """The addresses that ICE listens at, with their networks."""
    listened = set(aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True))
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            if address in listened:
                found.append(ip_interface(f"{address}/{ip.network_prefix}"))
    return found


def _raising_only_value_errors(
    parse: Callable[[bytes], aioice.stun.Message],
) -> Callable[[bytes], aioice.stun.Message]:
    def parse_message(data: bytes) -> aioice.stun.Message:
        try:
            return parse(data)
        except (struct.error, IndexError) as error:  # aioice trusts the lengths of attributes
            raise ValueError("STUN message has a malformed attribute") from error

    setattr(parse_message, _ORIGINAL, parse)
    return parse_message


def _with_loopback(original: Callable[..., list[str]]) -> Callable[..., list[str]]:
    def get_host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        addresses = original(use_ipv4=use_ipv4, use_ipv6=use_ipv6)
        if use_ipv4 and "127.0.0.1" not in addresses:
            addresses.append("127.0.0.1")
        return addresses

    setattr(get_host_addresses, _ORIGINAL, original)
    return get_host_addresses
