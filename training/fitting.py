"""Fits the sound judge: a committee of ridge regressions for each stage of a sound, and its calibration."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import solve
from scipy.optimize import minimize

from processors.turns.verdict.model import CLIP, Calibration, Committee, SoundModel, spread
from training.clips import Sample
from training.moments import VOCABULARY, Rows
from training.phrases import rarest, word_counts

STAGE_MS: Final = (260, 450, 700, 100_000)
TOKENS: Final = 192
CELLS: Final = 8
"""All words (and the speakers of real clips) are in one of so many cells."""

LEFT_OUT: Final = (0, 1, 3)
"""Member k has not heard the cells k, k + 1 and k + 3: each pair of cells is left out together by one member at most,
and each cell by three members, whose opinion of it is that of a stranger."""

SYNTHETIC_WEIGHT: Final = 0.35
NEIGHBOUR_WEIGHT: Final = 0.3
"""Neighbouring stages help where there is little; the time is among the features."""

RIDGES: Final = (0.05, 0.2, 0.8)
"""How strongly weights are drawn to 0, of which the one that judges left-out cells best is taken."""

BLOCK_SCALES: Final = (0.5, 1.0, 1.5)
"""The encoder's view has many numbers, the first words some, the sound few: what a number of each may weigh."""

BIN_EDGES_MS: Final = (0, 200, 300, 400, 600, 900, 100_000)


@dataclass(frozen=True)
class Material:
    """Rows, and what is known of their clips, by row.

    Attributes:
        rows: The numbers.
        positive: Whether they should interrupt.
        weight: How much they count.
        cell: The cell of their word or speaker.
        stage: Of the sound.
        synthetic: Whether a machine spoke for the training.
    """

    rows: Rows
    positive: np.ndarray
    weight: np.ndarray
    cell: np.ndarray
    stage: np.ndarray
    synthetic: np.ndarray


def material(rows: Rows, samples: Sequence[Sample]) -> Material:
    """Rows with the properties of their clips; a length tells nothing, since each has both classes in equal weight."""
    counts = word_counts(sample.text for sample in samples)
    keys = [sample.speaker if not sample.synthetic else rarest(sample.text, counts) for sample in samples]
    cells = np.array([zlib.crc32(key.encode()) % CELLS for key in keys])
    positive = np.array([sample.positive for sample in samples])[rows.clip]
    synthetic = np.array([sample.synthetic for sample in samples])[rows.clip]
    stage = np.where(rows.ended, len(STAGE_MS) - 1, np.searchsorted(STAGE_MS[:-1], rows.elapsed_ms, side="left"))
    return Material(rows, positive, np.where(synthetic, SYNTHETIC_WEIGHT, 1.0), cells[rows.clip], stage, synthetic)


def balanced(weight: np.ndarray, positive: np.ndarray, elapsed_ms: np.ndarray, ended: np.ndarray) -> np.ndarray:
    """Weights by which both classes count alike at each length, as far as a factor of 4 goes, and in all."""
    found = weight.copy()
    bins = np.searchsorted(BIN_EDGES_MS, elapsed_ms, side="right") * 2 + ended
    for each in np.unique(bins):
        inside = bins == each
        for_, against = weight[inside & positive].sum(), weight[inside & ~positive].sum()
        if for_ and against:
            ratio = float(np.clip(np.sqrt(for_ / against), 0.5, 2))
            found[inside & positive] /= ratio
            found[inside & ~positive] *= ratio
    found[positive] /= found[positive].sum()
    found[~positive] /= found[~positive].sum()
    return found


def choose_tokens(rows: Rows, positive: np.ndarray) -> np.ndarray:
    """Tokens whose probability differs most between the classes."""
    counts = np.bincount(rows.likely, minlength=VOCABULARY)
    candidates = np.flatnonzero(counts >= max(20, len(rows) // 200))
    logprobs = rows.dense(candidates)
    for_, against = logprobs[positive], logprobs[~positive]
    distance = np.abs(for_.mean(0) - against.mean(0)) / (np.sqrt(for_.var(0) + against.var(0)) + 0.5)
    return candidates[np.argsort(-(distance * (logprobs.max(0) > -1.6)))[:TOKENS]]


def fit(data: Material, chosen: np.ndarray) -> SoundModel:
    """The model of some of the rows (a mask)."""
    # Tokens are chosen, and members trained, by what is in the training rows alone.
    index = np.flatnonzero(chosen)
    tokens = choose_tokens(_some(data.rows, index), data.positive[index])
    dense = data.rows.dense(tokens)
    committees = []
    for stage in range(len(STAGE_MS)):
        near = index[np.abs(data.stage[index] - stage) <= 1]
        rows = data.rows
        features = np.concatenate([rows.pooled[near].astype(np.float32), dense[near], rows.sound[near]], axis=1)
        share = np.where(data.stage[near] == stage, 1.0, NEIGHBOUR_WEIGHT)
        weight = balanced(data.weight[near] * share, data.positive[near], rows.elapsed_ms[near], rows.ended[near])
        blocks = np.repeat(BLOCK_SCALES, (rows.pooled.shape[1], len(tokens), rows.sound.shape[1]))
        exact = data.stage[near] == stage
        committees.append(
            _committee(features, data.positive[near], weight, data.cell[near], exact, blocks.astype(np.float32))
        )
    return SoundModel(tokens, STAGE_MS, tuple(committees))


def _some(rows: Rows, index: np.ndarray) -> Rows:
    starts = np.concatenate([[0], np.cumsum(rows.likely_count)])
    spans = np.concatenate([np.arange(int(starts[at]), int(starts[at + 1])) for at in index])
    return Rows(
        rows.clip[index],
        rows.variant[index],
        rows.elapsed_ms[index],
        rows.ended[index],
        rows.pooled[index],
        rows.sound[index],
        rows.likely[spans],
        rows.logprobs[spans],
        rows.likely_count[index],
    )


def _committee(
    features: np.ndarray,
    positive: np.ndarray,
    weight: np.ndarray,
    cell: np.ndarray,
    exact: np.ndarray,
    blocks: np.ndarray,
) -> Committee:
    """Members, each trained without three cells, and the calibration that those cells give.

    The normal equations of each cell are summed up once; a member's are the sums of its cells.
    """
    mean, scale = features.mean(0), 1 / (features.std(0) + 1e-3)
    normal = np.clip((features - mean) * scale, -CLIP, CLIP) * blocks
    design = np.concatenate([normal, np.ones((len(normal), 1), np.float32)], axis=1)
    target = np.where(positive, 1.0, -1.0).astype(np.float32)
    width = design.shape[1]
    squares, sums = np.zeros((CELLS, width, width)), np.zeros((CELLS, width))
    for each in range(CELLS):
        inside = cell == each
        weighted = design[inside] * weight[inside, None].astype(np.float32)
        squares[each] = weighted.T @ design[inside]
        sums[each] = weighted.T @ target[inside]
    best: tuple[float, np.ndarray, Calibration] | None = None
    for ridge in RIDGES:
        solved = []
        for member in range(CELLS):
            inside = [each for each in range(CELLS) if (each - member) % CELLS not in LEFT_OUT]
            penalty = ridge * np.append(np.ones(width - 1), 1e-6)
            solved.append(solve(squares[inside].sum(0) + np.diag(penalty), sums[inside].sum(0), assume_a="pos"))
        members = np.array(solved)
        opinions = design[exact] @ members.T.astype(np.float32)
        strange = np.array([[(each - member) % CELLS in LEFT_OUT for member in range(CELLS)] for each in range(CELLS)])
        unheard = opinions[strange[cell[exact]]].reshape(-1, len(LEFT_OUT))
        loss, calibration = _calibrate(unheard, positive[exact], weight[exact])
        if best is None or loss < best[0]:
            best = (loss, members, calibration)
    assert best is not None
    _, members, calibration = best
    return Committee(mean, scale, (members[:, :-1] * blocks), members[:, -1], calibration)


def _calibrate(opinions: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> tuple[float, Calibration]:
    """The calibration under which strangers' opinions are likeliest, and the mean loss with it, both classes alike."""
    mean, variance = opinions.mean(1), spread(opinions)
    weight = weight * np.where(positive, 0.5 / weight[positive].sum(), 0.5 / weight[~positive].sum())
    sign = np.where(positive, 1.0, -1.0)

    def loss(values: np.ndarray) -> float:
        odds = Calibration(np.exp(values[0]), values[1], np.exp(values[2])).log_odds(mean, variance)
        return float(weight @ np.logaddexp(0, -sign * odds))

    found = minimize(loss, np.array([1.0, 0.0, 0.0]), method="Nelder-Mead", options={"maxiter": 300})
    slope, offset, doubt = found.x
    return float(found.fun), Calibration(float(np.exp(slope)), float(offset), float(np.exp(doubt)))


def scores(model: SoundModel, data: Material, chosen: np.ndarray) -> np.ndarray:
    """The model's log-odds of some rows (a mask), in their order."""
    index = np.flatnonzero(chosen)
    rows = data.rows
    dense = rows.dense(model.tokens)[index]
    features = np.concatenate([rows.pooled[index].astype(np.float32), dense, rows.sound[index]], axis=1)
    found = np.zeros(len(index))
    for stage, committee in enumerate(model.committees):
        inside = data.stage[index] == stage
        opinions = committee.opinions(features[inside])
        found[inside] = committee.calibration.log_odds(opinions.mean(1), spread(opinions))
    return found
