"""The UDP port of a SIP user agent, and those of its calls' sound: what drives the pure parts."""

import asyncio
import itertools
import secrets
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from loguru import logger

from transports.sip.agent import Network, SipAgent
from transports.sip.dialog import Event
from transports.sip.media import Codec
from transports.sip.messages import Address

REPORT_SECS: Final = 60.0
"""What strangers sent is told in the log this often at most."""


class NoPortError(OSError):
    """All ports for sound are in use."""


class SipEndpoint(asyncio.DatagramProtocol):
    """The agent on the network. Made by :meth:`open`.

    Args:
        public_host: Our IP address, as others reach it.
        peers: Who may send us anything.
        codecs: What we speak, the best first.
        rtp_ports: Where sound is taken: first and last port.
        on_event: Told what happens to calls.
    """

    def __init__(
        self,
        *,
        public_host: str,
        peers: Sequence[Network],
        codecs: Sequence[Codec],
        rtp_ports: tuple[int, int],
        on_event: Callable[[Event], None],
    ) -> None:
        self.agent = SipAgent(
            local=(public_host, 0),
            peers=peers,
            codecs=codecs,
            token=lambda: secrets.token_hex(8),
            send=self._send,
            on_event=on_event,
        )
        first, last = rtp_ports
        self._host = ""
        self._ports = itertools.cycle(range(first + first % 2, last + 1, 2))
        self._port_count = len(range(first + first % 2, last + 1, 2))
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reported = 0
        self._report_at = 0.0

    async def open(self, host: str, port: int) -> int:
        """Listen.

        Args:
            host: Address to listen on.
            port: UDP port; 0 picks a free one.

        Returns:
            The port.

        Raises:
            OSError: It cannot be had.
        """
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=(host, port))
        self._transport = transport
        self._host = host
        port = transport.get_extra_info("sockname")[1]
        self.agent.local = (self.agent.local[0], port)
        return port

    def close(self) -> None:
        """Listen no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()

    async def open_rtp(self, protocol: asyncio.DatagramProtocol) -> int:
        """Open a port for a call's sound; even, as RFC 3550 section 11 has it.

        Raises:
            NoPortError: All are in use.
        """
        loop = asyncio.get_running_loop()
        for port in itertools.islice(self._ports, self._port_count):
            try:
                await loop.create_datagram_endpoint(lambda: protocol, local_addr=(self._host, port))
            except OSError:
                continue
            return port
        raise NoPortError("all ports for sound are in use")

    def order(self, call: str, order: Callable[[Any, float], Any]) -> Any:
        """Give a call's dialog an order; None: it is over.

        Args:
            call: The call.
            order: Called with the dialog and the time.
        """
        dialog = self.agent.dialog(call)
        answer = order(dialog, self._now()) if dialog is not None else None
        self.wake()
        return answer

    def wake(self) -> None:
        """See to it that timers run when they are due; to be called after whatever the agent was told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (at := self.agent.timers.next_at()) is not None:
            self._timer = asyncio.get_running_loop().call_at(at, self._on_timer)

    # --- asyncio's side ----------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """A datagram came, from whomever."""
        now = self._now()
        self.agent.received(data, (addr[0], addr[1]), now)
        self.wake()
        self._report(now)

    def error_received(self, exc: Exception) -> None:
        """Somebody's port is closed: the transaction tells, in its time."""

    def _on_timer(self) -> None:
        self._timer = None
        self.agent.timers.run(self._now())
        self.wake()

    def _send(self, data: bytes, to: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, to)

    def _report(self, now: float) -> None:
        """Tell the log how much was dropped, now and then."""
        dropped = self.agent.counts.total()
        if dropped > self._reported and now >= self._report_at:
            self._report_at = now + REPORT_SECS
            self._reported = dropped
            counts = ", ".join(f"{name} {count}" for name, count in sorted(self.agent.counts.items()))
            logger.warning("SIP: datagrams that were dropped so far: {}", counts)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def own_address(towards: Address) -> str:
    """This machine's IP address, as a peer sees it where no router stands between."""
    family = socket.AF_INET6 if ":" in towards[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:  # nothing is sent
        probe.connect(towards)
        return probe.getsockname()[0]
