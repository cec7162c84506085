"""A policy decides on a sound as it goes on."""

import numpy as np

from processors.turns.verdict.policy import VerdictParams, VerdictPolicy
from training.clips import Sample
from training.folds import Fold
from training.replay import Opinion, Outcome, Reading, replay
from training.thresholds import GRID, choose
from training.unschooled import Unschooled


def opinions(*scores: float, ended: bool = True) -> list[Opinion]:
    lengths = (160, 320, 512)
    return [
        Opinion(ms, ended and at == len(scores) - 1, score, ms, 0.9, 0.98)
        for at, (ms, score) in enumerate(zip(lengths, scores, strict=False))
    ]


def test_a_sure_judge_needs_no_words():
    assert replay(VerdictPolicy(), opinions(4.0, 4.0), []).cancel_ms == 185
    assert replay(VerdictPolicy(), opinions(-4.0, -4.0), []).cancel_ms is None


def test_an_unsure_one_waits_for_them():
    read = [Reading(320, True, "my card", 0.9)]
    assert replay(VerdictPolicy(), opinions(0.0, -0.5), read).cancel_ms == 400
    assert replay(VerdictPolicy(), opinions(0.0, 0.5), [Reading(320, True, "oh dear", 0.9)]).cancel_ms is None


def test_a_word_that_is_on_no_list_is_content():
    read = [Reading(320, True, "oops", 0.9)]
    assert replay(VerdictPolicy(), opinions(0.0, -0.5), read).cancel_ms is None
    assert replay(Unschooled(frozenset({"oops"})), opinions(0.0, -0.5), read).cancel_ms is not None
    assert Unschooled(frozenset({"oops"})).is_content("oops", 0.9, False, final=True)


def test_a_fold_is_judged_by_what_is_best_for_the_others():
    samples = [Sample(str(at), "interruption", str(at), False, np.zeros(1, np.int16), "stop") for at in range(4)] + [
        Sample("n", "noise", "n", False, np.zeros(1, np.int16), "") for _ in range(2)
    ]
    folds = [Fold("speakers", at, frozenset({at, at + 2, at + 4}), frozenset()) for at in range(2)]
    nothing = {(clip, 0): Outcome(None, "") for clip in range(6)}
    # The second setting is right of the first fold's clips alone.
    settings = [dict(nothing) for _ in GRID]
    settings[1] |= {(clip, 0): Outcome(300, "") for clip in (0, 2)}
    settings[0] |= {(clip, 0): Outcome(400, "") for clip in (1, 3)}
    found, best = choose(folds, settings, samples)
    assert found[0, 0].cancel_ms is None
    assert found[1, 0].cancel_ms is None
    assert best == GRID[1]
    assert all(isinstance(each, VerdictParams) for each in GRID)
