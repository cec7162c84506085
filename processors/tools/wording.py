"""When a tool's result is the answer as it stands, and no second request to the model need word it. Pure; English.

A tool names the words that a question may consist of whose answer is its result (``worded_for``). "What's the balance
of my savings account?" has no other; "is my balance enough for a loan?" has, and so the model answers.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, cast

from contracts.llm import Delta, Finish, LanguageModel, Message, ReadsAlong, TextDelta, ToolSpec, Usage
from processors.context.aggregators import CANCELLED, RUNNING
from processors.tools.base import Tool
from processors.tools.runner import NOT_TOLD

_PLAIN = """
a an and are can check could do for from get give have hello hey hi i i'd in is like look me my of okay on please show
so tell thanks that the there there's to uh um up want well what what's which would you know
"""

PLAIN_WORDS: Final = frozenset(_PLAIN.split())
"""Words that add nothing to a question."""

MOST_WORDS: Final = 24
_WORD: Final = re.compile(r"\w+(?:'\w+)?")


class WordedByTools:
    """A :class:`~contracts.llm.LanguageModel` that leaves to the model what the tools have not said already.

    Args:
        model: The model.
        tools: The tools.
        language: Language of the call.
    """

    def __init__(self, model: LanguageModel, tools: Sequence[Tool], language: str) -> None:
        self._model = model
        self._worded_for = {tool.name: tool.worded_for for tool in tools if tool.worded_for}
        self._language = language

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Warm the model."""
        await self._model.warm(system_prompt, tools)

    def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Say what the tools have found, or ask the model."""
        found = worded_by_tools(messages, self._worded_for, self._language)
        return self._model.stream(messages, tools) if found is None else _said(found)

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()


class _ReadsAlong(WordedByTools):
    """One whose model reads a prompt while its last words are spoken."""

    def __init__(self, model: ReadsAlong, tools: Sequence[Tool], language: str) -> None:
        super().__init__(cast(LanguageModel, model), tools, language)
        self._reader = model

    def read_ahead(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> None:
        """Have the model read."""
        self._reader.read_ahead(messages, tools)


def worded_by_tools_first(model: LanguageModel, tools: Sequence[Tool], language: str) -> WordedByTools:
    """The model, which is left what the tools have not said already; it reads along if it can."""
    return (_ReadsAlong if isinstance(model, ReadsAlong) else WordedByTools)(cast(Any, model), tools, language)


async def _said(text: str) -> AsyncIterator[Delta]:
    yield TextDelta(text)
    yield Finish("stop", Usage())


def worded_by_tools(messages: Sequence[Message], worded_for: Mapping[str, frozenset[str]], language: str) -> str | None:
    """What the results at the end of a prompt say, if they are the answer as they stand; None: the model is to say it.

    Args:
        messages: The prompt; it ends with calls and their results.
        worded_for: By tool, the words of the questions that its result answers; tools without any are left out.
        language: Language of the call.
    """
    results: list[str] = []
    known: set[str] = set()
    at = len(messages)
    while at > 0 and (messages[at - 1]["role"] == "tool" or messages[at - 1].get("tool_calls")):
        at -= 1
        if messages[at]["role"] == "tool":
            results.append(str(messages[at]["content"]))
            continue
        for call in messages[at]["tool_calls"]:
            words = worded_for.get(call["function"]["name"])
            if not words:
                return None
            known |= words
    if language != "en" or not results or at == 0 or messages[at - 1]["role"] != "user":
        return None
    asked = _WORD.findall(str(messages[at - 1]["content"]).casefold().replace("’", "'"))
    if len(asked) > MOST_WORDS or not set(asked) <= PLAIN_WORDS | known:
        return None
    unfit = (RUNNING, CANCELLED)
    if any(r in unfit or r.startswith(("error: ", "timed out: ")) or r.endswith(NOT_TOLD) for r in results):
        return None
    return " ".join(reversed(results))
