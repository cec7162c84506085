"""The model's way to say that a reply goes on: a fixed word, which no caller ever hears.

A sound has cut a reply, and nobody knows whether its words mean anything ("blimey", or what a recogniser made of a
cough). The model answers them, and is told what of the reply was not heard. If they ask for nothing, it answers with
:data:`GO_ON` instead of the rest's own words, and the reply goes on at the sample where it stopped. It costs no time:
the request is the one that answers the turn in any case.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final

from contracts.llm import Delta, Finish, LanguageModel, Message, TextDelta, ToolCallDelta, ToolSpec, Usage, as_generator
from contracts.prefetch import Prefetch
from processors.llm.machine_text import MachineTextFilter

GO_ON: Final = "[GO ON]"
"""The fixed word."""

UNHEARD_CHARS: Final = 1_000
"""So much of what was not heard of a cut reply is shown to the model."""

_CUT: Final = "Your last answer was cut off by a sound from the caller, who has not heard its rest: {unheard!r}. "
_HOW: Final = (
    "The caller's last words may be an exclamation, an agreement, a side remark or a mishearing. "
    f"If they ask for nothing and change nothing, answer only {GO_ON}, and that rest is spoken. "
    "If they ask for something or object, answer that instead, and do not write the mark."
)
_HOW_IN_WORDS: Final = (
    "If the caller's last words ask for nothing, as an exclamation does, go on with that rest in the same words, "
    "without an apology. If they ask for something, answer that instead."
)

MOST_BEYOND_CHARS: Final = 100
"""A model that writes the rest behind the mark is not listened to for longer."""

_LONGEST: Final = 16
"""No form of the mark is longer, but for the signs before it."""

_MARK: Final = re.compile(r"[\[<({]\s?go[\s_-]{0,2}on\s?[\])}>]", re.IGNORECASE)
_MARK_BEGUN: Final = re.compile(r"[\[<({]\s?(?:g(?:o(?:[\s_-]{0,2}(?:o(?:n\s?)?)?)?)?)?", re.IGNORECASE)
_BARE: Final = re.compile(r"[\W_]*GO[\s_-]{1,2}ON\b")
_ALONE: Final = re.compile(r"[\W_]*go[\s_-]{1,2}on[\W_]*", re.IGNORECASE)
_ALONE_BEGUN: Final = re.compile(r"[\W_]*(?:g(?:o(?:[\s_-]{1,2}(?:o(?:n[\W_]*)?)?)?)?)?", re.IGNORECASE)


def note(unheard: str) -> Message:
    """What the model is told behind such a turn.

    Args:
        unheard: What was not heard of the reply.
    """
    return {"role": "system", "content": _CUT.format(unheard=unheard[:UNHEARD_CHARS]) + _HOW}


def is_asked(messages: Sequence[Message]) -> bool:
    """Whether a prompt asks for an answer that may be :data:`GO_ON`."""
    last = messages[-1] if messages else {}
    return last.get("role") == "system" and GO_ON in str(last.get("content"))


def in_words(messages: Sequence[Message]) -> Sequence[Message]:
    """The same prompt for a small model, which writes the word at the wrong time: it is asked to say the rest."""
    if not is_asked(messages):
        return messages
    *before, last = messages
    return [*before, {**last, "content": str(last["content"]).replace(_HOW, _HOW_IN_WORDS)}]


class GoOnFilter:
    """Takes the mark out of an answer as it streams: what passes does not depend on how the text was split.

    Brackets of any kind count, and small letters in them; without brackets the word counts if it is the whole answer,
    or begins it in capitals ("Go on, I'm listening" is an answer). What stands behind the mark is dropped.

    Attributes:
        found: Whether the mark has come.
        passed: Whether anything else has come before it that can be spoken.
    """

    def __init__(self) -> None:
        self.found = False
        self.passed = False
        self._held = ""

    def feed(self, text: str) -> str:
        """Take a part of the answer; the text that may be spoken now."""
        if self.found:
            return ""
        self._held += text
        if self._begins():
            return ""
        if (mark := _MARK.search(self._held)) is not None:
            self.found = True
            return self._let(mark.start())
        return self._let(self._sure())

    def finish(self) -> str:
        """The answer is over; the text that was held back."""
        if self.found:
            return ""
        if not self.passed and _ALONE.fullmatch(self._held):
            self.found = True
            return ""
        return self._let(len(self._held))

    def _begins(self) -> bool:
        """Whether the answer may still turn out to be the mark and nothing else; it is noticed if it is."""
        if self.passed:
            return False
        bare = _BARE.match(self._held)
        if bare is not None and (bare.end() < len(self._held)):
            self.found = True
            return True
        return bare is not None or (_ALONE_BEGUN.fullmatch(self._held) is not None and not _MARK.search(self._held))

    def _sure(self) -> int:
        """How much of what is held cannot be the beginning of a mark."""
        for at in range(max(0, len(self._held) - _LONGEST), len(self._held)):
            if _MARK_BEGUN.fullmatch(self._held, at):
                return at
        return len(self._held)

    def _let(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        self.passed = self.passed or any(char.isalnum() for char in text)
        return text


class GoOnQuestion:
    """One answer that may be to go on; what comes of it is kept until it is asked for.

    Args:
        model: Who is asked.
        messages: The prompt, with its :func:`note`.
        tools: Tools that may be called.
        turn_id: The turn.
        decided: Told once whether the reply goes on, as soon as that is known.
        on_usage: Told what the request cost, if nobody asks for its answer.
    """

    def __init__(
        self,
        model: LanguageModel,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        turn_id: int,
        decided: Callable[[bool], Awaitable[None]],
        on_usage: Callable[[Usage], None] = lambda _: None,
    ) -> None:
        self._model = model
        self._messages = list(messages)
        self._tools = list(tools)
        self._turn_id = turn_id
        self._decided = decided
        self._on_usage = on_usage
        self._goes_on: bool | None = None
        self._dropped = False
        self._deltas = Prefetch(self._ask(), "go on?")

    def answers(self, turn_id: int, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> bool:
        """Whether this is the answer to that prompt: the same words of the same turn."""
        same_words = _said_last(messages) == _said_last(self._messages)
        return turn_id == self._turn_id and same_words and list(tools) == self._tools and self._deltas.error is None

    def stream(self) -> AsyncGenerator[Delta]:
        """The answer from its beginning; closing it ends the model's work."""
        return self._deltas.stream()

    def drop(self) -> None:
        """It is not wanted; ends the model's work."""
        self._dropped = True
        self._deltas.drop()

    async def _ask(self) -> AsyncGenerator[Delta]:
        filter_, mark = MachineTextFilter(self._tools), GoOnFilter()
        beyond = 0
        try:
            async with aclosing(as_generator(self._model.stream(self._messages, self._tools))) as deltas:
                async for delta in deltas:
                    yield delta
                    match delta:
                        case TextDelta(text):
                            beyond += len(text) if mark.found else 0
                            said = filter_.feed(text)
                            if filter_.took_back():
                                mark = GoOnFilter()
                            mark.feed(said)
                            if mark.passed or mark.found:
                                await self._tell(mark.found and not mark.passed)
                        case ToolCallDelta():
                            await self._tell(False)
                        case Finish(_, usage):
                            rest = filter_.finish()
                            if filter_.took_back():
                                mark = GoOnFilter()
                            mark.feed(rest.text)
                            mark.finish()
                            await self._tell(mark.found and not mark.passed and not rest.calls)
                            if self._goes_on and usage is not None:
                                self._on_usage(usage)
                            return
                        case _:
                            pass
                    if self._goes_on and beyond > MOST_BEYOND_CHARS:
                        return
        finally:
            if self._goes_on is None and not self._dropped:
                await self._tell(False)  # it broke off: it is asked for again, and that is not ours

    async def _tell(self, goes_on: bool) -> None:
        if self._goes_on is None:
            self._goes_on = goes_on
            await self._decided(goes_on)


def _said_last(messages: Sequence[Message]) -> object:
    return next((message["content"] for message in reversed(messages) if message["role"] == "user"), None)
