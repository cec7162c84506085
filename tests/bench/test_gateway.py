"""The gateway's bench: its rows come from what callers and vendor saw, and what is wrong shows."""

import pytest

from bench.gateway import history_row, overtaken_secs, run, table, too_early
from emulators.log import Entry
from emulators.profile import load_profile
from loadtest import virtual_time


@pytest.mark.slow
def test_thirty_callers_under_one_accounts_limits_all_get_answers():
    row = virtual_time.run(run("30 callers x 3", 30, 3, load_profile("seed")))
    assert (row.requests, row.success_pct, row.silent, row.too_early) == (90, 100.0, 0, 0)
    assert row.refused_by_vendor_pct <= 2.3, "one request or two, until the limit is known"
    assert row.longest_wait_secs > 5, "the limits were met"
    assert row.overtaken_secs <= 3, "calls that were served a lot stand no further back than that"
    assert "| 30 callers x 3 | 90 | 100 | 0 | 0 |" in table([row])


def test_who_is_overtaken_is_found_however_the_queue_grows():
    in_turn = [(at, 2.0 * at) for at in map(float, range(10))]
    assert overtaken_secs(in_turn) == 0
    served_last = [(0.0, 20.0), *((at, 1.0) for at in map(float, range(1, 10)))]
    assert overtaken_secs(served_last) == pytest.approx(18.0)
    assert overtaken_secs([]) == 0


def test_a_quota_that_is_gone_is_counted_as_told():
    gone = {"kind": "quota_gone", "from_secs": 0}
    row = virtual_time.run(run("gone", 2, 2, load_profile("seed"), [gone]))
    assert (row.success_pct, row.told_pct, row.notes) == (0.0, 100.0, ["told: quota"])


def test_a_request_before_the_time_told_is_found():
    def entry(at_secs, status, after=None, model="m"):
        detail = {"model": model} | ({"retry_after": after} if after else {})
        return Entry("groq", "chat", "r", at_secs, 0.0, total_ms=100.0, status=status, detail=detail)

    refused = entry(10.0, 429, "5")
    assert too_early([refused, entry(10.05, 200), entry(15.2, 200), entry(12.0, 200, model="other")]) == 0
    assert too_early([refused, entry(10.2, 200), entry(15.0, 429, "5")]) == 2


def test_history_does_not_grow():
    assert history_row().notes[0] == "at most 20 turns shown"
