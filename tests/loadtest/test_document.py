"""The document is what the command makes of the kept runs; the tables of the ablations hold known figures."""

import pytest

from loadtest import ablate, ablate_tables, document
from loadtest.ablations import VARIANTS, prompt_tokens

MACHINE = {"cpu": "test"}


def run(study: str, variant: str, seed: int, v2v_ms: float, *, against_base: bool = True) -> dict:
    figures = {"success": 1.0, "v2v_p50_ms": v2v_ms, "v2v_p95_ms": 2 * v2v_ms, "stt_ms": 300.0, "llm_ms": 400.0}
    figures |= {"tts_ms": None, "model_requests": 4.0, "cache_hits": 0.0}
    return {
        "study": study,
        "variant": variant,
        "origin": "measured",
        "against_base": against_base,
        "seed": seed,
        "figures": figures,
    }


RUNS = [
    run("base", "base", 1, 1000.0),
    run("base", "base", 2, 1200.0),
    run("voice", "another", 1, 900.0),
    run("voice", "another", 2, 1000.0),
    run("reply cache", "off", 1, 5000.0, against_base=False),
]


def sound(strategy: str, class_: str, outcome: str, **more) -> dict:
    found = {"strategy": strategy, "file": "x", "class": class_, "outcome": outcome}
    return {**found, "stuck": False, "samples_lost": 0, "stop_ms": None, "verdict_ms": None, "gap_ms": 0, **more}


SOUNDS = [
    sound("duck", "interruption", "cancelled", stop_ms=200),
    sound("duck", "noise", "kept_talking"),
    sound("duck", "noise", "resumed", gap_ms=300),
    sound("cancel", "interruption", "cancelled", stop_ms=80),
    sound("cancel", "noise", "cancelled", stop_ms=80),
    sound("cancel", "noise", "kept_talking"),
]


def test_a_variant_is_set_against_the_base_with_the_same_seed():
    table = ablate_tables.variants(RUNS, "voice")
    row = next(line for line in table.splitlines() if "another" in line)
    assert "950 ms (900 ms … 1,000 ms)" in row
    assert "-150 ms (-200 … -100)" in row
    assert "off" not in table


def test_a_variant_with_other_requests_is_not_set_against_the_base():
    table = ablate_tables.variants(RUNS, "reply cache")
    assert "| base" not in table
    assert "5,000 ms" in table
    assert document._ranked(RUNS) == [("Voice: another", -150.0, "measured")]


def test_strategies_are_told_by_what_they_stop_and_what_they_spoil():
    rows = {line.split("|")[1].strip(): line for line in ablate_tables.strategies(SOUNDS).splitlines() if "|" in line}
    assert "| 100.0 % of 1 | 0.0 % of 2 | 200 ms | 200 ms | 150 ms | 50.0 % of 2 | 0 | 0 |" in rows["duck"]
    assert "| 100.0 % of 1 | 50.0 % of 2 | 80 ms |" in rows["cancel"]


def test_the_order_of_runs_alternates_and_leaves_nothing_out():
    runs = ablate.order(2)
    count = len(VARIANTS)
    assert [variant for variant, _ in runs] == [*range(count), *reversed(range(count))]
    assert [seed for _, seed in runs] == [1] * count + [2] * count


def test_clips_are_taken_from_all_over_a_class():
    clips = [(document.ROOT, str(number), "noise") for number in range(10)] + [(document.ROOT, "a", "speech")]
    assert [name for _, name, _ in ablate.some_of(clips, 3)] == ["0", "3", "6", "a"]


async def test_a_shorter_history_makes_smaller_prompts():
    sizes = [(await prompt_tokens(turns))["last"] for turns in (5, 20, 200)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.6 * sizes[1]


def test_a_kept_run_holds_all_that_plots_need_and_no_timeline():
    request = {"kind": "question", "begun_secs": 1, "asked_secs": 2, "success": True, "cause": "", "v2v_ms": 3, "x": 4}
    call = {"caller": 0, "begun_secs": 0, "ended_secs": 9, "waited_secs": 0, "refusals": 0, "timeline": {"y": 1}}
    kept = document.compact({"summary": {"z": 1}, "calls": [{**call, "requests": [request]}]})
    assert kept["summary"] == {"z": 1}
    (only,) = kept["calls"]
    assert "timeline" not in only
    assert "x" not in only["requests"][0]
    assert only["requests"][0]["v2v_ms"] == 3


@pytest.mark.skipif(not document.DOCUMENT.is_file(), reason="no runs are kept")
def test_the_document_is_what_the_command_makes_of_the_kept_runs():
    assert document.DOCUMENT.read_text("utf-8") == document.text(*document.read())
    assert document.PLOT.read_text("utf-8").startswith("<?xml")
