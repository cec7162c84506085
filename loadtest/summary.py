"""All scores of a run as one summary: what ``summary.json`` holds under ``"summary"``. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from loadtest.figures import figures, rate
from loadtest.judging import CallScore, RequestScore
from loadtest.scenario import Kind
from loadtest.stages import breakdown


def summarise(
    requests: Sequence[RequestScore], calls: Sequence[CallScore], *, round_trip_ms: float = 0.0
) -> dict[str, Any]:
    """Rates, and mean, p50, p95, p99 with their counts."""
    interruptions = [r for r in requests if r.kind == Kind.INTERRUPTION.value]
    alarms = [r for r in requests if r.kind == Kind.FALSE_ALARM.value]
    lost = [r.samples_lost for r in alarms if r.samples_lost is not None]
    return {
        "requests": len(requests),
        "success_rate": rate(r.success for r in requests),
        "silent_failures": sum(r.silent for r in requests),
        "told_failures": sum(r.told for r in requests if not r.success),
        "answers_per_minute": _per_minute(requests),
        "failures": dict(Counter(r.cause for r in requests if r.cause)),
        "v2v_ms": figures(r.v2v_ms for r in requests if r.success),
        "first_sound_ms": figures(r.first_sound_ms for r in requests if r.success),
        "answer_ms": figures(r.answer_ms for r in requests if r.success),
        "response_ms": figures(r.response_ms for r in requests if r.success),
        "longest_silence_ms": figures(r.longest_silence_ms for r in requests),
        "longest_unsigned_ms": figures(r.longest_unsigned_ms for r in requests),
        "covered": sum(r.covered for r in requests),
        "interruptions": {
            "count": len(interruptions),
            "success_rate": rate(r.recovered for r in interruptions),
            "stopped_rate": rate(r.stopped for r in interruptions),
            "lowered_ms": figures(r.lowered_ms for r in interruptions),
            "stop_ms": figures(r.stop_ms for r in interruptions),
            "recovery_ms": figures(r.recovery_ms for r in interruptions),
        },
        "false_alarms": {
            "count": len(alarms),
            "resume_rate": rate(r.resumed for r in alarms),
            "gap_ms": figures(r.gap_ms for r in alarms),
            "added_silence_ms": figures(r.added_silence_ms for r in alarms),
            "without_gap_rate": rate(None if r.added_silence_ms is None else not r.added_silence_ms for r in alarms),
            "samples_lost": {"total": sum(lost), "count": len(lost)},
        },
        "by_kind": {
            kind.value: {
                "requests": len(mine),
                "success_rate": rate(r.success for r in mine),
                "v2v_ms": figures(r.v2v_ms for r in mine if r.success),
            }
            for kind in Kind
            if (mine := [r for r in requests if r.kind == kind.value])
        },
        "calls": _of_calls(calls),
        "stages": breakdown([r for r in requests if r.success], round_trip_ms),
        "bot_silence_ms": figures(r.bot_silence_ms for r in alarms),
    }


def _per_minute(requests: Sequence[RequestScore]) -> float | None:
    """Answers a minute, from the first request to the end of the last."""
    if not requests:
        return None
    secs = max(r.ended_secs for r in requests) - min(r.begun_secs for r in requests)
    return round(60 * sum(r.success for r in requests) / secs, 1) if secs > 0 else None


def _at_once(calls: Sequence[CallScore]) -> dict[str, float]:
    """Calls at the same time: the most, and the mean while there was one."""
    changes = sorted([(c.begun_secs, 1) for c in calls] + [(c.begun_secs + c.secs, -1) for c in calls])
    live, most, busy, sums = 0, 0, 0.0, 0.0
    for (at, change), (until, _) in zip(changes, [*changes[1:], (changes[-1][0], 0)] if changes else [], strict=True):
        live += change
        most = max(most, live)
        busy += (until - at) * (live > 0)
        sums += (until - at) * live
    return {"most": most, "mean": round(sums / busy, 1) if busy else 0.0}


def _of_calls(calls: Sequence[CallScore]) -> dict[str, Any]:
    minutes = sum(call.secs for call in calls) / 60
    waited = figures(call.waited_secs for call in calls if call.refusals)
    return {
        "count": len(calls),
        "at_once": _at_once(calls),
        "minutes": round(minutes, 2),
        "connect_ms": figures(call.connect_ms for call in calls),
        "told_at_capacity": sum(call.refusals > 0 for call in calls),
        "waited_secs": waited,
        "wait_ratio": round(waited["max"] / waited["p50"], 2) if waited["p50"] else None,
        "packets": sum(call.packets for call in calls),
        "packets_lost": sum(call.lost for call in calls),
        "holes": sum(call.holes for call in calls),
        "late": sum(call.late for call in calls),
        "late_p99_ms": figures(call.late_p99_ms for call in calls if call.packets),
        "caller_slip_p99_ms": figures(call.slip_p99_ms for call in calls if call.packets),
    }
