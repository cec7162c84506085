"""The circuit breaker of a model that refused or failed. Pure: time and chance are arguments.

Closed: the model gets requests. Open: it gets none until a time that the vendor told or that backoff with full jitter
sets ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015). Half-open: one request at a time tests the model;
its success closes the circuit.
"""

import random
from dataclasses import dataclass
from enum import Enum

from contracts.llm import Cause


class CircuitState(Enum):
    """The state of a circuit; the value is the name on the dashboard."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class CircuitBreakerParams:
    """How long a circuit stays open.

    Attributes:
        failures: So many failures in a row open the circuit; a refusal always does.
        floor_secs: Never less than this, unless the vendor says so.
        base_secs: The jitter is drawn up to this after a first failure, and up to twice as much after each further one.
        cap_secs: The jitter's upper bound: a model that works again is tested no later than floor and cap.
        key_secs: A refused key is tried again after this long: somebody may have changed it at the vendor.
    """

    failures: int = 2
    floor_secs: float = 2.0
    base_secs: float = 0.5
    cap_secs: float = 2.0
    key_secs: float = 10.0


class CircuitBreaker:
    """The circuit breaker of one model.

    Args:
        params: How long the circuit stays open.
        chance: Draws the jitter.
    """

    def __init__(self, params: CircuitBreakerParams, chance: random.Random) -> None:
        self._params = params
        self._chance = chance
        self._failures = 0
        self._rounds = 0
        self._until: float | None = None
        self._told = False
        self._probing = False
        self.cause: Cause | None = None
        """Why it is open, or was last."""

    def state(self, now: float) -> CircuitState:
        """Its state."""
        if self._until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self._until else CircuitState.HALF_OPEN

    def allows(self, now: float) -> bool:
        """Whether a request may be sent now."""
        state = self.state(now)
        return state is CircuitState.CLOSED or (state is CircuitState.HALF_OPEN and not self._probing)

    def wait_secs(self, now: float) -> float:
        """Seconds until the circuit is half-open; 0 if it is closed or half-open."""
        return 0.0 if self._until is None else max(0.0, self._until - now)

    @property
    def told(self) -> bool:
        """Whether the vendor itself set the time."""
        return self._told

    def sent(self, now: float) -> None:
        """A request is sent; if the circuit is not closed, it is the one that finds out."""
        if self.state(now) is not CircuitState.CLOSED:
            self._probing = True

    def left(self) -> None:
        """A request ended without an outcome that tells anything (the caller hung up, the request was wrong)."""
        self._probing = False

    def succeeded(self, now: float, *, sent_at: float) -> None:
        """A request was answered; one that was sent before the circuit opened tells nothing of now."""
        if self._until is not None and (sent_at < self._until or now < self._until):
            return
        self._failures = self._rounds = 0
        self._until = self.cause = None
        self._probing = self._told = False

    def failed(self, cause: Cause, after_secs: float | None, now: float) -> None:
        """A request was refused (``after_secs``: the vendor's own waiting time) or failed."""
        self._failures += 1
        self._probing = False
        was_open = self._until is not None
        if cause is Cause.KEY:
            wait_secs = self._params.key_secs
        elif after_secs is not None:
            wait_secs = after_secs
        elif cause in (Cause.BUSY, Cause.QUOTA) or was_open or self._failures >= self._params.failures:
            reach_secs = min(self._params.cap_secs, self._params.base_secs * 2**self._rounds)
            wait_secs = self._params.floor_secs + self._chance.uniform(0, reach_secs)
            self._rounds += 1
        else:
            return
        self.cause = cause
        until = now + wait_secs
        # Several requests may be refused at once, each with its own time: the latest told holds.
        if self._until is None or until > self._until:
            self._until = until
            self._told = after_secs is not None
