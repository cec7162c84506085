"""A SIP user agent: all calls at one UDP port. Pure: datagrams and the time go in, datagrams and events come out.

SIP ports are found by scanners within minutes. Whoever is not one of the known peers gets nothing: no answer, no
memory, not even a look at what was sent; it is counted. So is what known peers send that is malformed. Answers go to
the machine that asked, and nowhere else.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from transports.sip.dialog import ALLOW, CallComes, CallOver, Dialog, Event, State
from transports.sip.media import Codec
from transports.sip.messages import Address, MalformedError, Request, Response, read, reply_address, response
from transports.sip.timers import Timers
from transports.sip.transactions import ClientTransaction, ServerTransaction

MAX_TRANSACTIONS: Final = 20_000
"""Requests that are remembered, each for half a minute; further ones are dropped, and come again."""

MAX_RINGING: Final = 1_000
"""Calls that wait to be taken; further ones are refused."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SipAgent:
    """The agent.

    Args:
        local: Where others reach us.
        peers: Who may send us anything.
        codecs: What we speak, the best first.
        token: Makes names that nobody can guess: 16 hexadecimal digits.
        send: Sends a datagram.
        on_event: Told what happens to calls.
    """

    def __init__(
        self,
        *,
        local: Address,
        peers: Sequence[Network],
        codecs: Sequence[Codec],
        token: Callable[[], str],
        send: Callable[[bytes, Address], None],
        on_event: Callable[[Event], None],
    ) -> None:
        self.local = local
        self.codecs = codecs
        self.timers = Timers()
        self.counts: Counter[str] = Counter()
        """Datagrams that were dropped, by why."""
        self.token = token
        self._on_event = on_event
        self._peers = list(peers)
        self._send = send
        self._known: dict[str, bool] = {}
        self._dialogs: dict[str, Dialog] = {}
        self._served: dict[tuple[str, str, int, str], tuple[ServerTransaction, Dialog | None]] = {}
        self._asked: dict[tuple[str, str], ClientTransaction] = {}

    def __len__(self) -> int:
        """Calls that are not over."""
        return len(self._dialogs)

    @property
    def remembered(self) -> int:
        """Transactions that are remembered."""
        return len(self._served) + len(self._asked)

    def allow(self, network: Network) -> None:
        """Know one more peer."""
        self._peers.append(network)
        self._known.clear()

    def may_reach(self, host: str) -> bool:
        """Whether a machine is one of the peers; names are not looked up."""
        known = self._known.get(host)
        if known is None:
            try:
                address = ipaddress.ip_address(host)
            except ValueError:
                return False
            known = any(address in network for network in self._peers)
            if len(self._known) >= 1_000:
                self._known.clear()
            self._known[host] = known
        return known

    # --- datagrams -------------------------------------------------------------------------------------

    def received(self, datagram: bytes, source: Address, now: float) -> None:
        """A datagram came."""
        if not self.may_reach(source[0]):
            self.counts["stranger"] += 1
            return
        if not datagram.strip():
            return  # phones keep their router's port open so (RFC 5626 section 4.4.1)
        try:
            message = read(datagram)
        except MalformedError:
            self.counts["malformed"] += 1
            return
        if isinstance(message, Response):
            asked = self._asked.get((message.branch, message.method))
            if asked is None:
                self.counts["stray"] += 1
            else:
                asked.responded(message, now)
            return
        self._take(message, source, now)

    def _take(self, came: Request, source: Address, now: float) -> None:
        known = self._served.get(came.transaction)
        if came.method == "ACK":
            self._acknowledged(came, known, now)
            return
        if known is not None:
            known[0].repeated()
            return
        if len(self._served) >= MAX_TRANSACTIONS:
            self.counts["flood"] += 1
            return
        if came.method == "CANCEL":
            self._cancel(came, source, now)
            return
        transaction = self._serve(came, source, now)
        dialog = self._dialogs.get(came.to_tag)
        if came.to_tag:
            if dialog is None or (dialog.call_id, dialog.remote_tag) != (came.call_id, came.from_tag):
                self._answer(came, source, transaction, 481, now)
                return
            self._served[came.transaction] = (transaction, dialog)
            dialog.take(came, transaction, source, now)
            return
        match came.method:
            case "INVITE":
                self._invite(came, source, transaction, now)
            case "OPTIONS":
                headers = [("Allow", ALLOW), ("Accept", "application/sdp")]
                self._answer(came, source, transaction, 200, now, headers)
            case "BYE" | "INFO" | "UPDATE" | "NOTIFY" | "PRACK" | "REFER":
                self._answer(came, source, transaction, 481, now)
            case _:
                self._answer(came, source, transaction, 405, now, [("Allow", ALLOW)])

    def _acknowledged(self, ack: Request, known: tuple[ServerTransaction, Dialog | None] | None, now: float) -> None:
        """An ACK has the branch of its INVITE where that was refused, and one of its own where it was taken."""
        dialog = self._dialogs.get(ack.to_tag)
        if known is not None and (dialog is None or dialog.state in (State.INVITED, State.OVER)):
            known[0].acknowledged(now)
        elif dialog is not None and (dialog.call_id, dialog.remote_tag) == (ack.call_id, ack.from_tag):
            if known is not None:
                known[0].acknowledged(now)
            dialog.acknowledged(ack, now)
        else:
            self.counts["stray"] += 1

    def _cancel(self, came: Request, source: Address, now: float) -> None:
        branch, host, port, _ = came.transaction
        invite = self._served.get((branch, host, port, "INVITE"))
        transaction = self._serve(came, source, now)
        if invite is None or invite[1] is None:
            self._answer(came, source, transaction, 481, now)
            return
        self._answer(came, source, transaction, 200, now, tag=invite[1].tag)
        invite[1].cancelled(now)

    def _invite(self, came: Request, source: Address, transaction: ServerTransaction, now: float) -> None:
        if came.uri.partition(":")[0].lower() not in ("sip", "sips", "tel"):
            self._answer(came, source, transaction, 416, now)
            return
        if wanted := came.headers("Require"):
            self._answer(came, source, transaction, 420, now, [("Unsupported", ", ".join(wanted)[:200])])
            return
        if not came.header("Contact"):
            self._answer(came, source, transaction, 400, now)
            return
        same = (came.from_tag, came.cseq)
        if any(dialog.call_id == came.call_id and dialog.invite_key == same for dialog in self._dialogs.values()):
            self._answer(came, source, transaction, 482, now)  # it came by two ways (RFC 3261 section 8.2.2.2)
            return
        content_type = came.header("Content-Type").partition(";")[0].strip().lower()
        if came.message.body and content_type != "application/sdp":
            self._answer(came, source, transaction, 415, now, [("Accept", "application/sdp")])
            return
        if sum(dialog.state is State.INVITED for dialog in self._dialogs.values()) >= MAX_RINGING:
            self._answer(came, source, transaction, 503, now, [("Retry-After", "10")])
            return
        dialog = Dialog(self, came, source, transaction)
        self._dialogs[dialog.tag] = dialog
        self._served[came.transaction] = (transaction, dialog)
        self._answer(came, source, transaction, 100, now)
        self.tell(CallComes(dialog.name, came.call_id, came.caller.uri.user or "", came.called.uri.user or ""))

    # --- what a dialog asks for ------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Tell the driver; calls that are over are forgotten, but for the answers to copies of their messages."""
        if isinstance(event, CallOver):
            self._dialogs.pop(event.call, None)
        self._on_event(event)

    def dialog(self, call: str) -> Dialog | None:
        """A call that is not over."""
        return self._dialogs.get(call)

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
        key = (branch, method)
        self._asked[key] = ClientTransaction(
            data,
            send=lambda data: self._send(data, to),
            timers=self.timers,
            on_final=on_final,
            on_over=lambda: self._forget_asked(key),
            now=now,
        )

    # --- within ----------------------------------------------------------------------------------------

    def _serve(self, came: Request, source: Address, now: float) -> ServerTransaction:
        key, to = came.transaction, reply_address(came, source)
        transaction = ServerTransaction(
            is_invite=came.method == "INVITE",
            send=lambda data: self._send(data, to),
            timers=self.timers,
            on_over=lambda: self._forget_served(key),
            now=now,
        )
        self._served[key] = (transaction, None)
        return transaction

    def _forget_asked(self, key: tuple[str, str]) -> None:
        self._asked.pop(key, None)

    def _forget_served(self, key: tuple[str, str, int, str]) -> None:
        self._served.pop(key, None)

    def _answer(
        self,
        came: Request,
        source: Address,
        transaction: ServerTransaction,
        status: int,
        now: float,
        headers: Sequence[tuple[str, str]] = (),
        tag: str | None = None,
    ) -> None:
        transaction.respond(status, response(came, source, status, tag or self.token(), headers), now)
