"""``python -m loadtest interruptions --others``: voices in the room that are not the caller's.

The caller says something first, so that their level is known. Then another voice, so many dB below theirs, speaks over
the bot's answer, and again while the bot listens. In a third call the bot asks for a yes, and the other voice says it.
The caller's own interruptions are played in the same way, at their level and at others, for what is kept of them.
Virtual time, the real VAD, recogniser and verdict.
"""

import argparse
import itertools
import json
import logging
import multiprocessing
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from loguru import logger
from tqdm import tqdm

from contracts.frames import INPUT_SAMPLE_RATE_HZ
from contracts.llm import Delta, Finish, Message, TextDelta, ToolCallDelta, ToolSpec
from loadtest import virtual_time
from loadtest.in_process import InProcessCall, calling
from loadtest.interruptions_echo import load_clip
from loadtest.talkers import SpokenOnce, Talker
from processors import compat
from processors.tools.base import Arguments, Tool, ToolContext
from services.services import Services
from settings import Settings, load

BELOW_DB: Final = (10.0, 12.0, 15.0, 18.0, 24.0)
OWN_DB: Final = (6.0, 3.0, 0.0, -3.0, -6.0)
SPEECH_RMS: Final = 2_000.0
"""The caller's level: -24 dBFS where it is voice."""

FRAME: Final = INPUT_SAMPLE_RATE_HZ // 50
ACTIVE_DB: Final = 20.0
"""Frames this far below the loud ones are pauses."""

AFTER_SECS: Final = 4.0
OPENING: Final = "speech"
YES: Final = "yes"


@dataclass(frozen=True)
class OtherRow:
    """What one call did.

    Attributes:
        clip: What was said.
        gain_db: How far above the caller's level.
        where: ``over`` the bot, while it is ``listening``, or as a ``consent``.
        counted: Whether it cut, became a turn, or was taken for a yes.
        lowered_secs: How long the bot's voice was lowered or silent for it.
    """

    clip: str
    gain_db: float
    where: str
    counted: bool
    lowered_secs: float


def levelled(samples: np.ndarray, gain_db: float) -> np.ndarray:
    """A clip whose active speech level (after ITU-T P.56: without its pauses) is so many dB above the caller's."""
    level = samples.astype(np.float32)
    powers = np.mean(level[: len(level) // FRAME * FRAME].reshape(-1, FRAME) ** 2, axis=1)
    active = powers[powers >= np.percentile(powers, 95) * 10 ** (-ACTIVE_DB / 10)]
    level *= SPEECH_RMS / float(np.sqrt(np.mean(active))) * 10 ** (gain_db / 20)
    return np.clip(level, -32_000, 32_000).astype(np.int16)


class Asker:
    """A :class:`~contracts.llm.LanguageModel` that wants to book, and asks for a yes as often as it is told to."""

    name = "asker"

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Nothing to warm."""

    async def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Call the tool for each turn, then ask."""
        if messages[-1]["role"] == "tool":
            yield TextDelta("Shall I book the room for four people?")
            yield Finish("stop")
        else:
            yield ToolCallDelta("call_0", "book", "{}")
            yield Finish("stop")

    async def close(self) -> None:
        """Nothing to close."""


async def _known_caller(call: InProcessCall, opening: np.ndarray) -> None:
    start, end = call.say(levelled(opening, 0.0))
    await call.listen(end - start)
    await call.until_state("speaking", timeout_secs=12.0)


async def over(call: InProcessCall, opening: np.ndarray, samples: np.ndarray) -> tuple[bool, float]:
    """Somebody speaks over the bot; whether that cut it, and how long its voice was lowered."""
    await _known_caller(call, opening)
    await call.listen(2.0)
    start, end = call.say(samples)
    await call.listen(end - start + AFTER_SECS)
    cut = any(at >= start for at, type_, data in call.messages if type_ == "reply-played" and data["cut"])
    ticks = call.ticks[round(start / 0.02) :]
    return cut, round(sum(tick.ducked or tick.held_back for tick in ticks) * 0.02, 2)


async def listening(call: InProcessCall, opening: np.ndarray, samples: np.ndarray) -> tuple[bool, float]:
    """Somebody speaks while the bot listens; whether that became a turn."""
    await _known_caller(call, opening)
    await call.listen(1.0)
    await call.type("Stop.")
    await call.until_state("speaking")
    await call.until_state("listening", timeout_secs=60.0)
    await call.listen(1.0)
    before = _turns(call)
    start, end = call.say(samples)
    await call.listen(end - start + AFTER_SECS)
    return _turns(call) > before, 0.0


def _turns(call: InProcessCall) -> int:
    thought = [data["turn_id"] for data in call.told("turn-state") if data["state"] == "thinking"]
    return max(thought, default=0)


@cache
def _worker_services(guard: bool) -> tuple[Settings, list[Services]]:
    logger.remove()
    logging.disable(logging.WARNING)
    compat.install()
    return load(llm="scripted", greeting="", other_voices="ignored" if guard else "heard", idle_secs=0), []


def run(opening: Path, path: Path, name: str, gain_db: float, where: str, guard: bool) -> OtherRow:
    """One call; blocks, for the seconds of CPU that it takes."""
    settings, loaded = _worker_services(guard)
    booked: list[Arguments] = []

    async def book(arguments: Arguments, context: ToolContext) -> str:
        booked.append(arguments)
        return "booked"

    async def scene() -> tuple[bool, float]:
        if not loaded:
            loaded.append(await Services.load(settings))
            loaded[0].voice = SpokenOnce(loaded[0].voice)
        services = loaded[0]
        services.language_model = Asker() if where == "consent" else Talker()
        schema = {"type": "object", "properties": {}}
        services.tools = (
            [Tool("book", "Books.", schema, book, effect=True, confirm=True, on_loop=True)]
            if where == "consent"
            else []
        )
        first, samples = load_clip(opening), levelled(load_clip(path), gain_db)
        async with calling(services) as call:
            if where == "over":
                return await over(call, first, samples)
            if where == "listening":
                return await listening(call, first, samples)
            await _known_caller(call, first)
            await call.until_state("listening", timeout_secs=20.0)
            await call.listen(0.5)
            start, end = call.say(samples)
            await call.listen(end - start + AFTER_SECS)
            return bool(booked), 0.0

    counted, lowered = virtual_time.run(scene(), loop=virtual_time.VirtualTimeLoop(charge_jobs=1.0))
    return OtherRow(name, gain_db, where, counted, lowered)


Wanted = tuple[Path, Path, str, float, str]


def wanted(clips: Sequence[tuple[Path, str, str]]) -> list[Wanted]:
    """Every call: each other voice once over the bot and once while it listens, each yes as a consent."""
    openings = itertools.cycle(path for path, _, class_ in clips if class_ == OPENING)
    others = [clip for clip in clips if clip[2] in ("speech", "interruption")]
    yeses = [clip for clip in clips if clip[2] == "backchannel" and any(w in clip[1] for w in ("yes", "okay", "yeah"))]
    below, own = itertools.cycle(BELOW_DB), itertools.cycle(OWN_DB)
    every: list[Wanted] = []
    for path, name, class_ in others:
        every.append((next(openings), path, name, -next(below), "over"))
        every.append((next(openings), path, name, -next(below), "listening"))
        if class_ == "interruption":
            every.append((next(openings), path, name, next(own), "over"))
            every.append((next(openings), path, name, next(own), "listening"))
    for path, name, _ in yeses:
        every.append((next(openings), path, name, -next(below), "consent"))
        every.append((next(openings), path, name, 0.0, "consent"))
    return every


def run_all(clips: Sequence[tuple[Path, str, str]], jobs: int, *, guard: bool = True) -> list[OtherRow]:
    """All calls, ``jobs`` at a time."""
    every = wanted(clips)
    bar = tqdm(total=len(every), unit="call", disable=None)
    with bar, ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(run, *each, guard) for each in every]
        for future in futures:
            future.add_done_callback(lambda _: bar.update())
        return [future.result() for future in futures]


def table(rows: Sequence[OtherRow]) -> str:
    """The figures as text."""
    names = {"over": "cuts", "listening": "turns", "consent": "consents"}
    lines = [["voice", *names.values(), "lowered s/call"]]
    levels = sorted({row.gain_db for row in rows}, reverse=True)
    groups = [(f"{level:+g} dB", [row for row in rows if row.gain_db == level]) for level in levels]
    groups += [
        ("caller, all", [row for row in rows if row.gain_db > -min(BELOW_DB)]),
        ("others, all", [row for row in rows if row.gain_db <= -min(BELOW_DB)]),
    ]
    for name, group in groups:
        cells = []
        for where in names:
            calls = [row for row in group if row.where == where]
            cells.append(f"{sum(row.counted for row in calls)} of {len(calls)}" if calls else "-")
        lowered = [row.lowered_secs for row in group if row.where == "over"]
        lines.append([name, *cells, f"{np.mean(lowered):.2f}" if lowered else "-"])
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def main(clips: Sequence[tuple[Path, str, str]], options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    rows = run_all(clips, options.jobs, guard=not options.no_guard)
    if options.verbose:
        for row in rows:
            print(f"{row.where:9} {row.gain_db:+5g} dB {'counted' if row.counted else '-':8} {row.clip}")
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    return 0
