"""What the gateway to the vendors says of itself, as numbers with names and labels. Pure.

A gateway offers a callable that returns a mapping of plain values, such as::

    {
        "queue": {"length": 2, "longest_wait_secs": 0.4},
        "cache": {"hits": 7, "misses": 31},
        "models": {
            "openai/gpt-oss-120b": {
                "circuit": "closed",
                "in_flight": 3,
                "rate_limited": 1,
                "budgets": {"tokens_per_minute": {"left": 5200, "limit": 8000, "refill_secs": 12.5}},
            },
        },
    }

Nothing in it is required and more is welcome: every number becomes a figure named after its place, under ``models``
with the label ``model``, under ``budgets`` with the label ``budget``; a word becomes a figure of value 1 with the
label ``state``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

GatewaySnapshot = Callable[[], Mapping[str, Any]]

_LABELS: Final = {"models": ("model", "model"), "budgets": ("budget", "budget")}
"""Of a mapping whose keys are names: what its figures are called, and their label."""


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes:
        name: Made of the keys that lead to it, joined by underscores.
        labels: Names among those keys, and words.
        value: The number.
    """

    name: str
    labels: Mapping[str, str]
    value: float


def figures(snapshot: Mapping[str, Any]) -> Iterator[Figure]:
    """All numbers and words of a snapshot; values of other types are left out."""
    yield from _walk(snapshot, "", {})


def _walk(node: Mapping[str, Any], prefix: str, labels: Mapping[str, str]) -> Iterator[Figure]:
    for key, value in node.items():
        if isinstance(value, Mapping) and key in _LABELS:
            name, label = _LABELS[key]
            for each, below in value.items():
                if isinstance(below, Mapping):
                    yield from _walk(below, f"{name}_", {**labels, label: str(each)})
        elif isinstance(value, Mapping):
            yield from _walk(value, f"{prefix}{_plain(key)}_", labels)
        elif isinstance(value, (int, float)):
            yield Figure(prefix + _plain(key), labels, float(value))
        elif isinstance(value, str):
            yield Figure(prefix + _plain(key), {**labels, "state": value}, 1.0)


def _plain(key: object) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in str(key)).lower()
