"""``python -m bench.gateway``: many callers, one vendor account, in virtual time: what the gateway makes of its limits.

The callers ask through the real gateway and the real Groq SDK; the vendor is the emulator on loopback, with a profile's
latencies and limits. No audio: a caller asks, hears at once if there is a wait, gets an answer or the refusal's
sentence, thinks, and asks on. "Silence" is the time until a caller has an answer's first word or a sign (a wait in
line, told and shown). Each row runs alone, on a clock that jumps, so the machine's speed does not matter.
"""

import argparse
import asyncio
import gc
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from contracts.llm import InQueue, LanguageModelError, LimitsTold, TextDelta
from emulators import groq
from emulators.faults import FaultRule
from emulators.log import Entry
from emulators.profile import Profile, load_profile
from emulators.world import World
from gateway.model import Gateway
from loadtest import virtual_time
from processors.context.aggregators import Conversation
from processors.context.prompt import system_prompt
from processors.tools.catalogue import offered
from services.language_models import make_language_model
from settings import Settings

THINK_SECS: Final = 8.0
STAGGER_SECS: Final = 0.5
QUESTIONS: Final = (
    "When are your branches open?",
    "What is my balance?",
    "Can I open an account with you?",
    "Please tell me about my last transactions.",
    "Who are you?",
)


@dataclass
class Ask:
    """One request of one caller, as the caller saw it. Times in seconds."""

    at: float
    sign_secs: float | None = None
    answer_secs: float | None = None
    waited: bool = False
    answered: bool = False
    told: str = ""

    def sees(self, now: float) -> None:
        """Something comes: an answer, or a sign."""
        if self.sign_secs is None:
            self.sign_secs = now - self.at

    def hears(self, now: float) -> None:
        """The answer comes."""
        if self.answer_secs is None:
            self.answer_secs = now - self.at


@dataclass
class Row:
    """One run's figures."""

    name: str
    callers: int
    requests: int = 0
    success_pct: float = 0.0
    told_pct: float = 0.0
    silent: int = 0
    refused_by_vendor_pct: float = 0.0
    too_early: int = 0
    longest_silence_ms: int = 0
    longest_wait_secs: float = 0.0
    wait_ratio: float = 0.0
    overtaken_secs: float = 0.0
    recovery_secs: float | None = None
    took_secs: float = 0.0
    notes: list[str] = field(default_factory=list)


@asynccontextmanager
async def vendor(profile: Profile, faults: Sequence[dict[str, Any]]) -> AsyncIterator[tuple[World, str]]:
    """The emulated vendor; its own faults are left out, so that a row shows one thing."""
    rules = tuple(FaultRule(vendor="groq", **fault) for fault in faults)  # pyright: ignore[reportArgumentType]
    world = World(profile.model_copy(update={"faults": rules}))
    runner = web.AppRunner(groq.make_app(world), shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield world, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def caller(gate: Gateway, name: str, requests: int, prompt: str, specs: Sequence[Any]) -> list[Ask]:
    """Ask, listen, think, ask on, with the history that a real call has."""
    loop = asyncio.get_running_loop()
    model, conversation, asks = gate.for_call(name), Conversation(prompt, 20), []
    for number in range(requests):
        conversation.user_turn(number + 1, QUESTIONS[number % len(QUESTIONS)])
        ask, text = Ask(loop.time()), ""
        try:
            async for delta in model.stream(conversation.messages(), specs):
                match delta:
                    case LimitsTold():
                        continue
                    case InQueue():
                        ask.waited = True
                    case TextDelta():
                        text += delta.text
                        ask.hears(loop.time())
                    case _:
                        ask.answered = True
                        ask.hears(loop.time())
                ask.sees(loop.time())
        except LanguageModelError as error:
            ask.told = error.cause.value
            ask.sees(loop.time())
        asks.append(ask)
        conversation.reply(number + 1, number + 1, text or "I can't answer that right now.", cut=False)
        await asyncio.sleep(THINK_SECS)
    await model.close()
    return asks


async def run(
    name: str, callers: int, requests: int, profile: Profile, faults: Sequence[dict[str, Any]] = (), **more: Any
) -> Row:
    """One row."""
    loop = asyncio.get_running_loop()
    async with vendor(profile, faults) as (world, url):
        settings = Settings(
            _env_file=None,  # pyright: ignore[reportCallIssue]
            llm="groq",
            groq_api_key="key",
            groq_url=url,
            llm_fallback="none",
            reply_cache_secs=0,
            **more,
        )
        gate = make_language_model(settings)
        assert isinstance(gate, Gateway)
        tools = offered(settings, [])
        prompt, specs = system_prompt(settings, with_tools=True), [tool.spec for tool in tools]
        began = loop.time()

        async def late(number: int) -> list[Ask]:
            await asyncio.sleep(number * STAGGER_SECS)
            return await caller(gate, f"caller {number}", requests, prompt, specs)

        asks = [ask for each in await asyncio.gather(*map(late, range(callers))) for ask in each]
        await gate.close()
        row = _row(name, callers, asks, world)
        row.took_secs = round(loop.time() - began, 1)
        ends = [fault["until_secs"] for fault in faults if "until_secs" in fault]
        if ends:
            well = [entry.at_secs for entry in world.log.entries() if entry.status == 200 and entry.at_secs >= ends[0]]
            row.recovery_secs = round(min(well) - ends[0], 1) if well else None
        return row


def _row(name: str, callers: int, asks: Sequence[Ask], world: World) -> Row:
    entries = world.log.entries()
    refused = [entry for entry in entries if entry.status == 429]
    waits = sorted(ask.answer_secs for ask in asks if ask.answered and ask.waited and ask.answer_secs is not None)
    row = Row(name, callers, len(asks))
    row.success_pct = round(100 * sum(ask.answered for ask in asks) / len(asks), 1)
    row.told_pct = round(100 * sum(bool(ask.told) for ask in asks) / len(asks), 1)
    row.silent = sum(not ask.answered and not ask.told for ask in asks)
    row.refused_by_vendor_pct = round(100 * len(refused) / max(1, len(entries)), 2)
    row.longest_silence_ms = round(1000 * max(ask.sign_secs or 0.0 for ask in asks))
    row.longest_wait_secs = round(max(waits, default=0.0), 1)
    row.wait_ratio = round(max(waits) / statistics.median(waits), 2) if waits else 0.0
    row.overtaken_secs = round(overtaken_secs([(ask.at, ask.answer_secs) for ask in asks if ask.answer_secs]), 1)
    row.too_early = too_early(entries)
    causes = sorted({ask.told for ask in asks if ask.told})
    row.notes = [f"told: {', '.join(causes)}"] if causes else []
    return row


def overtaken_secs(waits: Sequence[tuple[float, float]]) -> float:
    """How much longer anyone waited than a line would have let them that nobody leaves out of turn, in seconds.

    The longest wait against the median grows when the line does, however fair it is; this does not.

    Args:
        waits: Of each request that was answered: when it was made, and how long it waited, in seconds.
    """
    asked = sorted(waits)
    in_turn = sorted(at + secs for at, secs in waits)
    return max((at + secs - turn for (at, secs), turn in zip(asked, in_turn, strict=True)), default=0.0)


def too_early(entries: Sequence[Entry]) -> int:
    """Requests to a model between a refusal that told when to come back, and that time."""
    blocks = [
        (entry.detail.get("model"), told_at, told_at + float(after))
        for entry in entries
        if (after := entry.detail.get("retry_after")) is not None
        for told_at in [entry.at_secs + (entry.total_ms or 0.0) / 1000]
    ]
    return sum(
        any(model == entry.detail.get("model") and start < entry.at_secs < end for model, start, end in blocks)
        for entry in entries
    )


def history_row() -> Row:
    """A call of 200 turns: what the model is shown, and what memory it takes."""
    conversation = Conversation("prompt", 20)
    longest, sizes = 0, []
    tracemalloc.start()
    for turn in range(1, 201):
        conversation.user_turn(turn, QUESTIONS[turn % len(QUESTIONS)])
        conversation.reply(turn, turn, "We are open from nine to five on weekdays.", cut=False)
        longest = max(longest, sum(message["role"] == "user" for message in conversation.messages()))
        if turn in (100, 200):
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    row = Row("history of 200 turns", 1, 200, 100.0)
    row.notes = [f"at most {longest} turns shown", f"memory from turn 100 to 200: {sizes[1] - sizes[0]:+d} bytes"]
    return row


def rows(profile_name: str) -> list[Row]:
    """All rows, each on a clock of its own."""
    profile = load_profile(profile_name)
    plenty = {"rpm": 3000, "tpm": 10**6, "tpd": 10**8}
    wide = {name: limits.model_copy(update=plenty) for name, limits in profile.groq_models.items()}
    free = profile.model_copy(update={"groq_models": wide})
    storm = {"kind": "status", "status": 429, "retry_after": "2", "from_secs": 20, "until_secs": 50}
    plan: list[tuple[str, int, int, Profile, list[dict[str, Any]]]] = [
        ("10 callers x 5", 10, 5, profile, []),
        ("50 callers x 5, same limits", 50, 5, profile, []),
        ("a storm of 429s for 30 s", 10, 10, free, [storm]),
        ("a vendor gone for 60 s", 10, 12, free, [{"kind": "reset", "from_secs": 20, "until_secs": 80}]),
        ("a quota gone for the day", 10, 5, free, [{"kind": "quota_gone", "from_secs": 20}]),
    ]
    made = []
    for name, callers, requests, each, faults in plan:
        began = time.perf_counter()
        made.append(virtual_time.run(run(name, callers, requests, each, faults)))
        print(f"  {name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return [*made, history_row()]


def table(made: Sequence[Row]) -> str:
    """The rows as Markdown."""
    head = (
        "| run | requests | answered % | told % | silent | refused by the vendor % | sent too early "
        "| longest silence ms | longest wait s | longest / median wait | overtaken by at most s | well again after s |"
    )
    lines = [head, "|---" * 12 + "|"]
    for row in made:
        recovery = "" if row.recovery_secs is None else f"{row.recovery_secs:g}"
        notes = f" ({'; '.join(row.notes)})" if row.notes else ""
        lines.append(
            f"| {row.name}{notes} | {row.requests} | {row.success_pct:g} | {row.told_pct:g} | {row.silent} "
            f"| {row.refused_by_vendor_pct:g} | {row.too_early} | {row.longest_silence_ms} | {row.longest_wait_secs:g} "
            f"| {row.wait_ratio:g} | {row.overtaken_secs:g} | {recovery} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Print the table; returns 1 if somebody was left in silence."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument(
        "--profile", default="seed", help="limits and latencies: seed, today, or a file (default: seed)"
    )
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    made = rows(options.profile)
    print(table(made))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in made], indent=1))
    return int(any(row.silent for row in made))


if __name__ == "__main__":
    sys.exit(main())
