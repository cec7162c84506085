"""Where voice to voice goes, stage by stage, and whether client and bot tell the same story. Pure.

The bot tells its own stages. Two more lie outside it: the network, which the client measures, and the difference
between the last loud sample and the end of speech as the bot's VAD hears it, which the clip tells. Together they must
be what the client measured: nothing here is a remainder.
"""

from collections.abc import Sequence
from typing import Any, Final

from loadtest.figures import figures
from loadtest.judging import RequestScore

NAMES: Final = {
    "speech_end": "end of speech (VAD and packets against samples)",
    "stt": "STT",
    "end_of_turn": "end-of-turn wait",
    "queue": "queue",
    "llm": "LLM first token",
    "clause": "first clause",
    "tts": "TTS first audio",
    "playout": "playout",
    "network": "network",
}
"""Stages in order, in words."""

FIRST_VERSION_MS: Final = {"stt": 500, "llm": 900, "tts": 300, "network": 120}
"""What the first version's report says of its stages; it names no others."""

AGREE_PERCENT: Final = 5.0


def breakdown(requests: Sequence[RequestScore], round_trip_ms: float) -> dict[str, Any]:
    """The stages of all answers for which client and bot have figures, and the sum beside voice to voice.

    Answers that "one moment" was heard before are left out: the caller's figure ends at that, the bot's at the answer.

    Args:
        requests: Scores.
        round_trip_ms: To the bot and back.
    """
    known = [
        r for r in requests if r.v2v_ms is not None and r.stages_ms and r.speech_end_ms is not None and not r.covered
    ]
    rows = [{"speech_end": r.speech_end_ms or 0.0, "queue": 0, **r.stages_ms, "network": round_trip_ms} for r in known]
    stages = {name: figures(row.get(name, 0) for row in rows) for name in NAMES} if rows else {}
    sums = [sum(row.values()) for row in rows]
    clients = [r.v2v_ms or 0.0 for r in known]
    together, client = figures(sums), figures(clients)
    apart = figures(abs(a - b) for a, b in zip(sums, clients, strict=True))
    percent = 100 * (together["mean"] - client["mean"]) / client["mean"] if rows and client["mean"] else None
    return {
        "stages_ms": stages,
        "sum_ms": together,
        "v2v_ms": client,
        "difference_percent": None if percent is None else round(percent, 2),
        "apart_rate": None if percent is None else round(abs(percent) / 100, 4),
        "within_5_percent": None if percent is None else abs(percent) <= AGREE_PERCENT,
        "difference_each_ms": apart,
        "covered": sum(r.covered for r in requests),
    }
