"""What the sound judge is asked about each clip, as numbers, and where they are kept."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from contracts.frames import WINDOW_SAMPLES
from processors.turns.handler import OVER_VOICE_GATE, PRE_ONSET_SECS
from processors.turns.verdict.features import LOWEST_LOGPROB, looks, voice
from processors.vad.processor import SpeechGate
from processors.vad.silero import SileroStream
from training.clips import RATE_HZ, Sample, variant

ASK_MS: Final = (160, 224, 320, 416, 512, 608, 800, 1200)
VARIANTS_REAL: Final = 6
VARIANTS_SYNTHETIC: Final = (0, 3)
"""Which variants of machine voices are heard."""

MOMENTS_SYNTHETIC: Final = 3
VOCABULARY: Final = 32_768
CHUNK: Final = 100
"""Clips whose numbers are kept in one file."""


@dataclass(frozen=True)
class Moment:
    """What the judge is asked about one sound at one time."""

    pcm: np.ndarray
    speech_probs: np.ndarray
    elapsed_ms: int
    ended: bool


def moments(pcm: np.ndarray) -> list[Moment]:
    """The moments at which the bot would ask its judge about the first sound of a clip."""
    silero, gate = SileroStream(), SpeechGate(OVER_VOICE_GATE)
    windows = [pcm[at : at + WINDOW_SAMPLES] for at in range(0, len(pcm) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES)]
    probs: list[float] = []
    onset: int | None = None
    ask = list(ASK_MS)
    found: list[Moment] = []
    before = round(PRE_ONSET_SECS * RATE_HZ / WINDOW_SAMPLES)
    for index, window in enumerate(windows):
        probs.append(silero.speech_prob(window.tobytes()))
        change = gate.push(probs[-1])
        if change == "started" and onset is None:
            onset = index
        if onset is None:
            continue
        elapsed_ms = (index - onset + 1) * 32
        ended = change == "stopped"
        if ended or (ask and elapsed_ms >= ask[0]):
            ask = [at for at in ask if at > elapsed_ms]
            first = max(0, onset + 1 - before)
            clip = np.concatenate(windows[first : index + 1])
            found.append(Moment(clip, np.array(probs[first : index + 1], np.float32), elapsed_ms, ended))
        if ended or not ask:
            break
    return found


@dataclass(frozen=True)
class Rows:
    """Moments as numbers, one row each.

    Attributes:
        clip: Number of the clip.
        variant: Number of its variant.
        elapsed_ms: How much of the sound was heard.
        ended: Whether it had ended.
        pooled: The encoder's view.
        sound: How it sounds.
        likely: Tokens that are likely at all, of all rows one after the other.
        logprobs: Their log-probabilities.
        likely_count: How many of them belong to each row.
    """

    clip: np.ndarray
    variant: np.ndarray
    elapsed_ms: np.ndarray
    ended: np.ndarray
    pooled: np.ndarray
    sound: np.ndarray
    likely: np.ndarray
    logprobs: np.ndarray
    likely_count: np.ndarray

    def __len__(self) -> int:
        return len(self.clip)

    def dense(self, tokens: np.ndarray) -> np.ndarray:
        """Log-probabilities of some tokens: float32 of shape (rows, tokens)."""
        column = np.full(VOCABULARY, -1, np.int32)
        column[tokens] = np.arange(len(tokens))
        table = np.full((len(self), len(tokens)), LOWEST_LOGPROB, np.float32)
        row = np.repeat(np.arange(len(self)), self.likely_count)
        columns = column[self.likely]
        known = columns >= 0
        table[row[known], columns[known]] = self.logprobs[known]
        return table


def rows_of(number: int, sample: Sample, echo: np.ndarray) -> list[Rows]:
    """All rows of one clip."""
    found: list[Rows] = []
    for which in VARIANTS_SYNTHETIC if sample.synthetic else range(VARIANTS_REAL):
        rng = np.random.default_rng([zlib.crc32(sample.name.encode()), which])
        asked = moments(variant(sample.pcm, echo, rng, which))
        if sample.synthetic and len(asked) > MOMENTS_SYNTHETIC:
            chosen = rng.choice(len(asked) - 1, MOMENTS_SYNTHETIC - 1, replace=False)
            asked = [asked[at] for at in sorted(chosen)] + asked[-1:]
        found += [_row(number, which, moment) for moment in asked]
    return found


def _row(number: int, which: int, moment: Moment) -> Rows:
    pooled, logprobs = looks(moment.pcm)
    likely = np.flatnonzero(logprobs > LOWEST_LOGPROB)
    sound = voice(moment.pcm, moment.speech_probs, moment.elapsed_ms, moment.ended)
    return Rows(
        np.array([number]),
        np.array([which]),
        np.array([moment.elapsed_ms]),
        np.array([moment.ended]),
        pooled[None].astype(np.float16),
        sound[None],
        likely.astype(np.uint16),
        logprobs[likely].astype(np.float16),
        np.array([len(likely)]),
    )


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of all parts."""
    return Rows(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Rows)))


def all_rows(samples: Iterable[Sample], echo: np.ndarray, cache: Path, first: int = 0) -> tuple[list[Sample], Rows]:
    """The clips and their rows: some minutes of computing, once; then they are read from the cache folder."""
    cache.mkdir(parents=True, exist_ok=True)
    known: list[Sample] = []
    parts: list[Rows] = []
    chunk: list[Sample] = []
    for sample in tqdm(samples, desc="features", unit="clip", disable=None):
        chunk.append(sample)
        if len(chunk) == CHUNK:
            parts.append(_chunk_rows(chunk, echo, cache, first + len(known)))
            known += chunk
            chunk = []
    if chunk:
        parts.append(_chunk_rows(chunk, echo, cache, first + len(known)))
    return known + chunk, joined(parts)


def _chunk_rows(chunk: Sequence[Sample], echo: np.ndarray, cache: Path, first: int) -> Rows:
    digest = zlib.crc32("|".join(sample.name for sample in chunk).encode())
    path = cache / f"rows-{first}-{digest:08x}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return Rows(**{field.name: kept[field.name] for field in fields(Rows)})
    rows = joined([row for at, sample in enumerate(chunk) for row in rows_of(first + at, sample, echo)])
    np.savez(path, **{field.name: getattr(rows, field.name) for field in fields(Rows)})  # pyright: ignore[reportArgumentType] - numpy's own signature
    return rows
