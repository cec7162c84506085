"""Word error rate of the local recogniser, clips straight into VAD and recogniser: ``python -m bench.wer --audio DIR``.

Each clip is heard as in a call, window by window, between a second of room noise before and a second after; the
recogniser is given the time that it wants, so that results do not depend on the machine. Transcripts from labels and
texts are scored apart from those that another recogniser wrote.
"""

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.scoring import Errors, total, word_errors
from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from contracts.stt import RecogniserError, Transcript
from loadtest.clips import Clip, load_clips
from processors.stt.moonshine import MoonshineRecogniser
from processors.vad.processor import SileroStream, SpeechGate


@dataclass(frozen=True)
class Heard:
    """What was heard in one clip.

    Attributes:
        clip: The clip.
        text: The final transcripts of all segments.
        partials: Partial results, in order.
        starts: How often the VAD said that speech had started.
        errors: Against the clip's transcript; None where that is not known.
        cpu_secs: CPU time of this process.
    """

    clip: Clip
    text: str
    partials: tuple[str, ...]
    starts: int
    errors: Errors | None
    cpu_secs: float


async def hear(clip: Clip) -> Heard:
    """Play a clip to a new VAD and recogniser."""
    recogniser, silero, gate = MoonshineRecogniser(), SileroStream(), SpeechGate()
    finals: dict[int, str] = {}
    partials: list[str] = []

    async def emit(transcript: Transcript) -> None:
        if transcript.final:
            finals[transcript.segment] = transcript.text
        else:
            partials.append(transcript.text)

    async def fail(error: RecogniserError) -> None:
        raise error

    await recogniser.start(emit, fail)
    started, starts = time.process_time(), 0
    for window in _windows(clip.pcm):
        prob = silero.speech_prob(window)
        change = gate.push(prob)
        if change == "started":
            starts += 1
            recogniser.speech_started()
        elif change == "stopped":
            recogniser.speech_stopped()
        recogniser.feed(window, prob)
        while not recogniser.is_idle:  # noqa: ASYNC110 - a bench may poll
            await asyncio.sleep(0.0005)
    cpu_secs = time.process_time() - started
    await recogniser.close()
    text = " ".join(text for _, text in sorted(finals.items()) if text)
    errors = None if clip.transcript is None else word_errors(clip.transcript, text)
    return Heard(clip, text, tuple(partials), starts, errors, cpu_secs)


def _windows(pcm: np.ndarray) -> Iterable[bytes]:
    noise = np.random.default_rng(0).normal(0, 3, 2 * INPUT_SAMPLE_RATE_HZ).astype(np.int16)
    whole = np.concatenate([noise[:INPUT_SAMPLE_RATE_HZ], pcm, noise[INPUT_SAMPLE_RATE_HZ:]])
    for start in range(0, len(whole) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        yield whole[start : start + WINDOW_SAMPLES].tobytes()


def group(heard: Heard) -> str:
    """The row of the table that a clip counts in."""
    clip = heard.clip
    if clip.kind == "noise":
        return "noise"
    source = "synthetic" if clip.synthetic else "trusted" if clip.trusted else "other ASR"
    return f"{clip.kind}, {source}"


def summary(results: list[Heard]) -> dict[str, dict[str, object]]:
    """Word errors of each group, and for noise how much of it was taken for words."""
    rows: dict[str, dict[str, object]] = {}
    for name in sorted({group(heard) for heard in results}):
        members = [heard for heard in results if group(heard) == name]
        errors = total(heard.errors for heard in members if heard.errors is not None)
        rows[name] = {
            "clips": len(members),
            "vad_starts": sum(heard.starts for heard in members),
            "with_words": sum(bool(heard.text) for heard in members),
            "wer": round(errors.rate, 4) if errors.words else None,
            **asdict(errors),
        }
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.wer", description="Word error rate of the local recogniser.")
    parser.add_argument("--audio", type=Path, required=True, help="folder with manifest.jsonl")
    parser.add_argument("--json", type=Path, help="write results here")
    parser.add_argument("--list", action="store_true", help="print every clip that was not read right")
    args = parser.parse_args()

    async def hear_all() -> list[Heard]:
        return [await hear(clip) for clip in load_clips(args.audio)]

    results = asyncio.run(hear_all())
    rows = summary(results)
    print(f"{'':<26}{'clips':>6}{'starts':>8}{'words':>7}{'WER':>8}  sub/del/ins of words")
    for name, row in rows.items():
        wer = "" if row["wer"] is None else f"{100 * float(str(row['wer'])):.1f} %"
        counts = f"{row['substitutions']}/{row['deletions']}/{row['insertions']} of {row['words']}"
        print(f"{name:<26}{row['clips']:>6}{row['vad_starts']:>8}{row['with_words']:>7}{wer:>8}  {counts}")
    audio_secs = sum(heard.clip.secs + 2 for heard in results)
    cpu_secs = sum(heard.cpu_secs for heard in results)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"CPU {cpu_secs / audio_secs:.3f} s per second of audio, partial results included; peak {peak_mb:.0f} MB")
    if args.list:
        for heard in results:
            if heard.errors is None or heard.errors.count:
                print(f"{heard.clip.file}: {heard.clip.transcript!r} -> {heard.text!r} {heard.partials}")
    if args.json:
        clips = [
            {"file": heard.clip.file, "text": heard.text, "partials": heard.partials, "starts": heard.starts}
            for heard in results
        ]
        args.json.write_text(json.dumps({"groups": rows, "clips": clips}, indent=1) + "\n")


if __name__ == "__main__":
    main()
