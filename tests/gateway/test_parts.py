"""Budget, circuit, continuation and reply cache, each by itself."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.llm import Allowance, Cause, Quota, ToolSpec
from gateway.budget import Budget
from gateway.circuit_breaker import CircuitBreaker, CircuitBreakerParams, CircuitState
from gateway.continuation import Continuation, continued
from gateway.general_questions import normalised
from gateway.reply_cache import ReplyCache

TPM, RPM, RPD = Quota.TOKENS_PER_MINUTE, Quota.REQUESTS_PER_MINUTE, Quota.REQUESTS_PER_DAY

# --- budget


def test_limits_refill_continuously():
    budget = Budget({TPM: 6000.0})
    budget.hold(1, 5000, 1000, 0.0)
    assert budget.binding(600, 0.0) is TPM
    assert budget.wait_secs(600, 0.0) == pytest.approx(6.0)  # 100 tokens a second
    assert budget.wait_secs(600, 6.0) == 0.0
    budget.settle(1, 5400, 0, 6.0)  # 600 fewer than thought
    assert budget.buckets[TPM].used(6.0) == pytest.approx(4800)


def test_a_request_that_was_not_taken_costs_nothing():
    budget = Budget({TPM: 6000.0, RPM: 30.0})
    budget.hold(1, 500, 100, 0.0)
    budget.refund(1, 0.0)
    assert [bucket.used(0.0) for bucket in budget.buckets.values()] == [0, 0]


def test_the_vendor_knows_of_others_use():
    budget = Budget({TPM: 6000.0})
    budget.hold(1, 500, 100, 0.0)
    budget.hold(2, 700, 100, 0.0)
    # Its answer to 1 counts 1's prompt and what somebody else used, but not yet 2, nor the replies.
    budget.taken(1, [Allowance(TPM, 6000, 3500)], 0.0)
    assert budget.buckets[TPM].used(0.0) == 2500 + 100 + 800


def test_that_less_is_used_is_believed_when_nothing_else_is_under_way():
    budget = Budget({TPM: 6000.0})
    budget.hold(1, 500, 100, 0.0)
    budget.hold(2, 500, 100, 0.0)
    budget.taken(1, [Allowance(TPM, 6000, 6000)], 0.0)
    assert budget.buckets[TPM].used(0.0) == 1200
    budget.settle(1, 500, 100, 0.0)
    budget.taken(2, [Allowance(TPM, 6000, 5500)], 0.0)
    assert budget.buckets[TPM].used(0.0) == 600


def test_the_time_that_a_refusal_tells_says_what_is_used():
    budget = Budget()
    told = Allowance(RPM, 6, 1, met=True)  # 5.4 are used, and rounded
    budget.learn([told], 0.0)
    budget.refused(told, 300, 4.0, 0.0)
    assert budget.wait_secs(300, 0.0) == pytest.approx(4.0)
    assert budget.buckets[RPM].used(0.0) == pytest.approx(5.4)


def test_limits_are_learned_and_an_amount_above_one_fits_an_empty_bucket():
    budget = Budget()
    assert budget.wait_secs(1e9, 0.0) == 0.0
    budget.learn([Allowance(TPM, 1000, 0)], 0.0)
    assert budget.wait_secs(5000, 0.0) == pytest.approx(60.0)
    assert budget.wait_secs(5000, 60.0) == 0.0


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 3000), st.integers(1, 3000)), max_size=60))
def test_whatever_is_sent_when_it_fits_never_overdraws(requests):
    budget, now = Budget({TPM: 6000.0, RPM: 30.0}), 0.0
    for number, (gap, prompt, completion) in enumerate(requests):
        now += gap
        if budget.wait_secs(prompt + completion, now) == 0:
            budget.hold(number, prompt, completion, now)
            budget.settle(number, prompt, completion, now)
        assert all(bucket.left(now) >= -1e-3 for bucket in budget.buckets.values())


# --- circuit


def test_a_circuit_opens_waits_lets_one_find_out_and_closes():
    circuit = CircuitBreaker(CircuitBreakerParams(), random.Random(1))
    circuit.failed(Cause.FAULT, None, 0.0)
    assert circuit.state(0.0) is CircuitState.CLOSED, "one failure is an accident"
    circuit.failed(Cause.FAULT, None, 0.0)
    until = circuit.wait_secs(0.0)
    assert 2.0 <= until <= 2.5
    assert not circuit.allows(until - 0.01)
    assert circuit.allows(until + 0.01)
    circuit.sent(until + 0.01)
    assert not circuit.allows(until + 0.02), "one at a time finds out"
    circuit.succeeded(until + 1, sent_at=until + 0.01)
    assert circuit.state(until + 1) is CircuitState.CLOSED


def test_what_was_sent_before_a_refusal_does_not_close_the_circuit():
    circuit = CircuitBreaker(CircuitBreakerParams(), random.Random(1))
    circuit.failed(Cause.BUSY, 10.0, 5.0)
    circuit.succeeded(6.0, sent_at=4.0)
    assert circuit.wait_secs(6.0) == pytest.approx(9.0)


def test_the_time_that_the_vendor_tells_is_kept_and_the_longest_holds():
    circuit = CircuitBreaker(CircuitBreakerParams(), random.Random(1))
    circuit.failed(Cause.BUSY, 0.5, 0.0)
    assert circuit.wait_secs(0.0) == 0.5
    circuit.failed(Cause.BUSY, 107.0, 0.0)
    circuit.failed(Cause.BUSY, 1.0, 0.0)
    assert circuit.wait_secs(0.0) == 107.0


@given(st.integers(0, 1000), st.integers(1, 12))
def test_backoff_has_a_floor_and_a_cap(seed, rounds):
    circuit, now = CircuitBreaker(CircuitBreakerParams(), random.Random(seed)), 0.0
    for _ in range(rounds):
        circuit.failed(Cause.BUSY, None, now)
        assert 2.0 <= circuit.wait_secs(now) <= 4.0
        now += circuit.wait_secs(now)


# --- continuation

SAID = "Our branches are open from nine"


@pytest.mark.parametrize(
    ("second", "rest"),
    [
        (" until five.", " until five."),
        ("until five.", " until five."),
        ("Our branches are open from nine until five.", " until five."),
        ("from nine until five.", " until five."),
        (", and close at five.", ", and close at five."),
        (SAID, ""),
        ("", ""),
    ],
)
def test_one_answer_out_of_two_streams(second, rest):
    for cut in range(len(second) + 1):
        joined = Continuation(SAID)
        assert joined.feed(second[:cut]) + joined.feed(second[cut:]) + joined.finish() == rest


def test_without_a_first_part_the_second_is_all():
    joined = Continuation("")
    assert joined.feed("Good day.") == "Good day."
    assert continued([{"role": "user", "content": "Hi"}], " ") == [{"role": "user", "content": "Hi"}]
    assert [m["role"] for m in continued([{"role": "user", "content": "Hi"}], "Good")] == [
        "user",
        "assistant",
        "system",
    ]


# --- reply cache

SYSTEM = {"role": "system", "content": "You are a help line."}


def asked(question, *before):
    return [SYSTEM, *before, {"role": "user", "content": question}]


def test_the_same_question_in_the_same_words_is_answered_from_memory():
    cache = ReplyCache(600)
    cache.put(cache.key(asked("When do you open?"), []), "At nine.", 0.0)
    greeting = {"role": "assistant", "content": "Hello, how can I help?"}
    assert cache.get(cache.key(asked("Hello, WHEN do you open", greeting), []), 1.0) == "At nine."
    assert cache.get(cache.key(asked("When do you open?"), []), 601.0) is None, "too old"
    assert cache.snapshot() == {"hits": 1, "misses": 1, "not_cacheable": 0, "size": 0}


@pytest.mark.parametrize(
    "question",
    [
        "What is my balance?",
        "Can I open an account?",
        "What's that?",
        "Say it again",
        "Are you open today?",
        "What time is it?",
        "Is it 5 percent?",
        "Mail ann@example.org",
        "Wie viel Geld habe ich?",
        "मेरा बैलेंस क्या है?",
        "",
        "hello",
    ],
)
def test_what_means_something_only_here_and_now_is_not_remembered(question):
    assert normalised(question) is None


def test_nothing_is_shared_between_other_prompts_tools_or_conversations():
    cache = ReplyCache(600)
    cache.put(cache.key(asked("When do you open?"), []), "At nine.", 0.0)
    tool = ToolSpec("t", "", {})
    other = [{"role": "system", "content": "You are a pirate."}, {"role": "user", "content": "When do you open?"}]
    later = asked("When do you open?", {"role": "user", "content": "On Sundays"}, {"role": "assistant", "content": "?"})
    told = asked("When do you open?", {"role": "tool", "content": "{}", "tool_call_id": "1"})
    for messages, tools in ((other, []), (asked("When do you open?"), [tool]), (later, []), (told, [])):
        assert cache.get(cache.key(messages, tools), 1.0) is None
    assert cache.key(later, []) is None
    assert cache.key(told, []) is None


def test_the_one_not_asked_for_longest_goes_first():
    cache = ReplyCache(600, size=2)
    for name in ("when do you open", "when do you close"):
        cache.put(cache.key(asked(name), []), name, 0.0)
    cache.get(cache.key(asked("when do you open"), []), 1.0)
    cache.put(cache.key(asked("where are you"), []), "here", 2.0)
    assert cache.get(cache.key(asked("when do you open"), []), 3.0) == "when do you open"
    assert cache.get(cache.key(asked("when do you close"), []), 3.0) is None
