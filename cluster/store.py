"""Where calls' states and the nodes are kept: Redis. Scripts, so that each step is atomic.

A call is one hash: ``owner`` (a node), ``fence`` (grows with each owner), ``state`` (sealed), ``heard`` (how far the
reply was heard, which changes with each word). It goes away by itself when nobody has said for a while that it goes on.
A node is one string with a time to live: its lease.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

TAKE: Final = """
if not redis.call('HGET', KEYS[1], 'state') then return false end
local fence = redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {fence, redis.call('HGET', KEYS[1], 'state'), redis.call('HGET', KEYS[1], 'heard') or '0:0'}
"""
"""Node, milliseconds to live."""

BEGIN: Final = """
local fence = redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HDEL', KEYS[1], 'state', 'heard')
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return fence
"""
"""Node, milliseconds to live."""

SAVE: Final = """
local known = tonumber(redis.call('HGET', KEYS[1], 'fence') or '0')
if known > tonumber(ARGV[2]) then return 0 end
if ARGV[5] == '' and redis.call('HEXISTS', KEYS[1], 'state') == 0 then return 2 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'fence', ARGV[2], 'heard', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'state', ARGV[5]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""Node, fence, milliseconds to live, how far was heard, sealed state (empty: as before).

Returns 0: outdated; 2: the state is not there (another Redis), and is to be saved whole. A fence that is lower than
ours is that of a replica which lagged behind."""

CHECK: Final = """
local answers = {}
for i = 1, #KEYS do
  local known = tonumber(redis.call('HGET', KEYS[i], 'fence') or '0')
  if known > tonumber(ARGV[i + 1]) then answers[i] = 0 else
    answers[i] = 1
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
  end
end
return answers
"""
"""Milliseconds to live, fences."""

END: Final = """
local known = tonumber(redis.call('HGET', KEYS[1], 'fence') or '0')
if known > tonumber(ARGV[1]) then return 0 end
redis.call('HDEL', KEYS[1], 'state', 'heard', 'owner')
redis.call('HSET', KEYS[1], 'fence', tonumber(ARGV[1]) + 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
"""Fence, milliseconds until the fence is forgotten. What is said in the call is gone at once."""

REGISTER: Final = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 60)
redis.call('ZADD', KEYS[1], now, ARGV[1])
return 1
"""
"""Node, what it tells of itself, milliseconds of its lease."""

PREFIX: Final = "parley:"
CALL_SECS: Final = 120.0
"""So long after its node's last sign of life a call can be taken up; then what is known of it is gone."""

FENCE_SECS: Final = 60.0
"""So long after a call's end a node that stood still is told that it has nothing to say."""


@dataclass(frozen=True)
class NodeInfo:
    """What a node tells of itself.

    Attributes:
        node: Its name.
        url: How other nodes reach it.
        calls: Calls that it has.
        max_calls: Calls that it may have.
        draining: Whether it takes no more.
        pid: Its process.
    """

    node: str
    url: str
    calls: int = 0
    max_calls: int = 0
    draining: bool = False
    pid: int = 0

    @property
    def free(self) -> int:
        """Places that are left."""
        return 0 if self.draining else max(0, self.max_calls - self.calls)


@dataclass(frozen=True)
class Stored:
    """A call as it is kept.

    Attributes:
        fence: The fencing token of whoever has just taken it up.
        state: Sealed.
        heard_reply: A reply, and ...
        heard_chars: ... how much of it was heard.
    """

    fence: int
    state: bytes
    heard_reply: int
    heard_chars: int


class RedisStore:
    """The store.

    Args:
        client: An asyncio client of the ``redis`` package, which gives bytes.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._take = client.register_script(TAKE)
        self._begin = client.register_script(BEGIN)
        self._save = client.register_script(SAVE)
        self._check = client.register_script(CHECK)
        self._end = client.register_script(END)
        self._register = client.register_script(REGISTER)

    async def begin(self, call: str, node: str) -> int:
        """A new call, which nobody else has any more; its fencing token."""
        return int(await self._begin(keys=[_key(call)], args=[node, _ms(CALL_SECS)]))

    async def take(self, call: str, node: str) -> Stored | None:
        """Take a call up; None: there is none."""
        found = await self._take(keys=[_key(call)], args=[node, _ms(CALL_SECS)])
        if not found:
            return None
        reply, _, chars = bytes(found[2]).decode().partition(":")
        return Stored(int(found[0]), bytes(found[1]), int(reply), int(chars))

    async def save(self, call: str, node: str, fence: int, heard: tuple[int, int], state: bytes | None) -> int:
        """Keep a call's state.

        Args:
            call: The call.
            node: Who writes.
            fence: Its fencing token.
            heard: A reply, and how much of it was heard.
            state: Sealed; None: as it was saved last.

        Returns:
            1; 0 if the fencing token is outdated; 2 if the state has to be sent with it.
        """
        args = [node, fence, _ms(CALL_SECS), f"{heard[0]}:{heard[1]}", state or b""]
        return int(await self._save(keys=[_key(call)], args=args))

    async def check(self, fences: Mapping[str, int]) -> list[bool]:
        """Say that calls go on; for each, in order, whether its fencing token is the newest."""
        if not fences:
            return []
        keys = [_key(call) for call in fences]
        return [bool(each) for each in await self._check(keys=keys, args=[_ms(CALL_SECS), *fences.values()])]

    async def end(self, call: str, fence: int) -> None:
        """A call is over: forget what was said in it."""
        await self._end(keys=[_key(call)], args=[fence, _ms(FENCE_SECS)])

    async def owner(self, call: str) -> str | None:
        """The node that has a call, or had it when it died; None: there is no such call."""
        owner, state = await self._client.hmget(_key(call), "owner", "state")
        return None if owner is None or state is None else bytes(owner).decode()

    async def register(self, info: NodeInfo, lease_secs: float) -> None:
        """A node is alive."""
        keys = [f"{PREFIX}nodes", f"{PREFIX}node:{info.node}"]
        await self._register(keys=keys, args=[info.node, json.dumps(asdict(info)), _ms(lease_secs)])

    async def leave(self, node: str) -> None:
        """A node goes."""
        await self._client.delete(f"{PREFIX}node:{node}")
        await self._client.zrem(f"{PREFIX}nodes", node)

    async def nodes(self) -> list[NodeInfo]:
        """Nodes whose lease holds."""
        names = [bytes(name).decode() for name in await self._client.zrange(f"{PREFIX}nodes", 0, -1)]
        return await self.find(names)

    async def find(self, names: Sequence[str]) -> list[NodeInfo]:
        """Those of these nodes whose lease holds."""
        if not names:
            return []
        told = await self._client.mget([f"{PREFIX}node:{name}" for name in names])
        return [NodeInfo(**json.loads(each)) for each in told if each is not None]

    async def secret(self, proposal: str) -> str:
        """What nodes show each other; that of whoever came first."""
        await self._client.set(f"{PREFIX}secret", proposal, nx=True)
        return bytes(await self._client.get(f"{PREFIX}secret")).decode()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _key(call: str) -> str:
    return f"{PREFIX}call:{call}"


def _ms(secs: float) -> int:
    return round(1000 * secs)
