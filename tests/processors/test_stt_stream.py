"""The bookkeeping of a vendor's stream: each word once, whatever the vendor repeats, corrects or sends late."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.frames import WINDOW_SAMPLES
from contracts.stt import RecognisedWord, Transcript
from processors.stt.stream import WINDOW_SECS, Result, SpokenStream

SILENCE = bytes(2 * WINDOW_SAMPLES)
SENTENCE = ["what", "is", "the", "balance", "of", "my", "account"]


def words(texts: list[str], start_secs: float = 0.5, each_secs: float = 0.25) -> tuple[RecognisedWord, ...]:
    return tuple(
        RecognisedWord(text, 0.9, start_secs + index * each_secs, start_secs + (index + 1) * each_secs)
        for index, text in enumerate(texts)
    )


def listening(secs: float = 3.0) -> SpokenStream:
    stream = SpokenStream()
    for index in range(round(secs / WINDOW_SECS)):
        if index == 15:
            stream.speech_started()
        stream.feed(SILENCE, 0.9 if index >= 15 else 0.0)
    stream.speech_stopped(secs)
    return stream


def last(told: list[Transcript]) -> dict[int, str]:
    return {transcript.segment: transcript.text for transcript in told if transcript.final}


def test_a_result_that_comes_twice_adds_nothing() -> None:
    stream = listening()
    result = Result(words(SENTENCE), 3.0, final=True)
    told = stream.heard(result, 3.1)
    assert last(told) == {1: " ".join(SENTENCE)}
    assert stream.heard(result, 3.15) == []
    assert stream.heard(result, 4.6) == []


def test_a_result_that_is_corrected_takes_the_place_of_the_first() -> None:
    stream = listening()
    stream.heard(Result(words(["what", "is", "the", "ballot"]), 3.0, final=True), 3.1)
    told = stream.heard(Result(words(["what", "is", "the", "balance"]), 3.0, final=True), 3.3)
    assert last(told) == {1: "what is the balance"}


@given(st.floats(-0.3, 0.45), st.floats(0.2, 0.3), st.integers(3, 7))
def test_a_result_that_comes_again_with_other_times_counts_once(drift_secs, each_secs, count) -> None:
    stream = listening()
    first, again = words(SENTENCE[:count]), words(SENTENCE[:count], 0.5 + max(-0.05, drift_secs), each_secs)
    if any(
        abs((a.start_secs + a.end_secs) - (b.start_secs + b.end_secs)) > 1.0 for a, b in zip(first, again, strict=True)
    ):
        return
    told = last(stream.heard(Result(first, 3.0, final=True), 3.1))
    told |= last(stream.heard(Result(again, 3.0, final=True), 3.4))
    assert told == {1: " ".join(SENTENCE[:count])}


def test_who_says_no_twice_has_said_it_twice() -> None:
    stream = listening()
    told = last(stream.heard(Result(words(["no", "no"]), 3.0, final=True), 3.1))
    told |= last(stream.heard(Result(words(["no", "no"], 1.0), 3.0, final=True), 3.4))
    assert told == {1: "no no no no"}


def test_words_without_times_count_once_too() -> None:
    stream = listening()
    result = Result((RecognisedWord("hello", 0.9), RecognisedWord("there", 0.9)), 3.0, final=True)
    assert last(stream.heard(result, 3.1)) == {1: "hello there"}
    assert stream.heard(result, 3.2) == []


@given(
    st.lists(st.integers(1, 7), min_size=1, max_size=7),
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 7)), max_size=5),
    st.randoms(use_true_random=False),
)
def test_each_word_stands_in_the_text_once_and_in_order_for_any_split(sizes, repeats, rng) -> None:
    timed = words(SENTENCE)
    parts, at = [], 0
    for size in sizes:
        parts.append(timed[at : at + size])
        at += size
    parts = [part for part in [*parts, timed[at:]] if part]
    parts += [timed[start : start + length] for start, length in repeats]
    rng.shuffle(parts)
    stream = listening()
    told: dict[int, str] = {}
    for number, part in enumerate(parts):
        told |= last(stream.heard(Result(part, 3.0, final=True), 3.1 + number / 10))
    assert told == {1: " ".join(SENTENCE)}
