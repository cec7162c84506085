"""Which tools can be meant by what a caller says: the others need not be described to the model. Pure.

A tool may declare the words by which it is asked for (:class:`~processors.tools.base.MeantBy`). It is left out only
where nothing speaks for it: none of its words was said lately, it was not called in this conversation, and every word
that was said last is known to mean something else, or nothing. A word that nobody knows ("Scooter") may stand for
anything: then all tools are described but those that are asked for in few ways only, such as the time. A tool that
declares no words is always described.

Two forms of one prompt come of it. The *short* one costs less. The *whole* one begins in every call with the same
words, which a vendor may have in its cache; which of the two counts less against a limit, the gateway measures
(:mod:`gateway.policy`).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from contracts.llm import Message, ToolSpec
from languages.base import words
from languages.catalogue import language

RECENT_TURNS: Final = 2
"""The caller's last turns, whose words count."""

ASKED_BACK_TURNS: Final = 4
"""The same where the bot has asked something: what is answered may have been brought up some turns ago."""

NUMBER: Final = "#"
"""Stands for a figure, and for the name of one from two to a hundred ("one" is more often no number)."""


def described(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[ToolSpec]:
    """The tools that can be meant at this point of a conversation, in their order, told in few words.

    Args:
        messages: The prompt.
        tools: All tools.
    """
    said = [str(message.get("content") or "") for message in messages if message.get("role") == "user"]
    codes = {tool.meant.language for tool in tools if tool.meant is not None}
    if not said or not codes:
        return list(tools)
    bot = [str(message["content"]) for message in messages if message.get("role") == "assistant" and message["content"]]
    asked_back = bool(bot) and "?" in bot[-1]
    recent = said[-ASKED_BACK_TURNS:] if asked_back else said[-RECENT_TURNS:]
    code = min(codes)  # one call has one language
    heard = " | ".join(folded(text, code) for text in (*recent, *bot[-1:]))
    called = {call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()}
    last = " | ".join(folded(text, code) for text in (recent if asked_back else said[-1:]))
    known, unknown = _known_and_not(last, tools, code)
    strange = unknown > known

    def can_be_meant(tool: ToolSpec) -> bool:
        meant = tool.meant
        if meant is None or not meant.words or tool.name in called or strange:
            return True
        return bool(_pattern(meant.words).search(heard)) or (bool(unknown) and not meant.few_ways)

    return [replace(tool, schema=_short(tool.schema)) for tool in tools if can_be_meant(tool)]


def folded(text: str, code: str) -> str:
    """A text's words between spaces, as they are compared: lower case, without accents; apostrophes separate.

    Args:
        text: The text.
        code: Code of its language.
    """
    plain = _without_accents(" ".join(words(text)).replace("'", " "))
    numbers = _numbers(code)
    parts = (NUMBER if word in numbers or any(map(str.isdigit, word)) else word for word in plain.split())
    return f" {' '.join(parts)} "


def _known_and_not(text: str, tools: Sequence[ToolSpec], code: str) -> tuple[int, int]:
    """How many words of a folded text mean something, or nothing, for sure; and of how many nobody knows that."""
    rest = text
    for tool in tools:
        if tool.meant is not None and tool.meant.words:
            rest = _pattern(tool.meant.words).sub(" ", rest)
    idle = _idle(code)
    unknown = [word for word in rest.split() if len(word) > 1 and word not in idle]
    return len([word for word in text.split() if word != "|"]) - len(unknown), len(unknown)


@lru_cache(32)
def _idle(code: str) -> frozenset[str]:
    """Words of a language that ask for nothing by themselves."""
    return frozenset(word for entry in language(code).idle for word in folded(entry, code).split())


@lru_cache(32)
def _numbers(code: str) -> frozenset[str]:
    """The names of numbers, where they are one word."""
    cardinal = language(code).speech.cardinal
    names = (_without_accents(cardinal(number).lower()) for number in range(2, 101))
    return frozenset(part for name in names for part in name.replace("-", " ").split() if len(part) > 2)


@lru_cache(128)
def _pattern(entries: frozenset[str]) -> re.Pattern[str]:
    """Finds words and phrases in a folded text; a star stands for any letters."""
    found = (r"[^ ]*".join(map(re.escape, _without_accents(entry.lower()).split("*"))) for entry in entries)
    return re.compile(rf"(?<= )(?:{'|'.join(sorted(found, key=lambda each: (-len(each), each)))})(?= )")


def _without_accents(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return "".join(char for char in apart if not "\u0300" <= char <= "\u036f")


def _short(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without what goes without saying: an argument too many is refused when the tool is called."""
    return {
        key: _short(value) if isinstance(value, dict) else value
        for key, value in schema.items()
        if not (key == "additionalProperties" and value is False)
    }
