from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.turns.verdict.policy import Evidence, Verdict, VerdictParams, VerdictPolicy

POLICY = VerdictPolicy()
SOUND = Evidence(
    elapsed_ms=300,
    since_end_ms=None,
    voiced_ms=280,
    max_prob=0.98,
    mean_prob=0.9,
    level_dbfs=-22.0,
    interim_text="",
    final_text=None,
    text_confidence=1.0,
    question_heard=False,
    score=None,
)


def verdict(policy: VerdictPolicy = POLICY, **evidence) -> Verdict:
    return policy.decide(replace(SOUND, **evidence)).verdict


def test_nothing_known_holds():
    assert verdict() is Verdict.HOLD


def test_a_stop_word_cancels_at_once_even_as_an_interim():
    assert verdict(interim_text="stop", text_confidence=0.6) is Verdict.CANCEL
    assert verdict(interim_text="okay stop there", text_confidence=0.6) is Verdict.CANCEL


def test_a_stop_word_that_is_hardly_believed_does_not():
    assert verdict(interim_text="stop", text_confidence=0.2) is Verdict.HOLD


def test_final_content_cancels_and_one_interim_word_waits():
    assert verdict(interim_text="card", text_confidence=0.9) is Verdict.HOLD
    assert verdict(interim_text="my card", text_confidence=0.9) is Verdict.CANCEL
    assert verdict(interim_text="card", final_text="card", text_confidence=0.9) is Verdict.CANCEL


def test_final_acknowledgement_resumes():
    assert verdict(interim_text="mhm", final_text="Mm-hmm.") is Verdict.RESUME
    assert verdict(interim_text="okay", text_confidence=0.9) is Verdict.HOLD


def test_after_a_question_it_is_an_answer():
    assert verdict(interim_text="yes", final_text="Yes.", question_heard=True) is Verdict.CANCEL
    assert verdict(interim_text="yes", question_heard=True) is Verdict.CANCEL


def test_words_that_nobody_believes_resume_at_the_end():
    evidence = {"interim_text": "the mage", "final_text": "the mage", "text_confidence": 0.2, "since_end_ms": 100}
    assert verdict(**evidence, score=-2.0) is Verdict.RESUME


def test_a_short_sound_without_words_resumes_when_it_ends():
    assert verdict(since_end_ms=0, voiced_ms=96) is Verdict.RESUME
    assert verdict(since_end_ms=0, voiced_ms=96, score=0.5) is Verdict.HOLD


def test_a_longer_one_waits_for_its_words_but_not_for_long():
    assert verdict(since_end_ms=0, voiced_ms=300) is Verdict.HOLD
    assert verdict(since_end_ms=200, voiced_ms=300) is Verdict.RESUME
    assert verdict(since_end_ms=200, voiced_ms=700) is Verdict.HOLD
    assert verdict(since_end_ms=200, voiced_ms=700, score=-1.0) is Verdict.RESUME
    assert verdict(since_end_ms=0, voiced_ms=300, final_text="") is Verdict.RESUME


def test_a_long_clear_voice_is_an_interruption_when_nobody_else_tells():
    assert verdict(elapsed_ms=1200, voiced_ms=900) is Verdict.CANCEL
    assert verdict(elapsed_ms=1200, voiced_ms=900, max_prob=0.8) is Verdict.RESUME
    assert verdict(elapsed_ms=1200, voiced_ms=900, score=-2.0) is Verdict.RESUME
    assert verdict(elapsed_ms=1200, voiced_ms=900, final_text="") is Verdict.RESUME
    assert verdict(since_end_ms=400, voiced_ms=700) is Verdict.CANCEL


def test_a_sound_is_decided_after_the_longest_hold():
    assert verdict(elapsed_ms=1190) is Verdict.HOLD
    assert verdict(elapsed_ms=1200) is Verdict.RESUME
    assert verdict(elapsed_ms=1200, score=0.5) is Verdict.CANCEL


@pytest.mark.parametrize(
    ("score", "right"), [(3.0, Verdict.CANCEL), (0.0, Verdict.HOLD), (-1.0, Verdict.HOLD), (-4.0, Verdict.RESUME)]
)
def test_early_only_a_sure_score_decides(score, right):
    assert verdict(score=score) is right


def test_a_sure_score_against_doubts_the_words_until_they_stop():
    assert verdict(interim_text="my card", text_confidence=0.9, score=-4.0) is not Verdict.CANCEL
    assert verdict(interim_text="stop", text_confidence=0.9, score=-4.0) is Verdict.CANCEL


@pytest.mark.parametrize("text", ["", "mhm", "my card"])
@pytest.mark.parametrize("score", [None, -5.0, 0.0, 5.0])
@pytest.mark.parametrize("since_end_ms", [None, 0, 500])
def test_a_forced_verdict_is_never_hold(text, score, since_end_ms):
    evidence = replace(SOUND, interim_text=text, score=score, since_end_ms=since_end_ms)
    assert POLICY.decide_now(evidence).verdict is not Verdict.HOLD


def test_minimum_length_keeps_short_sounds_from_interrupting_but_not_words():
    policy = VerdictPolicy(VerdictParams.tuned(min_ms=500))
    assert verdict(policy, score=5.0) is Verdict.HOLD
    assert verdict(policy, score=5.0, voiced_ms=600) is Verdict.CANCEL
    assert verdict(policy, interim_text="stop") is Verdict.CANCEL


def test_sensitivity_moves_every_threshold_one_way():
    scores = [x / 4 for x in range(-20, 21)]
    cancels = [
        sum(verdict(VerdictPolicy(VerdictParams.tuned(sensitivity=s)), score=x) is Verdict.CANCEL for x in scores)
        for s in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert cancels == sorted(cancels)
    assert cancels[0] < cancels[-1]


def test_acknowledgement_and_content_without_a_sound():
    assert POLICY.is_acknowledgement("okay")
    assert POLICY.is_acknowledgement("what is my balance okay", "What is my balance?")
    assert not POLICY.is_acknowledgement("what is my balance and the date", "What is my balance?")
    assert POLICY.is_content("my card", 0.9, False, final=True)
    assert not POLICY.is_content("my card", 0.3, False, final=True)
    assert not POLICY.is_content("okay", 0.9, False, final=True)
    assert POLICY.is_content("okay", 0.9, True, final=True)
    assert POLICY.is_content("wait", 0.1, False, final=False)


def test_where_nothing_is_sure_the_words_are_waited_for():
    assert verdict(since_end_ms=200, score=0.3) is Verdict.HOLD
    assert verdict(since_end_ms=200, score=-0.3) is Verdict.HOLD
    assert verdict(since_end_ms=200, score=1.2) is Verdict.CANCEL
    assert verdict(since_end_ms=200, score=-1.2) is Verdict.RESUME
    assert verdict(since_end_ms=450, score=0.3) is Verdict.CANCEL
    assert verdict(since_end_ms=450, score=-0.5) is Verdict.RESUME


def test_where_nothing_is_sure_the_words_decide():
    unsure = {"since_end_ms": 120, "score": 0.3}
    assert verdict(**unsure, final_text="Oh dear.", interim_text="oh dear") is Verdict.RESUME
    assert verdict(**unsure, final_text="") is Verdict.RESUME
    assert verdict(since_end_ms=120, score=-0.6, final_text="my card", text_confidence=0.8) is Verdict.CANCEL


def test_words_that_a_sure_judge_does_not_believe_come_too_late_as_well():
    assert not POLICY.is_content("my card", 0.6, False, final=True, score=-4.0)
    assert POLICY.is_content("my card", 0.9, False, final=True, score=-1.0)
    assert POLICY.is_content("wait", 0.6, False, final=True, score=-4.0)


any_evidence = st.builds(
    Evidence,
    elapsed_ms=st.integers(32, 5000),
    since_end_ms=st.none() | st.integers(0, 2000),
    voiced_ms=st.integers(0, 3000),
    max_prob=st.floats(0.5, 1),
    mean_prob=st.floats(0.1, 1),
    level_dbfs=st.floats(-60, 0),
    interim_text=st.sampled_from(["", "mhm", "oops", "card", "my card", "stop", "okay my card"]),
    final_text=st.none() | st.sampled_from(["", "mhm", "oops", "card", "my card", "stop"]),
    text_confidence=st.floats(0, 1),
    question_heard=st.booleans(),
    score=st.none() | st.floats(-8, 8),
    score_ms=st.integers(0, 2000),
)


@given(any_evidence)
def test_every_sound_that_has_ended_is_decided_in_time(evidence):
    over = replace(evidence, since_end_ms=max(POLICY.params.unsure_ms, POLICY.params.no_evidence_ms))
    assert POLICY.decide(over).verdict is not Verdict.HOLD


@given(any_evidence, st.floats(0, 8))
def test_a_higher_score_never_makes_an_interruption_less_likely(evidence, more):
    if evidence.score is None:
        return
    order = [Verdict.RESUME, Verdict.HOLD, Verdict.CANCEL]
    low, high = POLICY.decide(evidence), POLICY.decide(replace(evidence, score=evidence.score + more))
    if Verdict.HOLD not in (low.verdict, high.verdict):  # a sure judge does not wait
        assert order.index(high.verdict) >= order.index(low.verdict)
