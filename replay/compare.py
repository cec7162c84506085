"""Where two traces of a call part. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from replay.record import Message, Trace

NOT_COMPARED: Final = frozenset({"id", "timestamp"})
"""Fields of messages that are made by chance, or are the wall clock."""

TIMES: Final = frozenset({"ms", "stages"})
"""Fields of messages that are milliseconds, beside those whose names end with it."""

INSTANT_SECS: Final = 1e-4
"""Of two traces in virtual time: what came behind something else at one instant comes some microseconds later."""


@dataclass(frozen=True)
class Difference:
    """The first difference.

    Attributes:
        at_secs: When, in seconds since the call began.
        what: ``message`` or ``packet``.
        number: Of the message, or of the 20 ms that were played, from 0.
        expected: What the record has; empty: nothing.
        got: What the replay has; empty: nothing.
    """

    at_secs: float
    what: str
    number: int
    expected: str
    got: str

    def __str__(self) -> str:
        """One sentence."""
        recorded, replayed = self.expected or "nothing more", self.got or "nothing more"
        return f"at {self.at_secs:.3f} s, {self.what} {self.number}: the record has {recorded}, the replay {replayed}"


def difference(
    recorded: Trace, replayed: Trace, began: float, tolerance_secs: float = INSTANT_SECS
) -> Difference | None:
    """The first difference in what the client was told or what was played; None: there is none.

    Args:
        recorded: What was.
        replayed: What is now.
        began: The loop's clock when the call began.
        tolerance_secs: How far apart the same thing may happen.
    """
    found = [
        each
        for each in (
            _messages(recorded.sent, replayed.sent, began, tolerance_secs),
            _packets(recorded.pulls, replayed.pulls, began),
        )
        if each is not None
    ]
    return min(found, key=lambda each: each.at_secs, default=None)


def _messages(
    recorded: Sequence[tuple[float, Message]],
    replayed: Sequence[tuple[float, Message]],
    began: float,
    tolerance_secs: float,
) -> Difference | None:
    for number in range(max(len(recorded), len(replayed))):
        was = recorded[number] if number < len(recorded) else None
        is_ = replayed[number] if number < len(replayed) else None
        if was is not None and is_ is not None:
            same = abs(was[0] - is_[0]) <= tolerance_secs and same_values(was[1], is_[1], 1000 * tolerance_secs)
            if same:
                continue
        at = min(each[0] for each in (was, is_) if each is not None) - began
        return Difference(at, "message", number, _told(was, began), _told(is_, began))
    return None


def _packets(
    recorded: Sequence[tuple[float, int, int]], replayed: Sequence[tuple[float, int, int]], began: float
) -> Difference | None:
    for number in range(max(len(recorded), len(replayed))):
        was = recorded[number] if number < len(recorded) else None
        is_ = replayed[number] if number < len(replayed) else None
        if was is None or is_ is None or was[1:] != is_[1:]:
            at = min(each[0] for each in (was, is_) if each is not None) - began
            return Difference(at, "packet", number, _sound(was), _sound(is_))
    return None


def same_values(one: Any, other: Any, tolerance_ms: float, name: str = "") -> bool:
    """Whether two messages say the same; fields whose names say milliseconds may differ by the tolerance."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = (one.keys() | other.keys()) - NOT_COMPARED
        inside = name if _is_time(name) else ""
        return all(same_values(one.get(key), other.get(key), tolerance_ms, inside or key) for key in keys)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(same_values(a, b, tolerance_ms, name) for a, b in pairs)
    if _is_time(name) and isinstance(one, int | float) and isinstance(other, int | float):
        unit = 1000 if name.endswith("_secs") else 1
        return unit * abs(one - other) <= max(tolerance_ms, 1.0)  # they are rounded
    return bool(one == other)


def _is_time(name: str) -> bool:
    return name in TIMES or name.endswith(("_ms", "_secs"))


def _told(told: tuple[float, Message] | None, began: float) -> str:
    if told is None:
        return ""
    at, message = told
    data = message.get("data")
    named = message.get("type", "")
    if isinstance(data, Mapping):
        named = data.get("type", named)
        data = {key: value for key, value in data.items() if key != "type"}
    return f"{named} {data or ''} at {at - began:.3f} s".replace("  ", " ")


def _sound(pull: tuple[float, int, int] | None) -> str:
    if pull is None:
        return ""
    return "silence" if not pull[2] else f"audio {pull[2]:08x}"
