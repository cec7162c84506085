"""From scores to the summary, and from the summary to the report."""

import json
import re

import pytest

from loadtest import cost, report, report_markdown, targets
from loadtest.figures import figures, rate
from loadtest.judging import CallScore, RequestScore
from loadtest.summary import summarise
from observe.prices import load_prices

STAGES = {"stt": 200, "end_of_turn": 300, "llm": 50, "clause": 10, "tts": 40, "playout": 20}


def answered(number: int, v2v_ms: float = 700.0, **more) -> RequestScore:
    return RequestScore(
        0,
        number,
        "question",
        begun_secs=10.0 * number,
        asked_secs=10.0 * number + 2,
        ended_secs=10.0 * number + 8,
        success=True,
        v2v_ms=v2v_ms,
        response_ms=4_000.0,
        longest_silence_ms=v2v_ms,
        longest_unsigned_ms=v2v_ms,
        bot_ms=620,
        stages_ms=STAGES,
        speech_end_ms=78.0,
        **more,
    )


REQUESTS = [
    answered(0),
    answered(1, 720.0),
    RequestScore(0, 2, "question", begun_secs=20.0, ended_secs=32.0, silent=True, cause="no_answer"),
    RequestScore(0, 3, "tool", begun_secs=40.0, ended_secs=41.0, told=True, cause="at_capacity"),
    RequestScore(
        0, 4, "interruption", success=True, v2v_ms=800.0, stop_ms=120.0, stopped=True, recovery_ms=500.0, recovered=True
    ),
    RequestScore(0, 5, "interruption", v2v_ms=800.0, stopped=False, recovered=False, cause="did_not_stop"),
    RequestScore(
        0, 6, "false_alarm", success=True, v2v_ms=600.0, resumed=True, gap_ms=0.0, added_silence_ms=0.0, samples_lost=0
    ),
    RequestScore(
        0,
        7,
        "false_alarm",
        success=True,
        v2v_ms=600.0,
        resumed=True,
        gap_ms=90.0,
        added_silence_ms=300.0,
        samples_lost=960,
    ),
]


def whole() -> dict:
    call = CallScore(0, 60.0, 1.0, 91.0, 90.0, 4500, 2, 1, 3, 12.0, 80.0, 4.0, 900, 100)
    call.requests = [request.as_dict() for request in REQUESTS]
    call.timeline = {"bot_dbfs": [-90, -20, -20, -90], "said": [["stop", 0.1, 0.2]], "states": []}
    late = CallScore(1, 60.0, 40.0, 91.0, 51.0, 2500, 0, 0, 0, 12.0, 80.0, 4.0, 0, 0, waited_secs=35.0, refusals=7)
    summary = summarise(REQUESTS, [call, late], round_trip_ms=2.0)
    summary |= {
        "callers": 1,
        "requests_each": 8,
        "vendor_refused_rate": 0.25,
        "cost": cost.costs(cost.used([call, late], {}), len(REQUESTS), load_prices()),
        "run": {
            "at": "2026-01-01T00:00:00+00:00",
            "command": "python -m loadtest run",
            "scenario": "seed",
            "seed": 1,
            "profile": None,
            "audio": "clips <of> the tests",
            "phases": [{"name": "load", "secs": 90.0}],
            "machine": {"cpu": "test"},
            "bot": {"setup": "a bot", "providers": {"llm": "scripted"}},
            "interrupted": False,
            "unfinished_requests": 1,
            "caller_processes_died": 0,
            "vendors": {"groq": {"requests": 40, "statuses": {"200": 30, "429": 10}}},
            "usage": [[1.0, 20.0, 300.0], [2.0, 25.0, 301.0]],
        },
    }
    return {"summary": summary, "calls": [call.as_dict(), late.as_dict()]}


def test_figures_of_known_values():
    assert figures([0, None, 100]) == {"mean": 50.0, "p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0, "count": 2}
    assert figures([None]) == {"mean": None, "p50": None, "p95": None, "p99": None, "max": None, "count": 0}
    assert rate([True, None, False, True]) == pytest.approx(0.6667)
    assert rate([None]) is None


def test_the_summary_counts_what_happened():
    summary = whole()["summary"]
    assert summary["requests"] == 8
    assert summary["success_rate"] == pytest.approx(5 / 8)
    assert (summary["silent_failures"], summary["told_failures"]) == (1, 1)
    assert summary["failures"] == {"no_answer": 1, "at_capacity": 1, "did_not_stop": 1}
    assert summary["v2v_ms"]["count"] == 5
    assert summary["interruptions"]["success_rate"] == 0.5
    assert summary["interruptions"]["stop_ms"]["count"] == 1
    assert summary["false_alarms"]["resume_rate"] == 1.0
    assert summary["false_alarms"]["without_gap_rate"] == 0.5
    assert summary["false_alarms"]["samples_lost"] == {"total": 960, "count": 2}
    assert (summary["calls"]["packets_lost"], summary["calls"]["holes"], summary["calls"]["late"]) == (2, 1, 3)


def test_stages_must_add_up_to_what_the_caller_measured():
    stages = summarise(REQUESTS, [], round_trip_ms=2.0)["stages"]
    # 620 of the bot's own, 78 of the VAD and packets, and 2 of the way there and back
    assert stages["sum_ms"]["mean"] == 700.0
    assert stages["v2v_ms"]["mean"] == 710.0
    assert stages["difference_percent"] == pytest.approx(-1.41)
    assert stages["within_5_percent"] is True
    covered = summarise([*REQUESTS, answered(8, 300.0, covered=True)], [], round_trip_ms=2.0)["stages"]
    assert (covered["v2v_ms"], covered["covered"]) == (stages["v2v_ms"], 1)
    slow = [answered(0, 900.0), answered(1, 900.0)]
    assert summarise(slow, [], round_trip_ms=2.0)["stages"]["within_5_percent"] is False


def test_the_target_table_tells_met_from_missed_from_not_measured():
    verdicts = {verdict.target.path: verdict for verdict in targets.compare(whole()["summary"])}
    assert verdicts["success_rate"].met is False
    assert verdicts["silent_failures"].met is False
    assert verdicts["longest_unsigned_ms.max"].value == 720.0
    assert (verdicts["vendor_refused_rate"].value, verdicts["vendor_refused_rate"].met) == (0.25, False)
    assert verdicts["v2v_ms.p95"].met is True
    assert verdicts["false_alarms.samples_lost.total"].met is False
    bare = {verdict.target.path: verdict for verdict in targets.compare(summarise([answered(0)], []))}
    assert bare["false_alarms.samples_lost.total"].met is None
    assert bare["interruptions.success_rate"].met is None
    assert bare["success_rate"].met is True


def test_the_markdown_has_every_part_and_its_figures():
    text = report_markdown.text(whole()["summary"])
    for part in (
        "Snapshot",
        "Figures",
        "What the figures mean",
        "Issues found",
        "Targets",
        "Cost",
        "Readiness",
        "Bottom line",
    ):
        assert f"## {part}" in text
    assert "| requests answered | ≥ 99.5 % | 62.5 % | MISSED |" in text
    assert "**did not stop**: 1 of 8 requests" in text
    assert "1 of 2 calls came while the bot was full, heard so, waited in the queue and got in: 35 s (p50)" in text
    assert "groq answered 10 of 40 requests with 429" in text
    assert "- [ ] no caller was left without a sign" in text
    assert "1 failed in silence" in report_markdown.bottom_line(whole()["summary"])


def test_the_report_is_three_files_and_the_page_needs_nothing_from_outside(tmp_path):
    pytest.importorskip("matplotlib")
    found = whole()
    report.write(tmp_path / "new", found)
    assert json.loads((tmp_path / "new" / "summary.json").read_text()) == found
    page = (tmp_path / "new" / "report.html").read_text()
    assert page.count("<svg") == 6
    assert "clips &lt;of&gt; the tests" in page
    assert not re.search(r"""(src|href)=["'](?!#)""", re.sub(r'xlink:href="#', 'x="#', page))
    assert not re.search(r"@import|url\((?!#)", page)
