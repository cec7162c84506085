"""A call's record without a call."""

from typing import Any

from observe.call_registry import CallRegistry
from observe.entries import Turn
from observe.record import CallRecord

BEGAN = 100.0
BEGAN_UNIX = 1_700_000_000.0


def opened(registry: CallRegistry, name: str = "peer") -> CallRecord:
    return registry.open(name, now=BEGAN, now_unix=BEGAN_UNIX)


def turn(turn_id: int = 1, answer_ms: int | None = 600, began: float = BEGAN + 2, **stages: int) -> Turn:
    stages = stages or {"stt": 200, "end_of_turn": 100, "llm": 250, "playout": 50}
    return Turn(turn_id, turn_id, began, "how much", stages, answer_ms)


def decision(sound_id: int = 1, verdict: str = "resume", wrong: bool | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "sound_id": sound_id,
        "mode": "duck",
        "verdict": verdict,
        "reason": "too short",
        "verdict_ms": 300,
        "silence_ms": 80,
        "text": "mhm",
        "wrong": wrong,
        **fields,
    }


def play(record: CallRecord, one: Turn, *, cut: bool = False, error: str | None = None) -> None:
    """A turn from its answer's first sample to its end, two seconds later."""
    if one.answer_ms is not None:
        record.answered(one)
    record.turn_over(one.began + 2, one, cut=cut, error=error, heard="ten euros")
