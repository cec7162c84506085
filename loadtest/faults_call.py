"""One cell of the fault matrix: one whole call with the real pipeline, against an emulator that fails on time.

Everything between the microphone's samples and the loudspeaker's is the product; only WebRTC is left out
(:mod:`loadtest.in_process`).
"""

import asyncio
import wave
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from contracts import provider_failures as observed
from emulators import speech
from emulators.faults import Kind, Vendor
from emulators.profile import Profile
from emulators.serving import Port, bot_environment, open_ports
from emulators.world import World
from languages.catalogue import language
from loadtest.audio import Samples
from loadtest.faults_matrix import Cell, Role, TurnState
from loadtest.faults_scoring import LOUD_RMS, Debt, Outcome, Score, TurnSeen, longest_silence_ms, signs_of, worst
from loadtest.faults_voices import voices_at_once_ms
from loadtest.in_process import InProcessCall, calling
from observe.listener import Listener
from processors.tts.chain import PROBE
from processors.tts.spoken_form import spoken
from processors.turns.events import Phrase
from processors.turns.phrases import phrase_text
from services.services import Services
from settings import Settings

CLIPS: Final = Path(__file__).parents[1] / "tests" / "data"
ASKED: Final = {"book_a_room": "room", "go_forward_ten_meters": "forward", "stop": "stop"}
"""What the caller says, and the word by which one sees that it was understood."""

LONG_QUESTION: Final = "Who are you?"
SETTLE_SECS: Final = 20.0
"""Longest wait for the end of a turn: a turn that lasts longer is stuck."""

RETURN_SECS: Final = 20.0
"""How long after it is well again the vendor may be left alone."""

CELL_SECS: Final = 150.0
EARLY_SECS: Final = 0.3
"""What a turn brings may come a little before the last sample of its clip has passed."""

SORRY: Final = frozenset(
    phrase_text(phrase, "en", "", secs)
    for phrase in (Phrase.APOLOGY, Phrase.REPEAT, Phrase.BUSY, Phrase.IN_LINE, Phrase.FULL, Phrase.QUOTA)
    for secs in language("en").sentences.waits
)
COVERS: Final = frozenset(phrase_text(phrase, "en", "") for phrase in (Phrase.MOMENT, Phrase.STILL))

PROFILE: Final = Profile.model_validate(
    {
        "name": "fault matrix",
        "timing": {
            vendor.value: {"first_byte": {"p50_ms": 150}, "between": {"p50_ms": 10}, "final": {"p50_ms": 120}}
            for vendor in Vendor
        },
        "groq_tokens_per_sec": 12.0,
    }
)
"""Fast enough for a conversation, slow enough to be caught in the middle of an answer."""

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
                score = await FaultyCall(cell).run()
        except Exception as error:  # noqa: BLE001 - a boundary: one broken cell must not end the matrix
            score = Score(Outcome.BROKEN, problem=f"{type(error).__name__}: {error}"[:200])
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
    """

    from_secs: float
    failures: int
    served: int
    word: str | None
    under_fault: bool


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
        self._port: Port
        self._call: InProcessCall

    async def run(self) -> Score:
        """Make it."""
        _failures.set(self._failures)
        async with AsyncExitStack() as stack:
            ports = await stack.enter_async_context(open_ports(self._world, vendors=(self._vendor,)))
            self._port = ports[self._vendor]
            services = await Services.load(self._settings())
            stack.push_async_callback(services.close)
            call = self._call = await stack.enter_async_context(calling(services))
            await call.listen(0.5)
            seen = await self._until_it_fails()
            if not self._has_struck(seen):
                seen.append(await self._ask("go_forward_ten_meters"))
            await self._heal()
            recovered = await self._recovers()
        levels, signs = call.levels(), signs_of(call.messages)
        sentences = [np.frombuffer((await speech.say(text)).pcm, np.int16) for text in self._sentences()]
        heard = np.frombuffer(b"".join(call.heard), np.int16)
        return Score(
            worst([turn.outcome for turn in seen]),
            longest_silence_ms(levels, signs, self._debts),
            longest_silence_ms(levels, [], self._debts),
            await asyncio.to_thread(voices_at_once_ms, heard, sentences),
            recovered,
        )

    def _settings(self) -> Settings:
        where = bot_environment({self._vendor: self._port.port})
        values: dict[str, Any] = {"stt": "local", "llm": "scripted", "tts": "local", **self._cell.provider.settings}
        values |= {name.lower(): value for name, value in where.items()}
        return Settings(_env_file=None, greeting="", bank_file=":memory:", **values)  # pyright: ignore[reportCallIssue]

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
        self._world.faults.replace([fault.rule(self._vendor)], self._world.now())
        if fault.kind is Kind.REFUSE:
            await self._port.set_open(False)
        if fault.ends_connections:
            self._port.break_connections()

    async def _heal(self) -> None:
        """The vendor is well again."""
        self._failing = False
        self._world.faults.replace([], self._world.now())
        await self._port.set_open(True)

    def _has_struck(self, seen: Sequence[TurnSeen]) -> bool:
        """Whether the fault has met a turn; one that begins while the bot speaks may meet only the next."""
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
            case Role.LLM:
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
        begins, ends = call.say(_clip(clip))
        self._end(begins)
        if fails_in:
            with suppress(TimeoutError):  # a turn can be over sooner than it was seen
                await call.until_state(*fails_in, timeout_secs=4.0)
            await self._fail()
        self._begin(ends - _rest_secs(clip), ASKED[clip])
        await call.listen(max(0.0, ends - call.now))
        return await self._settled()

    def _begin(self, from_secs: float, word: str | None) -> None:
        self._turn = _Turn(from_secs, len(self._failures), self._served(), word, self._failing)

    def _end(self, now: float) -> None:
        if self._turn is not None:
            self._debts.append(Debt(self._turn.from_secs, now))
            self._turn = None

    async def _settled(self) -> TurnSeen:
        """Wait until the bot's turn is over, or has taken too long."""
        call, turn = self._call, self._turn
        assert turn is not None
        since = turn.from_secs - EARLY_SECS
        deadline = call.now + SETTLE_SECS
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


@cache
def _clip(name: str) -> Samples:
    with wave.open(str(CLIPS / f"{name}.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


@cache
def _rest_secs(name: str) -> float:
    """The silence at a clip's end."""
    samples = _clip(name)
    return (len(samples) - 1 - int(np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD_RMS)[-1])) / 16_000
