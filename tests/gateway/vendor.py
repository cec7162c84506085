"""A vendor in virtual time, and callers who ask through the policy: what comes of it, and whether the rules hold."""

import heapq
import itertools
import random
from dataclasses import dataclass, field

from contracts.llm import Allowance, Cause, Quota, Usage
from emulators.rates import ModelBudget, ModelLimits
from gateway.policy import Choice, Policy, PolicyParams, Refuse, Send, Tell


@dataclass
class Wish:
    """One reply that a caller wants, and its fate."""

    call: str
    at: float
    chars: int
    sent: list[tuple[float, str]] = field(default_factory=list)
    told: list[tuple[float, float]] = field(default_factory=list)
    answered_at: float | None = None
    refused: Refuse | None = None

    @property
    def over(self) -> bool:
        return self.answered_at is not None or self.refused is not None


class Town:
    """Callers, the policy and a vendor with real limits, on one clock of its own.

    Args:
        models: Limits of each model, as the vendor keeps them; the policy is told none of them beforehand
            but what ``known`` says.
    """

    def __init__(self, models, *, known=None, params=None, seed=0, storms=(), retry_after="seconds", latency=0.5):
        self.chance = random.Random(seed)
        known = known or {}
        self.policy = Policy([Choice(name, known.get(name, {})) for name in models], params or PolicyParams(),
                             random.Random(seed + 1))  # fmt: skip
        self.vendor = {name: ModelBudget(ModelLimits(**limits), 0.0) for name, limits in models.items()}
        self.storms = list(storms)
        self.retry_after = retry_after
        self.latency = latency
        self.now = 0.0
        self.wishes = []
        self.numbers = {}
        self.refusals_by_vendor = 0
        self.requests = 0
        self.told_until = dict.fromkeys(models, 0.0)
        self.too_early = 0
        self.request_times = {name: [] for name in models}
        self._events = []
        self._count = itertools.count()

    def at(self, when, act, *args):
        heapq.heappush(self._events, (when, next(self._count), act, args))

    def wants(self, when, call, chars=2800, *, goes_on=False):
        self.at(when, self._wants, call, chars, goes_on)

    def run(self, until):
        wake = None
        while True:
            due = self._events[0][0] if self._events else float("inf")
            if wake is not None and wake < due:
                self.now = wake
            elif due <= until:
                self.now, _, act, args = heapq.heappop(self._events)
                act(*args)
            else:
                return self
            if self.now > until:
                return self
            for decision in self.policy.decide(self.now):
                wish = self.numbers[decision.ticket]
                match decision:
                    case Send(number, model):
                        self._send(number, model, wish)
                    case Tell(_, wait, _):
                        wish.told.append((self.now, wait))
                    case Refuse():
                        wish.refused = decision
            wake = self.policy.next_wake(self.now)

    def _wants(self, call, chars, goes_on):
        wish = Wish(call, self.now, chars)
        self.wishes.append(wish)
        self.numbers[self.policy.submit(call, chars, self.now, goes_on=goes_on)] = wish

    def _send(self, number, model, wish):
        self.requests += 1
        wish.sent.append((self.now, model))
        self.request_times[model].append(self.now)
        self.too_early += self.now < self.told_until[model] - 1e-6
        prompt = wish.chars // 4
        storm = next(
            (s for s in self.storms if s["from"] <= self.now < s["until"] and s.get("model", model) == model), None
        )
        if storm is not None:
            after = storm.get("after")
            self.refusals_by_vendor += storm["cause"] is not Cause.FAULT
            self.at(self.now + 0.1, self._fail, number, model, storm["cause"], after, ())
            return
        denial = self.vendor[model].admit(prompt, self.now)
        if denial is not None:
            self.refusals_by_vendor += 1
            names = {"RPM": Quota.REQUESTS_PER_MINUTE, "RPD": Quota.REQUESTS_PER_DAY, "TPM": Quota.TOKENS_PER_MINUTE,
                     "TPD": Quota.TOKENS_PER_DAY}  # fmt: skip
            quota = next(q for short, q in names.items() if short in denial.limit_name)
            cause = Cause.QUOTA if "per day" in denial.limit_name else Cause.BUSY
            told = (Allowance(quota, denial.limit, denial.limit - denial.used, met=True),)
            self.at(self.now + 0.1, self._fail, number, model, cause, denial.wait_secs, told)
            return
        self.at(self.now + 0.3, self._taken, number, model)
        completion = self.chance.randint(20, 120)
        self.at(self.now + self.latency, self._first, number)
        self.at(self.now + self.latency + completion / 100, self._finish, number, model, prompt, completion)

    def _taken(self, number, model):
        buckets = self.vendor[model].buckets
        told = [(Quota.REQUESTS_PER_DAY, buckets["rpd"]), (Quota.TOKENS_PER_MINUTE, buckets["tpm"])]
        self.policy.taken(number, [Allowance(q, b.limit, b.remaining(self.now)) for q, b in told], self.now)

    def _first(self, number):
        self.policy.first_token(number, self.now)

    def _finish(self, number, model, prompt, completion):
        self.vendor[model].settle(completion, self.now)
        self.policy.finished(number, Usage(prompt, 0, completion), self.now)
        self.numbers[number].answered_at = self.now

    def _fail(self, number, model, cause, after, told):
        if after is not None:
            self.told_until[model] = max(self.told_until[model], self.now + after)
        self.policy.failed(number, cause, after, told, None, self.now)

    # --- what came of it

    def waits(self):
        return [wish.sent[-1][0] - wish.at for wish in self.wishes if wish.answered_at is not None]
