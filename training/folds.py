"""How clips are kept from the models that judge them: by speaker, and by speaker and word at once."""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from training.clips import Sample
from training.phrases import telling_words

SPEAKER_FOLDS: Final = 5
WORD_FOLDS: Final = 3
MOST_WORDS: Final = 4
"""Longer texts are not judged by a word that was never heard."""


@dataclass(frozen=True)
class Fold:
    """Clips that are judged by a model that has not heard them.

    Attributes:
        split: ``speakers`` or ``words``.
        number: Of the fold.
        held: Numbers of the clips that are judged.
        kept: Numbers of the clips that the model may have heard.
    """

    split: str
    number: int
    held: frozenset[int]
    kept: frozenset[int]


def by_speaker(samples: Sequence[Sample]) -> Iterator[Fold]:
    """Folds in which no speaker is on both sides."""
    usable = {at for at, each in enumerate(samples) if each.counts}
    real = {at for at in usable if not samples[at].synthetic}
    of_speaker = _spread([samples[at].speaker for at in sorted(real)], SPEAKER_FOLDS)
    for number in range(SPEAKER_FOLDS):
        held = frozenset(at for at in real if of_speaker[samples[at].speaker] == number)
        yield Fold("speakers", number, held, frozenset(usable - held))


def by_word(samples: Sequence[Sample]) -> Iterator[Fold]:
    """Folds in which neither a speaker nor a telling word is on both sides; for noises their kind is the word."""
    short = [at for at, each in enumerate(samples) if not each.synthetic and _judged_by_word(each)]
    group = _connected([telling_words(samples[at].text) for at in short])
    of_group = _spread([str(each) for each in group], WORD_FOLDS)
    of_speaker = _spread([samples[at].speaker for at in short], WORD_FOLDS)
    for word_fold in range(WORD_FOLDS):
        own = [at for at, each in zip(short, group, strict=True) if of_group[str(each)] == word_fold]
        told = frozenset[str]().union(*(telling_words(samples[at].text) for at in own))
        strange = {at for at, each in enumerate(samples) if each.counts and not telling_words(each.text) & told}
        for speaker_fold in range(WORD_FOLDS):
            held = frozenset(at for at in own if of_speaker[samples[at].speaker] == speaker_fold)
            speakers = {samples[at].speaker for at in held}
            kept = frozenset(at for at in strange if samples[at].speaker not in speakers)
            yield Fold("words", word_fold * WORD_FOLDS + speaker_fold, held, kept)


def save_manifest(fold: Fold, samples: Sequence[Sample], path: Path) -> None:
    """Write the clips of a fold as ``python -m loadtest interruptions`` reads them.

    Where words were left out, each clip tells which ones, so that the lists of words may forget them too.
    """
    lines = []
    for at in sorted(fold.held):
        sample = samples[at]
        unheard = sorted(telling_words(sample.text)) if fold.split == "words" else []
        lines.append(json.dumps({"file": str(sample.path), "class": sample.class_, "unheard_words": unheard}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _judged_by_word(sample: Sample) -> bool:
    return sample.counts and bool(sample.text) and len(sample.text.split()) <= MOST_WORDS


def _connected(sets: Sequence[frozenset[str]]) -> list[int]:
    """A number for each set; sets that share a word, or are linked by others that do, have the same."""
    parent = list(range(len(sets)))

    def root(at: int) -> int:
        while parent[at] != at:
            at = parent[at]
        return at

    first: dict[str, int] = {}
    for at, each in enumerate(sets):
        for word in sorted(each):
            parent[root(at)] = root(first.setdefault(word, at))
    return [root(at) for at in range(len(sets))]


def _spread(keys: Sequence[str], folds: int) -> dict[str, int]:
    """A fold for each key, such that the folds have about as many entries each; the largest keys first."""
    names, counts = np.unique(np.array(keys), return_counts=True)
    filled = np.zeros(folds, int)
    found: dict[str, int] = {}
    for name, count in sorted(
        zip(names, counts, strict=True), key=lambda each: (-each[1], zlib.crc32(each[0].encode()))
    ):
        found[str(name)] = int(filled.argmin())
        filled[found[str(name)]] += count
    return found
