"""A profile: what the emulated vendors are like. One TOML file, checked field by field.

All figures are assumed or published; none was measured at a vendor. ``python -m emulators`` prints them at the start.
"""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulators.faults import FaultRule, Vendor
from emulators.latency import Latency
from emulators.prompt_cache import CacheRules
from emulators.rates import ModelLimits

SHIPPED = Path(__file__).resolve().parent / "profiles"


class ProfileError(Exception):
    """A profile cannot be read; the message says in one line what is wrong with it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Timing(_Part):
    """Latencies of one vendor.

    Attributes:
        connect: From a connection to its acceptance: TLS, authentication.
        first_byte: From a request to the first content; for speech to text, from the audio to a partial result.
        between: Between two chunks of content.
        final: Speech to text: from a request for the last words, or the end of speech, to the final result.
    """

    connect: Latency = Latency(p50_ms=0)
    first_byte: Latency = Latency(p50_ms=0)
    between: Latency = Latency(p50_ms=0)
    final: Latency = Latency(p50_ms=0)


class Profile(_Part):
    """Everything about one run.

    Attributes:
        name: For people.
        note: Where the figures come from.
        seed: Of all chance.
        network: One way between the bot and any vendor; added to each connect and each first byte.
        timing: Latencies by vendor.
        groq_models: What is served, and each one's limits; all other ids are unknown.
        groq_retired: Ids that were served once: HTTP 400 ``model_decommissioned``.
        groq_cache: How prompts are cached there.
        groq_tokens_per_sec: Speed of replies.
        day_secs: Length of a "day" of the limits, in seconds.
        deepgram_streams: Streams at once, for the account.
        elevenlabs_streams: Sockets at once, for the account.
        azure_per_sec: Azure requests a second.
        gtts_per_min: Requests a minute from one address.
        keys: The key that each vendor takes; empty: any.
        faults: What goes wrong.
    """

    name: str = "profile"
    note: str = ""
    seed: int = 1
    network: Latency = Latency(p50_ms=0)
    timing: dict[Vendor, Timing] = Field(default_factory=dict)
    groq_models: dict[str, ModelLimits] = Field(
        default_factory=lambda: {"openai/gpt-oss-120b": ModelLimits(), "openai/gpt-oss-20b": ModelLimits()}
    )
    groq_retired: tuple[str, ...] = ("llama-3.3-70b-versatile", "llama-3.1-8b-instant", "llama-3.2-3b-preview")
    groq_cache: CacheRules = CacheRules()
    groq_tokens_per_sec: float = Field(250.0, gt=0)
    day_secs: float = Field(86_400.0, gt=0)
    deepgram_streams: int = Field(50, ge=1)
    elevenlabs_streams: int = Field(10, ge=1)
    azure_per_sec: int = Field(200, ge=1)
    gtts_per_min: int = Field(600, ge=1)
    keys: dict[Vendor, str] = Field(default_factory=dict)
    faults: tuple[FaultRule, ...] = ()

    def of(self, vendor: Vendor) -> Timing:
        """A vendor's latencies; none are assumed to be zero."""
        return self.timing.get(vendor, Timing())


def load_profile(name_or_file: str) -> Profile:
    """A shipped profile by its name, or a file.

    Raises:
        ProfileError: There is none, or it is wrong.
    """
    path = SHIPPED / f"{name_or_file}.toml"
    if not path.is_file():
        path = Path(name_or_file)
    try:
        return Profile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        shipped = ", ".join(sorted(each.stem for each in SHIPPED.glob("*.toml")))
        raise ProfileError(f"no profile {name_or_file!r}: neither a file nor one of {shipped}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ProfileError(f"{path}: {where}: {first['msg']}") from None
