"""Whole calls over real WebRTC: answer times, word error rate, time to stop: ``python -m bench.calls``.

The bot is its own process. Each clip is said in a call of its own, by a caller that costs a hundredth of a core. Times
are those of sound at the caller's socket; the stages are the bot's own. Clips of class "interruption", where the folder
has any, are said over the bot's voice.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.scoring import Errors, total, word_errors
from contracts.modes import InterruptionMode
from loadtest import scoring
from loadtest.audio import clip_from_wav
from loadtest.bot_process import RealBot, real_bot
from loadtest.caller import Caller, CallFailed
from loadtest.clips import Clip, load_clips
from loadtest.interruptions_webrtc import run_all as say_over_the_bot
from loadtest.rows import Row

ANSWER_SECS = 20.0
SETTLE_SECS = 0.5
"""From the connection to the first word, as a person takes a breath."""

STAGES = ("stt", "end_of_turn", "llm", "clause", "tts", "playout")


@dataclass(frozen=True)
class Result:
    """One clip, said to the bot.

    Attributes:
        clip: The clip.
        answer_ms: From its last loud sample to the bot's first; None without an answer.
        stages_ms: The bot's own times.
        text: What the bot understood.
    """

    clip: Clip
    answer_ms: float | None
    stages_ms: dict[str, int]
    text: str


async def say_to(bot: RealBot, audio: Path, clip: Clip) -> Result:
    """Call, say the clip, wait for an answer, hang up."""
    async with Caller(bot.url) as caller:
        await asyncio.sleep(SETTLE_SECS)
        said = await caller.say(clip_from_wav(audio / clip.file))

        def answer_begins() -> bool:
            # A pause inside the clip may have been answered before: then the words after it are still to come.
            return any(
                m.type == "time-to-answer" and said.last_loud_secs is not None and m.arrival_secs >= said.last_loud_secs
                for m in caller.recording.messages
            )

        answered = True
        try:
            await caller.until(answer_begins, what="an answer", timeout_secs=ANSWER_SECS)
            await caller.bot_speaks(timeout_secs=2.0)
        except CallFailed:
            answered = False
    finals = {
        m.data["segment"]: m.data["text"]
        for m in caller.recording.messages
        if m.type == "user-transcription" and m.data["final"]
    }
    text = " ".join(text for _, text in sorted(finals.items()) if text)
    times = [m.data["stages"] for m in caller.recording.messages if m.type == "time-to-answer"]
    stages = times[-1] if answered else {}
    try:
        answer_ms = scoring.voice_to_voice_ms(said, caller.recording.sound()) if answered else None
    except scoring.NotMeasurable:
        answer_ms = None  # the bot answered a part of it before it was over
    return Result(clip, answer_ms, stages, text)


async def run(audio: Path, clips: Sequence[Clip], llm: str, parallel: int) -> list[Result]:
    """Say all clips, ``parallel`` calls at a time."""
    turn = asyncio.Semaphore(parallel)
    async with real_bot(LLM=llm, GREETING="") as bot:
        bar = tqdm(total=len(clips), unit="call", disable=None)

        async def one(clip: Clip) -> Result:
            async with turn:
                result = await say_to(bot, audio, clip)
            bar.update()
            return result

        with bar:
            return list(await asyncio.gather(*(one(clip) for clip in clips)))


def figures(results: Sequence[Result]) -> dict[str, Any]:
    """Percentiles of the times, and the words."""
    answers = [result.answer_ms for result in results if result.answer_ms is not None]
    stages = {name: [r.stages_ms[name] for r in results if name in r.stages_ms] for name in STAGES}
    errors: dict[str, Errors] = {}
    for name, trusted in (("trusted labels", True), ("labels by another recogniser", False)):
        scored = [
            word_errors(r.clip.transcript, r.text)
            for r in results
            if r.clip.transcript is not None and r.clip.trusted is trusted
        ]
        if scored:
            errors[name] = total(scored)
    return {
        "calls": len(results),
        "answered": len(answers),
        "voice_to_voice_ms": {p: round(scoring.percentile(answers, p)) for p in (50, 95)} if answers else {},
        "stages_ms": {
            name: {p: round(scoring.percentile(values, p)) for p in (50, 95)}
            for name, values in stages.items()
            if values
        },
        "word_error_rate": {name: round(e.rate, 4) for name, e in errors.items()},
        "words": {name: e.words for name, e in errors.items()},
    }


def stops(rows: Sequence[Row]) -> dict[str, Any]:
    """From the first loud sample of an interruption to the last one of the bot, where the bot stopped for it."""
    stopped = [row for row in rows if row.outcome == "cancelled"]
    times = [row.stop_ms for row in stopped if row.stop_ms is not None]
    return {
        "clips": len(rows),
        "stopped": len(stopped),
        "onset_to_silence_ms": {p: round(scoring.percentile(times, p)) for p in (50, 95)} if times else {},
    }


def show_stops(found: dict[str, Any]) -> None:
    """Print the figures of interruptions."""
    print(f"interruptions: the bot stopped for {found['stopped']} of {found['clips']}")
    if times := found["onset_to_silence_ms"]:
        print(f"  onset to silence p50 {times[50]:>5} ms   p95 {times[95]:>5} ms")


def show(llm: str, found: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"llm={llm}: {found['answered']} of {found['calls']} clips answered in time to be measured")
    whole = {"voice to voice": found["voice_to_voice_ms"]} if found["voice_to_voice_ms"] else {}
    for name, values in {**whole, **found["stages_ms"]}.items():
        print(f"  {name:<16} p50 {values[50]:>5} ms   p95 {values[95]:>5} ms")
    for name, rate in found["word_error_rate"].items():
        print(f"  word error rate, {name}: {100 * rate:.1f} % of {found['words'][name]} words")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.calls", description=(__doc__ or "").splitlines()[0])
    default = Path(__file__).resolve().parents[1] / "tests" / "data"
    parser.add_argument(
        "--audio", type=Path, default=default, help="folder with manifest.jsonl; default: the tests' own"
    )
    parser.add_argument("--class", dest="kind", default="speech", help="class of the clips; default: speech")
    parser.add_argument(
        "--llm", action="append", choices=["scripted", "local"], help="may be given twice; default: scripted"
    )
    parser.add_argument("--parallel", type=int, default=1, help="calls at once; default: 1")
    parser.add_argument("--clips", type=int, help="only so many clips")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    clips = [clip for clip in load_clips(options.audio) if clip.kind == options.kind][: options.clips]
    if not clips:
        parser.error(f"{options.audio} has no clips of class {options.kind}")
    found: dict[str, Any] = {}
    for llm in options.llm or ["scripted"]:
        results = asyncio.run(run(options.audio, clips, llm, options.parallel))
        found[llm] = figures(results)
        show(llm, found[llm])
    # Synthetic voices would flatter the figures or spoil them: nobody interrupts with one.
    over = [
        (options.audio / clip.file, clip.file, clip.kind)
        for clip in load_clips(options.audio)
        if clip.kind == "interruption" and not clip.synthetic
    ][: options.clips]
    if over:
        rows, _ = asyncio.run(say_over_the_bot(over, InterruptionMode.DUCK.value, 0.5, options.parallel))
        found["interruptions"] = stops(rows)
        show_stops(found["interruptions"])
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
