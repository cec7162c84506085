"""What a run would have cost at the vendors: metered use times list prices. Pure.

Use is what the emulated vendors counted where they ran; else it is derived from the calls: streamed recognition is paid
for the whole call, voices by the character, and tokens are estimated. What was made and never heard is told apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from loadtest.judging import CallScore
from observe.prices import Prices, Use, price

CHARACTERS_PER_TOKEN: Final = 4.0
"""A rule of thumb for English, used only where nobody counted tokens."""

PROMPT_TOKENS: Final = 600
"""System prompt, tools and a few turns, used only where nobody counted tokens."""


def used(calls: Sequence[CallScore], vendors: Mapping[str, Mapping[str, Any]]) -> Use:
    """What a run used.

    Args:
        calls: Scores of its calls.
        vendors: What the emulated vendors counted, by vendor; may be empty.
    """
    minutes = sum(call.secs for call in calls) / 60
    heard = sum(call.characters_heard for call in calls)
    unheard = sum(call.characters_unheard for call in calls)
    replies = sum(len(call.requests) for call in calls)
    deepgram, groq, voices = (
        vendors.get("deepgram"),
        vendors.get("groq"),
        [vendors[name] for name in ("gtts", "elevenlabs", "azure") if name in vendors],
    )
    spoken = sum(float(voice["characters"]) for voice in voices)
    return Use(
        minutes=float(deepgram["audio_ms"]) / 60_000 if deepgram else minutes,
        prompt_tokens=float(groq["prompt_tokens"]) if groq else float(PROMPT_TOKENS * replies),
        cached_tokens=float(groq.get("cached_tokens", 0.0)) if groq else 0.0,
        completion_tokens=float(groq["completion_tokens"]) if groq else (heard + unheard) / CHARACTERS_PER_TOKEN,
        characters=spoken or float(heard + unheard),
        characters_unheard=float(unheard),
        counted_by="vendors" if groq else "estimate",
    )


def costs(use: Use, requests: int, prices: Prices) -> dict[str, Any]:
    """Cost for 1,000 requests and for a minute of calls, by role, today and with upgrades.

    The unheard share is that of the voice's characters: a reply that was cut was thought, but only its played part was
    of use.
    """
    columns: dict[str, Any] = {}
    unheard_share = use.characters_unheard / use.characters if use.characters else 0.0
    for name, column in (("today", prices.today), ("upgrade", prices.upgrade)):
        rows = {}
        for role, vendor in column.items():
            usd = price(use, prices.vendors[vendor])
            wasted = 0.0 if role == "stt" else usd * unheard_share
            rows[role] = {
                "vendor": vendor,
                "as_of": prices.vendors[vendor].as_of,
                "source": prices.vendors[vendor].source,
                "usd": round(usd, 6),
                "usd_per_1000_requests": round(1000 * usd / requests, 4) if requests else None,
                "usd_per_minute": round(usd / use.minutes, 6) if use.minutes else None,
                "usd_unheard_per_1000_requests": round(1000 * wasted / requests, 4) if requests else None,
            }
        total = sum(row["usd"] for row in rows.values())
        columns[name] = {
            "by_role": rows,
            "usd_per_1000_requests": round(1000 * total / requests, 4) if requests else None,
            "usd_per_minute": round(total / use.minutes, 6) if use.minutes else None,
        }
    return {"use": {key: _rounded(value) for key, value in asdict(use).items()}, **columns}


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value
