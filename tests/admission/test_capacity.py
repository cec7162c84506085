"""The admission limit that is worked out: never more than the vendors' limits carry, whatever happens."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admission.capacity import (
    PRIOR_REQUESTS_PER_MINUTE,
    Capacity,
    CoreMeter,
    DemandMeter,
    Limit,
    Part,
    of_cores,
    of_models,
    of_streams,
    supply,
)
from contracts.llm import Allowance, Cause, Quota, Usage
from emulators.rates import ModelBudget, ModelLimits
from gateway.policy import Choice, Policy, Refuse, Send

LIMITS = st.fixed_dictionaries(
    {
        "rpm": st.integers(10, 1000),
        "rpd": st.integers(200, 500_000),
        "tpm": st.integers(4_000, 300_000),
        "tpd": st.integers(50_000, 50_000_000),
    }
)
QUOTAS = {
    "rpm": Quota.REQUESTS_PER_MINUTE,
    "rpd": Quota.REQUESTS_PER_DAY,
    "tpm": Quota.TOKENS_PER_MINUTE,
    "tpd": Quota.TOKENS_PER_DAY,
}


class SimulatedBot:
    """Calls that are let in while the limit allows, and ask until their time is over. In steps of 0.5 s."""

    STEP_SECS = 0.5

    def __init__(self, limits, *, tokens, cached, per_minute, call_secs, seed):
        self.chance = random.Random(seed)
        self.policy = Policy(
            [
                Choice(name, {QUOTAS[q]: float(v) for q, v in of.items()}, cached_is_free=True)
                for name, of in limits.items()
            ]
        )
        self.vendor = {name: ModelBudget(ModelLimits(**of), 0.0) for name, of in limits.items()}
        self.demand = DemandMeter()
        self.tokens, self.cached, self.per_minute, self.call_secs = tokens, cached, per_minute, call_secs
        self.now = 0.0
        self.ends = {}
        self.asks_at = {}
        self.waits_for = {}
        self.answers = []
        self.promised = []
        self.waits = []
        self.refused = 0
        self.warm()

    def warm(self):
        """What one request counts is known from the start: the bot asks once before it takes calls."""
        for number, name in ((self.policy.submit("warm", 4 * self.tokens, 0.0), name) for name in self.vendor):
            sent = [each for each in self.policy.decide(0.0) if isinstance(each, Send)]
            for each in sent:
                self.vendor[each.model].admit(self.tokens, 0.0)
                self.vendor[each.model].settle(50 - self.cached, 0.0)
                self.policy.first_token(number, 0.0)
                self.policy.finished(number, Usage(self.tokens, self.cached, 50), 0.0)
            assert name
        self.policy.forget_call("warm")

    @property
    def limit(self):
        part = of_models(self.policy.supplies(self.now), self.demand.per_minute)
        return Capacity((part,)).calls

    def run(self, secs, arrivals_per_minute):
        names = iter(range(1_000_000))
        while self.now < secs:
            self.now += self.STEP_SECS
            self.demand.passed(len(self.ends), self.policy.waiting, self.now)
            for call in [call for call, end in self.ends.items() if end <= self.now and call not in self.waits_for]:
                del self.ends[call], self.asks_at[call]
                self.policy.forget_call(str(call))
            if self.chance.random() < arrivals_per_minute / 60 * self.STEP_SECS and len(self.ends) < self.limit:
                call = next(names)
                self.ends[call] = self.now + self.call_secs * self.chance.uniform(0.5, 1.5)
                self.asks_at[call] = self.now + self.chance.expovariate(self.per_minute / 60)
                self.promised.append((len(self.ends), self.sustained() / self.demand.per_minute))
            for call, at in list(self.asks_at.items()):
                if at <= self.now and call not in self.waits_for:
                    number = self.policy.submit(str(call), 4 * self.tokens, self.now)
                    self.demand.asked()
                    self.waits_for[call] = (number, self.now)
            self.answer()
            self.decide()
        return self

    def answer(self):
        for due, number, name, denied in [each for each in self.answers if each[0] <= self.now]:
            self.answers.remove((due, number, name, denied))
            call = next(call for call, (mine, _) in self.waits_for.items() if mine == number)
            if denied:
                self.policy.failed(number, Cause.BUSY, denied, (), None, self.now)
                continue
            self.vendor[name].settle(50 - self.cached, self.now)
            self.policy.finished(number, Usage(self.tokens, self.cached, 50), self.now)
            self.over(call)

    def over(self, call):
        del self.waits_for[call]
        # The rest of the exchange is speech: the rate holds for a call that need not wait.
        self.asks_at[call] = self.now + self.chance.expovariate(self.per_minute / 60)

    def decide(self):
        for decision in self.policy.decide(self.now):
            call = next(call for call, (mine, _) in self.waits_for.items() if mine == decision.ticket)
            match decision:
                case Send(number, name):
                    self.waits.append(self.now - self.waits_for[call][1])
                    denial = self.vendor[name].admit(self.tokens, self.now)
                    wait = denial.wait_secs if denial is not None else 0.0
                    self.answers.append((self.now + 0.5, number, name, min(wait, 60.0)))
                case Refuse():
                    self.refused += 1
                    self.over(call)

    def sustained(self):
        """Requests a minute that the vendor's own buckets stand for the next five minutes."""
        counted = self.tokens - self.cached + 50
        total = 0.0
        for vendor in self.vendor.values():
            each = []
            for name, bucket in vendor.buckets.items():
                amount = 1 if name.startswith("r") else counted
                saved = bucket.remaining(self.now) / 5 if name.endswith("d") else 0.0
                each.append((bucket.limit * 60 / bucket.window_secs + saved) / amount)
            total += min(each)
        return total


@given(
    st.lists(LIMITS, min_size=1, max_size=3),
    st.integers(100, 1500),
    st.floats(0, 0.9),
    st.floats(1, 12),
    st.floats(30, 600),
    st.floats(2, 60),
    st.integers(0, 1000),
)
@settings(max_examples=15, deadline=None)
def test_it_never_promises_more_than_the_budget(limits, tokens, cached, per_minute, call_secs, arrivals, seed):
    """Whatever limits, arrivals and call lengths: with what is measured, calls let in ask less than comes free."""
    bot = SimulatedBot(
        {f"m{number}": of for number, of in enumerate(limits)},
        tokens=tokens,
        cached=int(tokens * cached),
        per_minute=per_minute,
        call_secs=call_secs,
        seed=seed,
    )
    bot.run(90, arrivals)
    for calls, carried in bot.promised:
        assert calls == 1 or calls <= carried, "one call is always let in: somebody must show what a call needs"


def test_calls_that_are_let_in_hardly_wait():
    seed = {
        "a": {"rpm": 30, "rpd": 1000, "tpm": 12_000, "tpd": 100_000},
        "b": {"rpm": 30, "rpd": 14_400, "tpm": 6_000, "tpd": 500_000},
    }
    bot = SimulatedBot(seed, tokens=1200, cached=920, per_minute=4.5, call_secs=120, seed=1).run(900, 30)
    waits = sorted(bot.waits)
    assert bot.refused == 0
    assert waits[len(waits) // 2] == pytest.approx(0, abs=0.3)
    assert waits[int(len(waits) * 0.95)] < 6
    assert len(waits) / 15 > 25, "and yet the vendor is put to use: answers a minute"


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30), st.floats(0.1, 60), st.booleans()), max_size=60))
def test_demand_is_measured_without_the_time_that_calls_wait(steps):
    meter, now = DemandMeter(), 0.0
    for calls, waiting, secs, asks in steps:
        meter.passed(calls, waiting, now)
        now += secs
        meter.passed(calls, waiting, now)
        if asks:
            meter.asked()
    assert meter.per_minute > 0
    idle = DemandMeter()
    idle.passed(5, 5, 0.0)
    idle.passed(5, 5, 3600.0)
    assert idle.per_minute == pytest.approx(PRIOR_REQUESTS_PER_MINUTE), "who only waits shows nothing"


def test_demand_converges_to_what_calls_do():
    meter, now = DemandMeter(), 0.0
    for _ in range(6000):
        meter.passed(10, 0, now)
        now += 1.0
        meter.passed(10, 0, now)
        meter.asked()  # ten calls, one request each second
    assert meter.per_minute == pytest.approx(6.0, rel=0.05)


def test_the_limit_that_is_met_first_decides_and_the_days_rest_is_spread():
    minute = Limit(Quota.TOKENS_PER_MINUTE, 6000, 6000, 300)
    day = Limit(Quota.TOKENS_PER_DAY, 70, 3000, 300)
    assert minute.requests_per_minute == 20
    assert day.requests_per_minute == pytest.approx((70 + 3000 / 5) / 300)
    assert supply("m", [minute, day]).quota is Quota.TOKENS_PER_DAY
    assert supply("m", []).requests_per_minute == math.inf


def test_one_line_says_what_carries_how_many_and_what_to_buy_or_set():
    models = of_models([supply("m", [Limit(Quota.REQUESTS_PER_MINUTE, 30, 30, 1)])], 4.5)
    capacity = Capacity((of_cores(60, 8), models, of_streams("Deepgram", 50, "DEEPGRAM_STREAMS")))
    assert capacity.calls == 5
    assert capacity.line() == (
        "5 calls at once. this process's core: 60 (about 1.3 % of a core for each); language models: 5 (30 requests a "
        "minute, of which a call makes 4.5); Deepgram: 50 (50 streams at once). For more: an account with more "
        "requests per minute, or more models in GROQ_MODELS"
    )
    assert capacity.snapshot()["carried_by"] == {"this process's core": 60, "language models": 5, "Deepgram": 50}
    assert Capacity((Part("nothing", 0.0, "", ""),)).calls == 1, "somebody must show what a call needs"


def test_a_core_is_measured_only_with_calls_on_it():
    core = CoreMeter()
    before = core.calls
    core.measured(0, 0.5)
    core.measured(1, 0.5)
    assert core.calls == before
    for _ in range(20):
        core.measured(20, 0.4)
    assert core.calls == 40


def test_a_model_that_is_gone_for_long_carries_nothing():
    policy = Policy([Choice("a", {Quota.REQUESTS_PER_MINUTE: 30.0}), Choice("b", {Quota.REQUESTS_PER_MINUTE: 10.0})])
    number = policy.submit("anna", 100, 0.0)
    policy.decide(0.0)
    policy.failed(number, Cause.QUOTA, 3600.0, (), None, 0.0)
    assert [each.requests_per_minute for each in policy.supplies(1.0)] == [0.0, 10.0]


def test_the_limits_that_the_vendor_tells_at_the_start_count_from_then_on():
    free = {Quota.REQUESTS_PER_MINUTE: 30.0, Quota.TOKENS_PER_MINUTE: 8000.0}
    policy = Policy([Choice("a", free)])
    policy.learned("a", [Allowance(Quota.TOKENS_PER_MINUTE, 250_000, 249_000)], 0.0)
    (paid,) = policy.supplies(0.0)
    assert paid.requests_per_minute == pytest.approx(250_000 / 800)
    policy.learned("unknown", [Allowance(Quota.TOKENS_PER_MINUTE, 1, 1)], 0.0)
