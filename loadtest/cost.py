"""What a run would have cost at the vendors: metered use times list prices. Pure, but for reading the price file.

Use is what the emulated vendors counted where they ran; else it is derived from the calls: streamed recognition is paid
for the whole call, voices by the character, and tokens are estimated. What was made and never heard is told apart.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from loadtest.judging import CallScore

PRICES: Final = Path(__file__).resolve().parent / "prices.toml"

CHARACTERS_PER_TOKEN: Final = 4.0
"""A rule of thumb for English, used only where nobody counted tokens."""

PROMPT_TOKENS: Final = 600
"""System prompt, tools and a few turns, used only where nobody counted tokens."""


class PriceError(Exception):
    """The price file cannot be read; one line that says why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Part):
    """One vendor's prices in US dollars, with the day and the place they were read."""

    role: str
    per_minute: float = 0.0
    per_million_prompt_tokens: float = 0.0
    per_million_cached_tokens: float = 0.0
    per_million_completion_tokens: float = 0.0
    per_million_characters: float = 0.0
    as_of: str
    source: str


class Prices(_Part):
    """All prices, and who is who today and after an upgrade: vendor by role."""

    vendors: dict[str, Price]
    today: dict[str, str]
    upgrade: dict[str, str]

    @model_validator(mode="after")
    def _known(self) -> "Prices":
        for column in (self.today, self.upgrade):
            for role, vendor in column.items():
                if vendor not in self.vendors or self.vendors[vendor].role != role:
                    raise ValueError(f"{vendor!r} is not a vendor of role {role!r}")
        return self


def load_prices(path: Path = PRICES) -> Prices:
    """Read a price file.

    Raises:
        PriceError: It cannot be read, or is wrong.
    """
    try:
        return Prices.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PriceError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise PriceError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


@dataclass(frozen=True)
class Use:
    """Metered use of a run.

    Attributes:
        minutes: Minutes of calls: what streamed recognition is paid for.
        prompt_tokens: Tokens of prompts.
        cached_tokens: Those of them that the vendor had read before.
        completion_tokens: Tokens of replies.
        characters: Characters given to a voice.
        characters_unheard: Those of them that were never played.
        counted_by: Who counted the tokens: ``vendors``, or ``estimate``.
    """

    minutes: float
    prompt_tokens: float
    cached_tokens: float
    completion_tokens: float
    characters: float
    characters_unheard: float
    counted_by: str


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
        cached_tokens=0.0,
        completion_tokens=float(groq["completion_tokens"]) if groq else (heard + unheard) / CHARACTERS_PER_TOKEN,
        characters=spoken or float(heard + unheard),
        characters_unheard=float(unheard),
        counted_by="vendors" if groq else "estimate",
    )


def price(use: Use, vendor: Price) -> float:
    """US dollars of a use at one vendor."""
    fresh = use.prompt_tokens - use.cached_tokens
    tokens = (
        fresh * vendor.per_million_prompt_tokens
        + use.cached_tokens * vendor.per_million_cached_tokens
        + use.completion_tokens * vendor.per_million_completion_tokens
    )
    return use.minutes * vendor.per_minute + (tokens + use.characters * vendor.per_million_characters) / 1e6


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
