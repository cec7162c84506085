"""Words that nobody said."""

import pytest

from processors.stt.plausibility import SpeechEvidence, is_plausible, loops, speech_evidence

CLEAR = SpeechEvidence(voiced_secs=1.0, mean_prob=0.95, max_prob=1.0)
BABBLE = SpeechEvidence(voiced_secs=4.0, mean_prob=0.75, max_prob=0.97)
BURST = SpeechEvidence(voiced_secs=0.2, mean_prob=0.6, max_prob=0.8)


def test_evidence_counts_from_the_first_to_the_last_voiced_window():
    evidence = speech_evidence([0.1, 0.6, 0.2, 1.0, 0.3, 0.1], window_secs=0.032)
    assert evidence.voiced_secs == pytest.approx(0.064)
    assert evidence.mean_prob == pytest.approx(0.6)
    assert evidence.max_prob == 1.0


def test_evidence_of_silence():
    assert speech_evidence([0.1, 0.4], window_secs=0.032) == SpeechEvidence(0.0, 0.0, 0.4)
    assert speech_evidence([], window_secs=0.032) == SpeechEvidence(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "confidence", "evidence"),
    [
        ("Book a room.", 0.8, CLEAR),
        ("Stop.", 0.5, SpeechEvidence(0.35, 0.85, 0.99)),
        ("Thank you.", 0.8, CLEAR),
        ("No, no, no!", 0.8, CLEAR),
        ("Five five five five.", 0.8, CLEAR),
        ("No.", 0.9, BURST),  # short and faint, but clearly a word
        ("I don't know, I don't know, I don't know.", 0.8, SpeechEvidence(2.0, 0.95, 1.0)),
    ],
)
def test_what_people_say(text, confidence, evidence):
    assert is_plausible(text, confidence, evidence)


@pytest.mark.parametrize(
    ("text", "confidence", "evidence"),
    [
        ("", 1.0, CLEAR),
        ("♪♪♪", 0.9, CLEAR),
        ("...", 0.9, CLEAR),
        ("Better now.", 0.2, CLEAR),  # unsure of its words
        ("Better now.", 0.35, BABBLE),
        ("You", 0.6, BURST),
        ("Thank you for watching!", 0.9, SpeechEvidence(1.0, 0.8, 0.9)),
        ("I'm not, I'm not, I'm not", 0.8, BABBLE),
        ("You know, you know what, you know what I", 0.9, SpeechEvidence(0.2, 0.95, 0.99)),  # 45 words a second
    ],
)
def test_what_the_recogniser_makes_up(text, confidence, evidence):
    assert not is_plausible(text, confidence, evidence)


def test_loops_are_of_two_words_or_more_and_three_times():
    assert loops(["a", "b", "a", "b", "a", "b"])
    assert loops(["so", "it", "is", "like", "this", "it", "is", "like", "this", "it", "is", "like", "this"])
    assert not loops(["a", "b", "a", "b"])
    assert not loops(["no", "no", "no", "no"])
    assert not loops(["one", "two", "one", "three", "one", "four"])
