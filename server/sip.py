"""Calls over SIP: let in with the limits that all callers have, or ringing until there is room."""

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from loguru import logger

from contracts.caller_identity import CallerIdentity
from contracts.caller_time import PHONE_NUMBER
from server.calls import Calls
from server.errors import AT_CAPACITY, ApiError
from server.phone import international
from settings import Settings, SettingsError
from transports.client_messages import MessageLimits
from transports.sip.agent import Network
from transports.sip.call import SipCall, SipLine
from transports.sip.dialog import (
    CallChanges,
    CallComes,
    CallConfirmed,
    CallOver,
    Event,
    KeyPressed,
    TransferTells,
)
from transports.sip.endpoint import NoPortError, SipEndpoint, own_address
from transports.sip.media import Codec
from transports.sip.messages import DEFAULT_PORT, Address
from transports.sip.registration import Account, Registration

BUSY: Final = 486
UNAVAILABLE: Final = 503

PARTING_SECS: Final = 1.0
"""How long the last messages may take when the server stops."""


@dataclass(frozen=True)
class SipParams:
    """How calls over SIP are taken.

    Attributes:
        host: Address to listen on.
        port: UDP port; 0 picks a free one.
        peers: Who may call.
        codecs: What is spoken, the best first.
        rtp_ports: Where sound is taken: first and last port.
        public_host: Our IP address, as others reach it; empty: as the first peer sees it.
        registrar: Where the account is; None: nobody is told where the bot is.
        account: The account there.
        trusts_caller_id: Whether a number says who calls.
        wait_secs: How long a telephone rings at most while all lines are busy.
        connect_timeout_secs: How long a call may take to begin.
        limits: How many keys a caller may press.
    """

    host: str
    port: int
    peers: Sequence[Network]
    codecs: Sequence[Codec] = (Codec.OPUS, Codec.PCMU, Codec.PCMA)
    rtp_ports: tuple[int, int] = (20_000, 20_999)
    public_host: str = ""
    registrar: str = ""
    account: Account | None = None
    trusts_caller_id: bool = False
    wait_secs: int = 60
    connect_timeout_secs: float = 40.0
    limits: MessageLimits = MessageLimits()


def sip_params(settings: Settings) -> SipParams | None:
    """What the settings say; None: no SIP."""
    if not settings.takes_sip:
        return None
    first, last = settings.sip_rtp_ports.split("-")
    account = None
    if settings.sip_registrar:
        domain = settings.sip_domain or settings.sip_registrar.partition(":")[0]
        account = Account(settings.sip_user, settings.sip_password.get_secret_value(), domain)
    return SipParams(
        host=settings.sip_host,
        port=settings.sip_port,
        peers=[ipaddress.ip_network(each, strict=False) for each in settings.sip_peers],
        codecs=[Codec[name.upper()] for name in settings.sip_codecs],
        rtp_ports=(int(first), int(last)),
        public_host=settings.sip_public_host,
        registrar=settings.sip_registrar,
        account=account,
        trusts_caller_id=settings.phone_trust_caller_id,
        wait_secs=settings.phone_wait_secs,
        limits=MessageLimits(keys_per_minute=settings.keys_per_minute),
    )


class SipServer:
    """Takes calls over SIP.

    Args:
        calls: The calls of this process.
        params: From whom, and how.
    """

    def __init__(self, calls: Calls, params: SipParams) -> None:
        self._calls = calls
        self._params = params
        self._own: dict[str, SipCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._endpoint: SipEndpoint | None = None
        self._registration: Registration | None = None

    async def open(self) -> Address:
        """Listen, and register; returns where.

        Raises:
            SettingsError: That cannot be done; says what to set.
        """
        params = self._params
        registrar = await self._registrar_address()
        peers = list(params.peers)
        if registrar is not None:
            peers.append(ipaddress.ip_network(registrar[0]))
        first = str(peers[0].network_address) if peers else "192.0.2.1"
        endpoint = SipEndpoint(
            public_host=params.public_host or self._host_towards((first, DEFAULT_PORT)),
            peers=peers,
            codecs=params.codecs,
            rtp_ports=params.rtp_ports,
            on_event=self._on_event,
        )
        try:
            await endpoint.open(params.host, params.port)
        except OSError as error:
            said = f"SIP_PORT: cannot listen on {params.host}:{params.port}: {error.strerror}; set SIP_HOST or SIP_PORT"
            raise SettingsError(said) from None
        self._endpoint = endpoint
        host, port = endpoint.agent.local
        logger.info("SIP: calls are taken at {}:{} from {}", host, port, ", ".join(map(str, peers)))
        if registrar is not None and params.account is not None:
            self._registration = Registration(endpoint.agent, params.account, registrar, self._tell_registration)
            self._registration.begin(asyncio.get_running_loop().time())
            endpoint.wake()
        return host, port

    async def close(self) -> None:
        """Listen no more; calls are over by now."""
        if self._endpoint is None:
            return
        for task in self._tasks:
            task.cancel()
        if self._registration is not None and self._registration.registered:
            self._registration.end(asyncio.get_running_loop().time())
            await asyncio.sleep(PARTING_SECS)
        self._endpoint.close()

    def snapshot(self) -> dict[str, int]:
        """Datagrams that were dropped, by why."""
        return dict(self._endpoint.agent.counts) if self._endpoint is not None else {}

    async def _registrar_address(self) -> Address | None:
        if not self._params.registrar:
            return None
        host, _, port = self._params.registrar.partition(":")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, int(port or DEFAULT_PORT), family=socket.AF_INET, type=socket.SOCK_DGRAM
            )
        except OSError as error:
            raise SettingsError(
                f"SIP_REGISTRAR: {host} is not found ({error}); set it to its name or address"
            ) from None
        address = found[0][4]
        return str(address[0]), int(address[1])

    def _host_towards(self, peer: Address) -> str:
        host = ipaddress.ip_address(self._params.host)
        if not host.is_unspecified:
            return self._params.host
        try:
            return own_address(peer)
        except OSError:
            said = "SIP_PUBLIC_HOST: this machine has no way to SIP_PEERS; set it to the address that they reach"
            raise SettingsError(said) from None

    def _tell_registration(self, outcome: str) -> None:
        if outcome:
            logger.warning("SIP: the registrar does not take the registration: {}", outcome)
        else:
            logger.info("SIP: registered")

    # --- calls -----------------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        if isinstance(event, CallComes):
            self._spawn(self._take(event))
            return
        call = self._own.get(event.call)
        if call is None:
            return
        match event:
            case CallConfirmed():
                call.confirmed(event.media, event.peer)
            case CallChanges():
                call.changed(event.media)
            case KeyPressed():
                call.pressed(event.key)
            case TransferTells():
                call.transfer_told(event.status)
            case CallOver():
                call.gone(event.reason)

    async def _take(self, event: CallComes) -> None:
        """Let a call in, now or when there is room."""
        assert self._endpoint is not None
        endpoint, loop = self._endpoint, asyncio.get_running_loop()
        until = loop.time() + self._params.wait_secs
        while True:
            try:
                call = await self._enter(event)
                break
            except ApiError as error:
                secs = error.extra.get("retry_after_secs", 0)
                if error.code != AT_CAPACITY or loop.time() + secs > until:
                    status = UNAVAILABLE if error.status == UNAVAILABLE else BUSY
                    endpoint.order(event.call, lambda d, now: d.refuse(status, now, secs or None))  # noqa: B023
                    logger.info("a call over SIP is refused: {}", error.reason)
                    return
            endpoint.order(event.call, lambda d, now: d.ring(now))
            await asyncio.sleep(secs)
            if endpoint.agent.dialog(event.call) is None:
                return  # the caller did not wait
        await self._accept(event, call)

    async def _accept(self, event: CallComes, call: SipCall) -> None:
        assert self._endpoint is not None
        try:
            port = await self._endpoint.open_rtp(call)
        except NoPortError:
            logger.warning("SIP: all ports for sound are in use; set SIP_RTP_PORTS to more")
            self._endpoint.order(event.call, lambda d, now: d.refuse(UNAVAILABLE, now, 10))
            await call.close("there is no port for its sound")
            return
        self._own[event.call] = call
        try:
            if not self._endpoint.order(event.call, lambda d, now: d.accept(port, now)):
                call.gone("the caller did not wait, or speaks nothing that is spoken here")
            await call.closed.wait()
        finally:
            del self._own[event.call]

    async def _enter(self, event: CallComes) -> SipCall:
        number = international(event.caller)
        trusted = bool(number) and self._params.trusts_caller_id
        identity = CallerIdentity(f"tel:{number}", {PHONE_NUMBER: number}) if trusted else None
        known = {"carrier": "sip", PHONE_NUMBER: number, "called_number": international(event.called)}

        def make_call() -> SipCall:
            return SipCall(
                self._line(event.call),
                name=f"sip-{secrets.token_hex(6)}",
                identity=identity,
                request_data={key: value for key, value in known.items() if value},
                connect_timeout_secs=self._params.connect_timeout_secs,
                limits=self._params.limits,
            )

        # All requests come from the trunk's own machines: what one caller may do is counted by the number.
        address = f"tel:{number}" if number else f"sip:{event.caller[:64]}"
        return await self._calls.enter(make_call, waiter=f"sip {event.call}", address=address, identity=identity)

    def _line(self, call: str) -> SipLine:
        endpoint = self._endpoint
        assert endpoint is not None

        def hang_up() -> None:
            endpoint.order(call, lambda dialog, now: dialog.hang_up(now))

        def probe() -> None:
            endpoint.order(call, lambda dialog, now: dialog.probe(now))

        def transfer(target: str) -> bool:
            return bool(endpoint.order(call, lambda dialog, now: dialog.transfer(target, now)))

        return SipLine(hang_up, probe, transfer)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
