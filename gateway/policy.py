"""Which request is sent to which model, and when. Pure: events and ``now`` go in, decisions come out.

Every reply that a call wants is a *ticket*. Tickets wait in one queue, the earliest deadline first; a call that was
served a lot of late stands a little further back, so that nobody talks the others out of their turn. The first of them
gets the best model that may be asked now: not in an open circuit, with budget left for the request, and among those the
one with the least cost, made of its place in the list, its recent time to the first token and the scarcity of its
budget. If none may be asked the ticket waits, and its call is told how long; if that would be longer than its deadline
it is refused at once, with the cause, so that the caller hears what is wrong instead of silence.

A prompt may have two forms (:mod:`processors.llm.meant`): the short one costs less, the whole one begins like the one
before and may be in the vendor's cache. Where what is cached counts against no limit, and the budget is small or no
longer ample, the whole one is sent, unless it turns out to count for more.

A request that fails goes back into the line with its deadline, and prefers models that have not failed it yet.
"""

import math
import random
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from admission.capacity import Limit, Supply, supply
from contracts.llm import Allowance, Cause, Quota, Usage
from gateway.budget import DAILY, REQUESTS, Budget, requests_within
from gateway.circuit_breaker import CircuitBreaker, CircuitBreakerParams, CircuitState

HORIZON_SECS: Final = 3600.0
"""Waits are not predicted beyond this."""

LOOK_AGAIN_SECS: Final = 1.0
"""How often the wait of those further back is predicted anew."""

UNFIT_REQUESTS: Final = 3
"""A model that has refused so many requests for what they are, and never answered one, is asked no more."""

LONG_OUTAGE_SECS: Final = 60.0
"""A model that cannot be asked for longer than this carries nothing."""

SOON_SECS: Final = 0.05
"""What is due sooner than this waits this long."""

WHOLE_TRIALS: Final = 8
"""So many whole prompts are sent before it is known whether they count for less than short ones."""

WHOLE_SHARE: Final = 0.5
"""A whole prompt of which less than this share counts is cheaper than a short one that has never been seen."""

SMALL_BUDGET_REQUESTS: Final = 30.0
"""A budget of fewer requests than this a minute is never ample."""

CHARS_PER_TOKEN: Final = 4.0
SMOOTHING: Final = 0.2
"""Share of the newest measurement in running means."""


@dataclass(frozen=True)
class Choice:
    """A model that may be asked.

    Attributes:
        name: Its id.
        limits: What is known of its limits beforehand.
        in_flight: How many requests it takes at once.
        cached_is_free: Whether prompt tokens that the vendor had in its cache do not count against the limits.
    """

    name: str
    limits: Mapping[Quota, float] = field(default_factory=dict)
    in_flight: int = 64
    cached_is_free: bool = False


@dataclass(frozen=True)
class PolicyParams:
    """Times in seconds.

    Attributes:
        max_wait_secs: A reply that cannot be begun after this long is refused.
        fault_wait_secs: The same when no vendor works at all.
        max_attempts: How often one ticket is tried; a refusal is no try.
        rank_secs: What each further place in the list of models costs, against a quicker first token.
        scarce_share: A budget of which less than this share is left makes its model dearer.
        scarce_secs: By how much at most.
        handicap_secs: How much further back a call stands for each reply it got within ``handicap_window_secs``.
        handicap_cap_secs: Never further back than this: so nobody starves.
        head_start_secs: How much further in front the rest of a reply stands, which waits for a tool's result.
        tell_step: A call is told again when its wait has changed by more than this share.
        completion_tokens: How long a reply is taken to be before any has been seen.
        request_tokens: What a request is taken to count, prompt and reply, before any has been seen.
        key_trust_secs: A key that was taken so recently, and is refused to one call only, works for the others.
        estimate_margin: A request is sent when so much more than its estimated share of tokens is left: estimates err,
            and a refusal costs more than the wait.
        hedge_requests: Two models are asked at once while both have room for so many more requests; 0: never.
        ample_share: While more than this share of a model's budget is left, and it is not small as such, prompts are
            short: what matters is their price.
        circuit: When models are left alone.
    """

    max_wait_secs: float = 60.0
    fault_wait_secs: float = 8.0
    max_attempts: int = 5
    rank_secs: float = 0.4
    scarce_share: float = 0.25
    scarce_secs: float = 0.6
    handicap_secs: float = 0.5
    handicap_window_secs: float = 30.0
    handicap_cap_secs: float = 3.0
    head_start_secs: float = 30.0
    tell_step: float = 0.5
    completion_tokens: float = 80.0
    request_tokens: float = 800.0
    key_trust_secs: float = 60.0
    estimate_margin: float = 0.12
    hedge_requests: float = 0.0
    ample_share: float = 0.9
    circuit: CircuitBreakerParams = CircuitBreakerParams()


# --- decisions ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Send:
    """Send the ticket's request to this model.

    Attributes:
        ticket: The ticket.
        model: The model.
        whole: Whether the prompt is sent in its whole form.
    """

    ticket: int
    model: str
    whole: bool = False


@dataclass(frozen=True)
class Tell:
    """Tell the ticket's call how long it will wait, and why."""

    ticket: int
    wait_secs: float
    cause: Cause


@dataclass(frozen=True)
class Refuse:
    """The ticket cannot be served in time.

    Attributes:
        ticket: The ticket.
        cause: Why.
        wait_secs: When it might work, as far as is known.
    """

    ticket: int
    cause: Cause
    wait_secs: float


Decision = Send | Tell | Refuse


@dataclass(frozen=True)
class Charge:
    """What a request is thought to cost.

    Attributes:
        tokens: Prompt and reply.
        limits: Limit and window, in seconds, of each quota that is known of the model.
    """

    tokens: float
    limits: Mapping[Quota, tuple[float, float]]


@dataclass
class _Form:
    """What is known of prompts in one form: the share of their tokens that counts, and how many count, answer included.

    Attributes:
        counted_share: From 0 to 1.
        counted_tokens: None: none has been seen.
        seen: How many have been seen.
    """

    counted_share: float = 1.0
    counted_tokens: float | None = None
    seen: int = 0


@dataclass
class _Model:
    choice: Choice
    rank: int
    budget: Budget
    circuit: CircuitBreaker
    first_token_secs: float | None = None
    tokens_per_char: float = 1 / CHARS_PER_TOKEN
    completion_tokens: float = 80.0
    short: _Form = field(default_factory=_Form)
    whole: _Form = field(default_factory=_Form)
    sends_whole: bool = False
    refused: int = 0
    failed: int = 0
    sent: int = 0
    taken_back_until: float = 0.0
    assumed: set[Quota] = field(default_factory=set)
    answered_at: float = -math.inf
    key_refused_to: set[str] = field(default_factory=set)
    unfit_for: int = 0

    def answers(self, sent_at: float, now: float) -> None:
        """A request is answered, or begins to be."""
        self.answered_at = now
        self.unfit_for = 0
        self.key_refused_to.clear()
        self.circuit.succeeded(now, sent_at=sent_at)

    def wants_whole(self, params: "PolicyParams", now: float) -> bool:
        """Whether whole prompts count for less than short ones, and that matters."""
        if not self.choice.cached_is_free:
            return False
        small = self.budget.limit(Quota.TOKENS_PER_MINUTE) < SMALL_BUDGET_REQUESTS * params.request_tokens
        if not small and self.budget.share_left(now) > params.ample_share:
            return False
        if self.whole.counted_tokens is None or self.whole.seen < WHOLE_TRIALS:
            return True
        if self.short.counted_tokens is None:
            return self.whole.counted_share < WHOLE_SHARE
        return self.whole.counted_tokens <= self.short.counted_tokens


@dataclass
class _Ticket:
    number: int
    call: str
    chars: int
    short_chars: int
    arrived: float
    since: float
    deadline: float
    failed_by: set[str] = field(default_factory=set)
    attempts: int = 0
    told_secs: float | None = None
    told_at: float = 0.0
    looked_at: float = -1e9
    model: str | None = None
    whole: bool = False
    sent_at: float = 0.0
    last_cause: Cause = Cause.FAULT
    unfit: set[str] = field(default_factory=set)


_SupplyLines = tuple[float, list[tuple[float, float]]]
"""Seconds until a model can be asked, and of each of its limits the requests at once and those more each second."""


class Policy:
    """The gateway's mind.

    Args:
        choices: The models, best first.
        params: Times.
        chance: Draws the jitter.
    """

    def __init__(
        self, choices: Sequence[Choice], params: PolicyParams | None = None, chance: random.Random | None = None
    ) -> None:
        self.params = params or PolicyParams()
        chance = chance or random.Random()
        self._models = {
            choice.name: _Model(
                choice,
                rank,
                Budget(choice.limits),
                CircuitBreaker(self.params.circuit, chance),
                completion_tokens=self.params.completion_tokens,
                assumed=set(choice.limits),
            )
            for rank, choice in enumerate(choices)
        }
        self._line: dict[int, _Ticket] = {}
        self._out: dict[int, _Ticket] = {}
        self._last_number = 0
        self._served: dict[str, deque[float]] = {}
        self._refusals = 0
        self._hedged = 0

    # --- events --------------------------------------------------------------------------

    def submit(
        self,
        call: str,
        chars: int,
        now: float,
        *,
        short_chars: int | None = None,
        goes_on: bool = False,
        rather_not: str | None = None,
    ) -> int:
        """A call wants a reply; returns the ticket's number.

        Args:
            call: Who asks.
            chars: Length of the prompt, tools included.
            now: Seconds.
            short_chars: Length of its short form; None: it has one form only.
            goes_on: Whether it is the rest of a reply, whose first request has waited in the line already.
            rather_not: A model whose last answer to this call was worth nothing: others come first.
        """
        self._last_number += 1
        since = now - self.params.head_start_secs if goes_on else now
        short_chars = chars if short_chars is None else short_chars
        ticket = _Ticket(self._last_number, call, chars, short_chars, now, since, now + self.params.max_wait_secs)
        if rather_not is not None:
            ticket.failed_by.add(rather_not)
        self._line[ticket.number] = ticket
        return ticket.number

    def withdraw(self, number: int, tokens: float | None, now: float) -> None:
        """The call wants the reply no more; ``tokens``: what it has cost so far, None if it was not sent."""
        self._line.pop(number, None)
        ticket = self._out.pop(number, None)
        if ticket is None or ticket.model not in self._models:
            return
        model = self._models[ticket.model]
        model.budget.settle(number, *self._used_so_far(model, ticket, tokens), now)
        model.circuit.left()

    def taken(self, number: int, allowances: Iterable[Allowance], now: float) -> None:
        """The vendor has taken the request and says what is left."""
        model = self._model_of(number)
        if model is None:
            return
        told = tuple(allowances)
        self._forget_assumed(model, told)
        model.budget.taken(number, told, now)

    def first_token(self, number: int, now: float) -> None:
        """The answer has begun."""
        ticket, model = self._out.get(number), self._model_of(number)
        if ticket is None or model is None:
            return
        model.first_token_secs = _mean(model.first_token_secs, now - ticket.sent_at)
        model.answers(ticket.sent_at, now)

    def finished(self, number: int, usage: Usage | None, now: float) -> None:
        """The answer is whole; what it cost, if the vendor says."""
        ticket = self._out.pop(number, None)
        if ticket is None or ticket.model not in self._models:
            return
        model = self._models[ticket.model]
        model.answers(ticket.sent_at, now)
        prompt_tokens: float | None = None
        if usage is not None:
            free = min(usage.cached_tokens, usage.prompt_tokens) if model.choice.cached_is_free else 0
            prompt_tokens = float(usage.prompt_tokens - free)
            form = model.whole if ticket.whole else model.short
            form.seen += 1
            form.counted_share = _mean(form.counted_share, 1 - free / max(1, usage.prompt_tokens))
            form.counted_tokens = _mean(form.counted_tokens, prompt_tokens + usage.completion_tokens)
            chars = max(1, self._chars(model, ticket))
            model.tokens_per_char = _mean(model.tokens_per_char, min(1.0, usage.prompt_tokens / chars))
            model.completion_tokens = _mean(model.completion_tokens, usage.completion_tokens)
        model.budget.settle(number, prompt_tokens, usage.completion_tokens if usage is not None else 0, now)

    def failed(
        self,
        number: int,
        cause: Cause,
        retry_after_secs: float | None,
        allowances: Iterable[Allowance],
        tokens: float | None,
        now: float,
    ) -> None:
        """A request failed; the ticket goes back into the line, or is refused by the next :meth:`decide`.

        Args:
            number: The ticket.
            cause: Why.
            retry_after_secs: What the vendor told.
            allowances: What it said of its limits.
            tokens: What was used all the same; None if it was not taken.
            now: Seconds.
        """
        ticket = self._out.pop(number, None)
        if ticket is None:
            return
        ticket.last_cause = cause
        ticket.failed_by.add(ticket.model or "")
        model = self._models.get(ticket.model or "")
        if model is not None:
            if tokens is None:
                model.budget.refund(number, now)
            else:
                model.budget.settle(number, *self._used_so_far(model, ticket, tokens), now)
            told = tuple(allowances)
            self._forget_assumed(model, told)
            model.budget.learn(told, now)
            if retry_after_secs is not None:
                for limit in told:
                    if limit.met:
                        model.budget.refused(limit, self._tokens(model, ticket)[0], retry_after_secs, now)
            match cause:
                case Cause.GONE:
                    del self._models[model.choice.name]
                case Cause.REQUEST | Cause.SIZE:
                    model.circuit.left()
                    ticket.unfit.add(model.choice.name)
                    model.unfit_for += cause is Cause.REQUEST
                    never_answered = model.answered_at == -math.inf
                    if never_answered and model.unfit_for >= UNFIT_REQUESTS and len(self._models) > 1:
                        del self._models[model.choice.name]  # it takes none of what this bot sends
                case Cause.KEY if self._key_works(model, ticket, now):
                    model.circuit.left()
                    ticket.unfit.add(model.choice.name)
                case _:
                    model.refused += cause in (Cause.BUSY, Cause.QUOTA)
                    ticket.attempts -= cause in (Cause.BUSY, Cause.QUOTA)  # nothing was tried
                    model.failed += cause not in (Cause.BUSY, Cause.QUOTA)
                    model.circuit.failed(cause, retry_after_secs, now)
        ticket.model = None
        self._line[number] = ticket

    def learned(self, name: str, allowances: Iterable[Allowance], now: float) -> None:
        """The vendor has said what is left of a model's limits, in answer to no ticket."""
        model, told = self._models.get(name), tuple(allowances)
        if model is not None:
            self._forget_assumed(model, told)
            model.budget.learn(told, now)

    def _key_works(self, model: _Model, ticket: _Ticket, now: float) -> bool:
        """Whether a refused key is this call's own trouble: the key has just been taken, and from nobody else refused.

        A key that is really refused is refused to the next caller, too.
        """
        model.key_refused_to.add(ticket.call)
        just_taken = now - model.answered_at <= self.params.key_trust_secs
        return just_taken and len(model.key_refused_to) == 1

    def take_back(self, number: int, wait_secs: float, now: float) -> None:
        """A request was not sent after all: others, who share the budget, have used it for so long."""
        ticket = self._out.pop(number, None)
        if ticket is None:
            return
        model = self._models.get(ticket.model or "")
        if model is not None:
            model.budget.refund(number, now)
            model.circuit.left()
            model.taken_back_until = now + wait_secs
        ticket.attempts -= 1
        ticket.model = None
        self._line[number] = ticket

    @property
    def tokens_a_minute(self) -> float | None:
        """The smallest limit of all models; None if none is known."""
        buckets = (model.budget.buckets.get(Quota.TOKENS_PER_MINUTE) for model in self._models.values())
        return min((bucket.limit for bucket in buckets if bucket is not None), default=None)

    def charge_of(self, number: int) -> Charge | None:
        """What a request that is to be sent will cost, and against which limits."""
        ticket, model = self._out.get(number), self._model_of(number)
        if ticket is None or model is None:
            return None
        limits = {quota: (bucket.limit, bucket.window_secs) for quota, bucket in model.budget.buckets.items()}
        return Charge(self._counted(model, ticket), limits)

    def hedge(self, number: int, now: float) -> Send | None:
        """Ask a second model as well, if both have room for many more requests (:attr:`PolicyParams.hedge_requests`).

        Args:
            number: The ticket that was just sent.
            now: Seconds.

        Returns:
            A ticket of its own, with its own charge on the other model's limits; it must be finished or withdrawn.
        """
        ticket, first = self._out.get(number), self._model_of(number)
        if ticket is None or first is None or not self.params.hedge_requests or not self._is_ample(first, ticket, now):
            return None
        others = [model for model in self._fit(ticket) if model is not first and self._is_ample(model, ticket, now)]
        if not others:
            return None
        second = min(others, key=lambda model: self._cost(model, ticket, now))
        self._last_number += 1
        twin = _Ticket(self._last_number, ticket.call, ticket.chars, ticket.short_chars, now, now, ticket.deadline)
        twin.failed_by.add(first.choice.name)
        self._line[twin.number] = twin
        self._hedged += 1
        return self._send(twin, second, now)

    def _is_ample(self, model: _Model, ticket: _Ticket, now: float) -> bool:
        """Whether a request like this one more or less makes no difference to a model."""
        if model.circuit.state(now) is not CircuitState.CLOSED or model.budget.in_flight >= model.choice.in_flight:
            return False
        return model.budget.servable(self._counted(model, ticket), now) >= self.params.hedge_requests

    # --- decisions -----------------------------------------------------------------------

    def decide(self, now: float) -> list[Decision]:
        """What is to be done now; call it after every event, and when :meth:`next_wake` says so."""
        decisions: list[Decision] = []
        for model in self._models.values():
            model.sends_whole = model.wants_whole(self.params, now)
        ahead = 0
        for ticket in sorted(self._line.values(), key=lambda each: self._order(each, now)):
            model = self._best(ticket, now) if not ahead else None
            if model is not None:
                decisions.append(self._send(ticket, model, now))
                continue
            if ahead and now < ticket.looked_at + LOOK_AGAIN_SECS and now < ticket.deadline:
                ahead += 1
                continue
            ticket.looked_at = now
            wait_secs, cause = self._predict(ticket, ahead, now)
            if self._hopeless(ticket, wait_secs, cause, now):
                del self._line[ticket.number]
                self._refusals += 1
                decisions.append(Refuse(ticket.number, cause, wait_secs))
                continue
            ahead += 1  # nobody is overtaken by somebody behind
            if self._is_news(ticket, wait_secs, now):
                ticket.told_secs, ticket.told_at = wait_secs, now
                decisions.append(Tell(ticket.number, wait_secs, cause))
        return decisions

    def next_wake(self, now: float) -> float | None:
        """When to :meth:`decide` again although nothing happens; None while nobody waits."""
        if not self._line:
            return None
        first = min(self._line.values(), key=lambda each: self._order(each, now))
        wait_secs, _ = self._predict(first, 0, now)
        last = min(ticket.deadline for ticket in self._line.values())
        faults = min(ticket.arrived for ticket in self._line.values()) + self.params.fault_wait_secs
        soonest = min(now + wait_secs, last, faults if faults > now else last)
        return max(soonest, now + SOON_SECS)

    def _order(self, ticket: _Ticket, now: float) -> tuple[float, int]:
        served = self._served.get(ticket.call)
        while served and served[0] < now - self.params.handicap_window_secs:
            served.popleft()
        if served is not None and not served:
            del self._served[ticket.call]
        handicap = min(self.params.handicap_cap_secs, self.params.handicap_secs * len(served or ()))
        return ticket.since + handicap, ticket.number

    def _best(self, ticket: _Ticket, now: float) -> _Model | None:
        if ticket.attempts >= self.params.max_attempts:
            return None
        usable = [model for model in self._fit(ticket) if self._wait_secs(model, ticket, 0, now) <= 0]
        usable = [model for model in usable if model.circuit.allows(now)]
        usable = [model for model in usable if model.budget.in_flight < model.choice.in_flight]
        return min(usable, key=lambda model: self._cost(model, ticket, now), default=None)

    def _fit(self, ticket: _Ticket) -> list[_Model]:
        return [model for model in self._models.values() if model.choice.name not in ticket.unfit]

    def _cost(self, model: _Model, ticket: _Ticket, now: float) -> tuple[bool, float]:
        share = model.budget.share_left(now)
        scarcity = max(0.0, 1 - share / self.params.scarce_share) * self.params.scarce_secs
        cost = model.rank * self.params.rank_secs + (model.first_token_secs or 0.0) + scarcity
        return model.choice.name in ticket.failed_by, cost

    def _is_whole(self, model: _Model, ticket: _Ticket) -> bool:
        """Whether a request is in its whole form, or would be if it were sent now."""
        if ticket.model == model.choice.name:
            return ticket.whole
        return model.sends_whole and ticket.chars > ticket.short_chars

    def _chars(self, model: _Model, ticket: _Ticket) -> int:
        return ticket.chars if self._is_whole(model, ticket) else ticket.short_chars

    def _counted_share(self, model: _Model, ticket: _Ticket) -> float:
        return (model.whole if self._is_whole(model, ticket) else model.short).counted_share

    def _tokens(self, model: _Model, ticket: _Ticket) -> tuple[float, float]:
        return self._chars(model, ticket) * model.tokens_per_char, model.completion_tokens

    def _used_so_far(self, model: _Model, ticket: _Ticket, tokens: float | None) -> tuple[float | None, float]:
        """What is thought to count, of prompt and answer, of a request that came to no end and so told no usage."""
        if tokens is None:
            return None, 0.0
        prompt_tokens = self._tokens(model, ticket)[0]
        return min(tokens, prompt_tokens) * self._counted_share(model, ticket), max(0.0, tokens - prompt_tokens)

    def _counted(self, model: _Model, ticket: _Ticket) -> float:
        """What the vendor is thought to count of a request in the end: not what it had in its cache."""
        prompt_tokens, completion_tokens = self._tokens(model, ticket)
        return prompt_tokens * self._counted_share(model, ticket) + completion_tokens

    def _wait_secs(self, model: _Model, ticket: _Ticket, ahead: int, now: float) -> float:
        """Seconds until this model could take the ticket, after so many like it."""
        tokens = sum(self._tokens(model, ticket)) * (1 + self.params.estimate_margin)
        wait_secs = model.budget.wait_secs(tokens * (ahead + 1), now, requests=ahead + 1)
        return max(wait_secs, model.circuit.wait_secs(now), model.taken_back_until - now)

    def _predict(self, ticket: _Ticket, ahead: int, now: float) -> tuple[float, Cause]:
        """How long the ticket will wait with so many before it, and what it waits for."""
        models = self._fit(ticket)
        if not models:
            return HORIZON_SECS, ticket.last_cause
        supply_of = self._supply_lines(models, ticket, now)
        low, high = 0.0, HORIZON_SECS
        if _servable(supply_of, high) < ahead + 1:
            return HORIZON_SECS, self._cause(models, ticket, now)
        while high - low > 0.05:
            middle = (low + high) / 2
            if _servable(supply_of, middle) >= ahead + 1:
                high = middle
            else:
                low = middle
        return high, self._cause(models, ticket, now)

    def _supply_lines(self, models: Sequence[_Model], ticket: _Ticket, now: float) -> list[_SupplyLines]:
        """Of each model: when it can be asked again, and how many requests like this one its limits let through."""
        found: list[_SupplyLines] = []
        for model in models:
            tokens, counted = sum(self._tokens(model, ticket)), self._counted(model, ticket)
            lines = model.budget.servable_lines(tokens, now, counted=counted)
            found.append((max(model.circuit.wait_secs(now), model.taken_back_until - now), lines))
        return found

    def _cause(self, models: Sequence[_Model], ticket: _Ticket, now: float) -> Cause:
        """What the model that comes free first is busy with."""
        first = min(models, key=lambda model: self._wait_secs(model, ticket, 0, now))
        if first.circuit.state(now) is not CircuitState.CLOSED and first.circuit.cause is not None:
            return first.circuit.cause
        if first.budget.binding(sum(self._tokens(first, ticket)), now) in DAILY:
            return Cause.QUOTA
        return Cause.BUSY if ticket.attempts < self.params.max_attempts else ticket.last_cause

    def _hopeless(self, ticket: _Ticket, wait_secs: float, cause: Cause, now: float) -> bool:
        if ticket.attempts >= self.params.max_attempts or now + wait_secs > ticket.deadline:
            return True
        if cause is Cause.KEY:
            return wait_secs > 0
        return cause is Cause.FAULT and now - ticket.arrived >= self.params.fault_wait_secs

    def _is_news(self, ticket: _Ticket, wait_secs: float, now: float) -> bool:
        if ticket.told_secs is None:
            return True
        expected = max(0.0, ticket.told_secs - (now - ticket.told_at))
        if not expected:  # it was told that it would be over by now, and whoever waits believes that
            return True
        return abs(wait_secs - expected) > max(2.0, self.params.tell_step * expected)

    def _send(self, ticket: _Ticket, model: _Model, now: float) -> Send:
        del self._line[ticket.number]
        ticket.whole = self._is_whole(model, ticket)
        ticket.model, ticket.sent_at = model.choice.name, now
        ticket.attempts += 1
        model.sent += 1
        model.circuit.sent(now)
        prompt_tokens, completion_tokens = self._tokens(model, ticket)
        model.budget.hold(ticket.number, prompt_tokens, completion_tokens, now)
        if not ticket.failed_by:
            self._served.setdefault(ticket.call, deque()).append(now)
        self._out[ticket.number] = ticket
        return Send(ticket.number, model.choice.name, ticket.whole)

    def _model_of(self, number: int) -> _Model | None:
        ticket = self._out.get(number)
        return self._models.get(ticket.model or "") if ticket is not None else None

    def _forget_assumed(self, model: _Model, allowances: Sequence[Allowance]) -> None:
        """An account with other limits than the assumed ones has other limits throughout."""
        named = {told.quota for told in allowances}
        if any(told.limit > model.choice.limits.get(told.quota, math.inf) for told in allowances):
            for quota in model.assumed - named:
                model.budget.forget(quota)
            model.assumed.clear()
        model.assumed -= named

    # --- for people ----------------------------------------------------------------------

    def forget_call(self, call: str) -> None:
        """The call is over."""
        self._served.pop(call, None)

    def supplies(self, now: float) -> list[Supply]:
        """What each model can answer in a minute."""
        return [
            Supply(name, 0.0)
            if model.circuit.wait_secs(now) >= LONG_OUTAGE_SECS
            else supply(name, self._limits(model, now))
            for name, model in self._models.items()
        ]

    def _limits(self, model: _Model, now: float) -> list[Limit]:
        known = [tokens for each in self._models.values() if (tokens := _counted_tokens(each)) is not None]
        tokens = _counted_tokens(model) or max(known, default=self.params.request_tokens)
        return [
            Limit(quota, bucket.limit * 60 / bucket.window_secs, bucket.left(now), 1 if quota in REQUESTS else tokens)
            for quota, bucket in model.budget.buckets.items()
        ]

    @property
    def waiting(self) -> int:
        """Tickets in the line."""
        return len(self._line)

    @property
    def calls_remembered(self) -> int:
        """Calls of which something is kept; none of those that are over."""
        return len(self._served)

    def share_left(self, now: float) -> float:
        """Of the model with the most budget, the share that is left (0 to 1)."""
        return max((model.budget.share_left(now) for model in self._models.values()), default=0.0)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Plain values for the dashboard."""
        longest_secs = max((now - ticket.arrived for ticket in self._line.values()), default=0.0)
        return {
            "queue": {
                "length": len(self._line),
                "longest_wait_secs": round(longest_secs, 1),
                "refused": self._refusals,
            },
            "hedged": self._hedged,
            "models": {name: _told(model, now) for name, model in self._models.items()},
        }


def _servable(supply_of: Iterable[_SupplyLines], within_secs: float) -> float:
    """How many requests all models together can take within a time."""
    return sum(requests_within(lines, within_secs) for opens_in, lines in supply_of if opens_in <= within_secs)


def _counted_tokens(model: _Model) -> float | None:
    """What a request counts once the budget is used to its end, as far as it is known."""
    short, whole = model.short.counted_tokens, model.whole.counted_tokens
    if whole is None or model.whole.seen < WHOLE_TRIALS:
        return short if short is not None else whole
    return whole if short is None else min(short, whole)


def _told(model: _Model, now: float) -> dict[str, Any]:
    return {
        "circuit": model.circuit.state(now).value,
        "circuit_secs": round(model.circuit.wait_secs(now), 1),
        "in_flight": model.budget.in_flight,
        "sent": model.sent,
        "rate_limited": model.refused,
        "failed": model.failed,
        "first_token_secs": round(model.first_token_secs or 0.0, 3),
        "budgets": {
            quota.value: {
                "left": round(max(0.0, bucket.left(now))),
                "limit": round(bucket.limit),
                "refill_secs": round(bucket.used(now) * bucket.window_secs / bucket.limit, 1),
            }
            for quota, bucket in model.budget.buckets.items()
        },
    }


def _mean(before: float | None, newest: float) -> float:
    return newest if before is None else before + SMOOTHING * (newest - before)
