"""The cells of the fault matrix: which vendor, what goes wrong with it, and in which state of the call that begins."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from emulators.faults import CONNECT_KINDS, KINDS, FaultRule, Kind, Vendor


class Role(Enum):
    """What fails: what a vendor does for the bot, or something on the bot's own side."""

    STT = "stt"
    LLM = "llm"
    TTS = "tts"
    TOOL = "tool"
    LINE = "line"
    CALLER = "caller"

    @property
    def is_vendor(self) -> bool:
        """Whether an emulator plays the fault."""
        return self in (Role.STT, Role.LLM, Role.TTS)


class TurnState(Enum):
    """What the call is doing when the fault begins."""

    LISTENING = "listening"
    USER_SPEAKING = "user speaking"
    THINKING = "thinking"
    BOT_SPEAKING = "bot speaking"
    JUDGING = "judging a sound"
    BARGE_IN = "after a barge-in"


@dataclass(frozen=True, eq=False)
class Provider:
    """One way to set the bot up with a vendor.

    Attributes:
        name: As the table has it.
        vendor: Whose emulator answers.
        role: What it does.
        settings: Settings beside the vendor's URL.
        in_real_time: Whether its package has threads that know no other time.
    """

    name: str
    vendor: Vendor
    role: Role
    settings: Mapping[str, Any]
    in_real_time: bool = False


MOST_REQUESTS: Final = 6
"""For one turn: prepared replies, another model, one more try. A loop asks for more."""

KEY: Final = "0123456789abcdef0123456789abcdef"
"""Any: the emulators take all."""

PROVIDERS: Final = {
    provider.name: provider
    for provider in (
        Provider(
            "deepgram-nova",
            Vendor.DEEPGRAM,
            Role.STT,
            {"stt": "deepgram", "deepgram_api_key": KEY, "deepgram_model": "nova-3"},
        ),
        Provider(
            "deepgram-flux",
            Vendor.DEEPGRAM,
            Role.STT,
            {"stt": "deepgram", "deepgram_api_key": KEY, "deepgram_model": "flux-general-en"},
        ),
        Provider("groq", Vendor.GROQ, Role.LLM, {"llm": "groq", "groq_api_key": KEY}),
        Provider("gtts", Vendor.GTTS, Role.TTS, {"tts": "gtts"}),
        Provider("elevenlabs", Vendor.ELEVENLABS, Role.TTS, {"tts": "elevenlabs", "elevenlabs_api_key": KEY}),
        Provider(
            "azure",
            Vendor.AZURE,
            Role.TTS,
            {"tts": "azure", "azure_speech_key": KEY, "azure_speech_region": "westeurope"},
            in_real_time=True,
        ),
        Provider("tool", Vendor.GROQ, Role.TOOL, {"llm": "groq", "groq_api_key": KEY}),
        Provider("tool's thread", Vendor.GROQ, Role.TOOL, {"llm": "groq", "groq_api_key": KEY}, in_real_time=True),
        Provider("line", Vendor.GROQ, Role.LINE, {"llm": "groq", "groq_api_key": KEY}),
        Provider("caller", Vendor.GROQ, Role.CALLER, {"llm": "groq", "groq_api_key": KEY}),
    )
}


@dataclass(frozen=True, eq=False)
class Fault:
    """What goes wrong.

    Attributes:
        name: As the table has it.
        kind: Its kind; None: no emulator plays it, but :class:`~loadtest.faults_call.FaultyCall` does.
        fields: Further fields of :class:`~emulators.faults.FaultRule`.
        returns: Whether the vendor is to be asked again soon after it is well; not when it has named a time that is
            far away, or has refused for good.
        vendors: With whom it makes sense; empty: with all that can play it.
        provider: The only provider that it is for, if no emulator plays it.
        states: The states in which it makes sense; empty: all.
        unsaid: What the caller must neither hear nor see of it.
        of_one_call: Whether it concerns only what this caller said: another call must not notice.
        from_the_start: Whether it stands before the question at length is asked.
        lost_secs: How long the line is gone.
        requests: The most requests to the language model that one turn may take.
    """

    name: str
    kind: Kind | None
    fields: Mapping[str, Any]
    returns: bool = True
    vendors: frozenset[Vendor] = frozenset()
    provider: str = ""
    states: frozenset[TurnState] = frozenset()
    unsaid: tuple[str, ...] = ()
    of_one_call: bool = False
    from_the_start: bool = False
    lost_secs: float = 0.0
    requests: int = MOST_REQUESTS

    def rule(self, vendor: Vendor) -> FaultRule:
        """The emulator's rule."""
        if self.kind is None:
            raise ValueError(f"no emulator plays {self.name!r}")
        return FaultRule(vendor=vendor, kind=self.kind, **self.fields)

    def meets(self, provider: Provider, state: TurnState) -> bool:
        """Whether there is such a cell."""
        if self.states and state not in self.states:
            return False
        if self.kind is None:
            return provider.name == self.provider
        if not provider.role.is_vendor or self.kind not in KINDS[provider.vendor]:
            return False
        return not self.vendors or provider.vendor in self.vendors

    @property
    def ends_connections(self) -> bool:
        """Whether it is a server that is gone: connections that stand end with it."""
        return self.kind is Kind.REFUSE or self.kind in CONNECT_KINDS


def _fault(name: str, kind: Kind, *vendors: Vendor, returns: bool = True, **fields: Any) -> Fault:
    return Fault(name, kind, fields, returns, frozenset(vendors))


def _says(name: str, text: str, *unsaid: str, finish: str = "stop") -> Fault:
    """The model says this instead."""
    return Fault(name, Kind.REPLY, {"text": text, "finish": finish}, unsaid=unsaid)


def _refused(status: int, states: Iterable[TurnState] = (), requests: int = MOST_REQUESTS) -> Fault:
    """What this caller says is refused."""
    return Fault(
        f"HTTP {status}, of one call",
        Kind.STATUS,
        {"status": status, "asked": ("room", "who are you", "forward", "stop")},
        vendors=frozenset({Vendor.GROQ}),
        states=frozenset(states),
        of_one_call=True,
        requests=requests,
    )


def _times(name: str, kind: Kind) -> Fault:
    """The times of words are not as they should be, from the start."""
    return Fault(name, kind, {}, states=frozenset({TurnState.BOT_SPEAKING, *_SOUNDING}), from_the_start=True)


def _own(name: str, provider: str, *states: TurnState, lost_secs: float = 0.0, requests: int = MOST_REQUESTS) -> Fault:
    """What no emulator plays."""
    return Fault(name, None, {}, provider=provider, states=frozenset(states), lost_secs=lost_secs, requests=requests)


_SOUNDING: Final = (TurnState.JUDGING, TurnState.BARGE_IN)
_LINE_STATES: Final = (TurnState.LISTENING, TurnState.THINKING, TurnState.BOT_SPEAKING, TurnState.JUDGING)
LONG_REPLY: Final = "We also have rooms with a view of the river, and each of them has a table and some chairs. " * 40
TOOL: Final = "reserve_table"
SECOND_TOOL: Final = "order_taxi"


_STREAMED: Final = (Vendor.GROQ, Vendor.GTTS, Vendor.ELEVENLABS, Vendor.AZURE)
_TELLS_WHEN: Final = (Vendor.DEEPGRAM, Vendor.GROQ, Vendor.ELEVENLABS, Vendor.AZURE)

FAULTS: Final = (
    _fault("refuses connections", Kind.REFUSE),
    _fault("resets connections", Kind.RESET),
    _fault("never answers", Kind.HANG),
    _fault("HTTP 503", Kind.STATUS, status=503),
    _fault("HTTP 401", Kind.STATUS, *_TELLS_WHEN, status=401, returns=False),
    _fault("429, retry after 1 s", Kind.STATUS, *_TELLS_WHEN, status=429, retry_after="1"),
    _fault("429, retry after 1 h", Kind.STATUS, status=429, retry_after="3600", returns=False),
    _fault("quota gone", Kind.QUOTA_GONE, Vendor.GROQ, Vendor.ELEVENLABS, returns=False),
    _fault("accepts, stays silent", Kind.SILENT),
    _fault("stops reading", Kind.STOP_READING),
    _fault("drops at the first byte", Kind.DROP, how="rst"),
    _fault("drops in mid-stream", Kind.DROP, after_chunks=3),
    _fault("stalls at the first byte", Kind.STALL, stall_ms=4_000),
    _fault("stalls in mid-stream", Kind.STALL, *_STREAMED, stall_ms=4_000, after_chunks=3),
    _fault("drips", Kind.DRIP, every_ms=700),
    _fault("malformed JSON", Kind.MALFORMED_JSON, after_chunks=1),
    _fault("no end", Kind.NO_END),
    _fault("empty choices", Kind.EMPTY_CHOICES),
    _fault("error in the stream", Kind.ERROR_EVENT, after_chunks=1),
    _fault("closes with 1011", Kind.CLOSE, after_chunks=1),
    _fault("completes without audio", Kind.NO_AUDIO),
    _fault("late audio", Kind.LATE_AUDIO),
    _fault("one bad byte", Kind.BAD_BYTE, after_chunks=2),
    _refused(400),
    _refused(401, (TurnState.BOT_SPEAKING, *_SOUNDING)),  # a key that nobody was answered with is wrong for all
    _refused(413, requests=8),  # shorter prompts are tried
    _says("says only dots", "…"),
    _says("says only an emoji", "👍"),
    _says("says only code", "```python\nprint(1)\n```", "print"),
    _says("says nothing", ""),
    _says("content filter", "", finish="content_filter"),
    _says("cut at the limit", "Of course, I can tell you that the first of the", finish="length"),
    _says("says 4,000 tokens", LONG_REPLY),
    _says("thinks aloud", "<think>The caller wants a table.</think>Gladly, for how many?", "think", "caller wants"),
    _says("thinks without end", "<think>The caller wants a table, so I", "think", "caller wants"),
    _says("call as text", 'Gladly. to=functions.reserve {"n": 6} One moment.', "functions", "{", "reserve"),
    _says("call as code", 'Gladly. check_balance(account="savings")', "check_balance", "account="),
    Fault("parallel calls, all index 0", Kind.PARALLEL_CALLS, {"tools": (TOOL, SECOND_TOOL)}),
    _fault("final words 1.5 s late", Kind.LATE_FINAL, late_ms=1_500),
    _fault("final words twice, 50 ms", Kind.DOUBLE_FINAL, late_ms=50),
    _fault("final words twice, 600 ms", Kind.DOUBLE_FINAL, late_ms=600),
    _fault("final words twice, 1.5 s", Kind.DOUBLE_FINAL, late_ms=1_500),
    _times("word times 500 ms late", Kind.LATE_TIMES),
    _times("no word times", Kind.NO_TIMES),
    _own("takes 8 s, caller hangs up", "tool", TurnState.THINKING),
    _own("never comes back", "tool", TurnState.THINKING),
    _own("blocks for 2 s", "tool's thread", TurnState.THINKING),
    _own("lost for 1.5 s", "line", *_LINE_STATES, lost_secs=1.5),
    _own("lost for 8 s", "line", *_LINE_STATES, lost_secs=8.0),
    _own("talks without end", "caller", TurnState.USER_SPEAKING, requests=20),
)


@dataclass(frozen=True, eq=False)
class Cell:
    """One call of the matrix."""

    provider: Provider
    fault: Fault
    state: TurnState

    def __str__(self) -> str:
        return f"{self.provider.name}, {self.fault.name}, {self.state.value}"


def cells(provider: str = "", fault: str = "", state: str = "") -> Iterator[Cell]:
    """All cells whose names contain these parts."""
    for each in PROVIDERS.values():
        for what in FAULTS:
            for when in TurnState:
                if what.meets(each, when) and provider in each.name and fault in what.name and state in when.value:
                    yield Cell(each, what, when)
