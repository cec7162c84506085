"""What each emulator did, request by request, to be laid beside the client's own figures.

A client that says it sent 40 requests, spoke 1,200 characters or waited 300 ms can be checked against the server's view
of the same request, by its id.
"""

import json
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

KEPT_ENTRIES = 100_000
"""Older entries are forgotten, so that a day's load test can't fill the memory."""


@dataclass
class Entry:
    """One request: an HTTP exchange, a Deepgram stream, an ElevenLabs context or an Azure turn.

    Attributes:
        vendor: Who was asked.
        what: Kind of request, such as ``"listen v1"`` or ``"chat"``.
        request_id: The id that the client sees, or chose.
        at_secs: Start, in seconds since the emulators started (or were reset).
        at_time: Start on the wall clock, in seconds since 1970.
        first_byte_ms: From the start to the first byte of content, in milliseconds.
        total_ms: From the start to the end, in milliseconds; None while it runs.
        bytes_in: Payload bytes received.
        bytes_out: Payload bytes sent.
        audio_ms: Audio heard, or made and sent, in milliseconds.
        characters: Characters of text to be spoken.
        prompt_tokens: Tokens of the prompt.
        cached_tokens: Those of them that were cached.
        completion_tokens: Tokens of the completion.
        status: HTTP status, or WebSocket close code.
        fault: Kind of the fault that struck it.
        detail: What else is worth knowing, such as the text.
    """

    vendor: str
    what: str
    request_id: str
    at_secs: float
    at_time: float
    first_byte_ms: float | None = None
    total_ms: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    audio_ms: float = 0.0
    characters: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    status: int | None = None
    fault: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    clock_at: float = field(default=0.0, repr=False)
    """Start on the emulators' own clock; no business of the reader's."""

    def as_json(self) -> dict[str, Any]:
        """All fields that mean something outside."""
        values = asdict(self)
        del values["clock_at"]
        return values


class RequestLog:
    """The log of all emulators.

    Args:
        clock: Steady clock, in seconds.
        path: File to which each finished entry is appended as a JSON line.
    """

    def __init__(self, clock: Callable[[], float], path: Path | None = None) -> None:
        self._clock = clock
        self._started = clock()
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._file = path.open("a", encoding="utf-8", buffering=1) if path else None

    def open(self, vendor: str, what: str, request_id: str) -> Entry:
        """Begin an entry; it is in the log at once."""
        now = self._clock()
        entry = Entry(vendor, what, request_id, round(now - self._started, 4), time.time(), clock_at=now)
        self._entries.append(entry)
        return entry

    def content_sent(self, entry: Entry, size: int) -> None:
        """Count content that was sent; the first of it is the first byte."""
        if entry.first_byte_ms is None:
            entry.first_byte_ms = self._ms_since_start(entry)
        entry.bytes_out += size

    def close(self, entry: Entry) -> None:
        """End an entry; does nothing the second time."""
        if entry.total_ms is not None:
            return
        entry.total_ms = self._ms_since_start(entry)
        if self._file is not None:
            self._file.write(json.dumps(entry.as_json()) + "\n")

    def entries(self, vendor: str | None = None) -> list[Entry]:
        """All entries, oldest first."""
        return [entry for entry in self._entries if vendor is None or entry.vendor == vendor]

    def totals(self) -> dict[str, dict[str, Any]]:
        """Sums for each vendor: what its bill, and the client's ledger, should say."""
        sums: dict[str, dict[str, Any]] = {}
        for vendor in sorted({entry.vendor for entry in self._entries}):
            mine = self.entries(vendor)
            sums[vendor] = {
                "requests": len(mine),
                "faults": dict(Counter(entry.fault for entry in mine if entry.fault)),
                "statuses": {str(k): n for k, n in Counter(entry.status for entry in mine).items()},
                **{
                    name: round(sum(getattr(entry, name) for entry in mine), 1)
                    for name in (
                        "bytes_in",
                        "bytes_out",
                        "audio_ms",
                        "characters",
                        "prompt_tokens",
                        "cached_tokens",
                        "completion_tokens",
                    )
                },
            }
        return sums

    def reset(self) -> None:
        """Forget everything; the time counts from now."""
        self._entries.clear()
        self._started = self._clock()

    def end(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _ms_since_start(self, entry: Entry) -> float:
        return round((self._clock() - entry.clock_at) * 1000, 1)
