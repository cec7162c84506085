"""How long a vendor takes: lognormal latencies, told by their median and 95th percentile.

Response times of servers are skewed: never below some value, now and then far above. A lognormal distribution has that
shape, and two published figures determine it.
"""

import math
import random

from pydantic import BaseModel, ConfigDict, Field, model_validator

Z95 = 1.6448536269514722
"""95th percentile of the standard normal distribution."""


class Latency(BaseModel):
    """A distribution of waiting times. Equal figures, or a median of 0, make it constant.

    Attributes:
        p50_ms: Median, in milliseconds.
        p95_ms: 95th percentile, in milliseconds; left out: the median.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    p50_ms: float = Field(ge=0, le=600_000)
    p95_ms: float = Field(default=-1, le=600_000)

    @model_validator(mode="after")
    def _fill_and_check(self) -> "Latency":
        if self.p95_ms == -1:
            object.__setattr__(self, "p95_ms", self.p50_ms)
        if self.p95_ms < self.p50_ms:
            raise ValueError(f"p95_ms ({self.p95_ms:g}) must not be below p50_ms ({self.p50_ms:g})")
        if self.p50_ms == 0 < self.p95_ms:
            raise ValueError("a lognormal with a median of 0 is 0 throughout: p95_ms must be 0 too")
        return self

    def sample_secs(self, rng: random.Random) -> float:
        """Draw one waiting time, in seconds."""
        if self.p95_ms == self.p50_ms:
            return self.p50_ms / 1000
        sigma = math.log(self.p95_ms / self.p50_ms) / Z95
        return rng.lognormvariate(math.log(self.p50_ms), sigma) / 1000


class Chances:
    """Seeded random streams, one for each purpose.

    Each purpose draws from a stream of its own, so that one more request to one vendor does not change what happens to
    the requests of another.

    Args:
        seed: The profile's seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[str, random.Random] = {}

    def stream(self, purpose: str) -> random.Random:
        """The stream for a purpose, such as ``"groq first token"``; always the same object for the same purpose."""
        if purpose not in self._streams:
            self._streams[purpose] = random.Random(f"{self._seed}/{purpose}")
        return self._streams[purpose]
