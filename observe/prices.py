"""List prices of the vendors, and what a use costs there. Pure, but for reading the price file."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

PRICES: Final = Path(__file__).resolve().parent / "prices.toml"


class PriceError(Exception):
    """The price file cannot be read; one line that says why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Part):
    """One vendor's prices in US dollars, with the day and the place they were read.

    Attributes:
        role: ``stt``, ``llm`` or ``tts``.
        provider: How the bot's own name of this provider and model begins; empty: it is never asked live.
    """

    role: str
    provider: str = ""
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

    def of_provider(self, role: str, name: str) -> str | None:
        """The vendor whose prices a provider's use has; None if none is listed, as for what runs locally.

        Args:
            role: ``stt``, ``llm`` or ``tts``.
            name: The provider as the bot names it; of a chain ("gtts, then local") the first is meant.
        """
        for vendor, listed in self.vendors.items():
            if listed.role == role and listed.provider and name.startswith(listed.provider):
                return vendor
        return None


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
    """Metered use of a run, or of a process so far.

    Attributes:
        minutes: Minutes of calls: what streamed recognition is paid for.
        prompt_tokens: Tokens of prompts.
        cached_tokens: Those of them that the vendor had read before.
        completion_tokens: Tokens of replies.
        characters: Characters given to a voice.
        characters_unheard: Those of them that were never played.
        counted_by: Who counted the tokens: ``vendors``, or ``estimate``.
    """

    minutes: float = 0.0
    prompt_tokens: float = 0.0
    cached_tokens: float = 0.0
    completion_tokens: float = 0.0
    characters: float = 0.0
    characters_unheard: float = 0.0
    counted_by: str = "vendors"


def price(use: Use, vendor: Price) -> float:
    """US dollars of a use at one vendor."""
    fresh = use.prompt_tokens - use.cached_tokens
    tokens = (
        fresh * vendor.per_million_prompt_tokens
        + use.cached_tokens * vendor.per_million_cached_tokens
        + use.completion_tokens * vendor.per_million_completion_tokens
    )
    return use.minutes * vendor.per_minute + (tokens + use.characters * vendor.per_million_characters) / 1e6
