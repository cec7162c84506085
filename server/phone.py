"""HTTP of telephone calls: carriers' webhooks, whose signatures are checked, and the streams that they open then.

``POST /phone/CARRIER`` lets a call in, with the limits that all callers have, and answers with the address of its
stream, in which a token stands that holds once: whoever has none costs no more than a line of HTTP. The stream is a
WebSocket at ``/phone/CARRIER/stream/TOKEN``.
"""

import asyncio
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import aiohttp
from aiohttp import web
from loguru import logger

from admission.token_bucket import TokenBucket
from contracts.caller_identity import CallerIdentity
from contracts.caller_time import PHONE_NUMBER
from server.bodies import BODY_SECS
from server.calls import CALLS
from server.errors import AT_CAPACITY, ApiError
from settings import Settings, SettingsError
from transports.client_messages import MessageLimits
from transports.phone.call import MAX_MESSAGE_BYTES, PhoneCall, Redirect
from transports.phone.carrier import (
    Carrier,
    IncomingCall,
    MalformedError,
    Order,
    Redirects,
    Reply,
    SignatureError,
    Webhook,
)
from transports.phone.plivo import Plivo
from transports.phone.telnyx import Telnyx
from transports.phone.tickets import Tickets
from transports.phone.twilio import Twilio
from transports.phone.vonage import Vonage

AWAY: Final = "transferred"
"""Marks the address at which a carrier asks what is next when a transfer is over."""

ORDER_SECS: Final = 5.0
"""How long a carrier's own interface may take."""

SEEN_CALLS: Final = 10_000
"""Names of so many calls whose stream has come are remembered: a request that is sent again lets nobody in."""

_NUMBER: Final = re.compile(r"\+?(\d{6,15})")
"""A telephone number with its country (E.164); some carriers leave the plus out."""


@dataclass(frozen=True)
class PhoneParams:
    """How telephone calls are taken.

    Attributes:
        carriers: Those that may bring them, by name.
        public_url: Where they reach the bot, without a slash at the end.
        trusts_caller_id: Whether a number says who calls.
        wait_secs: How long a telephone rings at most while all lines are busy.
        connect_timeout_secs: How long a stream may take to come.
        limits: How many keys a caller may press.
    """

    carriers: Mapping[str, Carrier]
    public_url: str
    trusts_caller_id: bool = False
    wait_secs: int = 60
    connect_timeout_secs: float = 15.0
    limits: MessageLimits = MessageLimits()

    @property
    def stream_url(self) -> str:
        """The address as carriers open streams to it."""
        return "ws" + self.public_url.removeprefix("http")


def phone_params(settings: Settings) -> PhoneParams | None:
    """What the settings say; None: no telephone.

    Raises:
        SettingsError: A key cannot be used.
    """
    if not settings.phone:
        return None
    makers = {
        "twilio": partial(Twilio, api_url=settings.twilio_api_url),
        "telnyx": Telnyx,
        "plivo": Plivo,
        "vonage": Vonage,
    }
    try:
        carriers = {name: makers[name](settings.phone_secret(name)) for name in settings.phone}
    except ValueError:
        raise SettingsError("TELNYX_PUBLIC_KEY: it is no Ed25519 key in base64; copy it from Telnyx's portal") from None
    return PhoneParams(
        carriers,
        settings.phone_public_url,
        settings.phone_trust_caller_id,
        settings.phone_wait_secs,
        settings.connect_timeout_secs,
        MessageLimits(keys_per_minute=settings.keys_per_minute),
    )


def add_phone(app: web.Application, params: PhoneParams) -> None:
    """Take telephone calls.

    Args:
        app: The application; its calls are those of all callers.
        params: From whom, and how.
    """
    phone = _Phone(app, params)
    app.router.add_post("/phone/{carrier}", phone.webhook)
    app.router.add_get("/phone/{carrier}/stream/{token}", phone.stream)


class _Phone:
    def __init__(self, app: web.Application, params: PhoneParams) -> None:
        self._calls = app[CALLS]
        self._params = params
        self._tickets: Tickets[PhoneCall] = Tickets()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._away: dict[str, PhoneCall] = {}
        self._complaints = TokenBucket(0.2, 5)

    async def webhook(self, request: web.Request) -> web.Response:
        """A carrier has a call."""
        carrier = self._carrier(request)
        told = await self._told(request)
        try:
            carrier.verify(told)
        except (SignatureError, MalformedError) as error:
            self._complain(f"a request in the name of {carrier.name} is refused: {error}")
            raise ApiError(403, "wrong_signature", "the signature is wrong") from None
        try:
            incoming = carrier.incoming(told)
        except MalformedError as error:
            raise ApiError(400, "no_call", f"the request tells of no call: {error}") from None
        if AWAY in request.query:
            reply = self._next(carrier, incoming, told)
        else:
            reply = await self._answer(carrier, incoming, _waited_secs(request))
        return web.Response(text=reply.text, content_type=reply.content_type)

    async def _answer(self, carrier: Carrier, incoming: IncomingCall, waited_secs: int) -> Reply:
        name = f"{carrier.name} {incoming.call_id}"
        if name in self._seen:
            return carrier.refuse()
        call = self._tickets.waiting(name)
        if call is None:
            try:
                call = await self._enter(carrier, incoming, name)
            except ApiError as error:
                return self._turned_away(carrier, error, waited_secs)
        token = self._tickets.issue(name, call)
        return carrier.connect(f"{self._params.stream_url}/phone/{carrier.name}/stream/{token}")

    def _next(self, carrier: Carrier, incoming: IncomingCall, told: Webhook) -> Reply:
        """A carrier has called somebody else for a caller, and asks what is next."""
        name = f"{carrier.name} {incoming.call_id}"
        call = self._away.get(name)
        if call is None or not call.is_away or not isinstance(carrier, Redirects):
            return carrier.refuse()
        if carrier.was_answered(told):
            call.put_through()
            return carrier.hang_up()
        token = self._tickets.issue(name, call)
        return carrier.connect(f"{self._params.stream_url}/phone/{carrier.name}/stream/{token}")

    def _redirect_of(self, carrier: Redirects, incoming: IncomingCall, name: str, call: PhoneCall) -> Redirect:
        async def redirect(_: str, target: str, within_secs: float) -> bool:
            self._away = {known: each for known, each in self._away.items() if each.is_away}
            self._away[name] = call
            url = f"{self._params.public_url}/phone/{call.carrier.name}?{AWAY}=1"
            try:
                return await _ordered(carrier.redirect(incoming, target, round(within_secs), url))
            except MalformedError:
                return False

        return redirect

    async def _enter(self, carrier: Carrier, incoming: IncomingCall, name: str) -> PhoneCall:
        number = international(incoming.caller)
        trusted = bool(number) and self._params.trusts_caller_id
        identity = CallerIdentity(f"tel:{number}", {PHONE_NUMBER: number}) if trusted else None
        known = {"carrier": carrier.name, PHONE_NUMBER: number, "called_number": international(incoming.called)}

        def make_call() -> PhoneCall:
            call = PhoneCall(
                carrier,
                name=f"phone-{secrets.token_hex(6)}",
                carrier_call_id=incoming.call_id,
                identity=identity,
                request_data={key: value for key, value in known.items() if value},
                connect_timeout_secs=self._params.connect_timeout_secs,
                limits=self._params.limits,
            )
            if isinstance(carrier, Redirects):
                call.redirect = self._redirect_of(carrier, incoming, name, call)
            return call

        # All requests come from the carrier's own machines: what one caller may do is counted by the number.
        address = f"tel:{number}" if number else "tel:"
        return await self._calls.enter(make_call, waiter=name, address=address, identity=identity)

    def _turned_away(self, carrier: Carrier, error: ApiError, waited_secs: int) -> Reply:
        secs = error.extra.get("retry_after_secs", 0)
        if error.code == AT_CAPACITY and waited_secs + secs <= self._params.wait_secs:
            url = f"{self._params.public_url}/phone/{carrier.name}?waited={waited_secs + secs}"
            if (reply := carrier.wait(secs, url)) is not None:
                return reply
        logger.info("a call from {} is refused: {}", carrier.name, error.reason)
        return carrier.refuse()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """A carrier opens a call's stream."""
        carrier = self._carrier(request)
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=MAX_MESSAGE_BYTES, timeout=3.0)
        if not socket.can_prepare(request):
            raise ApiError(426, "no_websocket", "a stream is a WebSocket")
        call = self._tickets.redeem(request.match_info["token"])
        if call is None or call.carrier is not carrier:
            self._complain("a stream without a valid token is refused")
            raise ApiError(403, "wrong_token", "this stream was not asked for")
        self._remember(f"{carrier.name} {call.carrier_call_id}")
        await socket.prepare(request)
        await call.run(socket)
        return socket

    def _carrier(self, request: web.Request) -> Carrier:
        carrier = self._params.carriers.get(request.match_info["carrier"])
        if carrier is None:
            raise ApiError(404, "no_carrier", "PHONE does not name this carrier")
        return carrier

    async def _told(self, request: web.Request) -> Webhook:
        try:
            async with asyncio.timeout(BODY_SECS):
                body = await request.read()
        except TimeoutError:
            raise ApiError(408, "too_slow", f"the body took longer than {BODY_SECS:g} s") from None
        return Webhook(self._params.public_url + request.raw_path, request.headers, body, time.time())

    def _remember(self, name: str) -> None:
        self._seen[name] = None
        while len(self._seen) > SEEN_CALLS:
            self._seen.popitem(last=False)

    def _complain(self, what: str) -> None:
        """Log it, unless there is a flood."""
        if self._complaints.take(1, asyncio.get_running_loop().time()):
            logger.warning("{}", what)


async def _ordered(order: Order) -> bool:
    """Ask a carrier's own interface for something; returns whether it will do it."""
    timeout = aiohttp.ClientTimeout(total=ORDER_SECS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http:
            headers = {"Authorization": aiohttp.encode_basic_auth(order.user, order.password)}
            async with http.post(order.url, data=dict(order.form), headers=headers, allow_redirects=False) as answer:
                if 200 <= answer.status < 300:
                    return True
                logger.warning("the carrier refuses to put a caller through: HTTP {}", answer.status)
    except (aiohttp.ClientError, TimeoutError) as error:
        logger.warning("the carrier's interface cannot be reached: {}", type(error).__name__)
    return False


def international(number: str) -> str:
    """A number as it is dialled from anywhere (``+33612345678``); empty: withheld, or none."""
    found = _NUMBER.fullmatch(number.strip())
    return f"+{found[1]}" if found is not None else ""


def _waited_secs(request: web.Request) -> int:
    told = request.query.get("waited", "0")
    return int(told) if re.fullmatch(r"\d{1,4}", told, re.ASCII) else 0
