"""How many calls several processes have together, counted in Redis. When Redis is away each counts for itself.

A place is a member of one sorted set, whose score is the time until which it is held; who holds places says so again
every few seconds. A process that dies gives its places back by saying nothing.
"""

import asyncio
import contextlib
from typing import Any, Final, Protocol

from loguru import logger

from admission.redis_client import WAIT_SECS, redis_client
from contracts.vendor_errors import kind

TAKE: Final = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
return 1
"""
"""Name, limit, seconds."""

HOLD: Final = """
local t = redis.call('TIME')
local until_secs = tonumber(t[1]) + tonumber(t[2]) / 1000000 + tonumber(ARGV[1])
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], until_secs, ARGV[i]) end
return #ARGV - 1
"""
"""Seconds, names."""

HELD_SECS: Final = 15.0
SAY_AGAIN_SECS: Final = 5.0


class Places(Protocol):
    """Where processes agree on how many calls there are."""

    async def take(self, name: str) -> bool:
        """Take a place for a call; False if all are taken."""
        ...

    async def give_back(self, name: str) -> None:
        """The call is over."""
        ...

    async def close(self) -> None:
        """Give all places back, and let go of the store."""
        ...


class OwnPlaces:
    """One process: its own limit is all there is."""

    async def take(self, name: str) -> bool:
        """Always True."""
        return True

    async def give_back(self, name: str) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to let go of."""


class RedisPlaces:
    """All processes with the same Redis and key share one limit.

    Args:
        client: An asyncio client of the ``redis`` package.
        limit: Calls at once, of all processes.
        key: The sorted set.
    """

    def __init__(self, client: Any, limit: int, key: str = "parley:calls") -> None:
        self._client = client
        self._limit = limit
        self._key = key
        self._take = client.register_script(TAKE)
        self._hold = client.register_script(HOLD)
        self._names: set[str] = set()
        self._holding: asyncio.Task[None] | None = None
        self._away = False

    @classmethod
    def at(cls, url: str, limit: int) -> "RedisPlaces":
        """Share them at a Redis' URL; nothing is connected yet."""
        return cls(redis_client(url), limit)

    async def take(self, name: str) -> bool:
        """Take a place; while Redis is away, as if there were no others."""
        told = await self._ask(self._take(keys=[self._key], args=[name, self._limit, HELD_SECS]))
        if told == 0:
            return False
        self._names.add(name)
        if self._holding is None or self._holding.done():
            self._holding = asyncio.create_task(self._hold_on())
        return True

    async def give_back(self, name: str) -> None:
        """The call is over."""
        if name in self._names:
            self._names.discard(name)
            await self._ask(self._client.zrem(self._key, name))

    async def close(self) -> None:
        """Give all places back."""
        if self._holding is not None:
            self._holding.cancel()
        for name in list(self._names):
            await self.give_back(name)
        with contextlib.suppress(Exception):  # a boundary: nothing of a store that is gone can be closed
            await self._client.aclose()

    async def _hold_on(self) -> None:
        """Say again and again which places are held; one that Redis forgot is taken anew, even beyond the limit."""
        while self._names:
            await asyncio.sleep(SAY_AGAIN_SECS)
            if self._names:
                await self._ask(self._hold(keys=[self._key], args=[HELD_SECS, *self._names]))

    async def _ask(self, asked: Any) -> Any:
        """The answer; None while Redis is away."""
        try:
            async with asyncio.timeout(WAIT_SECS):
                answer = await asked
        except Exception as error:  # noqa: BLE001 - a boundary: whatever the client raises, calls go on
            if not self._away:
                logger.warning("Redis: {}; each process counts its calls for itself", kind(error))
            self._away = True
            return None
        self._away = False
        return answer
