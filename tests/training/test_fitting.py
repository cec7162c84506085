"""The committee: who hears what, and what becomes of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.clips import Sample
from training.fitting import CELLS, LEFT_OUT, balanced, fit, material, scores
from training.moments import Rows, joined

ROWS = 1200


def made_up(rng: np.random.Generator) -> tuple[list[Sample], Rows]:
    """Clips of which one encoder number in six tells the class, and one token."""
    samples, rows = [], []
    for clip in range(ROWS // 4):
        positive = bool(clip % 2)
        class_ = "interruption" if positive else "backchannel"
        samples.append(
            Sample(f"{clip}", class_, f"s{clip % 40}", clip % 3 == 0, np.zeros(1, np.int16), f"word{clip % 50}")
        )
        for number, (ms, ended) in enumerate([(160, False), (320, False), (512, False), (600, True)]):
            pooled = rng.standard_normal(6) + (2.0 if positive else 0.0) * np.eye(6)[0]
            likely = np.array([5, 77 if positive else 99], np.uint16)
            rows.append(
                Rows(
                    np.array([clip]),
                    np.array([number % 2]),
                    np.array([ms]),
                    np.array([ended]),
                    pooled[None].astype(np.float16),
                    rng.standard_normal((1, 18)).astype(np.float32),
                    likely,
                    np.array([-0.5, -1.0], np.float16),
                    np.array([2]),
                )
            )
    return samples, joined(rows)


def test_every_cell_is_strange_to_three_members_and_no_member_to_all():
    for cell in range(CELLS):
        strangers = [member for member in range(CELLS) if (cell - member) % CELLS in LEFT_OUT]
        assert len(strangers) == len(LEFT_OUT)


def test_a_model_learns_what_tells_the_classes_apart(tmp_path):
    samples, rows = made_up(np.random.default_rng(1))
    data = material(rows, samples)
    kept = rows.clip % 5 > 0
    model = fit(data, kept)
    assert {77, 99} & set(model.tokens.tolist())
    found = scores(model, data, ~kept)
    assert np.mean((found > 0) == data.positive[~kept]) > 0.95
    row = int(np.flatnonzero(~kept)[0])
    logprobs = np.full(32_768, -9.0, np.float32)
    logprobs[rows.likely[2 * row : 2 * row + 2]] = rows.logprobs[2 * row : 2 * row + 2]
    one = model.score(
        rows.pooled[row].astype(np.float32), logprobs, rows.sound[row], int(rows.elapsed_ms[row]), bool(rows.ended[row])
    )
    assert one == pytest.approx(found[0], abs=1e-3)


@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_both_classes_weigh_the_same(count, seed):
    rng = np.random.default_rng(seed)
    positive = np.arange(count) % 2 == 0
    weight = balanced(rng.uniform(0.1, 1, count), positive, rng.integers(100, 1500, count), rng.random(count) < 0.3)
    assert weight[positive].sum() == pytest.approx(1)
    assert weight[~positive].sum() == pytest.approx(1)
    assert np.all(weight > 0)
