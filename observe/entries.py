"""What a call's record is made of: moments of its timeline, and turns."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Moment:
    """One entry of the timeline.

    Attributes:
        number: Its number within the call.
        revision: The call's revision when it last changed.
        at_ms: When it began.
        kind: ``state``, ``hold``, ``speech``, ``words``, ``turn``, ``said``, ``decision``, ``vendor``, ``tools``,
            ``fault``, ``trouble`` or ``end``.
        data: What is known of it; grows while it lasts.
    """

    number: int
    revision: int
    at_ms: int
    kind: str
    data: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"number": self.number, "at_ms": self.at_ms, "kind": self.kind, **self.data}


@dataclass(slots=True, eq=False)
class Turn:
    """One turn of the caller that has been answered, or ended otherwise.

    Attributes:
        turn_id: The turn.
        reply_id: The reply to it.
        began: When the caller stopped speaking, in the loop's seconds.
        text: What the caller said.
        stages_ms: Milliseconds of each stage, in order.
        answer_ms: From the end of speech to the first sample of the answer.
        outcome: ``open``, ``played``, ``cut`` (the caller interrupted), ``superseded`` (the caller went on before
            anything was heard), ``left`` (the call ended meanwhile) or ``failed``.
        error: Why it failed.
        heard: What the caller heard of the answer.
        ended: When the answer was over, in the loop's seconds.
    """

    turn_id: int
    reply_id: int
    began: float
    text: str
    stages_ms: dict[str, int] = field(default_factory=dict)
    answer_ms: int | None = None
    outcome: str = "open"
    error: str | None = None
    heard: str = ""
    ended: float | None = None
