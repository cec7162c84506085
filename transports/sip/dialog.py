"""One call over SIP, as its side that was called: a state machine (RFC 3261 sections 12 to 15, RFC 3515). Pure.

Messages, orders and timers go in; messages and :data:`Event` come out. What is the driver's is to make the call, to
carry its sound, and to tell the time.

=========  ================================================================
state      what it waits for
=========  ================================================================
INVITED    the driver: :meth:`Dialog.ring`, :meth:`Dialog.accept` or :meth:`Dialog.refuse`
ACCEPTED   the ACK; without one in 32 s the call ends
CONFIRMED  whatever comes: changes, keys, transfers, the end
OVER       nothing
=========  ================================================================
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from transports.sip.media import Codec, Media, NoMediaError, offer_lines, read_media, session
from transports.sip.messages import (
    DEFAULT_PORT,
    Address,
    Request,
    Response,
    host_port,
    is_uri,
    request,
    response,
    uri_of,
    uri_text,
)
from transports.sip.timers import Timers
from transports.sip.transactions import ServerTransaction

ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY"
"""Requests that are taken within a call."""

MAX_ROUTE: Final = 8
"""So many proxies may stand between."""

_SIGNAL: Final = re.compile(r"^\s*Signal\s*=\s*([0-9A-D*#])\s*$", re.MULTILINE | re.IGNORECASE)
"""A key in the body of an INFO (``application/dtmf-relay``)."""

_FRAGMENT: Final = re.compile(rb"\s*SIP/2\.0\s+([1-6]\d\d)\b")
"""How a NOTIFY tells what became of a transfer (RFC 3515 section 2.4.5)."""


class State(Enum):
    """See the table above."""

    INVITED = auto()
    ACCEPTED = auto()
    CONFIRMED = auto()
    OVER = auto()


@dataclass(frozen=True)
class CallComes:
    """A call wants to be taken.

    Attributes:
        call: Our name for it.
        call_id: The other side's.
        caller: The user part of the From address: a number, or a name.
        called: That of the address that was called.
    """

    call: str
    call_id: str
    caller: str
    called: str


@dataclass(frozen=True)
class CallConfirmed:
    """The call was taken, and the other side knows: sound may flow.

    Attributes:
        call: The call.
        media: How.
        peer: IP address of the machine that signals.
    """

    call: str
    media: Media
    peer: str


@dataclass(frozen=True)
class CallChanges:
    """The other side goes on hold, comes back, or moves elsewhere."""

    call: str
    media: Media


@dataclass(frozen=True)
class KeyPressed:
    """A key, told in a message of its own."""

    call: str
    key: str


@dataclass(frozen=True)
class TransferTells:
    """How a transfer stands: 100 to 199 under way, 200 to 299 somebody took the call, others nobody did."""

    call: str
    status: int


@dataclass(frozen=True)
class CallOver:
    """The call is over, or will never be."""

    call: str
    reason: str


Event = CallComes | CallConfirmed | CallChanges | KeyPressed | TransferTells | CallOver


class Agent(Protocol):
    """What a dialog needs of whoever has it."""

    @property
    def timers(self) -> Timers:
        """All timers."""
        ...

    @property
    def local(self) -> Address:
        """Where others reach us."""
        ...

    @property
    def codecs(self) -> Sequence[Codec]:
        """What we speak, the best first."""
        ...

    def tell(self, event: Event) -> None:
        """Tell the driver."""
        ...

    def token(self) -> str:
        """A new name that nobody can guess."""
        ...

    def may_reach(self, host: str) -> bool:
        """Whether messages may be sent to a machine."""
        ...

    def ask(
        self,
        data: bytes,
        branch: str,
        method: str,
        to: Address,
        now: float,
        on_final: Callable[[Response | None, float], None],
    ) -> None:
        """Send a request, and be told its final answer; None: none came."""
        ...


class Dialog:
    """One call that came.

    Args:
        agent: Whose it is.
        invite: The request that began it.
        source: Where that came from.
        transaction: That of the request.
    """

    def __init__(self, agent: Agent, invite: Request, source: Address, transaction: ServerTransaction) -> None:
        self.tag = agent.token()
        self.state = State.INVITED
        self.call_id = invite.call_id
        self.remote_tag = invite.from_tag
        self.invite_key = (invite.from_tag, invite.cseq)
        self._agent = agent
        self._invite = invite
        self._source = source
        self._transaction = transaction
        self._waits_for_ack: ServerTransaction | None = None
        self._offered = False
        self._remote_cseq = invite.cseq
        self._ack_cseq = 0
        self._leaves = ""
        self._cseq = 0
        self._port = 0
        self._version = 0
        self._media: Media | None = None
        self._refers = 0
        # The other side's From is our To, and the other way round (RFC 3261 section 12.1.1).
        self._remote = invite.header("From")
        to = invite.header("To")
        self._own = f"{to if '<' in to else '<' + uri_text(to) + '>'};tag={self.tag}"
        self._route = invite.headers("Record-Route")[:MAX_ROUTE]
        self._target = uri_text(invite.header("Contact"))

    @property
    def name(self) -> str:
        """Our name for the call."""
        return self.tag

    # --- the driver's orders -------------------------------------------------------------------------

    def ring(self, now: float) -> None:
        """Tell that it rings."""
        if self.state is State.INVITED:
            self._answer(self._invite, self._transaction, 180, now, [self._contact])

    def accept(self, port: int, now: float) -> bool:
        """Take the call.

        Args:
            port: Where its sound is taken.
            now: Monotonic seconds.

        Returns:
            Whether it was still there, and had something that can be spoken.
        """
        if self.state is not State.INVITED:
            return False
        self._port = port
        body = self._sdp_for(self._invite)
        if body is None:
            self.refuse(488, now)
            return False
        self.state = State.ACCEPTED
        self._accept_with(self._invite, self._transaction, body, now)
        return True

    def refuse(self, status: int, now: float, retry_after_secs: int | None = None) -> None:
        """Do not take the call."""
        if self.state is State.INVITED:
            later = [("Retry-After", str(retry_after_secs))] if retry_after_secs is not None else []
            self._answer(self._invite, self._transaction, status, now, later)
            self._over("it was refused")

    def hang_up(self, now: float, reason: str = "the bot hung up") -> None:
        """End the call, however far it is; one that was just taken ends when its ACK has come (RFC 3261 section 15)."""
        match self.state:
            case State.INVITED:
                self.refuse(486, now)
            case State.ACCEPTED if self._waits_for_ack is not None:
                self._leaves = reason
            case State.ACCEPTED | State.CONFIRMED:
                self._request("BYE", now, lambda *_: None)
                self._over(reason)
            case State.OVER:
                pass

    def transfer(self, target: str, now: float) -> bool:
        """Ask the other side to call somebody else instead (REFER); :class:`TransferTells` says what became of it.

        Args:
            target: A SIP URI.
            now: Monotonic seconds.

        Returns:
            Whether it was asked.
        """
        if self.state is not State.CONFIRMED or not is_uri(target):
            return False
        self._refers += 1
        number = self._refers

        def answered(answer: Response | None, now: float) -> None:
            status = 408 if answer is None else answer.status
            if number == self._refers and self.state is State.CONFIRMED:
                # 2xx says only that it was understood.
                self._agent.tell(TransferTells(self.name, 100 if 200 <= status < 300 else status))

        headers = [("Refer-To", f"<{target}>"), ("Referred-By", f"<{uri_text(self._own)}>")]
        self._request("REFER", now, answered, headers)
        return True

    def probe(self, now: float) -> None:
        """Ask whether the other side is still there; if not, the call is over."""

        def answered(answer: Response | None, now: float) -> None:
            if self.state is State.CONFIRMED and (answer is None or answer.status in (404, 408, 481)):
                self.hang_up(now, "the other side is gone")

        if self.state is State.CONFIRMED:
            self._request("OPTIONS", now, answered)

    # --- what comes ------------------------------------------------------------------------------------

    def take(self, came: Request, transaction: ServerTransaction, source: Address, now: float) -> None:
        """A request within the call, but ACK and CANCEL."""
        if self.state is State.OVER:
            self._answer(came, transaction, 481, now)
            return
        if came.cseq <= self._remote_cseq:
            self._answer(came, transaction, 500, now)
            return
        self._remote_cseq = came.cseq
        self._source = source
        match came.method:
            case "BYE":
                self._answer(came, transaction, 200, now)
                if self.state is State.INVITED:
                    self._answer(self._invite, self._transaction, 487, now)
                self._over("the caller hung up")
            case "INVITE" | "UPDATE":
                self._change(came, transaction, now)
            case "INFO":
                self._answer(came, transaction, 200, now)
                if found := _SIGNAL.search(came.message.text[:200]):
                    self._agent.tell(KeyPressed(self.name, found[1].upper()))
            case "NOTIFY":
                self._notified(came, transaction, now)
            case "OPTIONS":
                self._answer(came, transaction, 200, now, [("Allow", ALLOW)])
            case "REFER":
                self._answer(came, transaction, 603, now)
            case "PRACK":
                self._answer(came, transaction, 481, now)
            case _:
                self._answer(came, transaction, 405, now, [("Allow", ALLOW)])

    def acknowledged(self, ack: Request, now: float) -> None:
        """The ACK of a 200 came."""
        if self._waits_for_ack is None or ack.cseq != self._ack_cseq:
            return
        self._waits_for_ack.acknowledged(now)
        self._waits_for_ack = None
        if self._leaves:
            self.hang_up(now, self._leaves)
            return
        if self._offered:
            self._offered = False
            try:
                self._media = read_media(ack.message.body, self._agent.codecs)
            except NoMediaError:
                self.hang_up(now, "the other side agreed to nothing")
                return
        assert self._media is not None
        if self.state is State.ACCEPTED:
            self.state = State.CONFIRMED
            self._agent.tell(CallConfirmed(self.name, self._media, self._source[0]))
        elif self.state is State.CONFIRMED:
            self._agent.tell(CallChanges(self.name, self._media))

    def cancelled(self, now: float) -> None:
        """The caller does not wait any longer; too late once the call was taken."""
        if self.state is State.INVITED:
            self._answer(self._invite, self._transaction, 487, now)
            self._over("the caller hung up before it was taken")

    # --- within ------------------------------------------------------------------------------------------

    def _change(self, came: Request, transaction: ServerTransaction, now: float) -> None:
        """A new offer, or none at all: whether the call is still there (RFC 4028)."""
        if self.state is not State.CONFIRMED or self._waits_for_ack is not None:
            self._answer(came, transaction, 491 if came.method == "INVITE" else 500, now)
            return
        if contact := uri_text(came.header("Contact")):
            self._target = contact
        if came.method == "UPDATE" and not came.message.body:
            self._answer(came, transaction, 200, now, [self._contact])
            return
        before = self._media
        body = self._sdp_for(came)
        if body is None:
            self._answer(came, transaction, 488, now)
        elif came.method == "INVITE":
            self._accept_with(came, transaction, body, now)
        else:
            self._answer(came, transaction, 200, now, [self._contact], body)
            if self._media is not None and self._media != before:
                self._agent.tell(CallChanges(self.name, self._media))

    def _sdp_for(self, came: Request) -> str | None:
        """Our SDP: the answer to an offer, or the offer where there was none; None: nothing can be agreed."""
        if came.message.body:
            try:
                self._media = read_media(came.message.body, self._agent.codecs, self._port)
            except NoMediaError:
                return None
            lines: Sequence[str] = self._media.answer
        else:
            self._offered = True
            lines = offer_lines(self._port, self._agent.codecs)
        self._version += 1
        return session(self._agent.local[0], int(self.tag[:8], 16), self._version, lines)

    def _accept_with(self, came: Request, transaction: ServerTransaction, body: str, now: float) -> None:
        self._waits_for_ack, self._ack_cseq = transaction, came.cseq
        transaction.on_lost = self._not_acknowledged
        self._answer(came, transaction, 200, now, [self._contact, ("Allow", ALLOW)], body)

    def _not_acknowledged(self, now: float) -> None:
        self._waits_for_ack = None
        self.hang_up(now, "the other side never said that it heard the answer")

    def _notified(self, came: Request, transaction: ServerTransaction, now: float) -> None:
        if came.header("Event").partition(";")[0].strip().lower() != "refer":
            self._answer(came, transaction, 489, now)
            return
        self._answer(came, transaction, 200, now)
        found = _FRAGMENT.match(came.message.body)
        if found is not None and self.state is State.CONFIRMED and self._refers:
            self._agent.tell(TransferTells(self.name, int(found[1])))

    def _answer(
        self,
        came: Request,
        transaction: ServerTransaction,
        status: int,
        now: float,
        headers: Sequence[tuple[str, str]] = (),
        body: str = "",
    ) -> None:
        transaction.respond(status, response(came, self._source, status, self.tag, headers, body), now)

    def _request(
        self,
        method: str,
        now: float,
        on_final: Callable[[Response | None, float], None],
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._cseq += 1
        branch = f"z9hG4bK{self._agent.token()}"
        data = request(
            method,
            self._target,
            local=self._agent.local,
            branch=branch,
            sender=self._own,
            receiver=self._remote,
            call_id=self.call_id,
            cseq=self._cseq,
            route=self._route,
            headers=headers,
        )
        self._agent.ask(data, branch, method, self._next_hop(), now, on_final)

    def _next_hop(self) -> Address:
        """The first proxy, or the other side itself, where that is an address that may be reached; else the machine
        that we hear from."""
        uri = uri_of(self._route[0] if self._route else f"<{self._target}>")
        host = uri.host.strip("[]")
        return (host, uri.port or DEFAULT_PORT) if self._agent.may_reach(host) else self._source

    @property
    def _contact(self) -> tuple[str, str]:
        return "Contact", f"<sip:{host_port(self._agent.local)}>"

    def _over(self, reason: str) -> None:
        self.state = State.OVER
        self._agent.tell(CallOver(self.name, reason))
