"""``python -m loadtest interruptions --echo``: the bot's own voice comes back through the caller's microphone.

Each path (level, delay, room) is tried in two ways. *Alone* the caller says nothing while the bot greets and answers
twice: whatever cuts the bot or becomes a turn was its own voice. *Spoken over* a caller interrupts with a recorded
clip: the interruption must still cut. Virtual time, the real VAD, the real recogniser and the real verdict.
"""

import argparse
import itertools
import json
import logging
import multiprocessing
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import soxr
from loguru import logger
from tqdm import tqdm

from contracts.frames import INPUT_SAMPLE_RATE_HZ
from loadtest import virtual_time
from loadtest.audio import SAMPLE_RATE_HZ as CLIP_RATE_HZ
from loadtest.audio import load_wav
from loadtest.echo_room import EchoRoom, EchoSetup
from loadtest.in_process import InProcessCall, calling
from loadtest.rows import percentile
from loadtest.talkers import SpokenOnce, Teller
from processors import compat
from services.services import Services
from settings import Settings, load

GAINS_DB: Final = (-10.0, -20.0, -30.0, -40.0, -50.0)
DELAYS_MS: Final = (20.0, 60.0, 120.0, 200.0, 300.0, 400.0)
REVERB_SECS: Final = (0.0, 0.25)
HARDER: Final = (
    EchoSetup(-10, 120, 0.25, drift_ppm=200),
    EchoSetup(-30, 200, 0.25, drift_ppm=-200),
    EchoSetup(-20, 150, 0.25, loss=0.03),
    EchoSetup(-40, 250, 0.0, loss=0.05),
    EchoSetup(-20, 80, 0.45),
)
"""Clocks that drift, packets that are lost both ways, a room that sounds long."""

ALONE_SECS: Final = 8.0
"""How long the bot is listened to in each of its answers."""

AFTER_SECS: Final = 3.0

GREETING: Final = "Hello, you are through to the bank. What can I do for you today?"

TYPED_SECS: Final = 0.5
"""A cut so soon after a typed text is that text's."""


class EchoingCall(InProcessCall):
    """A call whose loudspeaker is heard by its microphone.

    Args:
        setup: The path between the two.
    """

    def __init__(self, setup: EchoSetup) -> None:
        super().__init__("echo")
        self._echo = EchoRoom(setup)
        self._echoed = 0

    def _next_packet(self) -> bytes:
        while self._echoed < len(self.heard):
            self._echo.play(self.heard[self._echoed])
            self._echoed += 1
        near = np.frombuffer(super()._next_packet(), np.int16)
        return self._echo.send(near + self._echo.hear(len(near)))


@dataclass(frozen=True)
class EchoRow:
    """What one call with an echo did.

    Attributes:
        setup: The path.
        clip: What was said over the bot; empty: nothing.
        cuts: Replies that were cut by a sound.
        turns: Turns that sounds became.
        lowered_secs: How long the voice was lowered or silent.
        verdict_ms: From the clip's first loud sample to the first cut; None without one.
        early_cuts: Cuts before the clip began.
        texts: What the recogniser read.
    """

    setup: EchoSetup
    clip: str
    cuts: int
    turns: int
    lowered_secs: float
    verdict_ms: int | None = None
    early_cuts: int = 0
    texts: tuple[str, ...] = ()


def paths() -> list[EchoSetup]:
    """All paths that are tried."""
    grid = itertools.product(GAINS_DB, DELAYS_MS, REVERB_SECS)
    return [EchoSetup(gain, delay, reverb) for gain, delay, reverb in grid] + list(HARDER)


def spoken_over(clips: Sequence[tuple[Path, str, str]]) -> Iterator[tuple[EchoSetup, Path, str]]:
    """Each clip over paths in turn, so that each path meets some clips, and each clip some paths."""
    every = itertools.cycle(paths())
    for path, name, _ in clips:
        for _ in range(2):
            yield next(every), path, name
            next(every)


async def alone(call: EchoingCall, setup: EchoSetup) -> EchoRow:
    """The bot greets and answers twice; the caller types, and never speaks."""
    typed: list[float] = []
    await call.listen(2.0)
    for question in ("Tell me all about it.", "And once more, please.", "Thank you."):
        typed.append(call.now)
        await call.type(question)
        await call.until_state("speaking")
        await call.listen(ALONE_SECS)
    await call.listen(AFTER_SECS)
    cuts = [at for at, type_, data in call.messages if type_ == "reply-played" and data["cut"]]
    by_sound = [at for at in cuts if not any(0 <= at - when < TYPED_SECS for when in typed)]
    turns = _turns(call) - len(typed)
    return EchoRow(setup, "", len(by_sound), turns, _lowered_secs(call, 0.0), texts=_texts(call))


async def over(call: EchoingCall, setup: EchoSetup, name: str, samples: np.ndarray, before_secs: float) -> EchoRow:
    """Somebody speaks over the bot and its echo."""
    await call.type("Tell me all about it.")
    await call.until_state("speaking")
    await call.listen(before_secs)
    start, end = call.say(samples)
    await call.listen(end - start + AFTER_SECS)
    cuts = [at for at, type_, data in call.messages if type_ == "reply-played" and data["cut"]]
    meant = [at for at in cuts if at >= start]
    return EchoRow(
        setup,
        name,
        len(meant),
        _turns(call) - 1,
        _lowered_secs(call, start),
        round(1000 * (meant[0] - start)) if meant else None,
        len(cuts) - len(meant),
        _texts(call),
    )


def run(setup: EchoSetup, clip: tuple[Path, str] | None, guard: bool) -> EchoRow:
    """One call; blocks, for the seconds of CPU that it takes.

    Args:
        setup: The path.
        clip: What is said over the bot, and its name; None: nothing.
        guard: Whether the filter looks for echoes.
    """
    settings, loaded = _worker_services(guard)

    async def scene() -> EchoRow:
        if not loaded:
            loaded.append(await Services.load(settings))
            loaded[0].voice = SpokenOnce(loaded[0].voice)
        loaded[0].language_model = Teller()
        call = EchoingCall(setup)
        async with calling(loaded[0], call):
            if clip is None:
                return await alone(call, setup)
            return await over(call, setup, clip[1], load_clip(clip[0]), before_secs(setup, clip[1]))

    return virtual_time.run(scene(), loop=virtual_time.VirtualTimeLoop(charge_jobs=1.0))


def before_secs(setup: EchoSetup, name: str) -> float:
    """How long the bot has been speaking when somebody speaks over it: from the first second on."""
    return 0.6 + zlib.crc32(f"{setup} {name}".encode()) % 300 / 100


@cache
def _worker_services(guard: bool) -> tuple[Settings, list[Services]]:
    logger.remove()
    logging.disable(logging.WARNING)
    compat.install()
    return load(llm="scripted", greeting=GREETING, echo_guard=guard), []


def run_all(clips: Sequence[tuple[Path, str, str]], jobs: int, *, guard: bool = True) -> list[EchoRow]:
    """All paths alone, and the clips over them, ``jobs`` at a time."""
    wanted: list[tuple[EchoSetup, tuple[Path, str] | None]] = [(setup, None) for setup in paths()]
    wanted += [(setup, (path, name)) for setup, path, name in spoken_over(clips)]
    bar = tqdm(total=len(wanted), unit="call", disable=None)
    with bar, ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(run, setup, clip, guard) for setup, clip in wanted]
        for future in futures:
            future.add_done_callback(lambda _: bar.update())
        return [future.result() for future in futures]


def table(rows: Sequence[EchoRow]) -> str:
    """The figures as text: one line for each level, and one for the harder paths."""
    lines = [["echo", "calls", "cuts by it", "turns of it", "lowered s/call", "spoken over", "kept", "cut at p50 ms"]]
    groups = [(f"{gain:g} dB", [row for row in rows if row.setup.gain_db == gain and row.setup not in HARDER])
              for gain in GAINS_DB]  # fmt: skip
    groups += [("harder", [row for row in rows if row.setup in HARDER]), ("all", list(rows))]
    for name, group in groups:
        own, said = [row for row in group if not row.clip], [row for row in group if row.clip]
        if not group:
            continue
        kept = sum(row.cuts > 0 for row in said)
        lines.append([
            name,
            str(len(own)),
            str(sum(row.cuts for row in own) + sum(row.early_cuts for row in said)),
            str(sum(row.turns for row in own)),
            f"{np.mean([row.lowered_secs for row in own]) if own else 0:.2f}",
            str(len(said)),
            f"{kept} ({kept / max(1, len(said)):.0%})",
            str(percentile((row.verdict_ms for row in said), 50)),
        ])  # fmt: skip
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def load_clip(path: Path) -> np.ndarray:
    """A clip at 16 kHz."""
    return soxr.resample(load_wav(path), CLIP_RATE_HZ, INPUT_SAMPLE_RATE_HZ)


def _turns(call: InProcessCall) -> int:
    return max((data["turn_id"] for data in call.told("turn-state")), default=0)


def _lowered_secs(call: InProcessCall, since: float) -> float:
    return round(sum(tick.ducked or tick.held_back for tick in call.ticks[round(since / 0.02) :]) * 0.02, 2)


def _texts(call: InProcessCall) -> tuple[str, ...]:
    return tuple(data["text"] for data in call.told("user-transcription") if data["final"] and data["text"])


def main(clips: Sequence[tuple[Path, str, str]], options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    meant = [clip for clip in clips if clip[2] == (options.class_ or "interruption")]
    rows = run_all(meant, options.jobs, guard=not options.no_guard)
    if options.verbose:
        for row in rows:
            said = (
                f"{row.clip}: cut at {row.verdict_ms} ms, before {row.early_cuts}" if row.clip else f"cuts {row.cuts}"
            )
            print(f"{row.setup!s:32} {said}, turns {row.turns}, lowered {row.lowered_secs} s {list(row.texts)}")
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    return 0
