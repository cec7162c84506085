"""One reply that is asked for ahead of time and held at a gate."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from contracts.llm import (
    Delta,
    Finish,
    InQueue,
    LanguageModel,
    LanguageModelError,
    Message,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
    Usage,
    as_generator,
)
from contracts.prefetch import Prefetch
from languages.catalogue import language as known_language
from processors.context.aggregators import with_calls
from processors.llm.machine_text import MachineTextFilter
from processors.llm.meant import described
from processors.turns.wording import wording

CHARS_PER_TOKEN: Final = 4.0

HESITATIONS: Final = frozenset(
    ["um", "uh", "uhm", "umm", "er", "erm", "hm", "hmm", "ah", "äh", "ähm", "öh", "eh", "euh"]
)
"""Sounds, where they are fillers of the language."""

COURTESIES: Final = (
    ("please",),
    ("bitte",),
    ("por", "favor"),
    ("s'il", "vous", "plaît"),
    ("s'il", "te", "plaît"),
    ("कृपया",),
    ("प्लीज़",),
)
"""What may stand before or after a wish, in any language."""

OnText = Callable[[str, bool], Awaitable[None]]
"""Given words of the reply as they come, and whether they are the last."""

LookUp = Callable[[Sequence[ToolCallDelta]], Awaitable[list[str] | None]]
"""Runs calls that only look something up; None if some do more than that, or may not be run now."""


@dataclass(frozen=True)
class Asking:
    """How replies are asked for ahead of time.

    Attributes:
        model: Who is asked.
        tools: Tools that may be called.
        on_text: Told the words, until they are wanted.
        look_up: Runs the look-ups that the reply calls for, so that it goes on with what they found; None: none is run.
        language: Of the caller's words.
    """

    model: LanguageModel
    tools: Sequence[ToolSpec]
    on_text: OnText
    look_up: LookUp | None = None
    language: str = "en"


class PreparedReply:
    """A reply to a prompt that may or may not be asked for; its stream runs in a task.

    Args:
        asking: How.
        messages: The prompt.
    """

    def __init__(self, asking: Asking, messages: Sequence[Message]) -> None:
        self._asking = asking
        self._messages = list(messages)
        self._wanted = False
        self.next: PreparedReply | None = None
        """The reply's second request, with what its look-ups found."""
        self._deltas = Prefetch(self._ask(), "preemptive")

    def answers(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> bool:
        """Whether it is what this prompt asks for, and worth more than asking again.

        Case, punctuation, the spelling of figures and sounds of hesitation in the user's words do not count: a
        recogniser's final result often differs in no more. Nor do the ids of tool calls, which are new each time.
        """
        return (
            self._deltas.error is None
            and list(tools) == list(self._asking.tools)
            and len(messages) == len(self._messages)
            and all(self._as_said(a) == self._as_said(b) for a, b in zip(messages, self._messages, strict=True))
        )

    @property
    def tokens(self) -> float:
        """What it has cost so far: as the vendor says, else by its length."""
        after = self.next.tokens if self.next is not None else 0.0
        usage = self.usage
        return after + usage.prompt_tokens + usage.completion_tokens

    @property
    def told_usage(self) -> Usage | None:
        """What this request has cost, as the vendor says; None: it does not, or is not done."""
        return next((d.usage for d in self._deltas.items if isinstance(d, Finish) and d.usage is not None), None)

    @property
    def usage(self) -> Usage:
        """What this request has cost so far: as the vendor says, else by its length."""
        if (told := self.told_usage) is not None:
            return told
        said = sum(len(delta.text) for delta in self._deltas.items if isinstance(delta, TextDelta))
        tools = described(self._messages, self._asking.tools)
        return Usage(round(prompt_tokens(self._messages, tools)), 0, round(said / CHARS_PER_TOKEN))

    def stream(self) -> AsyncGenerator[Delta]:
        """Open the gate: what has come, and then what comes. Closing it ends the model's work."""
        self._wanted = True
        return self._deltas.stream()

    def drop(self) -> None:
        """It is not wanted; ends the model's work."""
        self._wanted = True
        self._deltas.drop()
        if self.next is not None:
            self.next.drop()

    async def _ask(self) -> AsyncGenerator[Delta]:
        asking = self._asking
        filter_ = MachineTextFilter(asking.tools)
        said, calls = "", []
        async with aclosing(as_generator(asking.model.stream(self._messages, asking.tools))) as deltas:
            async for delta in deltas:
                if isinstance(delta, InQueue) and not self._wanted:
                    raise LanguageModelError("a prepared reply does not wait in the queue", retryable=True)
                if isinstance(delta, ToolCallDelta):
                    calls.append(delta)
                yield delta
                if isinstance(delta, TextDelta) and not self._wanted:
                    text = filter_.feed(delta.text)
                    if filter_.took_back():
                        raise LanguageModelError("a thought was taken for words", retryable=True)
                    said += text
                    await asking.on_text(text, False)
        if self._wanted:
            return
        rest = filter_.finish()
        calls += rest.calls
        if not calls:
            await asking.on_text(rest.text, True)
        else:
            await self._look_up(said + rest.text, calls)

    async def _look_up(self, said: str, calls: list[ToolCallDelta]) -> None:
        """The reply goes on with what its look-ups find: that is asked ahead as well."""
        if self._asking.look_up is None:
            return
        outputs = await self._asking.look_up(calls)
        if outputs is not None and not self._wanted:
            self.next = PreparedReply(self._asking, with_calls(self._messages, said, calls, outputs))

    def _as_said(self, message: Message) -> dict[str, Any]:
        """A message with the user's words as they sound, and without what is new each time."""
        kept = {key: value for key, value in message.items() if key not in ("tool_calls", "tool_call_id")}
        if message.get("role") == "user":
            kept["content"] = gist(str(message.get("content") or ""), self._asking.language)
        if message.get("tool_calls"):
            kept["calls"] = [call["function"] for call in message["tool_calls"]]
        return kept


def gist(text: str, language: str) -> tuple[str, ...]:
    """The words of a text without those that change no answer: sounds of hesitation, and "please" at either end."""
    said = wording(text, language)
    sounds = HESITATIONS & known_language(language).lexicon.fillers
    words = [word for word in said if word not in sounds]
    for courtesy in COURTESIES:
        size = len(courtesy)
        while len(words) > size and tuple(words[-size:]) == courtesy:
            del words[-size:]
        while len(words) > size and tuple(words[:size]) == courtesy:
            del words[:size]
    return tuple(words) or said


def prompt_tokens(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> float:
    """About how many tokens a prompt has, by its length."""
    told = [[tool.name, tool.description, tool.schema] for tool in tools]
    return len(json.dumps([list(messages), told], ensure_ascii=False, default=str)) / CHARS_PER_TOKEN
