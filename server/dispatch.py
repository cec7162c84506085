"""Which worker gets a request: the one whose call it is about, else the least loaded that has a place.

Pure: ``now`` (seconds) is an argument. What is known of a worker is what it was given since it last told what it holds
(:meth:`Dispatcher.told`), and that; so a place that is given is counted at once, and one that is left within a poll.
"""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from admission.caller_queue import AddressLimit, CallerQueue, Wait
from transports.takeover import CallerId

SILENT_SECS: Final = 3.0
"""A worker that has told nothing for so long gets nothing new."""

REFUSED_SECS: Final = 1.0
"""A worker that has refused a call is not asked again for so long."""


@dataclass(frozen=True)
class Ticket:
    """A call may be begun at a worker.

    Attributes:
        worker: Where.
        name: What the worker calls the place that it takes up.
        caller: Whose it is.
        tried: Workers that have refused it.
        address: Where it comes from, as limits count it.
    """

    worker: int
    name: str
    caller: CallerId | None = None
    tried: frozenset[int] = frozenset()
    address: str | None = None


@dataclass(frozen=True)
class TakeOver:
    """The caller has a call at a worker; if it is over, :meth:`Dispatcher.admit` comes next."""

    worker: int


@dataclass(frozen=True)
class Limited:
    """The address asks too often.

    Attributes:
        wait_secs: When it may again.
    """

    wait_secs: float


class TooManyCalls:
    """The address has as many calls as it may."""


class Stopping:
    """Nobody is let in any more."""


class NoWorker:
    """No worker takes calls now."""


Refusal = Wait | Limited | TooManyCalls | Stopping | NoWorker


@dataclass
class _Place:
    """A place that a call takes up, or is about to.

    Attributes:
        worker: Where.
        caller: Whose it is.
        answered_at: When the worker had answered its offer; None: it has not yet.
        address: Where the call comes from, as limits count it; None: not known, or no limit holds it up.
    """

    worker: int
    caller: CallerId | None
    answered_at: float | None
    address: str | None = None


@dataclass
class _Peer:
    """A peer connection.

    Attributes:
        worker: Where.
        answered_at: When the worker had named it.
    """

    worker: int
    answered_at: float


@dataclass
class _Worker:
    """What is known of a worker.

    Attributes:
        told_at: When it last told what it holds; None: it is not there.
        refuses_until: It has refused a call.
        max_calls: How many calls it takes, as it told last; None: it has not told.
    """

    told_at: float | None = None
    max_calls: int | None = None
    refuses_until: float = field(default=float("-inf"))


class Dispatcher:
    """Knows which worker holds what.

    Args:
        workers: How many there are to be.
        max_calls: Calls that each takes at once, until it tells.
        offers_per_minute: Offers that one address may make; 0: any number.
        make_name: Makes names for places.
        calls_per_address: Calls at once of one address; 0: any number.
    """

    def __init__(
        self,
        workers: int,
        max_calls: int,
        offers_per_minute: int = 0,
        make_name: Callable[[], str] = lambda: secrets.token_hex(8),
        calls_per_address: int = 0,
    ) -> None:
        self._max_calls = max_calls
        self._make_name = make_name
        self._workers = [_Worker() for _ in range(workers)]
        self._places: dict[str, _Place] = {}
        self._peers: dict[str, _Peer] = {}
        self._queue = CallerQueue()
        self._asked = AddressLimit(offers_per_minute)
        self._calls_per_address = calls_per_address
        self._stops = False

    @property
    def waiting(self) -> int:
        """Callers who wait for a place."""
        return len(self._queue)

    def most(self, worker: int) -> int:
        """Calls that a worker takes at once."""
        told = self._workers[worker].max_calls
        return self._max_calls if told is None else told

    @property
    def stops(self) -> bool:
        """Whether nobody is let in any more."""
        return self._stops

    def taken(self, worker: int) -> int:
        """Places that a worker's calls take up."""
        return sum(1 for place in self._places.values() if place.worker == worker)

    def live(self, now: float) -> list[int]:
        """Workers that take requests."""
        return [
            index
            for index, worker in enumerate(self._workers)
            if worker.told_at is not None and now - worker.told_at <= SILENT_SECS
        ]

    def stop(self) -> None:
        """Let nobody in any more."""
        self._stops = True

    # --- what workers do ---------------------------------------------------------------------

    def ready(self, worker: int, now: float) -> None:
        """A worker has come up."""
        self._workers[worker] = _Worker(told_at=now)

    def lost(self, worker: int) -> None:
        """A worker is gone, and its calls with it."""
        self._workers[worker] = _Worker()
        self._places = {name: place for name, place in self._places.items() if place.worker != worker}
        self._peers = {name: peer for name, peer in self._peers.items() if peer.worker != worker}

    def told(
        self,
        worker: int,
        places: Collection[str],
        peers: Collection[str],
        *,
        asked_at: float,
        now: float,
        max_calls: int | None = None,
    ) -> None:
        """A worker told what it holds; forgets what is over.

        Args:
            worker: Which.
            places: Names of the places that its calls take up.
            peers: Names of their peer connections.
            asked_at: When it was asked; what it was given later it may not know yet.
            now: Seconds.
            max_calls: How many calls it takes.
        """
        self._workers[worker].told_at = now
        self._workers[worker].max_calls = max_calls
        for name in places:
            self._places.setdefault(name, _Place(worker, None, asked_at))
        for name in peers:
            self._peers.setdefault(name, _Peer(worker, asked_at))
        for name, place in list(self._places.items()):
            settled = place.answered_at is not None and place.answered_at < asked_at
            if place.worker == worker and settled and name not in places:
                del self._places[name]
        for name, peer in list(self._peers.items()):
            if peer.worker == worker and peer.answered_at < asked_at and name not in peers:
                del self._peers[name]

    # --- requests ----------------------------------------------------------------------------

    def owner(self, pc_id: str, caller: CallerId | None = None) -> int | None:
        """The worker that knows a peer connection, or else its caller; None: there is none."""
        if (peer := self._peers.get(pc_id)) is not None:
            return peer.worker
        place = self._place_of(caller)
        return place.worker if place is not None else None

    def counted(self, address: str | None, now: float) -> Limited | None:
        """Count an offer of whatever kind; None: it may pass."""
        if address is not None and (wait_secs := self._asked.wait_secs(address, now)) > 0:
            return Limited(wait_secs)
        return None

    def offered(self, caller: CallerId | None, address: str | None, now: float) -> Ticket | TakeOver | Refusal:
        """A first offer, which counts: a caller's own call has the word, then :meth:`admit`."""
        if (limited := self.counted(address, now)) is not None:
            return limited
        own = self._place_of(caller)
        if own is None or own.worker not in self.live(now):
            return self.admit(caller, address, now)
        if own.answered_at is None:
            # It may reach the worker before the one that is on its way: whichever comes first begins the call.
            return self._enter(own.worker, caller, address)
        return TakeOver(own.worker)

    def admit(self, caller: CallerId | None, address: str | None, now: float) -> Ticket | Refusal:
        """Let a call in, or tell why not.

        Args:
            caller: Whose it is.
            address: Where the offer comes from, as limits count it; None: no limit holds it up.
            now: Seconds.
        """
        if self._stops:
            return Stopping()
        if not self.live(now):
            return NoWorker()
        if address is not None and 0 < self._calls_per_address <= self._calls_from(address, caller):
            return TooManyCalls()
        loads = self._with_room(caller, now)
        wait = self._queue.admit(caller, sum(self.most(index) - load for index, load in loads.items()), now)
        return wait if wait is not None else self._enter(_least(loads), caller, address)

    def elsewhere(self, ticket: Ticket, now: float) -> Ticket | Refusal:
        """A ticket's worker would not have it, or has gone: another one's, or the head of the queue."""
        self._workers[ticket.worker].refuses_until = now + REFUSED_SECS
        self._places.pop(ticket.name, None)
        caller, tried = ticket.caller, ticket.tried | {ticket.worker}
        if not self.live(now):
            return NoWorker()
        loads = {index: load for index, load in self._with_room(caller, now).items() if index not in tried}
        if not loads:
            return self._queue.put_back(caller, now)
        return self._enter(_least(loads), caller, ticket.address, tried)

    def answered(self, worker: int, pc_id: str, now: float) -> None:
        """A worker has named a peer connection."""
        self._peers[pc_id] = _Peer(worker, now)

    def settled(self, ticket: Ticket, now: float) -> None:
        """A worker has answered a ticket's offer, or nobody knows whether it has; it will tell what it holds."""
        if (place := self._places.get(ticket.name)) is not None:
            place.answered_at = now

    def dropped(self, ticket: Ticket) -> None:
        """A worker has answered that the offer is wrong."""
        self._places.pop(ticket.name, None)

    # --- places ------------------------------------------------------------------------------

    def _place_of(self, caller: CallerId | None) -> _Place | None:
        """The last place that a caller was given."""
        if caller is None:
            return None
        return next((place for place in reversed(self._places.values()) if place.caller == caller), None)

    def _with_room(self, caller: CallerId | None, now: float) -> dict[int, int]:
        """How many places are taken at each worker that has one left; a caller's own that are closing are free."""
        loads: dict[int, int] = {}
        for index in self.live(now):
            there = [place for place in self._places.values() if place.worker == index]
            load = sum(1 for place in there if caller is None or place.caller != caller)
            if load < self.most(index) and now >= self._workers[index].refuses_until:
                loads[index] = load
        return loads

    def _calls_from(self, address: str, caller: CallerId | None) -> int:
        """Calls of others at an address; one of the caller's own that is closing makes room."""
        return sum(
            1
            for place in self._places.values()
            if place.address == address and (caller is None or place.caller != caller)
        )

    def _enter(
        self, worker: int, caller: CallerId | None, address: str | None, tried: frozenset[int] = frozenset()
    ) -> Ticket:
        ticket = Ticket(worker, self._make_name(), caller, tried, address)
        self._places[ticket.name] = _Place(worker, caller, None, address)
        return ticket


def _least(loads: dict[int, int]) -> int:
    return min(loads, key=lambda index: (loads[index], index))
