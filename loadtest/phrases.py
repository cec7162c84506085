"""What the bot says of its own accord, told from its messages: that it needs a moment, or that it cannot answer. Pure.

A bot that sends no such messages is taken at its voice.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from languages.catalogue import find_languages
from loadtest.recording import Message
from processors.turns.events import Phrase
from processors.turns.phrases import phrase_text


def _sentences(phrases: Iterable[Phrase]) -> frozenset[str]:
    """The words of phrases in all languages, with all waits that they may name."""
    return frozenset(
        phrase_text(phrase, code, "", wait_secs)
        for code, known in find_languages().items()
        for phrase in phrases
        for wait_secs in known.sentences.waits
    )


COVERS: Final = _sentences((Phrase.MOMENT, Phrase.STILL, Phrase.BUSY, Phrase.IN_QUEUE))
"""While the answer is on its way."""

APOLOGIES: Final = _sentences((Phrase.APOLOGY, Phrase.REPEAT, Phrase.FULL, Phrase.CLOSING))
"""When there is none: it is heard, and it is not an answer."""


def is_cover(text: str) -> bool:
    """Whether an utterance is one that covers a wait, or a part of it."""
    return _is_one_of(text, COVERS)


def is_apology(text: str) -> bool:
    """Whether an utterance is one that says that there is no answer, or a part of it."""
    return _is_one_of(text, APOLOGIES)


def _is_one_of(text: str, known: frozenset[str]) -> bool:
    said = text.strip()
    return bool(said) and any(said in sentence for sentence in known)


def utterances(messages: Sequence[Message]) -> list[tuple[float, str]]:
    """When each utterance began to sound, and its text."""
    return [(m.arrival_secs, str(m.data.get("text", ""))) for m in messages if m.type == "bot-tts-text"]


def is_still_to_come(messages: Sequence[Message]) -> bool:
    """Whether only waits were covered so far: some were, and neither an answer nor an apology or an error followed."""
    if any(message.type in ("time-to-answer", "error") for message in messages):
        return False
    said = [text for _, text in utterances(messages)]
    return any(map(is_cover, said)) and not any(map(is_apology, said))
