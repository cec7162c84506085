"""Trains the sound judge: ``python -m training.sounds --audio DIR``.

Positives are interruptions and speech, negatives acknowledgements and noise that get past the VAD. Real clips come from
folders with a ``manifest.jsonl``; synthetic ones are spoken here by espeak-ng, in many voices, and by the bot's own
voice. Every clip is heard in several variants (level, noise, telephone band, tempo, a trace of the bot's voice) and at
the lengths at which the bot asks its judge.

Scores are out of fold, by speaker: no speaker is judged by a model that has heard him. ``--folds DIR`` keeps the models
of the folds and a manifest for each, so that ``python -m loadtest interruptions --weights`` can play each fold's clips
to a bot that has not heard them.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
import wave
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from tqdm import tqdm

from contracts.frames import WINDOW_SAMPLES
from processors.models.files import usable_cores
from processors.turns.handler import OVER_VOICE_GATE, PRE_ONSET_SECS, SoundClip
from processors.turns.verdict.features import LOWEST_LOGPROB, looks, voice
from processors.turns.verdict.model import WEIGHTS, Head, SoundModel, judge_clip
from processors.vad.processor import SpeechGate
from processors.vad.silero import SileroStream
from training.phrases import ACKNOWLEDGEMENTS, ESPEAK_VOICES, INTERRUPTIONS

RATE_HZ = 16_000
ASK_MS = (160, 224, 320, 416, 512, 608, 800, 1200)
STAGE_MS = (260, 450, 700, 100_000)
VARIANTS_REAL = 6
VARIANTS_SYNTHETIC = 2
SYNTHETIC_WEIGHT = 0.35
FOLDS = 5
TOKENS = 160
VOCABULARY = 32_768
POSITIVE = ("interruption", "speech")


@dataclass(frozen=True)
class Sample:
    """One clip of the training set.

    Attributes:
        name: Unique.
        class_: ``interruption``, ``speech``, ``backchannel`` or ``noise``.
        speaker: Who; clips of one speaker are in the same fold.
        synthetic: Whether a machine spoke.
        pcm: int16 at 16 kHz.
    """

    name: str
    class_: str
    speaker: str
    synthetic: bool
    pcm: np.ndarray


# --- clips -------------------------------------------------------------------------------


def real_clips(folder: Path) -> list[Sample]:
    """The clips of a folder with a manifest."""
    clips = []
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        speaker = entry.get("speaker") or entry["file"]
        speaker = "+".join(speaker) if isinstance(speaker, list) else str(speaker)
        clips.append(
            Sample(entry["file"], entry["class"], speaker, bool(entry.get("synthetic")), read(folder / entry["file"]))
        )
    return clips


def read(path: Path) -> np.ndarray:
    """A 16-bit mono WAV at 16 kHz."""
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return pcm if file.getframerate() == RATE_HZ else soxr.resample(pcm, file.getframerate(), RATE_HZ)


def synthetic_clips() -> list[Sample]:
    """The phrases above, spoken by machines."""
    clips = []
    phrases = [(text, "backchannel") for text in ACKNOWLEDGEMENTS] + [(text, "interruption") for text in INTERRUPTIONS]
    if shutil.which("espeak-ng"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "said.wav")
            for index, (text, class_) in enumerate(tqdm(phrases, desc="espeak-ng", unit="phrase", disable=None)):
                for number in range(5):
                    speaker = ESPEAK_VOICES[(index + 3 * number) % len(ESPEAK_VOICES)]
                    speed = str(130 + (17 * index + 31 * number) % 80)
                    subprocess.run(["espeak-ng", "-v", speaker, "-s", speed, "-w", str(path), text], check=True)
                    clips.append(Sample(f"espeak {speaker} {text}", class_, f"espeak {speaker}", True, read(path)))
    clips += [Sample(f"bot {text}", class_, "the bot's voice", True, say(text)) for text, class_ in phrases]
    return clips


def say(text: str) -> np.ndarray:
    """The bot's own voice."""
    from hibari import Hibari

    global _hibari
    if _hibari is None:
        _hibari = Hibari(threads=1)
    wave_24k = np.asarray(_hibari(text, seed=1))
    return (np.clip(soxr.resample(wave_24k, 24_000, RATE_HZ), -1, 1) * 32767).astype(np.int16)


_hibari: Any = None


# --- variants ----------------------------------------------------------------------------


def variant(pcm: np.ndarray, echo: np.ndarray, rng: np.random.Generator, number: int) -> np.ndarray:
    """The clip as another line would bring it; number 0 is the clip itself, in a quiet room."""
    samples = pcm.astype(np.float32)
    if number:
        samples = soxr.resample(samples, RATE_HZ, round(RATE_HZ * rng.uniform(0.9, 1.12)))
        if rng.random() < 0.4:
            samples = soxr.resample(soxr.resample(samples, RATE_HZ, 8_000), 8_000, RATE_HZ)
        if rng.random() < 0.35:
            room = rng.standard_normal(RATE_HZ // 5) * np.exp(-np.arange(RATE_HZ // 5) / (0.03 * RATE_HZ))
            room[0] = 6.0
            samples = np.convolve(samples, room / np.sqrt(np.sum(room**2)))[: len(samples) + RATE_HZ // 8]
        samples *= 10 ** (rng.uniform(-14, 5) / 20)
    level = np.sqrt(np.mean(samples**2)) + 1
    padded = np.concatenate([np.zeros(RATE_HZ // 2), samples, np.zeros(RATE_HZ // 2)])
    noise = rng.standard_normal(len(padded)) * 12
    if number and rng.random() < 0.6:
        noise += rng.standard_normal(len(padded)) * level * 10 ** (-rng.uniform(12, 30) / 20)
    if number and rng.random() < 0.4:
        start = int(rng.integers(0, max(1, len(echo) - len(padded))))
        part = echo[start : start + len(padded)].astype(np.float32)
        noise[: len(part)] += part * level / (np.sqrt(np.mean(part**2)) + 1) * 10 ** (-rng.uniform(18, 30) / 20)
    return np.clip(padded + noise, -32768, 32767).astype(np.int16)


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
    probs = [silero.speech_prob(window.tobytes()) for window in windows]
    onset: int | None = None
    ask = list(ASK_MS)
    found: list[Moment] = []
    before = round(PRE_ONSET_SECS * RATE_HZ / WINDOW_SAMPLES)
    for index, prob in enumerate(probs):
        change = gate.push(prob)
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
        if ended:
            break
    return found


# --- rows --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One moment as numbers; log-probabilities only of the tokens that are likely at all."""

    sample: int
    variant: int
    elapsed_ms: int
    ended: bool
    pooled: np.ndarray
    likely: np.ndarray
    logprobs: np.ndarray
    sound: np.ndarray

    def logprobs_of(self, tokens: np.ndarray) -> np.ndarray:
        """Log-probabilities of some tokens."""
        every = np.full(VOCABULARY, LOWEST_LOGPROB, np.float32)
        every[self.likely] = self.logprobs
        return every[tokens]


def rows_of(task: tuple[int, Sample, np.ndarray]) -> list[Row]:
    """All rows of one clip."""
    index, sample, echo = task
    found = []
    for number in range(VARIANTS_SYNTHETIC if sample.synthetic and sample.name[0] in "eb" else VARIANTS_REAL):
        rng = np.random.default_rng([zlib.crc32(sample.name.encode()), number])
        for moment in moments(variant(sample.pcm, echo, rng, number)):
            pooled, logprobs = looks(moment.pcm)
            sound = voice(moment.pcm, moment.speech_probs, moment.elapsed_ms, moment.ended)
            likely = np.flatnonzero(logprobs > LOWEST_LOGPROB).astype(np.uint16)
            values = logprobs[likely].astype(np.float16)
            found.append(Row(index, number, moment.elapsed_ms, moment.ended, pooled, likely, values, sound))
    return found


def all_rows(samples: Sequence[Sample]) -> list[Row]:
    """All rows of all clips; some minutes of computing."""
    echo = say("Our branches are open from Monday to Friday, and the line is open day and night, also on holidays.")
    tasks = [(index, sample, echo) for index, sample in enumerate(samples)]
    found: list[Row] = []
    with ProcessPoolExecutor(usable_cores()) as pool:
        for rows in tqdm(pool.map(rows_of, tasks, chunksize=4), total=len(tasks), desc="features", unit="clip"):
            found += rows
    return found


# --- fitting -----------------------------------------------------------------------------


def choose_tokens(rows: Sequence[Row], labels: np.ndarray) -> np.ndarray:
    """Tokens whose probability differs most between the classes."""
    counts = np.zeros(VOCABULARY, np.int64)
    for row in rows:
        counts[row.likely] += 1
    candidates = np.flatnonzero(counts >= len(rows) // 100)
    logprobs = np.stack([row.logprobs_of(candidates) for row in rows])
    positive, negative = logprobs[labels], logprobs[~labels]
    spread = np.sqrt(positive.var(0) + negative.var(0)) + 0.5
    distance = np.abs(positive.mean(0) - negative.mean(0)) / spread
    likely = logprobs.max(0) > -1.6
    return candidates[np.argsort(-(distance * likely))[:TOKENS]]


def fit_head(features: np.ndarray, labels: np.ndarray, weights: np.ndarray, strength: float) -> Head:
    """A balanced logistic regression on standardised, clipped features."""
    mean, scale = features.mean(0), 1 / (features.std(0) + 1e-3)
    normal = np.clip((features - mean) * scale, -5, 5)
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=400)
    model.fit(normal, labels, sample_weight=weights)
    return Head(mean, scale, model.coef_[0], float(np.ravel(model.intercept_)[0]))


def fit(rows: Sequence[Row], samples: Sequence[Sample]) -> SoundModel:
    """The model of these rows."""
    labels = np.array([samples[row.sample].class_ in POSITIVE for row in rows])
    weights = np.array([SYNTHETIC_WEIGHT if samples[row.sample].synthetic else 1.0 for row in rows])
    tokens = choose_tokens(rows, labels)
    shell = SoundModel(tokens, STAGE_MS, ())
    stages = np.array([shell.stage(row.elapsed_ms, row.ended) for row in rows])
    heads = []
    for stage in range(len(STAGE_MS)):
        # Neighbouring stages help where there is little; the time is among the features.
        near = np.abs(stages - stage) <= 1
        share = np.where(stages == stage, 1.0, 0.3)[near]
        chosen = [row for row, is_near in zip(rows, near, strict=True) if is_near]
        sound = np.stack([row.sound for row in chosen])
        seen = np.concatenate([np.stack([row.pooled for row in chosen]), sound], axis=1)
        begun = np.concatenate([np.stack([row.logprobs_of(tokens) for row in chosen]), sound], axis=1)
        heads.append(
            (
                fit_head(seen, labels[near], weights[near] * share, 0.001),
                fit_head(begun, labels[near], weights[near] * share, 0.01),
            )
        )
    return SoundModel(tokens, STAGE_MS, tuple(heads))


def score(model: SoundModel, row: Row) -> float:
    """The model's opinion of a row."""
    logprobs = row.logprobs_of(np.arange(VOCABULARY))
    return model.score(row.pooled, logprobs, row.sound, row.elapsed_ms, row.ended)


def out_of_fold(rows: Sequence[Row], samples: Sequence[Sample], folds: Path | None, source: Path) -> np.ndarray:
    """Scores of the real clips' rows by models that have not heard their speakers; others: NaN."""
    real = [index for index, sample in enumerate(samples) if not sample.name.startswith(("espeak ", "bot "))]
    groups = [samples[index].speaker for index in real]
    scores = np.full(len(rows), np.nan)
    split = GroupKFold(FOLDS).split(real, groups=groups)
    for number, (_, held) in enumerate(tqdm(list(split), desc="folds", unit="fold")):
        out = {real[index] for index in held}
        model = fit([row for row in rows if row.sample not in out], samples)
        for at, row in enumerate(rows):
            if row.sample in out:
                scores[at] = score(model, row)
        if folds is not None:
            folds.mkdir(parents=True, exist_ok=True)
            model.save(folds / f"fold{number}.npz")
            names = {samples[index].name for index in out}
            lines = (source / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
            kept = [entry for entry in map(json.loads, lines) if entry["file"] in names]
            for entry in kept:
                entry["file"] = str((source / entry["file"]).resolve())
            (folds / f"fold{number}.jsonl").write_text("\n".join(map(json.dumps, kept)) + "\n", encoding="utf-8")
    return scores


def report(rows: Sequence[Row], samples: Sequence[Sample], scores: np.ndarray) -> None:
    """Print how well unheard speakers are judged, by the length of the sound."""
    labels = np.array([samples[row.sample].class_ in POSITIVE for row in rows])
    elapsed = np.array([-1 if row.ended else min(ASK_MS, key=lambda at: abs(at - row.elapsed_ms)) for row in rows])
    clean = np.array([row.variant == 0 for row in rows])
    print("Out of fold by speaker. kept: interruptions and speech above the threshold at which 5 % of the others are.")
    print(f"{'':>10}  {'clean':^28}  {'all variants':^28}")
    print(f"{'sound':>10}  {'n+':>5} {'n-':>5} {'AUC':>6} {'kept':>7}   {'n+':>5} {'n-':>5} {'AUC':>6} {'kept':>7}")
    for at in (*ASK_MS, -1):
        line = f"{'ended' if at < 0 else f'{at} ms':>10}"
        for mask in (clean, np.ones_like(clean)):
            chosen = (elapsed == at) & mask & ~np.isnan(scores)
            positive, negative = scores[chosen & labels], scores[chosen & ~labels]
            if min(len(positive), len(negative)) < 3:
                line += f"  {len(positive):>5} {len(negative):>5} {'-':>6} {'-':>7} "
                continue
            auc = roc_auc_score(labels[chosen], scores[chosen])
            kept = np.mean(positive > np.percentile(negative, 95))
            line += f"  {len(positive):>5} {len(negative):>5} {auc:6.3f} {100 * kept:5.0f} % "
        print(line)
    for share in (50, 90, 95, 98):
        chosen = ~np.isnan(scores) & ~labels & (elapsed > 0)
        limit = np.percentile(scores[chosen], share)
        print(f"{share} % of the scores of sounds that are no interruption, while they last: below {limit:.2f}")
    chosen = ~np.isnan(scores) & labels & (elapsed > 0)
    for share in (1, 2, 5, 10):
        limit = np.percentile(scores[chosen], share)
        print(f"{share} % of the scores of interruptions, while they last: below {limit:.2f}")


def cost_ms(model: SoundModel, samples: Sequence[Sample]) -> list[float]:
    """CPU milliseconds of each question about some of the clips."""
    costs = []
    for sample in samples[:40]:
        for moment in moments(variant(sample.pcm, sample.pcm, np.random.default_rng(0), 0)):
            began = time.thread_time()
            clip = SoundClip(1, moment.pcm, moment.speech_probs, moment.elapsed_ms, moment.ended)
            judge_clip(model, clip)
            costs.append(1000 * (time.thread_time() - began))
    return costs


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.sounds", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--audio", type=Path, required=True, help="folder with manifest.jsonl")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the weights go; default: beside the model")
    parser.add_argument("--folds", type=Path, help="folder for the models and manifests of the folds")
    options = parser.parse_args()
    samples = real_clips(options.audio) + synthetic_clips()
    rows = all_rows(samples)
    print(f"{len(rows)} moments of {len(samples)} clips")
    report(rows, samples, out_of_fold(rows, samples, options.folds, options.audio))
    model = fit(rows, samples)
    model.save(options.out)
    costs = cost_ms(model, samples)
    print(f"CPU of a question: median {np.median(costs):.0f} ms, 95 %: {np.percentile(costs, 95):.0f} ms")
    print(f"{options.out}: {options.out.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()
