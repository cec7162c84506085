"""How well the sound judge does on what it has not heard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.metrics import roc_auc_score

from training.clips import CLEAN, PHONE, Sample
from training.fitting import Material
from training.moments import ASK_MS
from training.shares import told

UNSURE: Final = 1.0
"""Log-odds nearer to 0 than this are no opinion: both outcomes have more than a quarter of probability."""

CALIBRATION_BINS: Final = 8


def report(name: str, scores: np.ndarray, samples: Sequence[Sample], data: Material) -> None:
    """Print the tables of one split."""
    print(f"\n## {name}: sound alone\n")
    _by_length(scores, data)
    _at_end(scores, samples, data)
    _calibration(scores, data)


def _by_length(scores: np.ndarray, data: Material) -> None:
    rows = data.rows
    known = ~np.isnan(scores)
    at_ms = np.array([-1 if ended else min(ASK_MS, key=lambda at: abs(at - ms)) for ms, ended in _lengths(data)])
    print(
        "| length | AUC, clean | telephone | all variants | unsure, all | wrong of the sure, all |\n"
        "|---|---|---|---|---|---|"
    )
    for at in (*ASK_MS, -1):
        cells = []
        for mask in (rows.variant == CLEAN, rows.variant == PHONE, np.ones(len(rows), bool)):
            chosen = known & (at_ms == at) & mask
            both = 3 <= data.positive[chosen].sum() <= chosen.sum() - 3
            cells.append(f"{roc_auc_score(data.positive[chosen], scores[chosen]):.3f}" if both else "-")
        chosen = known & (at_ms == at)
        sure = np.abs(scores[chosen]) >= UNSURE
        wrong = (scores[chosen] > 0) != data.positive[chosen]
        cells.append(f"{100 * np.mean(~sure):.0f} %")
        cells.append(f"{100 * np.mean(wrong[sure]):.1f} %" if sure.any() else "-")
        print(f"| {'ended' if at < 0 else f'{at} ms'} | {' | '.join(cells)} |")


def _lengths(data: Material) -> list[tuple[int, bool]]:
    return list(zip(data.rows.elapsed_ms.tolist(), data.rows.ended.tolist(), strict=True))


def _at_end(scores: np.ndarray, samples: Sequence[Sample], data: Material) -> None:
    """The last opinion of each clip, by class: right, unsure, wrong."""
    print("\n| last opinion | class | right | unsure | wrong |\n|---|---|---|---|---|")
    rows = data.rows
    for label, number in (("clean", CLEAN), ("telephone", PHONE)):
        last: dict[int, int] = {}
        for at in np.flatnonzero((rows.variant == number) & ~np.isnan(scores)):
            last[int(rows.clip[at])] = int(at)
        for class_ in ("interruption", "speech", "backchannel", "noise"):
            own = [scores[at] for clip, at in last.items() if samples[clip].class_ == class_]
            sign = 1 if class_ in ("interruption", "speech") else -1
            right = sum(sign * score >= UNSURE for score in own)
            wrong = sum(sign * score <= -UNSURE for score in own)
            unsure = len(own) - right - wrong
            print(f"| {label} | {class_} | {told(right, len(own))} | {unsure} | {told(wrong, len(own))} |")


def _reliability(scores: np.ndarray, data: Material) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted and found shares of interruptions in bins of equal size, and what each bin weighs."""
    known = ~np.isnan(scores)
    probs, positive = 1 / (1 + np.exp(-scores[known])), data.positive[known]
    weight = np.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum())
    order = np.argsort(probs)
    bins = np.array_split(order, CALIBRATION_BINS)
    predicted = np.array([np.average(probs[each], weights=weight[each]) for each in bins])
    found = np.array([np.average(positive[each], weights=weight[each]) for each in bins])
    return predicted, found, np.array([weight[each].sum() for each in bins])


def _calibration(scores: np.ndarray, data: Material) -> None:
    predicted, found, weight = _reliability(scores, data)
    error = float(np.sum(weight * np.abs(predicted - found)))
    pairs = ", ".join(f"{p:.2f}: {f:.2f}" for p, f in zip(predicted, found, strict=True))
    print(f"\nCalibration, all variants and lengths (predicted: found): {pairs}; expected error {error:.3f}")


def plot(by_split: Mapping[str, np.ndarray], data: Material, path: Path) -> None:
    """Draw how often interruptions were what they were predicted to be."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(4.5, 4))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name, scores in by_split.items():
        predicted, found, _ = _reliability(scores, data)
        axes.plot(predicted, found, marker="o", label=name)
    axes.set(
        xlabel="predicted probability of an interruption", ylabel="share of interruptions", xlim=(0, 1), ylim=(0, 1)
    )
    axes.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
