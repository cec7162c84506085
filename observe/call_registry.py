"""The call registry: those that go on, the last ones that ended, and whoever wants to know."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from contracts.modes import Transcripts
from observe.entries import Turn
from observe.listener import Listener, Usage
from observe.record import CallRecord
from observe.redaction import Redactor

KEEP_CALLS: Final = 100
"""Ended calls that can still be looked at: about 20 MB at the very most, a few in practice."""

MEASURE_SECS: Final = 1.0


class CallRegistry(Listener):
    """One for the process. What a record tells goes to all listeners, in the order in which they were added.

    Args:
        vendors: Who hears, thinks and speaks now, by role.
        transcripts: What is kept of what is said.
        retention_secs: How long calls that have ended are kept.
    """

    def __init__(
        self,
        vendors: Callable[[], Mapping[str, str]] = dict,
        *,
        transcripts: Transcripts = Transcripts.REDACTED,
        retention_secs: float = math.inf,
    ) -> None:
        self._vendors = vendors
        self._transcripts = transcripts
        self._retention_secs = retention_secs
        self._live: dict[str, CallRecord] = {}
        self._ended: deque[CallRecord] = deque(maxlen=KEEP_CALLS)
        self._listeners: list[Listener] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def add_listener(self, listener: Listener) -> None:
        """Tell this one too, from now on."""
        self._listeners.append(listener)

    def open(
        self,
        name: str,
        *,
        now: float,
        now_unix: float | None = None,
        quality: Callable[[], Mapping[str, float]] = dict,
    ) -> CallRecord:
        """Begin a call's record.

        Args:
            name: The name that its client knows it by.
            now: The loop's seconds.
            now_unix: Unix seconds; by default the clock's.
            quality: Tells how good the call's line is.
        """
        self._count += 1
        began_at = time.time() if now_unix is None else now_unix
        record = CallRecord(
            str(self._count),
            name,
            now,
            began_at,
            self,
            vendors=self._vendors(),
            quality=quality,
            redactor=Redactor(self._transcripts),
        )
        self._live[record.call_id] = record
        self.opened(record)
        return record

    def live(self) -> list[CallRecord]:
        """Calls that go on, the oldest first."""
        return list(self._live.values())

    def ended(self) -> Iterator[CallRecord]:
        """Calls that ended, the newest first."""
        return reversed(self._ended)

    def find(self, name: str) -> CallRecord | None:
        """A call by its number, or by the name that its client knows it by."""
        if name in self._live:
            return self._live[name]
        for record in [*self._live.values(), *self.ended()]:
            if name in (record.call_id, record.name):
                return record
        return None

    # --- measuring -------------------------------------------------------------------------

    def start(self) -> None:
        """Measure the live calls once a second; needs a running loop."""
        self._timer = asyncio.get_running_loop().call_later(MEASURE_SECS, self._measure)

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def forget(self, now: float) -> None:
        """Forget calls that ended longer ago than they may be kept."""
        while self._ended and now - (self._ended[0].ended or now) >= self._retention_secs:
            self._ended.popleft()

    def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        self.forget(loop.time())
        for record in self._live.values():
            record.measure(loop.time())
        self._timer = loop.call_later(MEASURE_SECS, self._measure)

    # --- to all listeners ------------------------------------------------------------------

    def opened(self, record: CallRecord) -> None:
        """A call began."""
        for listener in self._listeners:
            listener.opened(record)

    def answered(self, record: CallRecord, turn: Turn) -> None:
        """The first sample of an answer was played."""
        for listener in self._listeners:
            listener.answered(record, turn)

    def turn_over(self, record: CallRecord, turn: Turn) -> None:
        """An answer has been played to its end, or was cut."""
        for listener in self._listeners:
            listener.turn_over(record, turn)

    def decided(self, record: CallRecord, decision: Mapping[str, Any]) -> None:
        """A sound got its verdict."""
        for listener in self._listeners:
            listener.decided(record, decision)

    def judged(self, record: CallRecord, decision: Mapping[str, Any]) -> None:
        """Whether a verdict was right is known."""
        for listener in self._listeners:
            listener.judged(record, decision)

    def failed(self, record: CallRecord, cause: str) -> None:
        """The caller got no answer, or a broken one."""
        for listener in self._listeners:
            listener.failed(record, cause)

    def repaired(self, record: CallRecord, fault: str) -> None:
        """A deadline had to repair something."""
        for listener in self._listeners:
            listener.repaired(record, fault)

    def vendor_failed(self, role: str, vendor: str, error: str) -> None:
        """A provider failed."""
        for listener in self._listeners:
            listener.vendor_failed(role, vendor, error)

    def used(self, record: CallRecord, usage: Usage) -> None:
        """Something that costs was used."""
        for listener in self._listeners:
            listener.used(record, usage)

    def refused(self, code: str) -> None:
        """An offer was refused."""
        for listener in self._listeners:
            listener.refused(code)

    def over(self, record: CallRecord) -> None:
        """A call ended."""
        if self._live.pop(record.call_id, None) is not None and self._retention_secs > 0:
            self._ended.append(record)
        for listener in self._listeners:
            listener.over(record)
