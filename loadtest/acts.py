"""What a caller does: requests of every kind, one after the other, on any line.

Nothing is judged here: an act notes what was said when, and :mod:`loadtest.judging` scores it from the recording.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from loadtest.audio import Clip
from loadtest.caller import CallFailed, CallRefused
from loadtest.material import Material
from loadtest.phrases import is_still_to_come
from loadtest.recording import Recording, Said
from loadtest.scenario import ASKED_FOR_MUCH, Kind, Scenario

REPLY_OVER_SECS: Final = 1.2
"""Silence after which an answer is over: the bot's own pauses between sentences are shorter."""

LONGEST_REPLY_SECS: Final = 60.0
AFTER_SOUND_SECS: Final = 4.0
"""How long one waits after a sound that should not have stopped the bot."""

MESSAGE_SECS: Final = 0.1
"""A message about what is heard comes within this time of it."""

LONGEST_WAIT_SECS: Final = 75.0
"""Whoever is told to wait waits for so long."""

GREETING_SECS: Final = 2.0
"""Whoever is called says something within this time, or waits for the caller."""

RETRY_SECS: Final = 5.0
"""How long one waits before calling a full bot again, if it does not say."""

LONGEST_LINE_SECS: Final = 3_600.0
"""Nobody waits longer than this to get in."""


class Phone(Protocol):
    """A line to the bot, as :class:`~loadtest.caller.Caller` is one."""

    @property
    def recording(self) -> Recording:
        """What passed."""
        ...

    async def connect(self) -> None:
        """Call.

        Raises:
            CallRefused: The bot said no.
            CallFailed: No connection came about.
        """
        ...

    async def hangup(self) -> None:
        """End the call; does nothing when there is none."""
        ...

    async def vanish(self) -> None:
        """Be gone without a goodbye."""
        ...

    def say(self, clip: Clip) -> "asyncio.Future[Said]":
        """Say a clip."""
        ...

    @property
    def bot_is_speaking(self) -> bool:
        """Whether the bot is heard now."""
        ...

    async def bot_speaks(self, *, timeout_secs: float) -> None:
        """Wait until the bot is heard, or raise CallFailed."""
        ...

    async def bot_is_silent(self, *, for_secs: float, timeout_secs: float) -> None:
        """Wait until the bot has been silent for a while, or raise CallFailed."""
        ...


@dataclass
class Request:
    """One request, as it was made. Times are monotonic seconds.

    Attributes:
        caller: Number of the caller.
        number: Number of the request among the caller's.
        kind: What was done.
        begun_secs: When.
        ended_secs: When the caller was done with it.
        phone: The line it was made on.
        asked: The question.
        asked_clip: Its clip.
        over: What was said over the bot's voice.
        refusal: Why there was no line, in a word; empty if there was one.
        told: Whether the caller was told why.
    """

    caller: int
    number: int
    kind: Kind
    begun_secs: float
    ended_secs: float = 0.0
    phone: Phone | None = None
    asked: Said | None = None
    asked_clip: Clip | None = None
    over: Said | None = None
    refusal: str = ""
    told: bool = False

    def quick_answer_ms(self) -> float | None:
        """About how long the answer took, for the progress line; the report's figure is scored from samples."""
        if self.phone is None or self.asked is None or self.asked.last_loud_secs is None:
            return None
        told = (m.arrival_secs for m in self.phone.recording.messages if m.type == "bot-started-speaking")
        after = [at for at in told if at >= self.asked.last_loud_secs]
        return 1000 * (after[0] - self.asked.last_loud_secs) if after else None


@dataclass
class CallMade:
    """One call.

    Attributes:
        caller: Number of the caller.
        phone: The line.
        connected_secs: Monotonic time of the connection.
        connect_ms: How long connecting took.
        waited_secs: How long the caller had waited in the queue before, because the bot was full.
        refusals: How often the caller had been told so.
        ended_secs: When it was over.
    """

    caller: int
    phone: Phone
    connected_secs: float
    connect_ms: float
    waited_secs: float = 0.0
    refusals: int = 0
    ended_secs: float = 0.0


@dataclass
class Conversation:
    """One caller's whole part in a test.

    Parameters:
        caller: Number of the caller.
        kinds: What to do, in order.
        scenario: How.
        material: What to say.
        new_phone: Gives a line that is not connected yet.
        on_request: Told of each request when it is over.

    Attributes:
        calls: All calls that came about.
        requests: All requests that were begun.
    """

    caller: int
    kinds: list[Kind]
    scenario: Scenario
    material: Material
    new_phone: Callable[[], Phone]
    on_request: Callable[[Request], Any] = lambda request: None
    calls: list[CallMade] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.scenario.seed} {self.caller}")
        self._call: CallMade | None = None

    async def run(self) -> None:
        """Make all requests; a cancel ends the call and leaves the request at hand unfinished."""
        try:
            for number, kind in enumerate(self.kinds):
                await asyncio.sleep(self._random.uniform(*self.scenario.think_secs))
                request = Request(self.caller, number, kind, time.monotonic())
                self.requests.append(request)
                await self._make(request)
                request.ended_secs = time.monotonic()
                self.on_request(request)
        finally:
            await self._hang_up()

    async def _make(self, request: Request) -> None:
        try:
            await self._prepare(request.kind)
            if self._call is None:
                await self._dial()
            request.begun_secs = time.monotonic()  # whoever waits in the queue has not asked yet
            await self._act(request)
        except CallRefused as refused:
            request.refusal, request.told = "at_capacity" if refused.status == 503 else "refused", bool(refused.body)
        except (CallFailed, OSError) as error:
            if request.phone is None:
                request.refusal = "not_connected"
            elif isinstance(error, OSError):
                raise

    async def _prepare(self, kind: Kind) -> None:
        """What comes before the question."""
        if kind is Kind.RECONNECT:
            if self._call is None:
                await self._dial()
            await self._hang_up()
        elif kind is Kind.HANG_UP:
            if self._call is None:
                await self._dial()
            assert self._call is not None
            clip = self._random.choice(self.material.questions)
            saying = self._call.phone.say(clip)
            await asyncio.sleep(clip.secs / 2)
            saying.cancel()
            await self._call.phone.vanish()
            await self._hang_up()
        elif kind is Kind.SILENCE:
            if self._call is None:
                await self._dial()
            await asyncio.sleep(self.scenario.silence_secs)

    async def _act(self, request: Request) -> None:
        assert self._call is not None
        phone = request.phone = self._call.phone
        request.asked_clip = self._random.choice(self._questions(request.kind))
        request.asked = await phone.say(request.asked_clip)
        await self._hear_answer(phone)
        if request.kind is Kind.INTERRUPTION:
            await asyncio.sleep(self.scenario.interrupt_after_secs)
            request.over = await phone.say(self._random.choice(self.material.interruptions))
            # What is on its way is not the answer to the interruption.
            with contextlib.suppress(CallFailed):
                await phone.bot_is_silent(for_secs=0.3, timeout_secs=self.scenario.answer_limit_secs / 2)
            await self._hear_answer(phone)
        elif request.kind is Kind.FALSE_ALARM:
            await asyncio.sleep(self.scenario.interrupt_after_secs)
            request.over = await phone.say(self._random.choice(self.material.false_alarms))
            await asyncio.sleep(AFTER_SOUND_SECS)
        await phone.bot_is_silent(for_secs=REPLY_OVER_SECS, timeout_secs=LONGEST_REPLY_SECS)

    async def _hear_answer(self, phone: Phone) -> None:
        """Wait for the answer to what was said last; whoever is told to wait a moment does so.

        Raises:
            CallFailed: Nothing was heard.
        """
        since = time.monotonic()
        messages = phone.recording.messages
        before = next((at for at, message in enumerate(messages) if message.arrival_secs >= since), len(messages))
        await phone.bot_speaks(timeout_secs=self.scenario.answer_limit_secs)
        await asyncio.sleep(MESSAGE_SECS)
        until = since + LONGEST_WAIT_SECS
        while is_still_to_come(messages[before:]) and time.monotonic() < until:  # noqa: ASYNC110 - a list tells nobody
            await asyncio.sleep(MESSAGE_SECS)

    def _questions(self, kind: Kind) -> tuple[Clip, ...]:
        if kind in ASKED_FOR_MUCH:
            return self.material.long_answers
        return self.material.tools if kind is Kind.TOOL else self.material.questions

    async def _dial(self) -> None:
        """Call, and while the bot is full wait and call again, as the page does.

        Raises:
            CallRefused: The bot refused for another reason, or was full all the time.
            CallFailed: No connection came about.
        """
        first, refusals = time.monotonic(), 0
        while True:
            phone = self.new_phone()
            began = time.monotonic()
            try:
                await phone.connect()
                break
            except CallRefused as refused:
                if refused.status != 503 or began - first > LONGEST_LINE_SECS:
                    raise
                refusals += 1
                await asyncio.sleep(refused.retry_after_secs or RETRY_SECS)
        now = time.monotonic()
        waited_secs = began - first if refusals else 0.0
        self._call = CallMade(self.caller, phone, now, 1000 * (now - began), waited_secs, refusals)
        self.calls.append(self._call)
        with contextlib.suppress(CallFailed):
            await phone.bot_speaks(timeout_secs=GREETING_SECS)
        await phone.bot_is_silent(for_secs=REPLY_OVER_SECS, timeout_secs=LONGEST_REPLY_SECS)

    async def _hang_up(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.ended_secs = time.monotonic()
            await call.phone.hangup()
