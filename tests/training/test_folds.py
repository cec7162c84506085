"""Clips are kept from the models that judge them."""

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.clips import Sample
from training.folds import by_speaker, by_word, save_manifest
from training.phrases import sayings, telling_words

WORDS = ["no", "stop", "oh dear", "oops", "yes sir", "hmm", "mhm", "watch it", "leave it", "oh", "the", "", "a b c d e"]

clips = st.lists(
    st.builds(
        Sample,
        name=st.just("x"),
        class_=st.sampled_from(["interruption", "backchannel", "noise", "speech"]),
        speaker=st.sampled_from("abcdefg"),
        synthetic=st.booleans(),
        pcm=st.just(np.zeros(1, np.int16)),
        text=st.sampled_from(WORDS),
        path=st.just(Path("/x/y.wav")),
    ),
    min_size=1,
    max_size=60,
)


def words_of(samples, numbers):
    return frozenset().union(*(telling_words(samples[at].text) for at in numbers))


@given(clips)
def test_no_speaker_is_on_both_sides(samples):
    folds = list(by_speaker(samples))
    for fold in folds:
        assert not {samples[at].speaker for at in fold.held} & {
            samples[at].speaker for at in fold.kept if not samples[at].synthetic
        }
        assert not any(samples[at].synthetic for at in fold.held)
    held = [at for fold in folds for at in fold.held]
    assert sorted(held) == [at for at, sample in enumerate(samples) if not sample.synthetic]


@given(clips)
def test_no_word_and_no_speaker_is_on_both_sides(samples):
    folds = list(by_word(samples))
    for fold in folds:
        assert not words_of(samples, fold.held) & words_of(samples, fold.kept)
        assert not {samples[at].speaker for at in fold.held} & {samples[at].speaker for at in fold.kept}
    held = [at for fold in folds for at in fold.held]
    assert len(held) == len(set(held))
    judged = [at for at, each in enumerate(samples) if not each.synthetic and 1 <= len(each.text.split()) <= 4]
    assert sorted(held) == judged


def test_the_manifest_of_a_fold_tells_the_words_that_were_kept_from_it(tmp_path):
    samples = [
        Sample("a", "backchannel", "a", False, np.zeros(1, np.int16), "Oh dear", Path("/clips/a.wav")),
        Sample("b", "interruption", "b", False, np.zeros(1, np.int16), "stop", Path("/clips/b.wav")),
    ]
    told = {}
    for fold in by_word(samples):
        save_manifest(fold, samples, tmp_path / "words.jsonl")
        for line in filter(None, (tmp_path / "words.jsonl").read_text().splitlines()):
            entry = json.loads(line)
            told[entry["file"]] = entry["unheard_words"]
    assert told == {"/clips/a.wav": ["dear", "oh"], "/clips/b.wav": ["stop"]}


def test_every_language_is_spoken_in_both_classes_and_no_phrase_is_in_both():
    listed = sayings()
    for code in ("de", "en", "es", "fr", "hi"):
        passing = {each.text for each in listed if each.language == code and each.class_ == "backchannel"}
        taking = {each.text for each in listed if each.language == code and each.class_ == "interruption"}
        assert len(passing) >= 20
        assert len(taking) >= 20
        assert not passing & taking
