"""A call's connection: up, lost and held for its caller's return, or over. Pure: times are arguments.

A lost connection is held for a caller who can prove to be the same (see ``transports/takeover.py``). Every state but
*up* has a deadline that no event puts off for ever, so that no call keeps its place without a caller.
"""

from dataclasses import dataclass
from enum import Enum


class ConnectionState(Enum):
    """Whether the caller can be reached."""

    CONNECTING = "connecting"
    UP = "up"
    HELD = "held"
    OVER = "over"


@dataclass(frozen=True)
class ConnectionParams:
    """Times, in seconds.

    Attributes:
        connect_secs: How long a peer may take to connect after its offer.
        hold_secs: How long a lost connection is held; 0: it is over at once.
        caller_hold_secs: How long a caller may leave the call on hold.
    """

    connect_secs: float = 15.0
    hold_secs: float = 0.0
    caller_hold_secs: float = 600.0


class Connection:
    """One call's connection, from its first offer to its end.

    Args:
        params: Times.
        now: Monotonic seconds, as everywhere here.
    """

    def __init__(self, params: ConnectionParams, now: float) -> None:
        self._params = params
        self.state = ConnectionState.CONNECTING
        self.reason = ""
        """Why it is over; empty before."""
        self.deadline: float | None = now + params.connect_secs
        """When :meth:`tick` has something to say."""
        self._has_been_up = False
        self._down_since = now

    def offered(self, now: float) -> bool:
        """A peer wants to connect, perhaps in the place of another.

        Returns:
            Whether it may; False when the connection is over.
        """
        self.tick(now)
        if self.state in (ConnectionState.CONNECTING, ConnectionState.HELD):
            self._connect(now)
        return self.state is not ConnectionState.OVER

    def connected(self, now: float) -> None:
        """A peer is connected."""
        self.tick(now)
        if self.state is ConnectionState.OVER:
            return
        self.state = ConnectionState.UP
        self._has_been_up = True
        self.deadline = None

    def lost(self, reason: str, now: float, *, another_comes: bool = False) -> None:
        """The peer is gone, or one that was to come did not.

        Args:
            reason: Why, in a few words.
            now: The time.
            another_comes: Whether another one is connecting already.
        """
        self.tick(now)
        if self.state is ConnectionState.OVER:
            return
        if self.state is ConnectionState.UP:
            self._down_since = now
        if another_comes:
            self._connect(now)
        elif self._has_been_up and now < self._held_until:
            self.state = ConnectionState.HELD
            self.deadline = self._held_until
        else:
            self.end(reason)

    def put_on_hold(self, on: bool, now: float) -> None:
        """The caller has put the call on hold, or taken it off."""
        self.tick(now)
        if self.state is ConnectionState.UP and on is (self.deadline is None):
            self.deadline = now + self._params.caller_hold_secs if on else None

    def end(self, reason: str) -> None:
        """It is over; the first reason counts."""
        if self.state is not ConnectionState.OVER:
            self.state = ConnectionState.OVER
            self.reason = reason
            self.deadline = None

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self.deadline is None or now < self.deadline:
            return
        match self.state:
            case ConnectionState.UP:
                self.end("the caller left it on hold")
            case ConnectionState.HELD:
                self.end("the caller did not come back")
            case ConnectionState.CONNECTING if self._has_been_up and now < self._held_until:
                self.state = ConnectionState.HELD
                self.deadline = self._held_until
            case ConnectionState.CONNECTING:
                self.end("the peer did not connect in time")
            case ConnectionState.OVER:
                pass

    @property
    def _held_until(self) -> float:
        """Nobody is waited for who has never been there."""
        return self._down_since + (self._params.hold_secs if self._has_been_up else 0.0)

    def _connect(self, now: float) -> None:
        """Wait for a peer to connect; offers without end do not keep the connection for ever."""
        if self.state is ConnectionState.CONNECTING and not self._has_been_up:
            return  # further offers do not keep a connection that nobody has ever spoken on
        self.state = ConnectionState.CONNECTING
        self.deadline = min(now, self._held_until) + self._params.connect_secs
