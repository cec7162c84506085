"""Whether the caller said yes. Pure.

What changes something is done after a yes only, and a yes is one that follows the bot's question: the tool was called,
the model was told to ask, something of its reply was heard, and what the caller said then agrees and takes nothing back
("yes, but on Friday" is another wish).
"""

from languages.base import words
from languages.catalogue import language as known_language

MAX_WORDS = 14
"""A longer answer is more than a yes."""

MUST_ASK = (
    "not done: the caller has to agree first. Ask in one short question whether to do exactly this; "
    "after a yes, call the tool again with the same arguments"
)
"""Output of a call that needs a yes."""

DONE_ALREADY = (
    "not done again: it was done before in this call, with this result: {result} If the caller wants it once more, "
    "ask; after a yes, call the tool again with the same arguments"
)
"""Output of a call that repeats what was done before."""


NOT_THE_CALLER = (
    "not done: the answer came from a voice far from the telephone. Ask the caller to say it once more, close to it; "
    "after a yes, call the tool again with the same arguments"
)
"""Output of a call after a yes that may have been somebody else's."""


def agrees(text: str, language: str = "en") -> bool:
    """Whether an answer is a yes and nothing else."""
    known = known_language(language).agreement
    heard = words(text)
    return len(heard) <= MAX_WORDS and _holds(heard, known.yes) and not _holds(heard, known.no)


def _holds(heard: list[str], phrases: frozenset[tuple[str, ...]]) -> bool:
    return any(
        tuple(heard[at : at + length]) in phrases for length in (1, 2, 3) for at in range(len(heard) - length + 1)
    )
