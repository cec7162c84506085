"""Who wants to know what calls do, once per event that is counted: figures, metrics, traces."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from observe.entries import Turn
    from observe.record import CallRecord


@dataclass(frozen=True, slots=True)
class Usage:
    """Something that a vendor counts.

    Attributes:
        role: ``stt``, ``llm`` or ``tts``.
        unit: ``seconds``, ``prompt_tokens``, ``cached_tokens``, ``completion_tokens``, ``characters`` or
            ``unheard_characters`` (of those counted as ``characters``).
        amount: How many.
    """

    role: str
    unit: str
    amount: float


class Listener:
    """Learns of everything and keeps nothing; override what matters."""

    def opened(self, record: "CallRecord") -> None:
        """A call began."""

    def answered(self, record: "CallRecord", turn: "Turn") -> None:
        """The first sample of an answer was played."""

    def turn_over(self, record: "CallRecord", turn: "Turn") -> None:
        """An answer has been played to its end, or was cut."""

    def decided(self, record: "CallRecord", decision: Mapping[str, Any]) -> None:
        """A sound over the bot's voice got its verdict."""

    def judged(self, record: "CallRecord", decision: Mapping[str, Any]) -> None:
        """The seconds after a verdict have told whether it was right: ``decision["wrong"]``."""

    def failed(self, record: "CallRecord", cause: str) -> None:
        """The caller got no answer, or a broken one."""

    def repaired(self, record: "CallRecord", fault: str) -> None:
        """A deadline had to repair something."""

    def vendor_failed(self, role: str, vendor: str, error: str) -> None:
        """A provider failed; the caller may not have noticed."""

    def used(self, record: "CallRecord", usage: Usage) -> None:
        """Something that costs was used."""

    def refused(self, code: str) -> None:
        """An offer was refused."""

    def over(self, record: "CallRecord") -> None:
        """A call ended."""
