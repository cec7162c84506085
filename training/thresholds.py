"""Chooses how sure a signal must be, on clips of other folds than those that are judged with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np

from processors.turns.verdict.policy import VerdictParams
from training.clips import Sample
from training.folds import Fold
from training.replay import Outcome

GRID: Final = tuple(
    replace(VerdictParams(), cancel_score=cancel, end_score=end, one_word=one, more_words=more)
    for cancel, end, one, more in product((0.9, 1.3, 1.7), (-0.3, 0.0), (1.0, 1.5, 2.0), (2.0, 3.0))
)
SECOND_COSTS: Final = 0.1
"""A second until an interruption is obeyed costs as much as so many that are not."""


def cost(found: Mapping[tuple[int, int], Outcome], samples: Sequence[Sample], clips: frozenset[int]) -> float:
    """What a setting costs on some clips: shares of both kinds of errors, and the time until a cancel in seconds."""
    missed: list[float] = []
    false: list[float] = []
    after: list[float] = []
    for (clip, _), outcome in found.items():
        if clip not in clips:
            continue
        if samples[clip].positive:
            missed.append(outcome.cancel_ms is None)
            if outcome.cancel_ms is not None:
                after.append(outcome.cancel_ms / 1000)
        else:
            false.append(outcome.cancel_ms is not None)
    return _mean(missed) + _mean(false) + SECOND_COSTS * _mean(after)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def choose(
    folds: Sequence[Fold], by_setting: Sequence[Mapping[tuple[int, int], Outcome]], samples: Sequence[Sample]
) -> tuple[dict[tuple[int, int], Outcome], VerdictParams]:
    """Outcomes of each fold's clips with the setting that is best on the other folds; and the best setting of all.

    Args:
        folds: Of one split.
        by_setting: Outcomes of all clips for each setting of :data:`GRID`.
        samples: All clips.
    """
    every = frozenset[int]().union(*(fold.held for fold in folds))
    found: dict[tuple[int, int], Outcome] = {}
    for fold in folds:
        costs = [cost(outcomes, samples, every - fold.held) for outcomes in by_setting]
        best = by_setting[int(np.argmin(costs))]
        found |= {key: outcome for key, outcome in best.items() if key[0] in fold.held}
    costs = [cost(outcomes, samples, every) for outcomes in by_setting]
    return found, GRID[int(np.argmin(costs))]
