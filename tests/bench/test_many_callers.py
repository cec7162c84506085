"""The bars of many callers: from summaries to met and missed."""

from bench.many_callers import RUNS, bars, table


def summary(v2v, rate=1.0, **more):
    return {
        "success_rate": rate,
        "v2v_ms": {"p95": v2v},
        "answer_ms": {"p50": 2500.0, "p95": 7000.0},
        "answers_per_minute": 51.0,
        "by_kind": {"tool": {"success_rate": 1.0}},
        "false_alarms": {"resume_rate": 1.0, "gap_ms": {"p95": 100.0}},
        "silent_failures": 0,
        "calls": {"at_once": {"most": 50, "mean": 40.0}, "waited_secs": {"p50": 60.0}, "wait_ratio": 1.9},
        **more,
    }


def test_each_bar_is_told_as_met_or_missed():
    found = {RUNS[0].name: summary(1000.0), RUNS[1].name: summary(1140.0), RUNS[2].name: summary(1300.0, 0.99)}
    made = {(bar.run, bar.what): bar for bar in bars(found)}
    assert made[RUNS[1].name, "voice to voice p95 / one caller alone"].met is True
    assert made[RUNS[2].name, "voice to voice p95 / one caller alone"].met is False
    assert made[RUNS[2].name, "answered, %"].met is False
    assert "| 50 / 40.0 | voice to voice p95 / one caller alone | 1.14 | ≤ 1.15 | met |" in table(bars(found), found)


def test_what_was_not_measured_is_not_called_met():
    made = bars({RUNS[1].name: summary(1140.0)})
    (ratio,) = [bar for bar in made if "alone" in bar.what]
    assert ratio.met is None


def test_the_free_account_has_its_own_bars():
    made = {bar.what: bar for bar in bars({RUNS[3].name: summary(3000.0)})}
    assert made["answers a minute"].met is True
    assert made["answer itself p95, s"].value == 7.0
