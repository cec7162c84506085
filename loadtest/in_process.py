"""A call without a network: the pipeline's two ends held together by a 20 ms tick of the event loop's clock.

Everything between the microphone's samples and the loudspeaker's is the product; only WebRTC is left out. In virtual
time (:mod:`loadtest.virtual_time`) a call takes as long as its computing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import numpy as np
from pipecat.frames.frames import Frame

import bot
from cluster.node import ClusterNode
from contracts.caller_identity import CallerIdentity
from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ, ClientReadyFrame, UserTextFrame
from loadtest.audio import Samples
from loadtest.offline_call import OfflineCall
from services.services import Services
from transports.playout import PlayoutEngine
from transports.takeover import CallerId

TICK_SECS: Final = 0.02
IN_SAMPLES: Final = INPUT_SAMPLE_RATE_HZ // 50
OUT_SAMPLES: Final = OUTPUT_SAMPLE_RATE_HZ // 50

ROOM_RMS: Final = 12.0
"""A quiet room through a microphone: about -69 dBFS."""

LOUD_RMS: Final = 300.0
"""The level that counts as sound: -41 dBFS."""


class PlayoutTick(NamedTuple):
    """What the playout did in one tick of 20 ms.

    Attributes:
        content: Samples of the reply that were played; the rest was silence, or a fade.
        position: Samples of replies that had left, or were dropped, after it.
        pending: Samples that were waiting after it.
        ducked: Whether the voice was lowered.
    """

    content: int
    position: int
    pending: int
    ducked: bool

    @property
    def held_back(self) -> bool:
        """Whether there was something to play and it was not played."""
        return self.content == 0 and self.pending > 0


class InProcessCall(OfflineCall):
    """One call; :func:`calling` runs it.

    Args:
        pc_id: Its name.
        room_rms: The level of the room around the caller. 0: the microphone is muted, as of one who types; then there
            is nothing for the bot to judge, which takes most of a call's computing.

    Attributes:
        began_secs: Monotonic time of the first tick.
        ticks: What the playout did in each tick.
        heard: What the bot played: 24 kHz int16, one entry for each tick.
        states: When the turn machine changed its state: (seconds since the call began, name).
        messages: What the client was told: (seconds, type, data); a ``server-message`` has the type that it carries.
    """

    def __init__(self, pc_id: str = "in-process", room_rms: float = ROOM_RMS) -> None:
        self._engine = PlayoutEngine(sample_rate_hz=OUTPUT_SAMPLE_RATE_HZ)
        super().__init__(pc_id, self._engine)
        self._room_rms = room_rms
        self.quality: dict[str, float] = {}
        self.identity: CallerIdentity | None = None
        self.request_data: dict[str, Any] = {}
        self.began_secs = 0.0
        self.heard: list[bytes] = []
        self.ticks: list[PlayoutTick] = []
        self.states: list[tuple[float, str]] = [(0.0, "listening")]
        self.messages: list[tuple[float, str, dict[str, Any]]] = []
        self.caller: CallerId | None = None
        self.may_speak: Callable[[], bool] = lambda: True
        self._room = np.random.default_rng(seed=1)
        self._saying = np.empty(0, np.int16)
        self._changed = asyncio.Event()

    @property
    def now(self) -> float:
        """Seconds of audio that have passed since the call began."""
        return len(self.heard) * TICK_SECS

    def lose(self) -> None:
        """The call goes on elsewhere."""
        self.closed.set()

    def send_message(self, message: dict[str, Any]) -> None:
        """Note what the client is told."""
        if self._input.tap is not None:
            self._input.tap.sent(message)
        data = message.get("data") or {}
        type_ = str(data["type"] if message["type"] == "server-message" else message["type"])
        self.messages.append((self.now, type_, data))
        if type_ == "turn-state":
            self.states.append((self.now, str(data["state"])))
        self._changed.set()

    def told(self, type_: str) -> list[dict[str, Any]]:
        """Data of all messages of a type."""
        return [data for _, told, data in self.messages if told == type_]

    @property
    def state(self) -> str:
        """The turn machine's state."""
        return self.states[-1][1]

    # --- the caller ------------------------------------------------------------------------

    def say(self, samples: Samples) -> tuple[float, float]:
        """Say 16 kHz samples from the next tick on.

        Returns:
            When they begin and end, in seconds of the call.
        """
        self._saying = np.concatenate([self._saying, samples])
        return self.now, self.now + len(self._saying) / INPUT_SAMPLE_RATE_HZ

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.take(UserTextFrame(text))

    async def take(self, frame: Frame) -> None:
        """Send the frame that some message of the client's would stand for."""
        await self._input.take(frame)

    async def listen(self, secs: float) -> None:
        """Let time pass."""
        until = self.now + secs
        while self.now < until - TICK_SECS / 2:  # noqa: ASYNC110 - the tick is time itself
            await asyncio.sleep(TICK_SECS)

    async def until_state(self, *states: str, timeout_secs: float = 15.0) -> None:
        """Wait for the turn machine to be in one of some states.

        Raises:
            TimeoutError: It is in another.
        """
        async with asyncio.timeout(timeout_secs):
            while self.state not in states:
                self._changed.clear()
                await self._changed.wait()

    def levels(self, from_secs: float = 0.0) -> np.ndarray:
        """Root mean square of each 20 ms that the bot played from a time on."""
        blocks = self.heard[round(from_secs / TICK_SECS) :]
        samples = np.frombuffer(b"".join(blocks), np.int16).astype(np.float32).reshape(-1, OUT_SAMPLES)
        return np.sqrt(np.mean(samples**2, axis=1))

    # --- the tick --------------------------------------------------------------------------

    async def run(self) -> None:
        """Play and record until cancelled, without drift."""
        loop = asyncio.get_running_loop()
        began = self.began_secs = loop.time()
        while True:
            await self._input.hear(self._next_packet())
            self.heard.append(self._output.pull(OUT_SAMPLES))
            engine = self._engine
            self.ticks.append(PlayoutTick(engine.last_content[1], engine.played, engine.pending, engine.ducked))
            await asyncio.sleep(began + self.now - loop.time())

    def _next_packet(self) -> bytes:
        packet = self._room.standard_normal(IN_SAMPLES) * self._room_rms
        said, self._saying = self._saying[:IN_SAMPLES], self._saying[IN_SAMPLES:]
        packet[: len(said)] += said
        return np.clip(packet, -32768, 32767).astype(np.int16).tobytes()


@asynccontextmanager
async def calling(
    services: Services, call: InProcessCall | None = None, node: ClusterNode | None = None, *, returns: bool = False
) -> AsyncIterator[InProcessCall]:
    """Run a call's real pipeline around the block.

    Args:
        services: What calls share.
        call: One that keeps more than usual.
        node: The process among several.
        returns: Whether the caller comes back to a call that has begun.
    """
    call = call or InProcessCall()
    pipeline = asyncio.create_task(bot.run_call(call, services, node=node))
    tick = asyncio.create_task(call.run())
    try:
        await call.listen(0.1)
        await call.take(ClientReadyFrame(returns=returns))
        yield call
    finally:
        call.end("the caller hung up")
        async with asyncio.timeout(10):
            await pipeline
        tick.cancel()
