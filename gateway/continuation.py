"""One answer out of two streams: what a second model says after the first broke off in the middle. Pure.

The second one is asked to go on where the first stopped. Some do; some begin again with the same words. What it says is
held back while it repeats what has been said, and joined where it goes on.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.llm import Message

GO_ON: Final = "Your answer was cut off at this point. Go on exactly where it stopped, and repeat nothing of it."

SHORTEST_OVERLAP: Final = 3
LONGEST_OVERLAP: Final = 80
"""Characters that a second stream repeats: fewer are chance, more are not looked for."""


def continued(messages: Sequence[Message], said: str) -> list[Message]:
    """The prompt that asks for the rest of an answer; the same prompt if nothing of it was said."""
    if not said.strip():
        return list(messages)
    return [*messages, {"role": "assistant", "content": said}, {"role": "system", "content": GO_ON}]


class Continuation:
    """Joins the second stream to what was said.

    Args:
        said: What was said of the answer before it broke off.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._held = ""
        self._joined = not said.strip()

    def feed(self, text: str) -> str:
        """Take some text of the second stream; returns what is to be said of it now."""
        if self._joined:
            return text
        self._held += text
        held, said = self._held.lstrip(), self._said.strip()
        if any(tail.startswith(held) and tail != held for tail in _tails(said)):
            return ""  # it may repeat what was said
        self._joined = True
        return self._join(held)

    def finish(self) -> str:
        """What is still held back when the stream is over: nothing that was not said."""
        if self._joined:
            return ""
        self._joined = True
        held = self._held.strip()
        return "" if any(tail.startswith(held) for tail in _tails(self._said.strip())) else self._join(held)

    def _join(self, held: str) -> str:
        """Drop what has been said already; a space where two words would run together."""
        said = self._said.strip()
        for tail in _tails(said):
            if held.startswith(tail) and (len(tail) == len(said) or len(tail) >= SHORTEST_OVERLAP):
                rest = held[len(tail) :]
                return rest.lstrip() if self._said[-1].isspace() else rest
        spaced = self._held[:1].isspace() or (said[-1].isalnum() and held[0].isalnum())
        return f" {held}" if spaced and not self._said[-1].isspace() else held


def _tails(said: str) -> Iterator[str]:
    """The whole of what was said, and its last words: what a second stream may begin with."""
    yield said
    for at in range(max(1, len(said) - LONGEST_OVERLAP), len(said)):
        if said[at].isalnum() and not said[at - 1].isalnum():
            yield said[at:]
