"""What all emulated vendors of one run share: the profile, its chances and faults, the log and the clock."""

import asyncio
import time
from dataclasses import dataclass, field
from weakref import WeakSet

from emulators.faults import FaultSchedule, Vendor
from emulators.known_clips import Library
from emulators.latency import Chances, Latency
from emulators.log import RequestLog
from emulators.profile import Profile


@dataclass
class World:
    """One run's shared state.

    Args:
        profile: What the vendors are like.
        log: What they did.
        clips: What callers may say, if the speech-to-text emulators need not recognise it; None: they do.
    """

    profile: Profile
    log: RequestLog = field(default_factory=lambda: RequestLog(time.monotonic))
    clips: Library | None = None
    chances: Chances = field(init=False)
    faults: FaultSchedule = field(init=False)
    _connected: "WeakSet[asyncio.BaseTransport]" = field(default_factory=WeakSet)

    def __post_init__(self) -> None:
        self.chances = Chances(self.profile.seed)
        self.faults = FaultSchedule(list(self.profile.faults), self.chances, self.now())

    def now(self) -> float:
        """Seconds on the clock of limits and faults."""
        return time.monotonic()

    def secs(self, vendor: Vendor, what: str, latency: Latency, *, network: bool = False) -> float:
        """Draw a waiting time, in seconds.

        Args:
            vendor: Whose.
            what: Name of the stream of chance.
            latency: The distribution.
            network: Whether the way there and back comes on top.
        """
        secs = latency.sample_secs(self.chances.stream(f"{vendor.value} {what}"))
        if network:
            rng = self.chances.stream("network")
            secs += self.profile.network.sample_secs(rng) + self.profile.network.sample_secs(rng)
        return secs

    async def connect(self, vendor: Vendor, transport: asyncio.BaseTransport | None) -> None:
        """Wait as long as a connection takes; one that was kept open takes no time."""
        if transport is not None:
            if transport in self._connected:
                return
            self._connected.add(transport)
        await asyncio.sleep(self.secs(vendor, "connect", self.profile.of(vendor).connect, network=True))

    async def first_byte(self, vendor: Vendor) -> None:
        """Wait as long as the first content takes."""
        await asyncio.sleep(self.secs(vendor, "first byte", self.profile.of(vendor).first_byte, network=True))

    async def between(self, vendor: Vendor) -> None:
        """Wait as long as the next chunk takes."""
        await asyncio.sleep(self.secs(vendor, "between", self.profile.of(vendor).between))
