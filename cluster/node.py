"""This process as a node among others: its lease, its calls' fencing tokens, and what it takes up of dead nodes."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from loguru import logger
from pipecat.processors.frame_processor import FrameProcessor

from admission.redis_client import redis_client
from cluster.call_state import CallState, StateError
from cluster.call_watch import CallParts, CallWatch
from cluster.keeper import ANSWER_SECS, CallKeeper, KeptAs, StoreHealth
from cluster.ownership import Answer, Ownership
from cluster.routing import Asked, Route, Way, freest, new_node, route
from cluster.sealing import unseal
from cluster.store import NodeInfo, RedisStore
from contracts.caller_identity import CallerIdentity
from processors.tools.runner import ToolRunner
from transports.takeover import CallerId, caller_of_peer
from transports.webrtc import GOES_ON_ELSEWHERE, SERVER_STOPS

HEARTBEAT_SECS: Final = 0.5
"""How often a node says that it is alive."""

EFFECTS_SECS: Final = 5.0
"""How long a call that is to go elsewhere waits for what is being done in it."""

LEASE_SECS: Final = 2.0
"""A node that has not said so for this long is dead."""


@dataclass(frozen=True)
class TakenUp:
    """A call that another node has left.

    Attributes:
        state: What is known of it.
        ownership: This node's right to it.
    """

    state: CallState
    ownership: Ownership

    @property
    def identity(self) -> CallerIdentity | None:
        """Whom a signed token named when the call began."""
        state = self.state
        return None if state.subject is None else CallerIdentity(state.subject, state.claims)


class KeptCall(Protocol):
    """A call that its client can come back to, as far as it matters here."""

    may_speak: Callable[[], bool]

    @property
    def caller(self) -> CallerId | None:
        """Whose it is; None: whoever knows its name."""
        ...

    def lose(self) -> None:
        """The call goes on in another process."""
        ...


class ClusterNode:
    """One for the process.

    Args:
        store: Where calls and nodes are kept.
        info: What this node tells of itself, but for its name.
    """

    def __init__(self, store: RedisStore, info: Callable[[], NodeInfo]) -> None:
        self.name = new_node()
        self.secret = ""
        self._store = store
        self._info = info
        self._health = StoreHealth()
        self._keepers: dict[Any, CallKeeper] = {}
        self._begun: WeakKeyDictionary[Any, tuple[str, TakenUp | None]] = WeakKeyDictionary()
        self._tools: WeakKeyDictionary[Any, ToolRunner] = WeakKeyDictionary()
        self._beating: asyncio.Task[None] | None = None
        self.taken_up = 0
        """Calls that were taken up so far."""

    @classmethod
    def at(cls, url: str, info: Callable[[], NodeInfo]) -> "ClusterNode":
        """At a Redis' URL; nothing is connected yet."""
        return cls(RedisStore(redis_client(url, ANSWER_SECS)), info)

    @property
    def store_failures(self) -> int:
        """How often the store did not answer."""
        return self._health.failures

    # --- the node --------------------------------------------------------------------------------

    def start(self) -> None:
        """Say that this node is alive, again and again."""
        self._beating = asyncio.create_task(self._beat_for_ever(), name="node lease")

    async def close(self) -> None:
        """The node goes; calls that it still has can be taken up."""
        if self._beating is not None:
            self._beating.cancel()
        with contextlib.suppress(Exception):  # a boundary: a store that is away need not be told
            await self._store.leave(self.name)
        with contextlib.suppress(Exception):  # a boundary
            await self._store.close()

    async def _beat_for_ever(self) -> None:
        while True:
            await self._beat()
            await asyncio.sleep(HEARTBEAT_SECS)

    async def _beat(self) -> None:
        now = asyncio.get_running_loop().time()
        owned = [(keeper, keeper.ownership) for keeper in self._keepers.values() if keeper.ownership is not None]
        for _, ownership in owned:
            ownership.at_work(now)
        try:
            async with asyncio.timeout(ANSWER_SECS):
                newest = await self._store.check({keeper.kept_as.call: own.fence for keeper, own in owned})
                await self._store.register(replace(self._info(), node=self.name), LEASE_SECS)
                if not self.secret:
                    self.secret = await self._store.secret(secrets.token_urlsafe(32))
        except Exception as error:  # noqa: BLE001 - a boundary: whatever the client raises, calls go on
            self._health.failed(error)
            for keeper, _ in owned:
                keeper.told(Answer.AWAY)
            return
        self._health.answered()
        for (keeper, _), is_newest in zip(owned, newest, strict=True):
            keeper.told(Answer.NEWEST if is_newest else Answer.OUTDATED)

    async def nodes(self) -> dict[str, NodeInfo]:
        """Nodes that are alive, by name; none while the store is away."""
        return {info.node: info for info in await self._asked(self._store.nodes()) or []}

    async def is_alive(self, node: str) -> bool:
        """Whether a node's lease holds."""
        return bool(await self._asked(self._store.find([node])))

    async def _asked(self, asked: Any) -> Any:
        try:
            async with asyncio.timeout(ANSWER_SECS):
                answer = await asked
        except Exception as error:  # noqa: BLE001 - a boundary: whatever the client raises, this node goes on alone
            self._health.failed(error)
            return None
        self._health.answered()
        return answer

    # --- requests --------------------------------------------------------------------------------

    async def route(self, asked: Asked, caller: CallerId | None, *, draining: bool) -> Route:
        """Where a request goes; to no other node while the store is away.

        Args:
            asked: The request; the store knows the owner.
            caller: Whose call it is about.
            draining: Whether this node takes no more calls.
        """
        if asked.has_call:
            return Route(Way.HERE)
        owner = await self._asked(self._store.owner(_name(caller))) if caller is not None else None
        live = await self.nodes()
        return route(replace(asked, owner=owner), self.name, live, draining=draining)

    async def take_up(self, caller: CallerId, heard: tuple[int, int] | None = None) -> TakenUp | None:
        """Take a call up that another node has left.

        Args:
            caller: Whose it is.
            heard: A reply, and how much of it the client says was heard there.

        Returns:
            The call; None: there is none that can be taken up.
        """
        stored = await self._asked(self._store.take(_name(caller), self.name))
        if stored is None:
            return None
        ownership = Ownership(stored.fence, asyncio.get_running_loop().time())
        try:
            state = CallState.unpacked(unseal(stored.state, caller.key))
        except StateError as error:
            logger.error("a call cannot be taken up: {}", error)
            await self._asked(self._store.end(_name(caller), stored.fence))
            return None
        for reply_id, chars in ((stored.heard_reply, stored.heard_chars), heard or (0, 0)):
            if state.reply is not None and state.reply.reply_id == reply_id:
                state = replace(state, reply=state.reply.heard_at_least(chars))
        self.taken_up += 1
        return TakenUp(state, ownership)

    # --- calls -----------------------------------------------------------------------------------

    def begun(self, call: KeptCall, place: str, taken: TakenUp | None) -> None:
        """A call has been answered.

        Args:
            call: The call.
            place: Under which name it takes up a place.
            taken: What it goes on from; None: it is a new one.
        """
        self._begun[call] = (place, taken)

    def goes_on_from(self, call: Any) -> CallState | None:
        """What a call goes on from; None: it is a new one."""
        _, taken = self._begun.get(call, ("", None))
        return taken.state if taken is not None else None

    def keep(self, call: Any, parts: CallParts, interruptions: FrameProcessor, llm: FrameProcessor) -> None:
        """Keep a call's state from now on; not that of calls that nobody can come back to, such as those by telephone.

        Args:
            call: The call.
            parts: What knows of it.
            interruptions: The node of its pipeline that gives and takes the floor.
            llm: The node that writes replies.
        """
        if call not in self._begun:
            return
        place, taken = self._begun[call]
        caller = call.caller or caller_of_peer(call.pc_id)
        identity = call.identity
        known = CallState(
            call_id=taken.state.call_id if taken is not None else call.pc_id,
            place=place,
            subject=identity.subject if identity is not None else None,
            claims=dict(identity.claims) if identity is not None else {},
            request_data=dict(call.request_data),
        )
        keeper = CallKeeper(
            self._store,
            KeptAs(_name(caller), caller.key, self.name),
            taken.ownership if taken is not None else None,
            lambda: watch.state(),
            call.lose,
            self._health,
        )
        watch = CallWatch(replace(parts, known=known), keeper.changed, keeper.word_heard)
        if parts.tools is not None:
            self._tools[call] = parts.tools
            parts.tools.before_effect = keeper.before_effect
        call.may_speak = keeper.may_speak
        watch.watch(interruptions, llm)
        self._keepers[call] = keeper
        keeper.start()

    async def has_others(self) -> bool:
        """Whether another node takes calls."""
        return freest(self.name, await self.nodes()) is not None

    async def leave_to_others(self, call: Any) -> None:
        """Leave a call to the node that its client asks next: it falls silent, is written down, and its line is closed.

        Nothing is done where the store is away: nobody could go on with it.
        """
        keeper = self._keepers.get(call)
        if keeper is None:
            return
        if (tools := self._tools.get(call)) is not None:
            await tools.finish_effects(EFFECTS_SECS)
        if await keeper.leave():
            call.lose()

    async def gone(self, call: Any) -> None:
        """A call is over here: for good, unless another node may take it up."""
        if (keeper := self._keepers.pop(call, None)) is not None:
            await keeper.close(forget=call.close_reason not in (SERVER_STOPS, GOES_ON_ELSEWHERE))


def _name(caller: CallerId) -> str:
    return caller.digest.hex()
