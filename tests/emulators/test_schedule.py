"""Which requests a fault strikes, and when."""

import pytest
from pydantic import ValidationError

from emulators.faults import FaultRule, FaultSchedule, Vendor
from emulators.latency import Chances, Latency


def schedule(*rules, now=100.0):
    return FaultSchedule([FaultRule(**rule) for rule in rules], Chances(1), now)


def struck(faults, count, vendor=Vendor.GROQ, stage="connect", now=100.0, model=None):
    return [faults.strike(vendor, stage, now, model) is not None for _ in range(count)]


def test_by_number_and_by_count():
    faults = schedule({"vendor": "groq", "kind": "status", "requests": (2, 4)})
    assert struck(faults, 5) == [False, True, False, True, False]
    faults = schedule({"vendor": "groq", "kind": "status", "limit": 2})
    assert struck(faults, 4) == [True, True, False, False]


def test_only_the_vendor_stage_and_model_that_are_named():
    faults = schedule({"vendor": "groq", "kind": "status", "models": ("a",)}, {"vendor": "azure", "kind": "drop"})
    assert struck(faults, 1, model="a") == [True]
    assert struck(faults, 1, model="b") == [False]
    assert struck(faults, 1, stage="answer", model="a") == [False]
    assert struck(faults, 1, Vendor.AZURE) == [False]
    assert struck(faults, 1, Vendor.AZURE, "answer") == [True]


def test_within_a_window_that_counts_from_the_start_or_the_reset():
    faults = schedule({"vendor": "groq", "kind": "status", "from_secs": 10, "until_secs": 20})
    assert [struck(faults, 1, now=now)[0] for now in (109.9, 110.0, 119.9, 120.0)] == [False, True, True, False]
    faults.replace(faults.rules, 200.0)
    assert [struck(faults, 1, now=now)[0] for now in (205.0, 215.0)] == [False, True]


def test_by_chance_the_same_way_each_time():
    rule = {"vendor": "groq", "kind": "status", "probability": 0.3}
    first, second = struck(schedule(rule), 2000), struck(schedule(rule), 2000)
    assert first == second
    assert 520 < sum(first) < 680


def test_the_first_rule_that_fits_wins():
    faults = schedule(
        {"vendor": "groq", "kind": "status", "status": 429, "limit": 1}, {"vendor": "groq", "kind": "reset"}
    )
    kinds = [rule.kind.value for _ in range(2) if (rule := faults.strike(Vendor.GROQ, "connect", 100.0))]
    assert kinds == ["status", "reset"]


def test_a_closed_port_opens_by_the_clock():
    faults = schedule({"vendor": "gtts", "kind": "refuse", "from_secs": 5, "until_secs": 8})
    assert [faults.refuses(Vendor.GTTS, 100.0 + secs) for secs in (0, 5, 7.9, 8)] == [False, True, True, False]
    assert not faults.refuses(Vendor.AZURE, 106.0)
    assert [faults.next_change(100.0 + secs) for secs in (0, 5, 8)] == [105.0, 108.0, None]
    assert struck(faults, 1, Vendor.GTTS, now=106.0) == [False]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"vendor": "gtts", "kind": "close"}, "gtts has no fault 'close'; it has drip"),
        ({"vendor": "groq", "kind": "refuse", "probability": 0.5}, "use reset"),
        ({"vendor": "groq", "kind": "reset", "from_secs": 5, "until_secs": 5}, "until_secs must be after"),
        ({"vendor": "groq", "kind": "reset", "status": 200}, "greater than or equal to 400"),
        ({"vendor": "groq", "kind": "reset", "often": True}, "Extra inputs"),
    ],
)
def test_rules_that_make_no_sense(rule, says):
    with pytest.raises(ValidationError, match=says):
        FaultRule(**rule)


def test_latencies_have_the_median_and_the_percentile_that_they_are_told_by():
    rng = Chances(7).stream("x")
    drawn = sorted(Latency(p50_ms=200, p95_ms=600).sample_secs(rng) for _ in range(20_000))
    assert drawn[10_000] == pytest.approx(0.2, rel=0.03)
    assert drawn[19_000] == pytest.approx(0.6, rel=0.05)
    assert Latency(p50_ms=50).sample_secs(rng) == 0.05
    assert Latency(p50_ms=0).sample_secs(rng) == 0.0
    for wrong in ({"p50_ms": 100, "p95_ms": 50}, {"p50_ms": 0, "p95_ms": 50}):
        with pytest.raises(ValidationError):
            Latency(**wrong)


def test_one_purpose_does_not_disturb_another():
    alone, beside = Chances(3), Chances(3)
    expected = [alone.stream("a").random() for _ in range(3)]
    found = [(beside.stream("a").random(), beside.stream("b").random())[0] for _ in range(3)]
    assert found == expected
    assert Chances(4).stream("a").random() != expected[0]
