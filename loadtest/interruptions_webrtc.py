"""The same clips over the bot's voice on the real path: its own process, WebRTC, real time.

Times come from the sound at the caller's socket; the bot's messages tell whether the reply was cut or paused, which
sound alone cannot: a voice pauses also between its sentences.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from loadtest import scoring
from loadtest.audio import clip_from_wav
from loadtest.bot_process import real_bot
from loadtest.caller import Caller
from loadtest.rows import Row
from loadtest.scoring import NotMeasurable

QUESTION: Final = "what can you do"
"""The scripted responder answers with some twenty seconds of speech."""

BEFORE_SECS: Final = 2.0
AFTER_SECS: Final = 4.0
SPEAKS_SECS: Final = 10.0

STOPPED_SECS: Final = 0.25
"""Silence that counts as a stop once the bot has said that it stopped."""

FLOWING_SECS: Final = 1.5


async def run_clip(url: str, path: Path, file: str, class_: str) -> Row | None:
    """Play one clip over the bot, in a call of its own; None if it has no loud sample."""
    try:
        clip = clip_from_wav(path)
    except ValueError:
        return None
    async with Caller(url) as caller:
        caller.type_text(QUESTION)
        await caller.bot_speaks(timeout_secs=SPEAKS_SECS)
        await asyncio.sleep(BEFORE_SECS)
        said = await caller.say(clip)
        await asyncio.sleep(AFTER_SECS)
        ended_secs = asyncio.get_running_loop().time()
    recording = caller.recording
    first, last = said.first_loud_secs, said.last_loud_secs
    assert first is not None
    assert last is not None
    sound = recording.sound()
    played = [m for m in recording.messages if m.type == "reply-played" and m.arrival_secs >= first]
    cut = next((m for m in played if m.data["cut"]), None)
    decisions: dict[int, dict[str, Any]] = {}
    for message in recording.messages:
        if message.type == "interruption-decision":
            decisions[message.data["decision"]["sound_id"]] = message.data["decision"]
    paused = cut is None and any(decision["silence_ms"] for decision in decisions.values())
    silence_ms = scoring.longest_silence_ms(sound, first, min(last + 1.0, ended_secs)) if paused else 0.0
    states = [m.data["state"] for m in recording.messages if m.type == "turn-state"]
    heard_lately = scoring.longest_silence_ms(sound, ended_secs - FLOWING_SECS, ended_secs) < 1000 * FLOWING_SECS
    try:
        stop_ms = scoring.barge_in_stop_ms(said, sound, stopped_secs=STOPPED_SECS) if cut or paused else None
    except NotMeasurable:
        stop_ms = None
    return Row(
        file=file,
        class_=class_,
        outcome="cancelled" if cut else "resumed" if paused else "kept_talking",
        stuck=states[-1] != "listening" and not heard_lately,
        samples_lost=None,
        stop_ms=None if stop_ms is None else round(stop_ms),
        verdict_ms=None if cut is None else round(1000 * (cut.arrival_secs - first)),
        gap_ms=round(silence_ms),
        full_voice_ms=None,
        decisions=list(decisions.values()),
    )


async def run_all(
    clips: Sequence[tuple[Path, str, str]], mode: str, sensitivity: float, parallel: int
) -> tuple[list[Row], int]:
    """Play all clips, ``parallel`` calls at a time; returns the rows, and how many clips were too quiet."""
    turn = asyncio.Semaphore(parallel)
    bar = tqdm(total=len(clips), unit="call", disable=None)
    settings = {"INTERRUPTION_MODE": mode, "INTERRUPTION_SENSITIVITY": str(sensitivity), "GREETING": ""}
    async with real_bot(LLM="scripted", **settings) as bot:

        async def one(path: Path, file: str, class_: str) -> Row | None:
            async with turn:
                row = await run_clip(bot.url, path, file, class_)
            bar.update()
            return row

        with bar:
            rows = await asyncio.gather(*(one(*clip) for clip in clips))
    found = [row for row in rows if row is not None]
    return found, len(rows) - len(found)
