"""Words count where somebody spoke, whichever vendor wrote them, and whenever they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.stt import RecognisedWord
from processors.stt.stream import Result, SpokenStream
from processors.stt.voiced import WINDOW_SECS, VoicedTrack

WINDOW = bytes(1024)


def hears(stretches: list[tuple[float, float, float]], secs: float) -> tuple[VoicedTrack, SpokenStream]:
    """A track and a stream that have heard so many seconds, with voice in stretches (from, to, probability)."""
    track, stream = VoicedTrack(), SpokenStream()
    for index in range(round(secs / WINDOW_SECS)):
        at = index * WINDOW_SECS
        prob = next((prob for start, end, prob in stretches if start <= at < end), 0.02)
        track.feed(prob)
        stream.feed(WINDOW, prob)
    return track, stream


def word(text: str, start: float, end: float) -> RecognisedWord:
    return RecognisedWord(text, 0.9, start, end)


def written(stream: SpokenStream, *words: RecognisedWord, final: bool = True) -> list[str]:
    told = stream.heard(Result(words, max(w.end_secs or 0 for w in words), final), 0.0) + stream.expire(99.0)
    return [transcript.text for transcript in told if transcript.text]


@pytest.mark.parametrize("final", [True, False])
def test_words_that_are_written_into_silence_are_none(final: bool) -> None:
    _, stream = hears([], 6.0)
    assert written(stream, word("Thank", 3.0, 3.2), word("you.", 3.2, 3.5), final=final) == []


def test_words_of_a_voice_count_however_late_they_come() -> None:
    _, stream = hears([(1.0, 1.6, 0.9)], 9.0)
    assert written(stream, word("stop", 1.1, 1.5))[0] == "stop"


def test_a_faint_voice_that_the_vad_does_not_call_speech_is_one() -> None:
    _, stream = hears([(1.0, 1.6, 0.3)], 3.0)
    assert written(stream, word("stop", 1.1, 1.5))[0] == "stop"


def test_only_the_words_that_somebody_said_are_left() -> None:
    _, stream = hears([(1.0, 1.6, 0.9)], 9.0)
    assert " ".join(written(stream, word("stop", 1.1, 1.5), word("thanks", 6.0, 6.4))).split() == ["stop"]


def test_words_without_times_count_if_somebody_spoke_just_before() -> None:
    _, stream = hears([(1.0, 1.6, 0.9)], 3.0)
    assert written(stream, RecognisedWord("stop", 0.9, 2.5, 2.5))[0] == "stop"
    _, stream = hears([(1.0, 1.6, 0.9)], 12.0)
    assert written(stream, RecognisedWord("stop", 0.9, 11.0, 11.0)) == []


@given(
    voices=st.lists(st.tuples(st.floats(0, 20), st.floats(0.1, 2)), max_size=4),
    at=st.floats(0.0, 19.0),
    length=st.floats(0.1, 0.8),
)
def test_a_word_counts_if_and_only_if_a_voice_is_near(
    voices: list[tuple[float, float]], at: float, length: float
) -> None:
    track, _ = hears([(start, start + secs, 0.9) for start, secs in voices], 20.0)
    said = track.was_said(word("yes", at, at + length))
    overlap = max((min(at + length, start + secs, 20) - max(at, start) for start, secs in voices), default=-1.0)
    if overlap >= 0.1:
        assert said
    elif overlap < -0.5:
        assert not said
