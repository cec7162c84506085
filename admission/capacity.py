"""How many calls the vendors' limits and this machine's cores carry: the admission limit, where none is set. Pure.

A call *demands* requests to a language model, so many a minute; that is measured while it does not wait for the
vendors, since who waits asks less. The models *supply* requests, so many a minute, by the limit that is met first. What
the day's limits have left is spread over the calls that are let in now. Between the two stands a share that is kept
free: requests come at random, and a supply that is used up to the last request makes all of them wait.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.llm import Quota

PRIOR_REQUESTS_PER_MINUTE: Final = 4.5
"""Requests of one call, until some have been measured: a question each 15 s, and now and then a tool's result."""

PRIOR_MINUTES: Final = 5.0
"""Minutes of calls that this is worth: so much must be measured to be believed as much."""

MEMORY_SECS: Final = 900.0
"""What was measured longer ago than this counts less than half."""

CALLS_PER_CORE: Final = 60
"""Until it has been measured (docs/performance.md)."""

FULL_CORE: Final = 0.8
"""Share of a core that calls may take; what is left is for moments when many things happen at once."""

USED_SHARE: Final = 0.85
"""Share of the supply that calls may demand."""

CALL_SECS: Final = 300.0
"""A call that is let in now will want answers for so long: the day's limits must last until then."""

LEAST_MEASURED_CALLS: Final = 3.0
"""With fewer calls, what the process does for itself counts for too much."""


@dataclass(frozen=True)
class Limit:
    """One limit of a model, as it stands.

    Attributes:
        quota: What is counted.
        per_minute: How much of it comes free in a minute.
        left: How much may be used at once.
        needed: How much of it one request uses.
    """

    quota: Quota
    per_minute: float
    left: float
    needed: float

    @property
    def requests_per_minute(self) -> float:
        """Requests that it allows for as long as a call lasts.

        What has been saved up counts for the day's limits only: a minute's is gone after a minute.
        """
        saved = self.left / (CALL_SECS / 60) if self.quota in (Quota.REQUESTS_PER_DAY, Quota.TOKENS_PER_DAY) else 0.0
        return max(0.0, (self.per_minute + saved) / self.needed) if self.needed > 0 else math.inf


@dataclass(frozen=True)
class Supply:
    """What one model can answer.

    Attributes:
        name: The model.
        requests_per_minute: Requests.
        quota: The limit that is met first; None: there is none.
    """

    name: str
    requests_per_minute: float
    quota: Quota | None = None


def supply(name: str, limits: Sequence[Limit]) -> Supply:
    """What a model with these limits can answer."""
    first = min(limits, key=lambda limit: limit.requests_per_minute, default=None)
    return Supply(name, math.inf) if first is None else Supply(name, first.requests_per_minute, first.quota)


class DemandMeter:
    """How many requests a minute a call makes that need not wait."""

    def __init__(self) -> None:
        self._minutes = 0.0
        self._requests = 0.0
        self._at: float | None = None

    def passed(self, calls: int, waiting: int, now: float) -> None:
        """Since the last time there were so many calls, and so many of their requests waited."""
        if self._at is not None and now > self._at:
            kept = 0.5 ** ((now - self._at) / MEMORY_SECS)
            self._requests *= kept
            self._minutes = self._minutes * kept + max(0, calls - waiting) * (now - self._at) / 60
        self._at = now

    def asked(self) -> None:
        """A call makes a request."""
        self._requests += 1

    @property
    def per_minute(self) -> float:
        """Requests of one call in a minute; what is not measured yet is assumed."""
        known = PRIOR_MINUTES + self._minutes
        return (PRIOR_MINUTES * PRIOR_REQUESTS_PER_MINUTE + self._requests) / known


class CoreMeter:
    """How much of a core a call takes."""

    def __init__(self) -> None:
        self._share: float | None = None

    def measured(self, calls: float, core_share: float) -> None:
        """So many calls took this share of a core (1: all of it)."""
        if calls >= LEAST_MEASURED_CALLS:
            each = core_share / calls
            self._share = each if self._share is None else 0.8 * self._share + 0.2 * each

    @property
    def calls(self) -> int:
        """Calls that one core carries."""
        return CALLS_PER_CORE if not self._share else max(1, math.floor(FULL_CORE / self._share))


@dataclass(frozen=True)
class Part:
    """One thing that carries calls.

    Attributes:
        name: What it is.
        calls: How many it carries; infinite: it sets no limit.
        why: How that comes about, in a few words.
        more: What makes it carry more.
    """

    name: str
    calls: float
    why: str
    more: str


@dataclass(frozen=True)
class Capacity:
    """What carries how many calls.

    Attributes:
        parts: All that sets a limit.
    """

    parts: tuple[Part, ...]

    @property
    def calls(self) -> int:
        """The admission limit: what the scarcest part carries, and at least one."""
        return max(1, math.floor(min((part.calls for part in self.parts), default=math.inf)))

    @property
    def scarcest(self) -> Part:
        """What sets it."""
        return min(self.parts, key=lambda part: part.calls)

    def line(self) -> str:
        """All of it in one line."""
        carried = "; ".join(
            f"{part.name}: {'any number' if math.isinf(part.calls) else max(0, math.floor(part.calls))} ({part.why})"
            for part in self.parts
        )
        return f"{self.calls} calls at once. {carried}. For more: {self.scarcest.more}"

    def snapshot(self) -> Mapping[str, object]:
        """Plain values for the dashboard."""
        parts = {part.name: math.floor(part.calls) for part in self.parts if math.isfinite(part.calls)}
        return {"calls": self.calls, "carried_by": parts, "scarcest": self.scarcest.name, "line": self.line()}


def of_models(supplies: Sequence[Supply], demand_per_minute: float, processes: int = 1) -> Part:
    """What the language models carry.

    Args:
        supplies: What each can answer.
        demand_per_minute: Requests of one call in a minute.
        processes: How many share the models' limits.
    """
    total = sum(each.requests_per_minute for each in supplies) / processes
    calls = USED_SHARE * total / demand_per_minute if math.isfinite(total) else math.inf
    why = f"{total:.0f} requests a minute, of which a call makes {demand_per_minute:.1f}"
    met = " and ".join(sorted({each.quota.value.replace("_", " ") for each in supplies if each.quota is not None}))
    more = f"an account with more {met}, or more models in GROQ_MODELS" if met else "a model that answers"
    return Part("language models", calls, why if math.isfinite(total) else "no limits", more)


def of_cores(calls: int, cores: int, processes: int = 1) -> Part:
    """What this process's core carries.

    Args:
        calls: Calls that one core carries.
        cores: Cores of the machine.
        processes: How many share them.
    """
    more = f"WORKERS={cores}" if processes < cores else "a machine with more cores"
    return Part("this process's core", calls, f"about {100 * FULL_CORE / calls:.1f} % of a core for each", more)


def of_streams(name: str, streams: int, setting: str, processes: int = 1) -> Part:
    """What a vendor's limit on streams at once carries: each call holds one.

    Args:
        name: The vendor.
        streams: Streams at once; 0: any number.
        setting: The setting that says so.
        processes: How many share them.
    """
    calls = streams / processes if streams else math.inf
    return Part(name, calls, f"{streams} streams at once" if streams else "no limit", f"a larger plan, and {setting}")
