"""Trains the sound judge: ``python -m training.sounds --audio DIR [DIR ...]``.

Positives are interruptions and speech, negatives acknowledgements, exclamations and noises that get past the VAD. Real
clips come from folders with a ``manifest.jsonl``; machine voices speak hundreds of phrases besides. Every clip is heard
in several variants (as it is, by telephone, and with level, noise, room, tempo and a trace of the bot's voice altered)
and at the lengths at which the bot asks its judge.

Scores are out of fold, in two tables: nobody is judged by a model that has heard him; and no word, nor its speaker, by
one that has heard either. ``--folds DIR`` keeps the models of the folds and a manifest for each, so that
``python -m loadtest interruptions --folds DIR`` can play each fold's clips to a bot that has not heard them.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from processors.turns.handler import SoundClip
from processors.turns.verdict.model import WEIGHTS, SoundModel, judge_clip
from training.clips import Sample, real_clips, variant
from training.fitting import Material, fit, material, scores
from training.folds import Fold, by_speaker, by_word, save_manifest
from training.moments import all_rows, joined, moments
from training.outcomes import outcomes, read_all, report_outcomes, schooled, unschooled
from training.phrases import sayings
from training.report import plot, report
from training.thresholds import GRID, choose
from training.voices import say, synthetic_clips

ECHO = "Our branches are open from Monday to Friday, and the line is open day and night, also on holidays."


def spoken(cache: Path) -> Iterator[Sample]:
    """Clips of machine voices; from the second time on without their sound, which is then not needed any more."""
    listed = cache / "synthetic.jsonl"
    if listed.is_file():
        for line in listed.read_text(encoding="utf-8").splitlines():
            name, class_, speaker, text = json.loads(line)
            yield Sample(name, class_, speaker, True, np.zeros(0, np.int16), text)
        return
    lines = []
    for sample in synthetic_clips(sayings()):
        lines.append(json.dumps([sample.name, sample.class_, sample.speaker, sample.text]))
        yield sample
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")


def prepare(folders: Sequence[Path], cache: Path) -> tuple[list[Sample], Material]:
    """All clips, and their moments as numbers."""
    cache.mkdir(parents=True, exist_ok=True)
    echo = say(ECHO)
    real = [clip for folder in folders for clip in real_clips(folder)]
    real, real_rows = all_rows(real, echo, cache)
    synthetic, synthetic_rows = all_rows(spoken(cache), echo, cache, first=len(real))
    samples = real + synthetic
    return samples, material(joined([real_rows, synthetic_rows]), samples)


def out_of_fold(folds: Sequence[Fold], samples: Sequence[Sample], data: Material, keep: Path | None) -> np.ndarray:
    """Scores by models that have not heard the clips; NaN for clips that are in no fold."""
    found = np.full(len(data.rows), np.nan)
    for fold in tqdm(folds, desc=folds[0].split, unit="fold", disable=None):
        held = np.isin(data.rows.clip, list(fold.held))
        model = fit(data, np.isin(data.rows.clip, list(fold.kept)))
        found[held] = scores(model, data, held)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            model.save(keep / f"{fold.split}{fold.number}.npz")
            save_manifest(fold, samples, keep / f"{fold.split}{fold.number}.jsonl")
    return found


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
    parser.add_argument("--audio", type=Path, required=True, nargs="+", help="folders with a manifest.jsonl")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/parley-training"), help="where numbers are kept")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the weights go; default: beside the model")
    parser.add_argument("--folds", type=Path, help="folder for the models and manifests of the folds")
    parser.add_argument("--verbose", action="store_true", help="list the clips that went wrong")
    parser.add_argument("--plot", type=Path, help="an SVG of how well the log-odds are calibrated")
    options = parser.parse_args()
    samples, data = prepare(options.audio, options.cache)
    print(
        f"{len(data.rows)} moments of {len(samples)} clips, {sum(sample.synthetic for sample in samples)} by machines"
    )
    read = read_all(samples, say(ECHO), options.cache)
    by_split = {}
    for title, split in (("unheard speakers", by_speaker), ("unheard words by unheard speakers", by_word)):
        folds = list(split(samples))
        by_split[title] = out_of_fold(folds, samples, data, options.folds)
        report(title, by_split[title], samples, data)
        policy = unschooled if split is by_word else schooled
        by_setting = [outcomes(by_split[title], samples, data, read, partial(policy, params)) for params in GRID]
        found, best = choose(folds, by_setting, samples)
        report_outcomes(f"{title}, sound and words", found, samples, folds, wrong=options.verbose)
        print(f"\nBest setting of all: {best}")
    if options.plot:
        plot(by_split, data, options.plot)
    model = fit(data, np.array([sample.counts for sample in samples])[data.rows.clip])
    model.save(options.out)
    costs = cost_ms(model, samples)
    print(f"CPU of a question: median {np.median(costs):.0f} ms, 95 %: {np.percentile(costs, 95):.0f} ms")
    print(f"{options.out}: {options.out.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()
