"""The cells of the fault matrix: which vendor, what goes wrong with it, and in which state of the call that begins."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from emulators.faults import CONNECT_KINDS, KINDS, FaultRule, Kind, Vendor


class Role(Enum):
    """What a vendor does for the bot."""

    STT = "stt"
    LLM = "llm"
    TTS = "tts"


class TurnState(Enum):
    """What the call is doing when the fault begins."""

    LISTENING = "listening"
    USER_SPEAKING = "user speaking"
    THINKING = "thinking"
    BOT_SPEAKING = "bot speaking"
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
    )
}


@dataclass(frozen=True, eq=False)
class Fault:
    """What goes wrong.

    Attributes:
        name: As the table has it.
        kind: Its kind.
        fields: Further fields of :class:`~emulators.faults.FaultRule`.
        returns: Whether the vendor is to be asked again soon after it is well; not when it has named a time that is
            far away, or has refused for good.
        vendors: With whom it makes sense; empty: with all that can play it.
    """

    name: str
    kind: Kind
    fields: Mapping[str, Any]
    returns: bool = True
    vendors: frozenset[Vendor] = frozenset()

    def rule(self, vendor: Vendor) -> FaultRule:
        """The emulator's rule."""
        return FaultRule(vendor=vendor, kind=self.kind, **self.fields)

    @property
    def ends_connections(self) -> bool:
        """Whether it is a server that is gone: connections that stand end with it."""
        return self.kind is Kind.REFUSE or self.kind in CONNECT_KINDS


def _fault(name: str, kind: Kind, *vendors: Vendor, returns: bool = True, **fields: Any) -> Fault:
    return Fault(name, kind, fields, returns, frozenset(vendors))


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
    _fault("dribbles", Kind.DRIBBLE, every_ms=700),
    _fault("malformed JSON", Kind.MALFORMED_JSON, after_chunks=1),
    _fault("no end", Kind.NO_END),
    _fault("empty choices", Kind.EMPTY_CHOICES),
    _fault("error in the stream", Kind.ERROR_EVENT, after_chunks=1),
    _fault("closes with 1011", Kind.CLOSE, after_chunks=1),
    _fault("completes without audio", Kind.NO_AUDIO),
    _fault("late audio", Kind.LATE_AUDIO),
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
            plays = what.kind in KINDS[each.vendor] and (not what.vendors or each.vendor in what.vendors)
            for when in TurnState:
                if plays and provider in each.name and fault in what.name and state in when.value:
                    yield Cell(each, what, when)
