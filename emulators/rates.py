"""Rate limits as Groq keeps them: buckets that refill continuously. Pure: time is an argument.

Five of five stored 429 answers fit ``wait = (used + requested - limit) * window / limit``: nothing resets at midnight
or at the full minute; what was used drains at ``limit / window`` a second.
"""

import math
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field


class Bucket:
    """One limit over one window.

    Args:
        limit: How much may be used within a window.
        window_secs: Length of the window, in seconds.
        now: Current time, in seconds on any steady clock.
    """

    def __init__(self, limit: float, window_secs: float, now: float) -> None:
        self.limit = limit
        self.window_secs = window_secs
        self._used = 0.0
        self._at = now

    def used(self, now: float) -> float:
        """What still counts as used; may exceed the limit after :meth:`charge`."""
        self._used = max(0.0, self._used - (now - self._at) * self.limit / self.window_secs)
        self._at = now
        return self._used

    def remaining(self, now: float) -> float:
        """What may be used at once."""
        return max(0.0, self.limit - self.used(now))

    def wait_secs(self, amount: float, now: float) -> float:
        """Seconds until an amount fits (0: now); infinite when it exceeds the limit itself."""
        if amount > self.limit:
            return math.inf
        return max(0.0, (self.used(now) + amount - self.limit) * self.window_secs / self.limit)

    def full_in_secs(self, now: float) -> float:
        """Seconds until nothing counts as used any more: the vendors' "reset" headers."""
        return self.used(now) * self.window_secs / self.limit

    def charge(self, amount: float, now: float) -> None:
        """Use an amount, fitting or not; a negative one gives back."""
        self._used = max(0.0, self.used(now) + amount)


class ModelLimits(BaseModel):
    """What an account may use of one model.

    Attributes:
        rpm: Requests a minute.
        rpd: Requests a day.
        tpm: Tokens a minute, prompt and completion together.
        tpd: Tokens a day.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rpm: int = Field(default=30, ge=1, description="Requests a minute.")
    rpd: int = Field(default=1_000, ge=1, description="Requests a day.")
    tpm: int = Field(default=8_000, ge=1, description="Tokens a minute.")
    tpd: int = Field(default=200_000, ge=1, description="Tokens a day.")


@dataclass(frozen=True)
class Denial:
    """Why a request must wait.

    Attributes:
        unit: ``"requests"`` or ``"tokens"``, the error's type.
        limit_name: As the vendor writes it, such as ``"tokens per day (TPD)"``.
        limit: The limit.
        used: What is used of it.
        requested: What this request asked for.
        wait_secs: Seconds until it fits; infinite when it never does (HTTP 413).
    """

    unit: str
    limit_name: str
    limit: int
    used: int
    requested: int
    wait_secs: float

    def message(self, model: str, organization: str) -> str:
        """The vendor's sentence."""
        head = "Request too large" if math.isinf(self.wait_secs) else "Rate limit reached"
        tail = (
            "please reduce your message size and try again."
            if math.isinf(self.wait_secs)
            else f"Please try again in {go_duration(self.wait_secs)}."
        )
        return (
            f"{head} for model `{model}` in organization `{organization}` service tier `on_demand` on "
            f"{self.limit_name}: Limit {self.limit}, Used {self.used}, Requested {self.requested}. {tail} "
            "Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing"
        )


_LIMIT_NAMES = {
    "rpm": "requests per minute (RPM)",
    "rpd": "requests per day (RPD)",
    "tpm": "tokens per minute (TPM)",
    "tpd": "tokens per day (TPD)",
}


@dataclass
class ModelBudget:
    """The four buckets of one organisation and model.

    Args:
        limits: The limits.
        now: Current time, in seconds.
        day_secs: Length of a "day", in seconds; less than 86,400 lets a test see one pass.
    """

    limits: ModelLimits
    now: float
    day_secs: float = 86_400.0
    buckets: dict[str, Bucket] = field(init=False)

    def __post_init__(self) -> None:
        minute_secs = min(60.0, self.day_secs)
        self.buckets = {
            "rpm": Bucket(self.limits.rpm, minute_secs, self.now),
            "rpd": Bucket(self.limits.rpd, self.day_secs, self.now),
            "tpm": Bucket(self.limits.tpm, minute_secs, self.now),
            "tpd": Bucket(self.limits.tpd, self.day_secs, self.now),
        }

    def admit(self, tokens: int, now: float) -> Denial | None:
        """Use one request and its tokens, or say what denies it; a denied request uses nothing.

        The limit with the longest wait is the one that is told.
        """
        amounts = {"rpm": 1, "rpd": 1, "tpm": tokens, "tpd": tokens}
        denials = [
            Denial(
                unit="requests" if name.startswith("r") else "tokens",
                limit_name=_LIMIT_NAMES[name],
                limit=int(bucket.limit),
                used=round(bucket.used(now)),
                requested=amounts[name],
                wait_secs=wait_secs,
            )
            for name, bucket in self.buckets.items()
            if (wait_secs := bucket.wait_secs(amounts[name], now)) > 0
        ]
        if denials:
            return max(denials, key=lambda denial: denial.wait_secs)
        for name, bucket in self.buckets.items():
            bucket.charge(amounts[name], now)
        return None

    def settle(self, tokens: int, now: float) -> None:
        """Count tokens that were not known at :meth:`admit`; negative ones are given back."""
        self.buckets["tpm"].charge(tokens, now)
        self.buckets["tpd"].charge(tokens, now)

    def headers(self, now: float) -> dict[str, str]:
        """The headers of every answer: requests are those of the *day*, tokens those of the *minute*."""
        return {
            f"x-ratelimit-{part}-{unit}": value
            for unit, bucket in (("requests", self.buckets["rpd"]), ("tokens", self.buckets["tpm"]))
            for part, value in (
                ("limit", str(int(bucket.limit))),
                ("remaining", str(int(bucket.remaining(now)))),
                ("reset", go_duration(bucket.full_in_secs(now))),
            )
        }


def go_duration(secs: float) -> str:
    """A duration as Go prints it, to the millisecond: ``"480ms"``, ``"7.66s"``, ``"4m27.84s"``, ``"1h2m3s"``."""
    ms = round(secs * 1000)
    if ms == 0:
        return "0s"
    if ms < 1000:
        return f"{ms}ms"
    minutes, ms = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{ms / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds
