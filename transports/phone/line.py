"""What calls by telephone have in common, whatever carries them: the caller's sound and keys, and how they end."""

import asyncio
from collections.abc import Coroutine, Mapping, Set
from typing import Any, Final, Protocol

from loguru import logger

from admission.token_bucket import TokenBucket
from contracts.caller_identity import CallerIdentity
from contracts.frames import CallEndsSoonFrame, ClientReadyFrame, UserTextFrame
from transports.call_input import CallInput
from transports.client_messages import MessageLimits
from transports.output import PlayoutOutput
from transports.peer import BACKLOG_SECS, FIRST_BACKLOG_SECS, GAP_SECS, MAX_FILL_SECS, MAX_PACE
from transports.receive import FRAME_MS, SILENCE
from transports.rtvi import KEYS

CLOSE_SECS: Final = 3.0
"""How long closing the line may take."""

WATCH_SECS: Final = 0.5
"""How often it is looked whether the line still carries something."""

_PIPELINE_SECS: Final = 10.0


class Voice(Protocol):
    """The bot's voice on the line."""

    def begin(self) -> None:
        """Speak from the next tick on."""
        ...

    def end(self) -> None:
        """Speak no more; does nothing the second time."""
        ...


class TelephoneCall:
    """A call from the moment it is let in to its end. Use ``input()`` and ``output()`` as the ends of a pipeline.

    Args:
        name: Our name for it.
        identity: Who the caller is, if the number is trusted; None: nobody vouches for it.
        request_data: What is known of the caller; nobody vouches for it.
        limits: How many keys the caller may press.
    """

    def __init__(
        self,
        *,
        name: str,
        identity: CallerIdentity | None = None,
        request_data: Mapping[str, Any] | None = None,
        limits: MessageLimits | None = None,
    ) -> None:
        self.pc_id = name
        self.identity = identity
        self.request_data: Mapping[str, Any] = request_data or {}
        self.connected = asyncio.Event()
        self.closed = asyncio.Event()
        self.close_reason = ""
        self.caller = None
        self.quality: dict[str, float] = {}
        self._input = CallInput()
        self._output = PlayoutOutput(self.send_message)
        self._voice: Voice | None = None
        keys = (limits or MessageLimits()).keys_per_minute
        self._keys = TokenBucket(keys / 60, max(1.0, keys / 3))
        self._pace = TokenBucket(MAX_PACE, BACKLOG_SECS, FIRST_BACKLOG_SECS)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._heard_at = 0.0
        self._filled_secs = 0.0

    # --- what a call is to others ----------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the call has ended; it may still hold something until :attr:`closed`."""
        return self._closing is not None

    @property
    def peer_names(self) -> Set[str]:
        """It has no peer connections."""
        return frozenset()

    def input(self) -> CallInput:
        """The processor that pushes the caller's sound (16 kHz mono, 20 ms) and keys."""
        return self._input

    def output(self) -> PlayoutOutput:
        """The processor whose audio the caller hears."""
        return self._output

    def send_message(self, message: dict[str, Any]) -> None:
        """A telephone shows no messages: dropped."""
        if self._input.tap is not None:
            self._input.tap.sent(message)

    def part(self) -> None:
        """End the call politely: the bot says that the line closes, and hangs up; at once if nobody listens."""
        if self.connected.is_set():
            self._spawn(self._input.take(CallEndsSoonFrame()))
        else:
            self._end("the server stops")

    def hang_up(self) -> None:
        """End the call from our side; does not wait for it."""
        self._end("the bot hung up")

    async def close(self, reason: str = "closed") -> None:
        """End the call and free all that it holds; returns when that is done. May be called from anywhere, at any time.

        Parameters:
            reason: Why, for the log; the first one counts.
        """
        await asyncio.shield(self._end(reason))

    # --- the line --------------------------------------------------------------------------------

    async def _begin(self, voice: Voice) -> None:
        """The caller listens: the bot may greet, as soon as there is one."""
        try:
            async with asyncio.timeout(_PIPELINE_SECS):
                await self._input.started.wait()
        except TimeoutError:
            self._end("the pipeline did not start")
            return
        if not self.over and voice is self._voice:
            voice.begin()
            returns = self.connected.is_set()
            self.connected.set()
            await self._input.take(ClientReadyFrame(returns=returns))

    async def _press(self, key: str, now: float) -> None:
        if key in KEYS and self._keys.take(1, now):
            await self._input.take(UserTextFrame(key, source="key"))

    async def _hear(self, pcm: bytes) -> None:
        if not self._input.hear_directly(pcm):
            await self._input.hear(pcm)

    async def _bridge_gap(self, now: float) -> None:
        """Silence where nothing comes, so that whoever was speaking comes to an end."""
        if not self._heard_at or now - self._heard_at < GAP_SECS or self._filled_secs >= MAX_FILL_SECS:
            return
        self._filled_secs += WATCH_SECS
        for _ in range(round(1000 * WATCH_SECS / FRAME_MS)):
            await self._hear(SILENCE)

    def _voice_failed(self) -> None:
        self._end("the voice failed")

    # --- the end -----------------------------------------------------------------------------------

    def _end(self, reason: str) -> asyncio.Task[None]:
        if self._closing is None:
            self.close_reason = reason
            # A task of its own: the caller may be one of the tasks that closing cancels.
            self._closing = asyncio.create_task(self._close())
        return self._closing

    async def _close(self) -> None:
        logger.info(f"call {self.pc_id} closes: {self.close_reason}")
        if self._voice is not None:
            self._voice.end()
        waiting: set[asyncio.Task[Any]] = {*self._tasks, asyncio.create_task(self._let_go())}
        await asyncio.wait(waiting, timeout=CLOSE_SECS)
        self.closed.set()

    async def _let_go(self) -> None:
        """Free what the line holds."""

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
