"""SIP transactions over UDP (RFC 3261 section 17, with RFC 6026). Pure: the time is told, timers run when told to."""

from collections.abc import Callable
from typing import Final

from transports.sip.messages import Response
from transports.sip.timers import Timer, Timers

T1: Final = 0.5
"""Seconds that a message and its answer take, as RFC 3261 supposes."""

T2: Final = 4.0
"""Longest wait between two copies of a message, in seconds."""

T4: Final = 5.0
"""How long a message may wander about in the network, in seconds."""

GIVE_UP: Final = 64 * T1
"""After so many seconds without an answer nobody is there."""


class ServerTransaction:
    """A request that came, and our answer to it.

    Final answers to an INVITE are sent again until the ACK comes; others when the request comes again.

    Args:
        is_invite: Whether it is an INVITE.
        send: Sends an answer.
        timers: The timers.
        on_over: Called when it is to be forgotten.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        is_invite: bool,
        send: Callable[[bytes], None],
        timers: Timers,
        on_over: Callable[[], None],
        now: float,
    ) -> None:
        self._is_invite = is_invite
        self._send = send
        self._timers = timers
        self._on_over = on_over
        self._last = b""
        self._repeat: Timer | None = None
        self._end = timers.at(now + GIVE_UP, self._forget) if not is_invite else None
        self.on_lost: Callable[[float], None] = lambda _: None
        """Called when no ACK comes."""
        self.answered = False
        """Whether the answer is final."""

    def respond(self, status: int, data: bytes, now: float) -> None:
        """Answer; after the final answer nothing more."""
        if self.answered:
            return
        self._last = data
        self._send(data)
        if status < 200:
            return
        self.answered = True
        if self._is_invite:
            self._repeat_after(T1, now)
            self._end = self._timers.at(now + GIVE_UP, self._lost)

    def repeated(self) -> None:
        """The request came again."""
        if self._last:
            self._send(self._last)

    def acknowledged(self, now: float) -> None:
        """The ACK came; the transaction stays a while, for copies of the INVITE that are on their way."""
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None
            if self._end is not None:
                self._end.cancel()
            self._end = self._timers.at(now + GIVE_UP, self._forget)

    def _repeat_after(self, secs: float, now: float) -> None:
        def again(now: float) -> None:
            self._send(self._last)
            self._repeat_after(min(2 * secs, T2), now)

        self._repeat = self._timers.at(now + secs, again)

    def _lost(self, now: float) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
        self._on_over()
        self.on_lost(now)

    def _forget(self, _: float) -> None:
        self._on_over()


class ClientTransaction:
    """A request of ours that is no INVITE, sent again until it is answered.

    Args:
        data: The request.
        send: Sends it.
        timers: The timers.
        on_final: Told the final answer; None: none came in time.
        on_over: Called when it is to be forgotten.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        data: bytes,
        *,
        send: Callable[[bytes], None],
        timers: Timers,
        on_final: Callable[[Response | None, float], None],
        on_over: Callable[[], None],
        now: float,
    ) -> None:
        self._data = data
        self._send = send
        self._timers = timers
        self._on_final = on_final
        self._on_over = on_over
        self._proceeds = False
        self._done = False
        self._end = timers.at(now + GIVE_UP, self._give_up)
        send(data)
        self._repeat = self._repeat_after(T1, now)

    def responded(self, response: Response, now: float) -> None:
        """An answer came."""
        if self._done:
            return
        if response.status < 200:
            self._proceeds = True
            return
        self._done = True
        self._repeat.cancel()
        self._end.cancel()
        self._end = self._timers.at(now + T4, lambda _: self._on_over())  # for copies of the answer
        self._on_final(response, now)

    def _repeat_after(self, secs: float, now: float) -> Timer:
        def again(now: float) -> None:
            self._send(self._data)
            self._repeat = self._repeat_after(T2 if self._proceeds else min(2 * secs, T2), now)

        return self._timers.at(now + secs, again)

    def _give_up(self, now: float) -> None:
        self._done = True
        self._repeat.cancel()
        self._on_over()
        self._on_final(None, now)
