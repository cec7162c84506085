"""What Prometheus reads."""

from observe.call_registry import CallRegistry
from observe.gateway import Figure, figures
from observe.listener import Usage
from observe.metrics import Metrics, States
from tests.observe.calls import BEGAN, decision, opened, play, turn

GATEWAY = {
    "queue": {"length": 2, "longest_wait_secs": 0.4},
    "cache": {"hits": 7, "misses": 31},
    "models": {
        "a/big": {"circuit": "closed", "in_flight": 3, "budgets": {"tokens": {"left": 5, "refill_secs": 9}}},
        "a/small": {"circuit": "open", "in_flight": 0, "budgets": {"tokens": {"left": 0, "refill_secs": 60}}},
    },
}


def test_events_become_counters_and_histograms():
    call_registry = CallRegistry(lambda: {"tts": "elevenlabs"})
    metrics = Metrics(
        States(
            call_registry, lambda: 20, lambda: {"lag_p50_ms": 1.0, "lag_p99_ms": 4.0}, dropped=lambda: {"stranger": 3}
        )
    )
    call_registry.add_listener(metrics)
    value = metrics.registry.get_sample_value
    record = opened(call_registry)
    record.change_state(BEGAN, "thinking")
    play(record, turn(1, answer_ms=600))
    play(record, turn(2, answer_ms=900), error="HTTP 500")
    record.decided(BEGAN + 3, decision())
    record.decided(BEGAN + 4, decision(wrong=True))
    for number, outcome in ((8, "lost"), (9, "taken_back")):
        cancelled = decision() | {"sound_id": number, "verdict": "cancel", "verdict_ms": None}
        record.decided(BEGAN + 5, cancelled)
        record.decided(BEGAN + 5, cancelled | {"wrong": True, "outcome": outcome, "silence_ms": 700})
    record.vendor_failed("tts", "no audio within 3 s")
    record.used(Usage("llm", "prompt_tokens", 120))
    call_registry.refused("at_capacity")
    assert value("parley_calls_live", {"state": "thinking"}) == 1
    assert value("parley_calls_max") == 20
    assert value("parley_voice_to_voice_seconds_count") == 2
    assert value("parley_voice_to_voice_seconds_sum") == 1.5
    assert value("parley_voice_to_voice_seconds_bucket", {"le": "0.65"}) == 1
    assert value("parley_stage_seconds_sum", {"stage": "llm"}) == 0.5
    assert value("parley_turns_total", {"outcome": "played"}) == 1
    assert value("parley_turns_total", {"outcome": "failed"}) == 1
    assert value("parley_failures_total", {"cause": "HTTP #"}) == 1
    assert value("parley_interruptions_total", {"verdict": "resume", "mode": "duck"}) == 1
    assert value("parley_interruptions_judged_total", {"verdict": "resume", "wrong": "yes"}) == 1
    assert value("parley_false_alarm_silence_seconds_sum") == 0.08
    assert value("parley_replies_lost_total") == 1
    assert value("parley_replies_taken_back_total") == 1
    assert value("parley_taken_back_silence_seconds_sum") == 0.7
    assert value("parley_verdict_seconds_sum", {"verdict": "resume"}) == 0.3
    error = {"role": "tts", "error": "elevenlabs: no audio within # s"}
    assert value("parley_vendor_errors_total", error) == 1
    assert value("parley_usage_total", {"role": "llm", "unit": "prompt_tokens"}) == 120
    assert value("parley_calls_refused_total", {"code": "at_capacity"}) == 1
    assert value("parley_event_loop_lag_seconds", {"quantile": "0.99"}) == 0.004
    assert value("parley_datagrams_dropped_total", {"reason": "stranger"}) == 3
    record.over(BEGAN + 42, "the peer closed")
    assert value("parley_calls_live", {"state": "thinking"}) == 0
    assert value("parley_calls_total") == 1
    assert value("parley_calls_ended_total", {"reason": "the peer closed"}) == 1
    assert value("parley_call_duration_seconds_sum") == 42


def test_the_gateway_is_told_as_it_is():
    metrics = Metrics(States(CallRegistry(), lambda: 20, gateway=lambda: GATEWAY, cost=lambda: {"groq": 0.25}))
    value = metrics.registry.get_sample_value
    assert value("parley_gateway_queue_length") == 2
    assert value("parley_gateway_cache_hits") == 7
    assert value("parley_gateway_model_in_flight", {"model": "a/big"}) == 3
    assert value("parley_gateway_model_circuit", {"model": "a/small", "state": "open"}) == 1
    budget = {"model": "a/small", "budget": "tokens"}
    assert value("parley_gateway_budget_left", budget) == 0
    assert value("parley_gateway_budget_refill_secs", budget) == 60
    assert value("parley_cost_dollars", {"vendor": "groq"}) == 0.25
    assert b"parley_gateway_queue_length 2.0" in metrics.exposition()


def test_what_is_no_number_is_left_out():
    odd = {"since": None, "list": [1], "models": {"m": 5}, "Odd name!": 1, "nested": {"deep": {"x": True}}}
    assert list(figures(odd)) == [Figure("odd_name_", {}, 1.0), Figure("nested_deep_x", {}, 1.0)]
