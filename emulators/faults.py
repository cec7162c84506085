"""What goes wrong, and when: a pure schedule of faults.

A rule names a vendor, a kind of fault and the requests that it strikes: by chance, by number, within a time window, or
any mix of these. The schedule is asked twice for each request, once for each *stage*:

- ``connect``: an HTTP request, or a WebSocket's handshake, has arrived;
- ``answer``: the answer begins. For a WebSocket that carries many answers (Azure's turns, ElevenLabs' contexts) this
  comes once for each of them; for Deepgram once per connection. Rules that are put in place while an answer is under
  way are asked again for the rest of it.

Each vendor's servers carry the decision out (:mod:`emulators.fault_injection`).
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from emulators.latency import Chances


class Vendor(Enum):
    """Who is emulated."""

    DEEPGRAM = "deepgram"
    GROQ = "groq"
    GTTS = "gtts"
    ELEVENLABS = "elevenlabs"
    AZURE = "azure"


class Kind(Enum):
    """What goes wrong."""

    REFUSE = "refuse"
    """The port is closed: connections are refused."""
    RESET = "reset"
    """The connection is reset before any answer."""
    STATUS = "status"
    """HTTP ``status`` instead of the answer or the handshake, with the vendor's error body and ``retry_after``."""
    QUOTA_GONE = "quota_gone"
    """The account's quota is used up: no retry helps."""
    RETIRED = "retired"
    """The model has been shut down: HTTP 400 ``model_decommissioned``."""
    HANG = "hang"
    """The request is read and never answered: a WebSocket's handshake does not complete."""

    SILENT = "silent"
    """Accepted (a WebSocket opens, pings are answered), and then nothing is ever said."""
    STOP_READING = "stop_reading"
    """Half-open: after ``after_ms`` the peer neither reads nor writes, and does not close."""
    DROP = "drop"
    """The connection ends in mid-answer, after ``after_ms`` and ``after_chunks``: by FIN, or RST with ``how: rst``."""
    STALL = "stall"
    """Nothing for ``stall_ms``, after ``after_chunks`` (0: before the first byte); then it goes on."""
    DRIP = "drip"
    """Every chunk comes ``every_ms`` after the last."""
    MALFORMED_JSON = "malformed_json"
    """After ``after_chunks`` a message is cut in its middle."""
    NO_END = "no_end"
    """All content comes, but not what marks its end (``[DONE]``, ``isFinal``, ``turn.end``, ``speech_final``)."""
    EMPTY_CHOICES = "empty_choices"
    """Chunks with an empty ``choices`` list, and no text."""
    ERROR_EVENT = "error_event"
    """After ``after_chunks`` the vendor's error message comes inside the stream."""
    CLOSE = "close"
    """The WebSocket closes with ``code`` and ``reason`` after ``after_ms`` and ``after_chunks``."""
    NO_AUDIO = "no_audio"
    """The answer completes in good order without any audio."""
    LATE_AUDIO = "late_audio"
    """Audio for a context that the client has closed keeps coming."""

    BAD_BYTE = "bad_byte"
    """After ``after_chunks`` one byte inside the text is no UTF-8."""
    REPLY = "reply"
    """The model says ``text`` instead, in pieces of ``piece_chars``, and ends with ``finish``."""
    PARALLEL_CALLS = "parallel_calls"
    """The model calls ``tools`` at once, and all calls carry index 0."""
    LATE_FINAL = "late_final"
    """Final words come ``late_ms`` later than they should."""
    DOUBLE_FINAL = "double_final"
    """Final words come once more, ``late_ms`` later."""
    LATE_TIMES = "late_times"
    """The times of the words come ``late_ms`` after their audio."""
    NO_TIMES = "no_times"
    """The times of the words do not come."""


Stage = Literal["connect", "answer"]

CONNECT_KINDS = {Kind.RESET, Kind.STATUS, Kind.QUOTA_GONE, Kind.RETIRED, Kind.HANG}

_EVERYWHERE = {Kind.REFUSE, Kind.RESET, Kind.STATUS, Kind.QUOTA_GONE, Kind.HANG}
_STREAM = {Kind.SILENT, Kind.STOP_READING, Kind.DROP, Kind.STALL, Kind.DRIP, Kind.MALFORMED_JSON, Kind.NO_END}

KINDS: dict[Vendor, frozenset[Kind]] = {
    Vendor.DEEPGRAM: frozenset(
        _EVERYWHERE | _STREAM | {Kind.CLOSE, Kind.ERROR_EVENT, Kind.LATE_FINAL, Kind.DOUBLE_FINAL}
    ),
    Vendor.GROQ: frozenset(
        _EVERYWHERE
        | _STREAM
        | {Kind.RETIRED, Kind.EMPTY_CHOICES, Kind.ERROR_EVENT, Kind.BAD_BYTE, Kind.REPLY, Kind.PARALLEL_CALLS}
    ),
    Vendor.GTTS: frozenset((_EVERYWHERE | _STREAM | {Kind.NO_AUDIO}) - {Kind.NO_END}),
    Vendor.ELEVENLABS: frozenset(
        _EVERYWHERE
        | _STREAM
        | {Kind.CLOSE, Kind.NO_AUDIO, Kind.LATE_AUDIO, Kind.ERROR_EVENT, Kind.LATE_TIMES, Kind.NO_TIMES}
    ),
    Vendor.AZURE: frozenset(_EVERYWHERE | _STREAM | {Kind.CLOSE, Kind.NO_AUDIO, Kind.LATE_TIMES, Kind.NO_TIMES}),
}
"""Which faults each vendor's emulator can play."""


class FaultRule(BaseModel):
    """One fault and the requests that it strikes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: Vendor
    kind: Kind
    probability: float = Field(1.0, ge=0, le=1, description="Chance that a request which fits is struck.")
    requests: tuple[int, ...] = Field((), description="Numbers of the requests to strike, from 1; empty: all.")
    limit: int | None = Field(None, ge=1, description="Strike at most so many requests.")
    from_secs: float = Field(0.0, ge=0, description="Start of the window, in seconds from the start or the reset.")
    until_secs: float | None = Field(None, gt=0, description="End of the window, in seconds; left out: never.")
    models: tuple[str, ...] = Field((), description="Only these models; empty: all.")
    asked: tuple[str, ...] = Field(
        (), description="Only chats in which the user said one of these, in lower case; empty: all."
    )

    status: int = Field(503, ge=400, le=599, description="HTTP status.")
    retry_after: str | None = Field(None, description="retry-after: seconds, or 'date:SECONDS' for an HTTP date.")
    how: Literal["fin", "rst"] = Field("fin", description="How a dropped connection ends.")
    after_ms: float = Field(0.0, ge=0, description="Milliseconds into the answer until the fault.")
    after_chunks: int = Field(0, ge=0, description="Chunks of the answer until the fault.")
    stall_ms: float = Field(4_000.0, ge=0, description="Length of a stall, in milliseconds.")
    every_ms: float = Field(500.0, ge=0, description="Time between the chunks of a drip, in milliseconds.")
    code: int = Field(1011, ge=1000, le=4999, description="Close code.")
    reason: str = Field("", max_length=123, description="Close reason; empty: what the vendor says.")
    text: str = Field("", description="What is said instead.")
    piece_chars: int = Field(4, ge=1, description="Characters in each chunk of what is said instead.")
    finish: str = Field("stop", description="Why what is said instead ends.")
    tools: tuple[str, ...] = Field((), description="Tools that are called instead.")
    late_ms: float = Field(500.0, ge=0, description="How late what is late comes, in milliseconds.")

    @model_validator(mode="after")
    def _fits_vendor(self) -> "FaultRule":
        if self.kind not in KINDS[self.vendor]:
            known = ", ".join(sorted(kind.value for kind in KINDS[self.vendor]))
            raise ValueError(f"{self.vendor.value} has no fault {self.kind.value!r}; it has {known}")
        if self.kind is Kind.REFUSE and (self.probability < 1 or self.requests or self.limit or self.models):
            raise ValueError("refuse closes the port for a window of time; to strike single requests use reset")
        if self.until_secs is not None and self.until_secs <= self.from_secs:
            raise ValueError("until_secs must be after from_secs")
        return self

    @property
    def stage(self) -> Stage:
        """When it strikes."""
        return "connect" if self.kind in CONNECT_KINDS else "answer"

    def is_open(self, elapsed_secs: float) -> bool:
        """Whether its window is open."""
        return self.from_secs <= elapsed_secs and (self.until_secs is None or elapsed_secs < self.until_secs)


@dataclass
class _Armed:
    rule: FaultRule
    since: float
    strikes: int = 0


@dataclass
class FaultSchedule:
    """Decides for each request whether a fault strikes it. The first rule that fits wins.

    Args:
        rules: The profile's rules.
        chances: Where chance comes from.
        now: Start of their windows, in seconds on the clock that :meth:`strike` is asked with.
    """

    rules: list[FaultRule]
    chances: Chances
    now: float
    generation: int = field(init=False, default=0)
    """How many times the rules were put in place."""
    _armed: list[_Armed] = field(init=False, default_factory=list)
    _counts: dict[tuple[Vendor, Stage], int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.replace(self.rules, self.now)

    def replace(self, rules: list[FaultRule], now: float) -> None:
        """Put these rules in place of all others; their windows and request numbers count from now."""
        self.rules = list(rules)
        self._armed = [_Armed(rule, now) for rule in rules]
        self._counts = {}
        self.generation += 1

    def strike(
        self, vendor: Vendor, stage: Stage, now: float, model: str | None = None, said: str = ""
    ) -> FaultRule | None:
        """The fault that strikes this request at this stage, or None. Each call counts as one request.

        Args:
            vendor: Who is asked.
            stage: When.
            now: Seconds on the schedule's clock.
            model: Which model is asked.
            said: What the user said, in lower case.
        """
        number = self._counts[vendor, stage] = self._counts.get((vendor, stage), 0) + 1
        for armed in self._armed:
            rule = armed.rule
            if (
                rule.vendor is vendor
                and rule.stage == stage
                and rule.kind is not Kind.REFUSE
                and rule.is_open(now - armed.since)
                and (not rule.requests or number in rule.requests)
                and (rule.limit is None or armed.strikes < rule.limit)
                and (not rule.models or model in rule.models)
                and (not rule.asked or any(part in said for part in rule.asked))
                and (rule.probability == 1 or self.chances.stream(f"{vendor.value} faults").random() < rule.probability)
            ):
                armed.strikes += 1
                return rule
        return None

    def refuses(self, vendor: Vendor, now: float) -> bool:
        """Whether the vendor's port is to be closed now."""
        return any(
            armed.rule.vendor is vendor and armed.rule.kind is Kind.REFUSE and armed.rule.is_open(now - armed.since)
            for armed in self._armed
        )

    def next_change(self, now: float) -> float | None:
        """When a port next closes or opens by the clock, or None."""
        edges = [
            armed.since + edge
            for armed in self._armed
            if armed.rule.kind is Kind.REFUSE
            for edge in (armed.rule.from_secs, armed.rule.until_secs)
            if edge is not None and armed.since + edge > now
        ]
        return min(edges, default=None)
