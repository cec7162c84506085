"""One cell of the fault matrix: one whole call with the real pipeline, against an emulator that fails on time.

Everything between the microphone's samples and the loudspeaker's is the product; only WebRTC is left out
(:mod:`loadtest.in_process`).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from contracts import provider_failures as observed
from contracts.frames import CallHoldFrame, ClientReadyFrame
from emulators import speech
from emulators.faults import Kind, Vendor
from emulators.serving import Port
from emulators.world import World
from loadtest.faults_bot import COVERS, PROFILE, SORRY, bot_of, clip_of, rest_secs
from loadtest.faults_checks import doubled, heard_off, leaked
from loadtest.faults_matrix import SECOND_TOOL, TOOL, Cell, Role, TurnState
from loadtest.faults_own import OWN_CALLS, NotedModel, TwoTools
from loadtest.faults_scoring import Debt, Outcome, Score, TurnSeen, longest_silence_ms, signs_of, worst
from loadtest.faults_voices import voices_at_once_ms
from loadtest.in_process import TICK_SECS, InProcessCall, calling
from observe.listener import Listener
from processors.tts.chain import PROBE
from processors.tts.text_normaliser import spoken
from services.services import Services

ASKED: Final = {"book_a_room": "room", "go_forward_ten_meters": "forward", "stop": "stop"}
"""What the caller says, and the word by which one sees that it was understood."""

LONG_QUESTION: Final = "Who are you?"
OTHER_QUESTION: Final = "When are you open?"
OTHER_SECS: Final = 12.0
SETTLE_SECS: Final = 20.0
"""Longest wait for the end of a turn: a turn that lasts longer is stuck."""

RETURN_SECS: Final = 20.0
"""How long after it is well again the vendor may be left alone."""

LONG_SETTLE_SECS: Final = 60.0
"""The same where the model says what it should not: that may be long, and is a reply all the same."""

NOTICED_SECS: Final = 1.2
"""How long a line is dead before it is known to be."""

CELL_SECS: Final = 240.0
EARLY_SECS: Final = 0.3
"""What a turn brings may come a little before the last sample of its clip has passed."""

_failures: ContextVar[list[str] | None] = ContextVar("failures of this cell", default=None)


class FailureWatch(Listener):
    """Gives each cell the failures of its own providers: their tasks inherit the cell's context."""

    def vendor_failed(self, role: str, vendor: str, error: str) -> None:
        """A provider failed, and something else took its place."""
        failures = _failures.get()
        if failures is not None:
            failures.append(f"{role} {vendor}: {error}")


@contextmanager
def watching() -> Iterator[None]:
    """Watch the providers of all cells."""
    watch = FailureWatch()
    observed.add_listener(watch)
    try:
        yield
    finally:
        observed.remove_listener(watch)


async def measure(cell: Cell) -> Score:
    """Make the call.

    A cell whose call cannot even be made, or breaks, is a failure with its reason: the matrix goes on.
    """
    async with _lateness() as late_ms:
        try:
            async with asyncio.timeout(CELL_SECS):
                score = await (OWN_CALLS.get(cell.fault.name) or FaultyCall)(cell).run()
        except Exception as error:  # noqa: BLE001 - a boundary: one broken cell must not end the matrix
            score = Score(Outcome.BROKEN, problem=f"{type(error).__name__}: {error}"[:200])
    if score.requests > cell.fault.requests:
        score = replace(score, wrong=(*score.wrong, f"{score.requests} requests for one turn"))
    return replace(score, late_ms=round(late_ms[0]))


@asynccontextmanager
async def _lateness() -> AsyncIterator[list[float]]:
    """How late the event loop has been at most, in milliseconds: what is slow may be the machine."""
    worst_ms = [0.0]
    loop = asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            due = loop.time() + 0.02
            await asyncio.sleep(0.02)
            worst_ms[0] = max(worst_ms[0], (loop.time() - due) * 1000)

    task = asyncio.create_task(watch())
    try:
        yield worst_ms
    finally:
        task.cancel()


@dataclass
class _Turn:
    """A turn of the caller's: when the bot owes something for it, and what was so before.

    Attributes:
        from_secs: The end of the question.
        failures: How often another provider had stepped in before.
        served: How often the vendor had done its part before.
        word: What must be understood; None: nothing, it was typed.
        under_fault: Whether the vendor failed meanwhile.
        requests: How many requests to the language model there had been before.
    """

    from_secs: float
    failures: int
    served: int
    word: str | None
    under_fault: bool
    requests: int


class FaultyCall:
    """One call, in which a vendor fails and comes back.

    Args:
        cell: What goes wrong, and when.
    """

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._vendor = cell.provider.vendor
        self._world = World(PROFILE)
        self._failing = False
        self._failures: list[str] = []
        self._debts: list[Debt] = []
        self._turn: _Turn | None = None
        self._asked: Counter[str] = Counter()
        self._most_requests = 0
        self._back_secs = 0.0
        self._wrong: list[str] = []
        self._prompts = NotedModel()
        self._tools = TwoTools()
        self._port: Port
        self._call: InProcessCall

    async def run(self) -> Score:
        """Make it."""
        _failures.set(self._failures)
        async with AsyncExitStack() as stack:
            self._port, services = await stack.enter_async_context(bot_of(self._cell.provider, self._world))
            if self._cell.provider.role is Role.STT:
                services.language_model = self._prompts
            services.tools = self._tools.all if self._cell.fault.kind is Kind.PARALLEL_CALLS else services.tools
            call = self._call = await stack.enter_async_context(calling(services))
            await call.listen(0.5)
            if self._cell.fault.from_the_start:
                await self._fail()
            seen = await self._until_it_fails()
            if not self._has_struck(seen):
                seen.append(await self._ask("go_forward_ten_meters"))
            if self._cell.fault.of_one_call and not await _is_answered(services):
                self._wrong.append("another call noticed")
            if self._cell.fault.kind is Kind.PARALLEL_CALLS and set(self._tools.ran) != {TOOL, SECOND_TOOL}:
                self._wrong.append(f"only {sorted(set(self._tools.ran))} ran")
            wrong = [*self._wrong, *leaked(call.messages, self._cell.fault.unsaid)]
            await self._heal()
            recovered = await self._recovers()
        wrong += doubled(self._prompts.last, self._asked) + await self._off()
        levels, signs = call.levels(), signs_of(call.messages)
        sentences = [np.frombuffer((await speech.say(text)).pcm, np.int16) for text in self._sentences()]
        heard = np.frombuffer(b"".join(call.heard), np.int16)
        return Score(
            worst([turn.outcome for turn in seen]),
            longest_silence_ms(levels, signs, self._debts),
            longest_silence_ms(levels, [], self._debts),
            await asyncio.to_thread(voices_at_once_ms, heard, sentences),
            recovered,
            requests=self._most_requests,
            wrong=tuple(wrong),
        )

    def _sentences(self) -> set[str]:
        """All that may have been spoken: what the bot says that it spoke, and what the vendor was asked to."""
        texts = [data["text"] for _, kind, data in self._call.messages if kind == "bot-tts-text"]
        texts += [str(entry.detail.get("text", "")) for entry in self._world.log.entries()]
        return {said for text in texts if (said := spoken(text).text.strip())}

    # --- the fault -----------------------------------------------------------------------------

    async def _fail(self) -> None:
        """The fault begins."""
        fault = self._cell.fault
        self._failing = True
        if self._turn is not None:
            self._turn.under_fault = True
        if fault.kind is None:
            await self._lose_connection(fault.lost_secs)
            return
        self._world.faults.replace([fault.rule(self._vendor)], self._world.now())
        if fault.kind is Kind.REFUSE:
            await self._port.set_open(False)
        if fault.ends_connections:
            self._port.break_connections()

    async def _lose_connection(self, secs: float) -> None:
        """The line is gone for a while; nothing is owed meanwhile."""
        call = self._call
        turn = self._turn
        self._end(call.now)
        await call.take(CallHoldFrame(True, unheard_secs=min(secs, NOTICED_SECS)))
        await call.listen(secs)
        await call.take(ClientReadyFrame())
        await call.take(CallHoldFrame(False))
        self._back_secs = call.now
        if turn is not None:
            self._turn = replace(turn, from_secs=call.now)

    async def _heal(self) -> None:
        """The vendor is well again."""
        self._failing = False
        self._world.faults.replace([], self._world.now())
        await self._port.set_open(True)

    def _has_struck(self, seen: Sequence[TurnSeen]) -> bool:
        """Whether the fault has met a turn; one that begins while the bot speaks may meet only the next."""
        if not self._cell.provider.role.is_vendor:
            return True
        if self._cell.provider.role is Role.STT:
            return self._cell.state not in (TurnState.THINKING, TurnState.BOT_SPEAKING)
        if any(turn.outcome is not Outcome.VENDOR for turn in seen):
            return True
        return any(entry.fault for entry in self._world.log.entries())

    async def _recovers(self) -> bool:
        """Whether the vendor answers again, or another one where the vendor is to be left alone.

        Behind the language model there is no other one here: while it is to be left alone, each turn is told so.
        """
        enough = (Outcome.VENDOR,)
        if not self._cell.fault.returns:
            told = (Outcome.TOLD,) if self._cell.provider.role is Role.LLM else ()
            enough = (Outcome.VENDOR, Outcome.NEXT, *told)
        until = self._call.now + RETURN_SECS
        while True:
            seen = await self._ask("book_a_room")
            if seen.outcome in enough:
                return True
            if self._call.now > until:
                return False

    def _served(self) -> int:
        """How often the vendor has done its part: words understood, tokens, or sentences that sounded."""
        entries = self._world.log.entries()
        match self._cell.provider.role:
            case Role.STT:
                return sum(len([text for text in entry.detail.get("texts", ()) if text]) for entry in entries)
            case Role.LLM | Role.LINE | Role.TOOL | Role.CALLER:
                return sum(1 for entry in entries if entry.completion_tokens > 1)
            case Role.TTS:
                spoken_ = [entry for entry in entries if entry.bytes_out]
                return sum(1 for entry in spoken_ if str(entry.detail.get("text", "")).strip() != PROBE)

    # --- the call ------------------------------------------------------------------------------

    async def _until_it_fails(self) -> list[TurnSeen]:
        """Come to the state, let the fault begin, and see the turn that is under way to its end."""
        call = self._call
        match self._cell.state:
            case TurnState.LISTENING:
                await self._fail()
                await call.listen(0.3)
                return [await self._ask("book_a_room")]
            case TurnState.USER_SPEAKING:
                return [await self._ask("book_a_room", "user_speaking")]
            case TurnState.THINKING:
                return [await self._ask("book_a_room", "thinking")]
            case TurnState.BOT_SPEAKING:
                await self._ask_at_length()
                await call.listen(0.3)
                await self._fail()
                return [await self._settled()]
            case TurnState.JUDGING:
                await self._ask_at_length()
                await call.listen(1.0)
                call.say(clip_of("sneeze"))
                with suppress(TimeoutError):  # the reply may be over before anything is heard
                    await call.until_state("paused", timeout_secs=1.0)
                await self._fail()
                return [await self._settled()]
            case TurnState.BARGE_IN:
                await self._ask_at_length()
                await call.listen(1.0)
                return [await self._ask("stop", "paused", "user_speaking")]

    async def _ask_at_length(self) -> None:
        """Type a question with a long answer, and wait for the answer to begin."""
        self._begin(self._call.now, None)
        await self._call.type(LONG_QUESTION)
        await self._call.until_state("speaking")

    async def _ask(self, clip: str, *fails_in: str) -> TurnSeen:
        """Say something, let the vendor fail in one of these states, and wait until the turn is over."""
        call = self._call
        begins, ends = call.say(clip_of(clip))
        self._end(begins)
        if fails_in:
            with suppress(TimeoutError):  # a turn can be over sooner than it was seen
                await call.until_state(*fails_in, timeout_secs=4.0)
            await self._fail()
        self._asked[ASKED[clip]] += 1
        # Words that were understood before the line was lost are shown before it is back.
        word = ASKED[clip] if call.now > self._back_secs else None
        self._begin(max(ends - rest_secs(clip), self._back_secs), word)
        await call.listen(max(0.0, ends - call.now))
        return await self._settled()

    def _begin(self, from_secs: float, word: str | None) -> None:
        self._turn = _Turn(from_secs, len(self._failures), self._served(), word, self._failing, self._requests())

    def _end(self, now: float) -> None:
        if self._turn is not None:
            self._debts.append(Debt(self._turn.from_secs, now))
            self._most_requests = max(self._most_requests, self._requests() - self._turn.requests)
            self._turn = None

    def _requests(self) -> int:
        return sum(1 for entry in self._world.log.entries(Vendor.GROQ.value) if entry.what == "chat")

    async def _off(self) -> list[str]:
        """Where history holds other words of the first reply than were heard, if it was cut."""
        if not self._cell.fault.from_the_start:
            return []
        played = [(at, data) for at, kind, data in self._call.messages if kind == "reply-played"]
        if not played or not played[0][1]["cut"]:
            return []
        ticks = self._call.ticks[: round(played[0][0] / TICK_SECS)]
        texts = [str(entry.detail.get("text", "")).strip() for entry in self._world.log.entries() if entry.bytes_out]
        return await heard_off(ticks, [text for text in texts if text != PROBE], played[0][1]["heard"])

    async def _settled(self) -> TurnSeen:
        """Wait until the bot's turn is over, or has taken too long."""
        call, turn = self._call, self._turn
        assert turn is not None
        since = turn.from_secs - EARLY_SECS
        deadline = call.now + (SETTLE_SECS if self._cell.fault.kind is not Kind.REPLY else LONG_SETTLE_SECS)
        while call.now < deadline:
            await call.listen(0.04)
            replied = any(at > since and kind in ("reply-played", "error") for at, kind, _ in call.messages)
            if replied and call.state == "listening" and call.states[-1][0] > since:
                break
        self._end(call.now)
        return self._what_came_of(turn)

    def _what_came_of(self, turn: _Turn) -> TurnSeen:
        after = [message for message in self._call.messages if message[0] > turn.from_secs - EARLY_SECS]
        replies = [data for _, kind, data in after if kind == "reply-played"]
        words = [data["text"] for _, kind, data in after if kind == "user-transcription"]
        return TurnSeen(
            heard=[(reply["heard"], reply["error"]) for reply in replies if reply["heard"].strip() not in COVERS],
            phrases=SORRY,
            understood=None if turn.word is None else turn.word in " ".join(words).lower(),
            shown=sum(1 for _, kind, _ in after if kind == "error"),
            served=self._served() > turn.served,
            failures=len(self._failures) > turn.failures,
        )


async def _is_answered(services: Services) -> bool:
    """Whether a caller who asks something else is answered without a fault."""
    async with calling(services) as other:
        await other.listen(0.5)
        await other.type(OTHER_QUESTION)
        await other.listen(OTHER_SECS)
        replies = other.told("reply-played")
    heard = [str(reply["heard"]).strip() for reply in replies if reply["error"] is None]
    return not other.told("error") and any(text and text not in SORRY | COVERS for text in heard)
