"""Buckets that refill, and the vendor's words about them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.rates import Bucket, ModelBudget, ModelLimits, go_duration


def test_what_is_used_drains_continuously():
    bucket = Bucket(60, 60.0, 0.0)
    bucket.charge(60, 0.0)
    assert (bucket.remaining(0.0), bucket.remaining(10.0), bucket.used(30.0)) == (0.0, 10.0, 30.0)
    assert bucket.full_in_secs(30.0) == 30.0
    bucket.charge(-10, 30.0)
    assert bucket.used(30.0) == 20.0
    assert bucket.wait_secs(61, 30.0) == math.inf


def test_the_wait_is_the_one_of_a_real_answer():
    bucket = Bucket(100_000, 86_400.0, 0.0)
    bucket.charge(99_609, 0.0)
    assert go_duration(bucket.wait_secs(701, 0.0)) == "4m27.84s"


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 50)), max_size=30))
def test_never_more_than_the_limit_and_one_windows_refill(steps):
    bucket, now, admitted = Bucket(50, 60.0, 0.0), 0.0, 0
    for pause, amount in steps:
        now += pause
        if bucket.wait_secs(amount, now) <= 0:
            bucket.charge(amount, now)
            admitted += amount
    assert admitted <= 50 + now * 50 / 60 + 1e-6


def test_a_denial_tells_the_longest_wait_and_uses_nothing():
    budget = ModelBudget(ModelLimits(rpm=30, rpd=1000, tpm=1000, tpd=1200), 0.0)
    assert budget.admit(900, 0.0) is None
    denial = budget.admit(400, 0.0)
    assert (denial.limit_name, denial.limit, denial.used, denial.requested) == ("tokens per day (TPD)", 1200, 900, 400)
    assert denial.wait_secs == pytest.approx(100 * 86_400 / 1200)
    said = denial.message("m", "org_x")
    assert "on tokens per day (TPD): Limit 1200, Used 900, Requested 400. Please try again in 2h0m0s." in said
    assert budget.headers(0.0)["x-ratelimit-remaining-tokens"] == "100"
    too_large = budget.admit(5000, 0.0)
    assert too_large.message("m", "o").startswith("Request too large for model `m`")


def test_headers_are_of_the_day_and_of_the_minute():
    budget = ModelBudget(ModelLimits(), 0.0)
    budget.admit(800, 0.0)
    budget.settle(-400, 0.0)
    assert budget.headers(0.0) == {
        "x-ratelimit-limit-requests": "1000",
        "x-ratelimit-remaining-requests": "999",
        "x-ratelimit-reset-requests": "1m26.4s",
        "x-ratelimit-limit-tokens": "8000",
        "x-ratelimit-remaining-tokens": "7600",
        "x-ratelimit-reset-tokens": "3s",
    }


@pytest.mark.parametrize(
    ("secs", "text"),
    [(0, "0s"), (0.48, "480ms"), (7.66, "7.66s"), (267.84, "4m27.84s"), (3723, "1h2m3s"), (0.9996, "1s"), (60, "1m0s")],
)
def test_durations_as_go_writes_them(secs, text):
    assert go_duration(secs) == text
