"""The bot's policy, without words that it is to be judged by."""

from dataclasses import replace
from functools import cache

from languages.base import Lexicon
from processors.turns.verdict.policy import VerdictParams, VerdictPolicy
from training.phrases import telling_words


class Unschooled(VerdictPolicy):
    """A policy whose lists of words lack some words.

    Args:
        unheard: Words that it has never seen on any list.
        params: As of any policy.
    """

    def __init__(self, unheard: frozenset[str], params: VerdictParams | None = None) -> None:
        super().__init__(params)
        self._unheard = unheard

    @property
    def lexicon(self) -> Lexicon:
        """The lists without phrases that the words are in."""
        return _without(super().lexicon, self._unheard)


@cache
def _without(known: Lexicon, unheard: frozenset[str]) -> Lexicon:
    acknowledgements, stops, exclamations = (
        frozenset(phrase for phrase in each if not unheard & telling_words(" ".join(phrase)))
        for each in (known.acknowledgements, known.stops, known.exclamations)
    )
    return replace(known, acknowledgements=acknowledgements, stops=stops, exclamations=exclamations)
