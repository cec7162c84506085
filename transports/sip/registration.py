"""Tells a registrar where the bot is reached, so that its calls come here (RFC 3261 section 10). Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from aiosipua.auth import SipDigestAuth, answer_challenge

from transports.sip.messages import Address, Response, host_port, request
from transports.sip.timers import Timer, Timers

EXPIRES_SECS: Final = 300
"""For so long a registration is asked to hold: whoever is behind a router has to come again soon anyway."""

SHORTEST_SECS: Final = 30
LONGEST_SECS: Final = 3_600

RETRY_SECS: Final = 10.0
LONGEST_RETRY_SECS: Final = 300.0
"""After a failure it is tried again, twice as long each time up to this."""


@dataclass(frozen=True)
class Account:
    """An account at a registrar.

    Attributes:
        user: Its name, in the address and for the password.
        password: The password.
        domain: The registrar's name, as addresses have it.
    """

    user: str
    password: str
    domain: str

    @property
    def address(self) -> str:
        """The address that others call."""
        return f"sip:{self.user}@{self.domain}"


class Agent(Protocol):
    """What a registration needs of its user agent."""

    @property
    def timers(self) -> Timers:
        """All timers."""
        ...

    @property
    def local(self) -> Address:
        """Where others reach us."""
        ...

    def token(self) -> str:
        """A new name that nobody can guess."""
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


class Registration:
    """One account's registration; it renews itself, and tries again when it fails.

    Args:
        agent: Who sends.
        account: The account.
        registrar: Where the registrar is.
        on_change: Told the outcome when it changes: empty, or why it failed.
    """

    def __init__(
        self, agent: Agent, account: Account, registrar: Address, on_change: Callable[[str], None] = lambda _: None
    ) -> None:
        self.registered = False
        self._agent = agent
        self._account = account
        self._registrar = registrar
        self._on_change = on_change
        self._call_id = agent.token()
        self._tag = agent.token()
        self._cseq = 0
        self._expires_secs = EXPIRES_SECS
        self._failures = 0
        self._outcome: str | None = None
        self._next: Timer | None = None
        self._ends = False

    def begin(self, now: float) -> None:
        """Register, and stay so."""
        self._ask(now, self._expires_secs)

    def end(self, now: float) -> None:
        """Take the registration back."""
        self._ends = True
        if self._next is not None:
            self._next.cancel()
        if self.registered:
            self.registered = False
            self._ask(now, 0)

    def _ask(self, now: float, expires_secs: int, credentials: tuple[str, str] | None = None) -> None:
        self._cseq += 1
        branch = f"z9hG4bK{self._agent.token()}"
        uri = f"sip:{self._account.domain}"
        name = f"<{self._account.address}>"
        data = request(
            "REGISTER",
            uri,
            local=self._agent.local,
            branch=branch,
            sender=f"{name};tag={self._tag}",
            receiver=name,
            call_id=self._call_id,
            cseq=self._cseq,
            headers=[("Expires", str(expires_secs)), *([credentials] if credentials else [])],
            user=self._account.user,
        )

        def answered(answer: Response | None, now: float) -> None:
            self._answered(answer, expires_secs, now, asked_for_password=credentials is not None)

        self._agent.ask(data, branch, "REGISTER", self._registrar, now, answered)

    def _answered(self, answer: Response | None, expires_secs: int, now: float, *, asked_for_password: bool) -> None:
        if answer is not None and answer.status in (401, 407) and not asked_for_password:
            own = SipDigestAuth(self._account.user, self._account.password)
            credentials = answer_challenge(
                own, answer.message, answer.status, "REGISTER", f"sip:{self._account.domain}"
            )
            if credentials is not None:
                self._ask(now, expires_secs, credentials)
                return
        if self._ends:
            return
        if answer is not None and 200 <= answer.status < 300:
            self._failures = 0
            self.registered = True
            self._tell("")
            granted = self._granted_secs(answer)
            # Early enough for an answer that takes its full time (timer F).
            self._again(now + max(granted / 2, granted - 40), self._expires_secs)
            return
        least = _number(answer.header("Min-Expires")) if answer is not None and answer.status == 423 else None
        if least is not None and self._expires_secs < least <= LONGEST_SECS:
            self._expires_secs = least
            self._ask(now, least)
            return
        self.registered = False
        self._tell("no answer" if answer is None else f"status {answer.status}")
        self._failures += 1
        self._again(now + min(LONGEST_RETRY_SECS, RETRY_SECS * 2 ** min(self._failures - 1, 10)), self._expires_secs)

    def _again(self, at: float, expires_secs: int) -> None:
        self._next = self._agent.timers.at(at, lambda now: self._ask(now, expires_secs))

    def _granted_secs(self, answer: Response) -> int:
        """For how long the registrar holds it: told with our address, or for all."""
        own = f"{host_port(self._agent.local)}"
        for contact in answer.message.get_header_values("Contact"):
            if own in contact and (found := re.search(r";\s*expires\s*=\s*\"?(\d{1,9})", contact, re.IGNORECASE)):
                return min(LONGEST_SECS, max(SHORTEST_SECS, int(found[1])))
        told = _number(answer.header("Expires"))
        return min(LONGEST_SECS, max(SHORTEST_SECS, told if told is not None else self._expires_secs))

    def _tell(self, outcome: str) -> None:
        if outcome != self._outcome:
            self._outcome = outcome
            self._on_change(outcome)


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else None
