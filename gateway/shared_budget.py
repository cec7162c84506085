"""A budget that several processes share, in Redis. When Redis is away each process goes on with its own counts.

Each limit is one number in Redis: the time at which its bucket will be empty again (a "theoretical arrival time", as in
the generic cell rate algorithm, ITU-T I.371). One script looks at all limits of a model and takes from all, or from
none, at Redis' own clock: so no two processes can take the same last request.
"""

import asyncio
from typing import Any, Final, Protocol

from loguru import logger

from admission.redis_client import WAIT_SECS, redis_client
from contracts.vendor_errors import kind
from gateway.budget import REQUESTS
from gateway.policy import Charge

TAKE: Final = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local wait = 0
for i = 1, #KEYS do
  local window, cost = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local empty = math.max(tonumber(redis.call('GET', KEYS[i]) or '0'), now)
  wait = math.max(wait, empty + math.min(cost, window) - now - window)
end
if wait > 0.001 then return tostring(wait) end
for i = 1, #KEYS do
  local window, cost = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local empty = math.max(tonumber(redis.call('GET', KEYS[i]) or '0'), now) + cost
  redis.call('SET', KEYS[i], string.format('%.6f', empty), 'PX', math.ceil((empty - now) * 1000) + 1000)
end
return '0'
"""
"""Per limit: window and cost, both in seconds of the bucket (cost = amount x window / limit). Returns the wait."""

RETRY_SECS: Final = 5.0
"""How long it is then left alone."""


class SharedBudget(Protocol):
    """Where processes agree on what is left."""

    async def reserve(self, model: str, charge: Charge | None) -> float:
        """Take what a request costs; returns 0, or the seconds until it fits (and takes nothing)."""
        ...

    async def close(self) -> None:
        """Let go of the store."""
        ...


class LocalOnly:
    """One process: its own counts are all there is."""

    async def reserve(self, model: str, charge: Charge | None) -> float:
        """Always 0."""
        return 0.0

    async def close(self) -> None:
        """Nothing to let go of."""


class RedisBudget:
    """All processes with the same Redis and prefix share one budget for each model.

    Args:
        client: An asyncio client of the ``redis`` package.
        prefix: Before all keys.
    """

    def __init__(self, client: Any, prefix: str = "parley:budget") -> None:
        self._client = client
        self._prefix = prefix
        self._take = client.register_script(TAKE)
        self._away_until = 0.0

    @classmethod
    def at(cls, url: str) -> "RedisBudget":
        """Share it at a Redis' URL; nothing is connected yet."""
        return cls(redis_client(url))

    @property
    def away(self) -> bool:
        """Whether Redis did not answer lately."""
        return asyncio.get_running_loop().time() < self._away_until

    async def reserve(self, model: str, charge: Charge | None) -> float:
        """Take what a request costs; returns 0, or the seconds until it fits."""
        if charge is None or not charge.limits or self.away:
            return 0.0
        keys: list[str] = []
        costs: list[float] = []
        for quota, (limit, window_secs) in charge.limits.items():
            keys.append(f"{self._prefix}:{model}:{quota.value}")
            costs += [window_secs, (1 if quota in REQUESTS else charge.tokens) * window_secs / limit]
        try:
            async with asyncio.timeout(WAIT_SECS):
                return float(await self._take(keys=keys, args=costs))
        except Exception as error:  # noqa: BLE001 - a boundary: whatever the client raises, calls go on
            self._away_until = asyncio.get_running_loop().time() + RETRY_SECS
            logger.warning("Redis: {}; each process counts for itself meanwhile", kind(error))
            return 0.0

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
