"""Paces the packets of all calls: one every 20 ms, without drift, and never a burst.

A timer and a task for each call cost more than what they wake. Here one timer wakes up to :data:`CALLS_EACH` voices one
after the other; with more calls there are more phases, so that no packet waits for very many others.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

from loguru import logger

PACKET_SECS: Final = 0.02

PHASES: Final = 4
CALLS_EACH: Final = 12
"""Voices of a phase before another one is begun. Encoding them takes about 2 ms."""

OnPacketDue = Callable[[int], None]
"""Told how many packets are due: one, or more when the loop was held up, and then only the last is sent."""


class Pacer:
    """When each packet is due: every 20 ms from the first, without drift, and never a burst. Pure.

    A packet that is late by less than two is sent at once and the schedule stands, so that the peer's jitter buffer
    evens it out. After a longer stall the missed packets are skipped, and the RTP time with them: to catch up would
    pile that much delay onto the rest of the call.
    """

    MAX_LATE_PACKETS: Final = 2

    def __init__(self) -> None:
        self._origin: float | None = None
        self._index = 0

    def next(self, now: float) -> tuple[int, float]:
        """Schedule a packet.

        Parameters:
            now: Monotonic seconds.

        Returns:
            The packet's number (times 960 is its RTP time), and the seconds to wait before it is due.
        """
        if self._origin is None:
            self._origin = now
            return 0, 0.0
        self._index += 1
        late_packets = (now - self._origin) / PACKET_SECS - self._index
        if late_packets >= self.MAX_LATE_PACKETS:
            self._index += int(late_packets)
        return self._index, max(0.0, self._origin + self._index * PACKET_SECS - now)


class _Phase:
    """Voices that are woken together; without any it sleeps."""

    def __init__(self, offset_secs: float) -> None:
        self.voices: list[OnPacketDue] = []
        self._offset_secs = offset_secs
        self._pacer = Pacer()
        self._index = 0
        self._timer: asyncio.TimerHandle | None = None

    def join(self, voice: OnPacketDue) -> None:
        self.voices.append(voice)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            periods = math.ceil((loop.time() - self._offset_secs) / PACKET_SECS)
            self._timer = loop.call_at(periods * PACKET_SECS + self._offset_secs, self._begin)

    def leave(self, voice: OnPacketDue) -> None:
        if voice in self.voices:
            self.voices.remove(voice)

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._pacer = Pacer()
        self._index, _ = self._pacer.next(loop.time())
        self._wake(1)

    def _due(self, index: int) -> None:
        packets, self._index = index - self._index, index
        self._wake(packets)

    def _wake(self, packets: int) -> None:
        for voice in list(self.voices):
            try:
                voice(packets)
            except Exception as error:  # noqa: BLE001 - a boundary: the other calls' voices go on
                logger.opt(exception=error).error("a voice failed and falls silent")
                self.leave(voice)
        if not self.voices:
            self._timer = None
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        index, wait_secs = self._pacer.next(now)
        self._timer = loop.call_at(now + wait_secs, self._due, index)


class SharedPacer:
    """Paces all voices of one event loop."""

    def __init__(self) -> None:
        self._phases = [_Phase(number * PACKET_SECS / PHASES) for number in range(PHASES)]
        self._phase_of: dict[OnPacketDue, _Phase] = {}

    def join(self, voice: OnPacketDue) -> None:
        """Call ``voice`` for every packet from the next one on, until it leaves."""
        phases = self._phases[: 1 + len(self._phase_of) // CALLS_EACH]
        phase = min(phases, key=lambda phase: len(phase.voices))
        self._phase_of[voice] = phase
        phase.join(voice)

    def leave(self, voice: OnPacketDue) -> None:
        """Call it no more; one that has not joined, or failed, may leave as well."""
        phase = self._phase_of.pop(voice, None)
        if phase is not None:
            phase.leave(voice)


_pacers: WeakKeyDictionary[asyncio.AbstractEventLoop, SharedPacer] = WeakKeyDictionary()


def shared_pacer() -> SharedPacer:
    """The running event loop's pacer."""
    return _pacers.setdefault(asyncio.get_running_loop(), SharedPacer())
