"""The sound judge: its weights, what it makes of clips, and what it costs."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.frames import WINDOW_SAMPLES
from loadtest.interruptions import samples_lost
from processors.turns.handler import SoundClip
from processors.turns.verdict import features
from processors.turns.verdict.features import STATE_WIDTH, looks, voice
from processors.turns.verdict.model import (
    WEIGHTS,
    Calibration,
    Committee,
    Judge,
    SoundModel,
    default_model,
    judge_clip,
    spread,
)
from processors.vad.processor import SileroStream
from tests.conversations.conftest import clip as read

RATE_HZ = 16_000


def sound(name: str, ms: int, *, ended: bool = False) -> SoundClip:
    """The first ``ms`` of a clip, from 0.2 s before its onset."""
    pcm = np.concatenate([np.zeros(RATE_HZ // 2, np.int16), read(name)])
    silero = SileroStream()
    windows = [pcm[at : at + WINDOW_SAMPLES] for at in range(0, len(pcm) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES)]
    probs = np.array([silero.speech_prob(window.tobytes()) for window in windows], np.float32)
    onset = int(np.argmax(probs >= 0.5))
    chosen = slice(max(0, onset - 6), onset + ms // 32)
    return SoundClip(1, np.concatenate(windows[chosen]), probs[chosen], ms, ended)


def test_the_weights_are_small_and_whole():
    assert WEIGHTS.stat().st_size < 1_000_000
    model = default_model()
    assert len(model.committees) == len(model.stage_ms)
    for committee in model.committees:
        members, features = committee.weights.shape
        assert members >= 5
        assert features == len(committee.mean) == len(committee.scale) == 3 * STATE_WIDTH + len(model.tokens) + 18
        assert len(committee.bias) == members
        parts = (committee.mean, committee.scale, committee.weights, committee.bias)
        assert all(np.all(np.isfinite(part)) for part in parts)
        assert committee.calibration.slope > 0
        assert committee.calibration.doubt >= 0


def test_weights_are_read_as_they_were_written(tmp_path: Path):
    committee = Committee(
        np.array([1.0, 2.0]),
        np.array([0.5, 4.0]),
        np.array([[3.0, -1.0], [1.0, 0.0]]),
        np.array([0.25, 0.75]),
        Calibration(2.0, 0.5, 0.125),
    )
    model = SoundModel(np.array([7, 9]), (300, 1000), (committee, committee))
    model.save(tmp_path / "w.npz")
    again = SoundModel.read(tmp_path / "w.npz")
    assert again.stage_ms == (300, 1000)
    assert again.tokens.tolist() == [7, 9]
    opinions = again.committees[1].opinions(np.array([3.0, 2.5]))
    assert opinions.tolist() == pytest.approx([3.0 - 2.0 + 0.25, 1.0 + 0.75])
    mean, variance = 1.5, 0.125  # of 1.25 and 1.75
    assert again.committees[1].score(np.array([3.0, 2.5])) == pytest.approx(
        (2.0 * mean + 0.5) / np.sqrt(1 + 0.125 * variance)
    )


def test_strange_features_do_not_decide_alone():
    committee = Committee(np.zeros(1), np.ones(1), np.ones((1, 1)), np.zeros(1))
    assert committee.score(np.array([1e6])) == 5.0


opinions_of_members = st.lists(st.floats(-20, 20), min_size=2, max_size=8).map(np.array)


@given(opinions_of_members, st.floats(0.1, 5), st.floats(0, 5))
def test_where_members_disagree_the_judge_does_not_know(opinions, slope, doubt):
    calibration = Calibration(slope, 0.0, doubt)
    agreed = calibration.log_odds(opinions.mean(), np.float64(0.0))
    disputed = calibration.log_odds(opinions.mean(), spread(opinions))
    more = calibration.log_odds(opinions.mean(), spread(3 * opinions))
    assert abs(more) <= abs(disputed) <= abs(agreed)
    assert disputed * agreed >= 0


def test_stages_follow_the_length_of_the_sound():
    model = default_model()
    stages = [model.stage(ms, False) for ms in (160, 260, 261, 450, 700, 5000)]
    assert stages == [0, 0, 1, 1, 2, 3]
    assert model.stage(160, True) == 3


@pytest.mark.parametrize(("name", "is_interruption"), [("stop", True), ("okay", False)])
def test_real_clips(name, is_interruption):
    score = judge_clip(default_model(), sound(name, 416))
    assert (score > 0) is is_interruption


def test_features_are_finite_for_any_sound():
    for pcm in (
        np.zeros(5000, np.int16),
        np.full(5000, 32767, np.int16),
        np.tile([32767, -32768], 2500).astype(np.int16),
    ):
        pooled, logprobs = looks(pcm)
        numbers = voice(pcm, np.full(10, 0.7, np.float32), 160, False)
        assert np.all(np.isfinite(pooled))
        assert np.all(np.isfinite(logprobs))
        assert np.all(np.isfinite(numbers))
        assert np.all(np.isfinite(voice(pcm, np.zeros(1, np.float32), 32, True)))


def test_what_a_question_costs_is_bounded_however_long_the_sound(monkeypatch):
    lengths = []

    def look(pcm):
        lengths.append(len(pcm) / RATE_HZ)
        return np.zeros((4, STATE_WIDTH), np.float32), np.zeros(32_768, np.float32)

    monkeypatch.setattr(features, "first_look", look)
    for secs in (0.2, 1.0, 5.0, 30.0):
        looks(np.zeros(round(secs * RATE_HZ), np.int16))
    assert max(lengths) <= features.MAX_SECS + 0.2
    assert lengths[0] == pytest.approx(0.4)


async def test_the_judge_answers_off_the_loop():
    judge = Judge()
    clip = sound("go_forward_ten_meters", 608)
    score = await judge(clip)
    assert score == judge_clip(default_model(), clip)


def test_lost_samples_are_counted():
    from loadtest.in_process import PlayoutTick

    ticks = [PlayoutTick(480, 480, 5000, False), PlayoutTick(0, 480, 5000, False), PlayoutTick(380, 860, 4620, False)]
    assert samples_lost(ticks) == 0
    assert samples_lost([*ticks, PlayoutTick(480, 1440, 4000, False)]) == 100
    assert samples_lost([*ticks, PlayoutTick(480, 1240, 4000, False)]) == -100
