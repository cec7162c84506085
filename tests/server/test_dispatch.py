"""Which worker gets a request, without any worker."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admission.caller_queue import Wait
from server.dispatch import REFUSED_SECS, SILENT_SECS, Dispatcher, Limited, NoWorker, Stopping, TakeOver, Ticket
from transports.takeover import CallerId

ANNA, BEN, CLEO = (CallerId(name.encode()) for name in ("anna", "ben", "cleo"))


def dispatcher_of(workers: int = 2, max_calls: int = 2, **limits: int) -> Dispatcher:
    """A dispatcher whose workers are all ready at 0."""
    numbers = itertools.count()
    made = Dispatcher(workers, max_calls, make_name=lambda: f"place-{next(numbers)}", **limits)
    for worker in range(workers):
        made.ready(worker, 0.0)
    return made


def begin(dispatcher: Dispatcher, now: float, caller: CallerId | None = None) -> Ticket:
    """A call that its worker has answered; its peer connection is named like its place."""
    ticket = dispatcher.offered(caller, None, now)
    assert isinstance(ticket, Ticket)
    dispatcher.answered(ticket.worker, ticket.name, now)
    dispatcher.settled(ticket, now)
    return ticket


def tell(dispatcher: Dispatcher, worker: int, held: list[Ticket], now: float, asked_at: float | None = None) -> None:
    names = [ticket.name for ticket in held if ticket.worker == worker]
    dispatcher.told(worker, names, names, asked_at=now if asked_at is None else asked_at, now=now)


def test_calls_spread_before_anything_is_told():
    it = dispatcher_of(workers=3, max_calls=2)
    assert [begin(it, 0.1).worker for _ in range(6)] == [0, 1, 2, 0, 1, 2]
    assert it.offered(None, None, 0.1) == Wait(1, 2)


def test_a_place_is_free_again_when_its_worker_says_so():
    it = dispatcher_of(workers=2, max_calls=1)
    first, second = begin(it, 0.1), begin(it, 0.1)
    tell(it, 1, [first], 1.0)
    assert begin(it, 1.0).worker == second.worker == 1
    tell(it, 0, [first], 1.0)
    assert isinstance(it.offered(None, None, 1.0), Wait)


def test_what_a_worker_was_asked_before_it_answered_says_nothing_of_the_call():
    it = dispatcher_of(max_calls=1)
    ticket = it.offered(ANNA, None, 1.0)
    tell(it, 0, [], 1.1)
    assert it.taken(0) == 1, "the offer is on its way"
    it.answered(0, "peer", 1.2)
    it.settled(ticket, 1.2)
    tell(it, 0, [], now=1.3, asked_at=1.15)
    assert (it.taken(0), it.owner("peer")) == (1, 0)
    tell(it, 0, [], now=1.8)
    assert (it.taken(0), it.owner("peer")) == (0, None)


def test_a_call_that_nobody_told_us_of_counts_too():
    it = dispatcher_of(workers=1, max_calls=1)
    it.told(0, ["unknown"], ["peer"], asked_at=1.0, now=1.0)
    assert isinstance(it.offered(None, None, 1.1), Wait)
    assert it.owner("peer") == 0


def test_requests_about_a_call_go_to_its_worker():
    it = dispatcher_of()
    first, second = begin(it, 0.1, ANNA), begin(it, 0.1, BEN)
    assert (it.owner(first.name), it.owner(second.name), it.owner("nobody")) == (0, 1, None)
    assert it.owner("a name of hers that is forgotten", BEN) == 1, "the worker tells why it does not count any more"
    it.answered(1, "another connection", 0.2)
    assert it.owner("another connection") == 1


def test_a_caller_who_has_a_call_goes_to_it_even_if_the_bot_is_full():
    it = dispatcher_of(workers=2, max_calls=1)
    begin(it, 0.1, ANNA)
    begin(it, 0.1, BEN)
    assert it.offered(BEN, None, 0.2) == TakeOver(1)
    assert isinstance(it.offered(CLEO, None, 0.2), Wait)


def test_two_offers_of_one_caller_meet_at_one_worker():
    it = dispatcher_of()
    first = it.offered(ANNA, None, 0.1)
    second = it.offered(ANNA, None, 0.1)
    assert isinstance(first, Ticket)
    assert isinstance(second, Ticket)
    assert first.worker == second.worker
    it.dropped(first)
    assert it.taken(0) == 1


def test_a_call_of_theirs_that_is_closing_makes_room_for_them_and_for_nobody_else():
    it = dispatcher_of(workers=2, max_calls=1)
    begin(it, 0.1, ANNA)
    begin(it, 0.1, BEN)
    ticket = it.admit(BEN, None, 0.2)
    assert isinstance(ticket, Ticket)
    assert ticket.worker == 1
    it.dropped(ticket)
    assert isinstance(it.admit(CLEO, None, 0.3), Wait)
    assert it.admit(BEN, None, 0.4) == Wait(2, 2), "but not past those who wait"


def test_a_worker_that_refuses_leads_to_the_next_and_rests():
    it = dispatcher_of(workers=3, max_calls=5)
    ticket = it.offered(ANNA, None, 1.0)
    assert isinstance(ticket, Ticket)
    second = it.elsewhere(ticket, 1.1)
    assert isinstance(second, Ticket)
    third = it.elsewhere(second, 1.2)
    assert isinstance(third, Ticket)
    assert [ticket.worker, second.worker, third.worker] == [0, 1, 2]
    assert it.elsewhere(third, 1.3) == Wait(1, 2)
    assert [it.taken(worker) for worker in range(3)] == [0, 0, 0]
    assert it.offered(BEN, None, 1.4) == Wait(2, 2), "who was refused stands at the head"
    assert isinstance(it.offered(ANNA, None, 1.3 + REFUSED_SECS), Ticket)


def test_there_is_one_queue_for_all_workers():
    it = dispatcher_of(workers=2, max_calls=1)
    held = [begin(it, 0.0), begin(it, 0.0)]
    assert it.offered(ANNA, None, 0.1) == Wait(1, 2)
    assert it.offered(BEN, None, 0.2) == Wait(2, 2)
    tell(it, 0, held, 1.0)
    tell(it, 1, held[:1], 1.0)
    assert it.offered(CLEO, None, 1.1) == Wait(3, 2), "the place that is free is for the head"
    assert it.offered(BEN, None, 1.2) == Wait(2, 2)
    ticket = it.offered(ANNA, None, 2.0)
    assert isinstance(ticket, Ticket)
    assert ticket.worker == 1
    assert it.waiting == 2


def test_a_dead_worker_gets_nothing_and_its_calls_are_forgotten():
    it = dispatcher_of(workers=2, max_calls=2)
    lost, kept = begin(it, 0.1, ANNA), begin(it, 0.1, BEN)
    it.lost(0)
    assert (it.owner(lost.name), it.owner(kept.name)) == (None, 1)
    ticket = begin(it, 0.2, ANNA)
    assert ticket.worker == 1, "the caller begins anew elsewhere"
    assert isinstance(it.offered(None, None, 0.3), Wait)
    it.ready(0, 1.0)
    assert begin(it, 1.0).worker == 0


def test_an_offer_on_its_way_to_a_worker_that_dies_goes_elsewhere_with_its_caller():
    it = dispatcher_of()
    ticket = it.offered(ANNA, None, 0.1)
    assert isinstance(ticket, Ticket)
    it.lost(ticket.worker)
    other = it.elsewhere(ticket, 0.2)
    assert isinstance(other, Ticket)
    assert (other.worker, other.caller) == (1, ANNA)


def test_a_silent_worker_gets_nothing_new():
    it = dispatcher_of(workers=2, max_calls=9)
    begin(it, 0.0, ANNA)
    late = SILENT_SECS + 0.1
    tell(it, 1, [], late)
    assert it.live(late) == [1]
    assert begin(it, late, ANNA).worker == 1, "not even its own callers"
    it.told(0, [], [], asked_at=late, now=late)
    assert it.live(late) == [0, 1]


def test_without_workers_or_at_the_end_nobody_is_let_in():
    it = dispatcher_of()
    begin(it, 0.0, ANNA)
    it.stop()
    assert isinstance(it.offered(BEN, None, 0.1), Stopping)
    assert it.offered(ANNA, None, 0.1) == TakeOver(0), "who has a call may move it"
    it = Dispatcher(2, 2)
    assert isinstance(it.offered(BEN, "192.0.2.1", 0.0), NoWorker)


def test_one_address_may_not_ask_without_end():
    it = dispatcher_of(workers=2, max_calls=100, offers_per_minute=2)
    asked = [it.offered(None, "192.0.2.1", 0.0) for _ in range(3)]
    assert asked[2] == Limited(pytest.approx(30.0))
    assert isinstance(it.offered(None, "192.0.2.2", 0.0), Ticket)
    assert isinstance(it.offered(None, None, 0.0), Ticket)


@given(st.lists(st.integers(0, 30), max_size=60))
def test_a_new_call_goes_to_the_least_loaded(ends):
    it, held = dispatcher_of(workers=3, max_calls=8), []
    for now, end in enumerate(ends):
        loads = [it.taken(worker) for worker in range(3)]
        if end < len(held):
            worker = held.pop(end).worker
            tell(it, worker, held, now + 0.5)
        elif sum(loads) < 24:
            tell(it, now % 3, held, now)
            for worker in range(3):
                tell(it, worker, held, now + 0.1)
            held.append(begin(it, now + 0.1))
            assert loads[held[-1].worker] == min(loads)


class World:
    """Workers as they are, beside what the dispatcher believes of them."""

    def __init__(self, workers: int, max_calls: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.max_calls = max_calls
        self.dispatcher = dispatcher_of(workers, max_calls)
        self.alive = [True] * workers
        self.held: list[dict[str, CallerId]] = [{} for _ in range(workers)]
        self.on_the_way: list[Ticket | TakeOver] = []
        self.polls: list[tuple[int, float, list[str]]] = []

    def step(self) -> None:
        self.now += self.chance.uniform(0, 0.3)
        act = self.chance.choice(
            [self.call, self.call, self.answer, self.answer, self.poll, self.poll, self.told, self.told, self.hang_up]
            + [self.die, self.come_up]
        )
        act()
        for worker, alive in enumerate(self.alive):
            assert alive or worker not in self.dispatcher.live(self.now)
            assert len(self.held[worker]) <= self.max_calls

    def call(self) -> None:
        caller = CallerId(bytes([self.chance.randrange(12)]))
        goes_to = self.dispatcher.offered(caller, None, self.now)
        if isinstance(goes_to, Ticket | TakeOver):
            self.on_the_way.append(goes_to)

    def answer(self) -> None:
        if not self.on_the_way:
            return
        ticket = self.on_the_way.pop(self.chance.randrange(len(self.on_the_way)))
        if isinstance(ticket, TakeOver):
            return
        held = self.held[ticket.worker]
        if not self.alive[ticket.worker] or len(held) >= self.max_calls or self.chance.random() < 0.1:
            again = self.dispatcher.elsewhere(ticket, self.now)
            if isinstance(again, Ticket):
                assert again.worker not in again.tried
                self.on_the_way.append(again)
            return
        assert ticket.caller is not None
        if ticket.caller not in held.values():
            held[ticket.name] = ticket.caller
            self.dispatcher.answered(ticket.worker, ticket.name, self.now)
        self.dispatcher.settled(ticket, self.now)

    def poll(self) -> None:
        worker = self.chance.randrange(len(self.alive))
        if self.alive[worker]:
            self.polls.append((worker, self.now, list(self.held[worker])))

    def told(self) -> None:
        if self.polls:
            worker, asked_at, held = self.polls.pop(0)
            self.dispatcher.told(worker, held, held, asked_at=asked_at, now=self.now)

    def hang_up(self) -> None:
        worker = self.chance.randrange(len(self.alive))
        if self.held[worker]:
            del self.held[worker][self.chance.choice(list(self.held[worker]))]

    def die(self) -> None:
        worker = self.chance.randrange(len(self.alive))
        if self.alive[worker] and self.chance.random() < 0.1:
            self.alive[worker] = False
            self.held[worker] = {}
            self.polls = [poll for poll in self.polls if poll[0] != worker]
            self.dispatcher.lost(worker)

    def come_up(self) -> None:
        worker = self.chance.randrange(len(self.alive))
        if not self.alive[worker]:
            self.alive[worker] = True
            self.dispatcher.ready(worker, self.now)

    def settle(self) -> None:
        """Whatever is under way comes to its end."""
        while self.on_the_way:
            self.now += 0.1
            self.answer()
        self.polls.clear()
        self.now += 0.1
        for worker, alive in enumerate(self.alive):
            if alive:
                held = list(self.held[worker])
                self.dispatcher.told(worker, held, held, asked_at=self.now, now=self.now)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 10_000))
def test_whatever_happens_it_knows_in_the_end_who_holds_what(workers, max_calls, seed):
    world = World(workers, max_calls, seed)
    for _ in range(150):
        world.step()
    world.settle()
    for worker, held in enumerate(world.held):
        assert world.dispatcher.taken(worker) == len(held)
        for name in held:
            assert world.dispatcher.owner(name) == worker
    assert set(world.dispatcher._peers) == {name for held in world.held for name in held}, "nothing is kept for ever"
