"""``python -m loadtest interruptions``: plays every clip of a folder over the speaking bot, and tells what it did.

The call is the product's real pipeline without a network, in virtual time, so that a figure is the same on a busy
machine: what a model's inference takes in CPU time is charged to the clock.
"""

import argparse
import asyncio
import json
import logging
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr
from loguru import logger
from tqdm import tqdm

from contracts.frames import INPUT_SAMPLE_RATE_HZ
from loadtest import (
    interruptions_echo,
    interruptions_folds,
    interruptions_others,
    interruptions_webrtc,
    virtual_time,
)
from loadtest.audio import SAMPLE_RATE_HZ as CLIP_RATE_HZ
from loadtest.audio import Samples, load_wav
from loadtest.in_process import LOUD_RMS, TICK_SECS, InProcessCall, PlayoutTick, calling
from loadtest.interruptions_folds import FoldClip
from loadtest.label_reader import LabelReader
from loadtest.rows import Row, losses, report, table
from loadtest.talkers import Talker
from processors import compat
from processors.models.files import usable_cores
from processors.turns.verdict.model import Judge, SoundModel
from processors.turns.verdict.policy import VerdictPolicy
from services.services import Services
from settings import Settings, load
from training.telephone import by_telephone
from training.unschooled import Unschooled

BEFORE_SECS: Final = 2.0
"""How long the bot has been speaking when the clip begins."""

AFTER_SECS: Final = 5.0
"""How long the call goes on after the clip."""

FLOWING_SECS: Final = 1.0
"""A bot that speaks has sent sound within this time: its own pauses between sentences are shorter."""

# --- one clip ----------------------------------------------------------------------------


async def play_over(call: InProcessCall, samples: Samples) -> tuple[float, float]:
    """Have the bot speak, play the clip over it, and let the call go on for a while.

    Returns:
        First and last loud sample of the clip, in seconds of the call.
    """
    await call.type("Tell me all about it.")
    await call.until_state("speaking")
    await call.listen(BEFORE_SECS)
    start, end = call.say(samples)
    first, last = loud_span(samples)
    await call.listen(end - start + AFTER_SECS)
    return start + first, start + last


def loud_span(samples: Samples) -> tuple[float, float]:
    """Seconds of the first and last 10 ms of 16 kHz samples that are loud; the whole clip if none are."""
    block = INPUT_SAMPLE_RATE_HZ // 100
    blocks = samples[: len(samples) // block * block].astype(np.float32).reshape(-1, block)
    loud = np.flatnonzero(np.sqrt(np.mean(blocks**2, axis=1)) >= LOUD_RMS)
    if not len(loud):
        return 0.0, len(samples) / INPUT_SAMPLE_RATE_HZ
    return loud[0] / 100, (loud[-1] + 1) / 100


def judge_call(call: InProcessCall, first: float, last: float, file: str, class_: str) -> Row:
    """What a clip from ``first`` to ``last`` (seconds of the call) did to the bot."""
    decisions: dict[int, dict[str, Any]] = {}
    for decision in (data["decision"] for data in call.told("interruption-decision")):
        decisions[decision["sound_id"]] = decision
    cut_secs = next((at for at, type_, data in call.messages if type_ == "reply-played" and data["cut"]), None)
    from_tick = round(first / TICK_SECS)
    ticks = call.ticks[from_tick:] if cut_secs is None else call.ticks[from_tick : round(cut_secs / TICK_SECS)]
    held = [index for index, tick in enumerate(ticks) if tick.held_back]
    cancels = [
        at for at, type_, data in call.messages if type_ == "interruption-decision" and _cancels(data["decision"])
    ]
    if cut_secs is not None:
        cancels.append(cut_secs)
    cancel_secs = min(cancels) if cancels else None
    if cut_secs is not None:
        outcome = "cancelled"
        silent_secs = held_since(held, len(ticks)) * TICK_SECS
    else:
        taken_back = any(decision["outcome"] == "taken_back" for decision in decisions.values())
        outcome = "taken_back" if taken_back else "resumed" if held else "kept_talking"
        silent_secs = held[0] * TICK_SECS if held else None
    return Row(
        file=file,
        class_=class_,
        outcome=outcome,
        stuck=is_stuck(call),
        samples_lost=samples_lost(ticks),
        stop_ms=None if silent_secs is None else round(1000 * (from_tick * TICK_SECS + silent_secs - first)),
        verdict_ms=None if cancel_secs is None else round(1000 * (cancel_secs - first)),
        gap_ms=0 if outcome == "cancelled" else round(1000 * len(held) * TICK_SECS),
        full_voice_ms=None if outcome == "cancelled" else full_voice_ms(call.ticks, last),
        decisions=list(decisions.values()),
    )


def _cancels(decision: dict[str, Any]) -> bool:
    return decision["verdict"] == "cancel"


def held_since(held: Sequence[int], end: int) -> int:
    """The first of the run of held-back ticks that ends at ``end``; ``end`` itself if there is none."""
    since = end
    for index in reversed(held):
        if index != since - 1:
            break
        since = index
    return since


def samples_lost(ticks: Sequence[PlayoutTick]) -> int:
    """How many more samples the playout went on than it played."""
    if not ticks:
        return 0
    return (ticks[-1].position - ticks[0].position) - sum(tick.content for tick in ticks[1:])


def full_voice_ms(ticks: Sequence[PlayoutTick], last: float) -> int:
    """From ``last`` to the end of the last tick that was lowered or held back, if that was later."""
    impaired = [index for index, tick in enumerate(ticks) if tick.ducked or tick.held_back]
    if not impaired:
        return 0
    return max(0, round(1000 * ((impaired[-1] + 1) * TICK_SECS - last)))


def is_stuck(call: InProcessCall) -> bool:
    """Whether the bot, at the end, neither listens nor is heard."""
    heard = any(tick.content for tick in call.ticks[-round(FLOWING_SECS / TICK_SECS) :])
    return call.state != "listening" and not heard


# --- all clips ---------------------------------------------------------------------------


class ManifestError(Exception):
    """The folder cannot be used; one line that says why."""


@dataclass(frozen=True)
class Labelled:
    """One clip of a manifest.

    Attributes:
        path: The file.
        name: Its name in the manifest.
        class_: Its class.
        transcript: What is said in it; empty if nothing is, or nobody knows.
        unheard: Words that the bot's lists are to lack.
    """

    path: Path
    name: str
    class_: str
    transcript: str = ""
    unheard: frozenset[str] = frozenset()


def read_manifest(path: Path) -> list[Labelled]:
    """Clips of a folder (its ``manifest.jsonl``), or of a JSON lines file.

    Raises:
        ManifestError: There is none, or a line of it cannot be used.
    """
    manifest = path / "manifest.jsonl" if path.is_dir() else path
    if not manifest.is_file():
        raise ManifestError(
            f"{manifest} does not exist; --audio takes a folder with a manifest.jsonl, or a .jsonl file"
        )
    clips = []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            name, class_ = str(entry["file"]), str(entry["class"])
            transcript = str(entry.get("transcript") or "")
        except (ValueError, KeyError, TypeError):
            raise ManifestError(f'{manifest}, line {number}: not an object with "file" and "class"') from None
        if not (manifest.parent / name).is_file():
            raise ManifestError(f"{manifest}, line {number}: {manifest.parent / name} does not exist")
        clips.append(Labelled(manifest.parent / name, name, class_, transcript))
    if not clips:
        raise ManifestError(f"{manifest} lists no clips")
    return clips


@dataclass(frozen=True)
class Bot:
    """How the bot is set up.

    Attributes:
        mode: Of interruptions.
        sensitivity: Of interruptions, 0 to 1.
        weights: Of the sound judge; None: the bot's own; "none": no judge.
        policy: Who decides instead of the bot's own rules.
        labels: Whether the words are those of the manifest, instead of the recogniser's.
        phone: Whether the caller calls by telephone: G.711 at 8 kHz.
    """

    mode: str
    sensitivity: float
    weights: str | None
    policy: VerdictPolicy | None = None
    labels: bool = False
    phone: bool = False


@cache
def _worker_services(bot: Bot) -> tuple[Settings, list[Services]]:
    logger.remove()
    logging.disable(logging.WARNING)
    compat.install()
    settings = load(llm="scripted", greeting="", interruption_mode=bot.mode, interruption_sensitivity=bot.sensitivity)
    return settings, []


def run_clip(clip: Labelled, bot: Bot) -> Row:
    """Play one clip over the bot, in a call of its own; blocks, for the seconds of CPU that it takes."""
    settings, loaded = _worker_services(bot)
    samples = soxr.resample(load_wav(clip.path), CLIP_RATE_HZ, INPUT_SAMPLE_RATE_HZ)
    if bot.phone:
        samples = by_telephone(samples, INPUT_SAMPLE_RATE_HZ, handset=False)

    async def scene() -> Row:
        if not loaded:
            loaded.append(await Services.load(settings))
            loaded[0].language_model = Talker()
            if bot.weights == "none":
                loaded[0].judge = None
            elif bot.weights is not None:
                loaded[0].judge = Judge(SoundModel.read(Path(bot.weights)))
        loaded[0].verdict_policy = Unschooled(clip.unheard) if clip.unheard else bot.policy
        if bot.labels:
            first, last = loud_span(samples)
            loaded[0].recogniser = lambda code="": LabelReader(clip.transcript, last - first)
        async with calling(loaded[0]) as call:
            first, last = await play_over(call, samples)
            return judge_call(call, first, last, clip.name, clip.class_)

    return virtual_time.run(scene(), loop=virtual_time.VirtualTimeLoop(charge_jobs=1.0))


def run_all(clips: Sequence[Labelled], bot: Bot, jobs: int) -> list[Row]:
    """Play all clips, ``jobs`` at a time, with a progress bar on a terminal."""
    return run_each([(clip, bot) for clip in clips], jobs)


def run_each(calls: Sequence[tuple[Labelled, Bot]], jobs: int) -> list[Row]:
    """Play each clip over its own bot, ``jobs`` at a time, with a progress bar on a terminal."""
    bar = tqdm(total=len(calls), unit="clip", disable=None)
    context = multiprocessing.get_context("spawn")
    with bar, ProcessPoolExecutor(jobs, mp_context=context) as pool:
        futures = [pool.submit(run_clip, clip, bot) for clip, bot in calls]
        for future in futures:
            future.add_done_callback(lambda _: bar.update())
        return [future.result() for future in futures]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--audio", type=Path, metavar="DIR", help="folder with a manifest.jsonl, or a .jsonl file itself"
    )
    source.add_argument(
        "--folds", type=Path, metavar="DIR", help="folder that training.sounds has filled: speakers and words unheard"
    )
    command.add_argument("--phone", action="store_true", help="by telephone: G.711 at 8 kHz; not with --webrtc")
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="write all figures and interruption decisions to this file"
    )
    command.add_argument(
        "--webrtc", action="store_true", help="call the bot's own process over real WebRTC, in real time"
    )
    command.add_argument(
        "--echo", action="store_true", help="the bot's own voice comes back: alone, and under the clips"
    )
    command.add_argument(
        "--others", action="store_true", help="voices below the caller's: over the bot, while it listens, as a yes"
    )
    command.add_argument(
        "--no-guard", action="store_true", help="with --echo or --others: with ECHO_GUARD=false or OTHER_VOICES=heard"
    )
    command.add_argument("--mode", choices=["duck", "pause", "cancel", "off"], default="duck", help="default: duck")
    command.add_argument("--sensitivity", type=float, default=0.5, help="0 to 1; default: 0.5")
    command.add_argument("--weights", metavar="FILE", help="other weights of the sound judge; none: words alone decide")
    command.add_argument(
        "--words",
        choices=["recogniser", "labels"],
        default="recogniser",
        help="labels: a recogniser without faults, that writes the manifest's transcripts; default: recogniser",
    )
    command.add_argument("--class", dest="class_", metavar="CLASS", help="only clips of this class")
    command.add_argument("--jobs", type=int, default=usable_cores(), help="clips at once; default: one per core")
    command.add_argument("--verbose", action="store_true", help="a line for each clip")


def main(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    if options.folds:
        return _main_folds(options)
    try:
        clips = read_manifest(options.audio)
    except ManifestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.class_:
        clips = [clip for clip in clips if clip.class_ == options.class_]
    listed = [(clip.path, clip.name, clip.class_) for clip in clips]
    if options.others:
        return interruptions_others.main(listed, options)
    if options.echo:
        return interruptions_echo.main(listed, options)
    if options.webrtc:
        calls = interruptions_webrtc.run_all(listed, options.mode, options.sensitivity, options.jobs)
        rows, quiet = asyncio.run(calls)
        if quiet:
            print(f"{quiet} clips are left out: no 5 ms of them are as loud as -41 dBFS")
    else:
        bot = Bot(
            options.mode, options.sensitivity, options.weights, labels=options.words == "labels", phone=options.phone
        )
        rows = run_all(clips, bot, max(1, min(options.jobs, len(clips))))
    if options.verbose:
        for row in rows:
            decision = row.decisions[-1] if row.decisions else {}
            why = f"{decision.get('reason', '')} {decision.get('text', '')!r}"
            print(f"{row.class_:13} {row.outcome:13} {row.file}: {why}")
    figures = report(rows)
    print(table(figures["classes"]))
    print(f"\n{losses(rows)}")
    print(
        "\nAll times in ms. stop, verdict: from the clip's first loud sample. gap: silence of the voice for clips that"
    )
    print("were let pass, of those that had any. full voice: from the clip's last loud sample.")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 1 if any(row.stuck for row in rows) else 0


def _main_folds(options: argparse.Namespace) -> int:
    bot = Bot(options.mode, options.sensitivity, None, phone=options.phone)

    def play(clips: Sequence[FoldClip]) -> list[Row]:
        calls = [
            (Labelled(clip.path, clip.name, clip.class_, "", clip.unheard_words), replace(bot, weights=clip.weights))
            for clip in clips
        ]
        return run_each(calls, max(1, min(options.jobs, len(calls))))

    try:
        text, figures = interruptions_folds.play_folds(options.folds, play, options.class_)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.verbose:
        for clip in figures["clips"]:
            decision = clip["decision"] or {}
            why = decision.get("reason", "")
            print(f"{clip['split']:9} {clip['class']:13} {clip['outcome']:13} {clip['file']}: {why}")
    print(text)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 1 if any(clip["stuck"] for clip in figures["clips"]) else 0
