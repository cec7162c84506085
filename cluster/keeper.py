"""Keeps one call's state outside its process, and knows whether the call is still this process's."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from loguru import logger

from cluster.call_state import CallState, letters
from cluster.ownership import Answer, Ownership, Phase
from cluster.sealing import seal
from contracts.vendor_errors import kind
from processors.tools.base import ToolError

STATE_SECS: Final = 0.25
"""A call's state is written at most so often ..."""

HEARD_SECS: Final = 0.05
"""... and how far its reply was heard."""

TOGETHER_SECS: Final = 0.005
"""What happens within so little time is written at once."""

LAST_WORD_SECS: Final = 0.03
"""So long after the last packet its words are told."""

LEAVE_TRIES: Final = 3

FLUSH_SECS: Final = 0.5
"""How long something that changes the world waits until it is known outside."""

FAILURES_TOLD: Final = 2
"""So many failures in a row are told in the log."""

ANSWER_SECS: Final = 1.0
"""A store that does not answer within this is away. Longer than where each caller waits: here only one who comes back
does, and whose call is lost if it is given up too soon."""

AWAY_SECS: Final = 1.0
"""How long a store that did not answer is left alone."""


class Store(Protocol):
    """What is used of :class:`~cluster.store.RedisStore`."""

    async def begin(self, call: str, node: str) -> int:
        """A new call."""
        ...

    async def save(self, call: str, node: str, fence: int, heard: tuple[int, int], state: bytes | None) -> int:
        """Keep its state."""
        ...

    async def end(self, call: str, fence: int) -> None:
        """It is over."""
        ...


class StoreHealth:
    """Whether the store answers: told in the log when that changes, and counted."""

    def __init__(self) -> None:
        self.away = False
        self.failures = 0
        self._in_a_row = 0

    def failed(self, error: Exception) -> None:
        """It did not answer. Once may be a hiccup of ours."""
        self.failures += 1
        self._in_a_row += 1
        if self._in_a_row == FAILURES_TOLD:
            logger.warning("Redis: {}; calls go on, but none could be taken up by another node now", kind(error))
        self.away = True

    def answered(self) -> None:
        """It did."""
        if self._in_a_row >= FAILURES_TOLD:
            logger.info("Redis answers again: calls can be taken up by other nodes")
        self.away = False
        self._in_a_row = 0


@dataclass(frozen=True)
class KeptAs:
    """Under which name a call is kept.

    Attributes:
        call: The name in the store: it cannot be guessed.
        key: What seals the state.
        node: The node that writes.
    """

    call: str
    key: bytes
    node: str


class CallKeeper:
    """One call's. Writes in a task of its own: nothing that is heard waits for it.

    Args:
        store: Where.
        kept_as: Under which name.
        ownership: The right to the call; None: it is a new one.
        state: Tells the call's state.
        lost: Called when another node has taken the call up.
        health: Is told how the store does.
    """

    def __init__(
        self,
        store: Store,
        kept_as: KeptAs,
        ownership: Ownership | None,
        state: Callable[[], CallState],
        lost: Callable[[], None],
        health: StoreHealth,
    ) -> None:
        self._store = store
        self.kept_as = kept_as
        self.ownership = ownership
        self._state = state
        self._lost = lost
        self._health = health
        self._dirty = asyncio.Event()
        self._words_only = True
        self._leaves = False
        self._writing = asyncio.Lock()
        self._saved = b""
        self._text_saved = (0, 0)
        """The reply whose text was saved last, and how much of it: no more of it is heard than was saved."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self.changed()
        self._task = asyncio.create_task(self._write_for_ever(), name="call state")

    def changed(self) -> None:
        """Something counts that has happened: write soon."""
        self._words_only = False
        self._dirty.set()

    def word_heard(self) -> None:
        """One more word was heard: write at once."""
        self._dirty.set()

    def told(self, answer: Answer) -> None:
        """The store has said whether the call is still ours."""
        if self.ownership is None or self.ownership.phase is Phase.LOST:
            return
        self.ownership.told(answer, asyncio.get_running_loop().time())
        if self.ownership.phase is Phase.LOST:
            logger.warning("a call of this node has been taken up by another one: this side of it hangs up")
            self._lost()

    async def leave(self) -> bool:
        """Say nothing more, and write down how far the call has come; False: that could not be written."""
        self._leaves = True
        await asyncio.sleep(LAST_WORD_SECS)  # what has left is told
        for _ in range(LEAVE_TRIES):
            await self._write(whole=True)
            if not self._health.away:
                return True
        self._leaves = False
        return False

    def may_speak(self) -> bool:
        """Whether the call's voice may be heard from here."""
        return not self._leaves and self._owned()

    def _owned(self) -> bool:
        return self.ownership is None or self.ownership.may_speak(asyncio.get_running_loop().time())

    async def before_effect(self) -> None:
        """Something is about to be changed in the world: whoever takes the call up must know.

        Raises:
            ToolError: The call is another node's.
        """
        try:
            async with asyncio.timeout(FLUSH_SECS):
                await self._write(whole=True)
        except TimeoutError:
            pass  # the store is away: the call goes on alone
        if self.ownership is not None and self.ownership.phase is Phase.LOST:
            raise ToolError("the call goes on elsewhere")

    async def close(self, *, forget: bool) -> None:
        """Write no more.

        Args:
            forget: Whether the call is over, and not to be taken up by anybody.
        """
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=FLUSH_SECS)
        ours = self.ownership is not None and self.ownership.phase is not Phase.LOST
        if forget and ours and self.ownership is not None:
            await self._ask(self._store.end(self.kept_as.call, self.ownership.fence))

    async def _write_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        whole_at = 0.0
        while self.ownership is None or self.ownership.phase is not Phase.LOST:
            await self._dirty.wait()
            await asyncio.sleep(TOGETHER_SECS)
            self._dirty.clear()
            whole = not self._words_only and loop.time() >= whole_at
            if whole:
                self._words_only = True
                whole_at = loop.time() + STATE_SECS
            elif not self._words_only:
                loop.call_at(whole_at, self._dirty.set)
            await self._write(whole=whole)
            await asyncio.sleep(AWAY_SECS if self._health.away else HEARD_SECS)

    async def _write(self, *, whole: bool) -> None:
        async with self._writing:
            if self.ownership is None:
                fence = await self._ask(self._store.begin(self.kept_as.call, self.kept_as.node))
                if fence is None:
                    self._write_again()
                    return
                self.ownership = Ownership(int(fence), asyncio.get_running_loop().time())
            state = self._state()
            reply = state.reply
            heard = (reply.reply_id, reply.heard_chars) if reply is not None else (0, 0)
            packed: bytes | None = None
            unknown = reply is not None and (reply.reply_id, reply.heard_chars) > self._text_saved
            if whole or unknown or not self._saved:
                still = replace(state, reply=None if reply is None else replace(reply, heard_chars=0))
                packed = still.packed()
                if packed == self._saved:
                    packed = None
            answer = await self._save(heard, packed)
            if answer == 2:
                answer = await self._save(heard, packed or self._saved)
            if answer is None:
                self._write_again()
                return
            if packed is not None:
                self._saved = packed
                self._text_saved = (reply.reply_id, letters(reply.text)) if reply is not None else (0, 0)
            self.told(Answer.NEWEST if answer else Answer.OUTDATED)

    def _write_again(self) -> None:
        self._saved = b""
        self._words_only = False
        self._dirty.set()

    async def _save(self, heard: tuple[int, int], packed: bytes | None) -> int | None:
        assert self.ownership is not None
        sealed = None if packed is None else seal(packed, self.kept_as.key)
        as_ = self.kept_as
        return await self._ask(self._store.save(as_.call, as_.node, self.ownership.fence, heard, sealed))

    async def _ask(self, asked: Any) -> Any:
        """The store's answer; None while it is away."""
        try:
            async with asyncio.timeout(ANSWER_SECS):
                answer = await asked
        except Exception as error:  # noqa: BLE001 - a boundary: whatever the client raises, calls go on
            self._health.failed(error)
            return None
        self._health.answered()
        return answer if answer is not None else True
