"""The store in memory, as Redis' scripts have it; it can be slow, be away, lose its newest writes, and be copied."""

import asyncio
import copy
from dataclasses import dataclass

from cluster.store import CALL_SECS, NodeInfo, Stored


@dataclass
class Entry:
    fence: int = 0
    owner: str | None = None
    state: bytes | None = None
    heard: tuple[int, int] = (0, 0)
    until: float = 0.0


class StoreAway(Exception):
    """It does not answer."""


class MemoryStore:
    def __init__(self):
        self.entries: dict[str, Entry] = {}
        self.infos: dict[str, tuple[NodeInfo, float]] = {}
        self.away = False
        self.writes = 0

    def copied(self) -> "MemoryStore":
        """What it holds just now, as whoever comes later finds it."""
        other = MemoryStore()
        other.entries, other.infos = copy.deepcopy(self.entries), dict(self.infos)
        return other

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _entry(self, call: str) -> Entry:
        if self.away:
            raise StoreAway
        entry = self.entries.get(call)
        if entry is None or entry.until <= self._now():
            entry = self.entries[call] = Entry()
        entry.until = self._now() + CALL_SECS
        return entry

    async def begin(self, call, node):
        entry = self._entry(call)
        entry.fence, entry.owner, entry.state, entry.heard = entry.fence + 1, node, None, (0, 0)
        return entry.fence

    async def take(self, call, node):
        entry = self._entry(call)
        if entry.state is None:
            return None
        entry.fence, entry.owner = entry.fence + 1, node
        return Stored(entry.fence, entry.state, *entry.heard)

    async def save(self, call, node, fence, heard, state):
        entry = self._entry(call)
        self.writes += 1
        if entry.fence > fence:
            return 0
        if state is None and entry.state is None:
            return 2
        entry.owner, entry.fence, entry.heard = node, fence, heard
        entry.state = entry.state if state is None else state
        return 1

    async def check(self, fences):
        return [self._entry(call).fence <= fence for call, fence in fences.items()]

    async def end(self, call, fence):
        entry = self._entry(call)
        if entry.fence <= fence:
            entry.fence, entry.owner, entry.state, entry.heard = fence + 1, None, None, (0, 0)

    async def owner(self, call):
        entry = self._entry(call)
        return entry.owner if entry.state is not None else None

    async def register(self, info, lease_secs):
        if self.away:
            raise StoreAway
        self.infos[info.node] = (info, self._now() + lease_secs)

    async def leave(self, node):
        self.infos.pop(node, None)

    async def nodes(self):
        return await self.find(list(self.infos))

    async def find(self, names):
        if self.away:
            raise StoreAway
        held = [self.infos[name] for name in names if name in self.infos]
        return [info for info, until in held if until > self._now()]

    async def secret(self, proposal):
        return "shared"

    async def close(self):
        pass
