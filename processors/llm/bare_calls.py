"""Tool calls that a small model writes as plain text: ``{"name": "book", "arguments": {...}}``.

Pure. Models wrap such calls in what they were trained on (fences, tags, lists), begin them after some words, and go on
with words after them, which were written without knowing the result. Ordinary text is never held back: only what begins
like a call is, until it can be told.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from processors.llm.base import ToolCallDelta

MAX_HELD_CHARS = 4_000
"""Longer JSON is no tool call of a voice bot."""

INSTRUCTION = "To call one, write nothing but"
"""How the local model is told to call tools."""

_PARROTED = "To call one, write"
"""What of that it likes to repeat before it does."""

_FUNCTION_TAG = "<function="
_OPENERS = ("{", "[{", "[TOOL_CALLS]", "```", "<tool_call>", "<|python_tag|>", _FUNCTION_TAG, _PARROTED)
_OPENER = re.compile("|".join(map(re.escape, _OPENERS)))
_FIRST_KEY = re.compile(r'\{\s*(?:"([^"]*)"|([^"\s]))')
_KEYS = frozenset(
    {"name", "function", "tool", "tool_name", "type", "id", "tool_calls", "arguments", "parameters", "args"}
)
"""What the JSON of a call begins with."""


class BareCallFilter:
    """Lets text through but for tool calls, which it holds until the end.

    Use: pass each delta through :meth:`feed`, and at the end of the stream :meth:`finish`.
    """

    def __init__(self) -> None:
        self._held = ""
        self._holds_call = False

    def feed(self, text: str) -> str:
        """Take a delta; the text that may be spoken now."""
        self._held += text
        passed = ""
        while not self._holds_call:
            found = _OPENER.search(self._held)
            if found is None:
                end = len(self._held) - _begun_opener(self._held)
                passed, self._held = passed + self._held[:end], self._held[end:]
                return passed
            passed, self._held = passed + self._held[: found.start()], self._held[found.start() :]
            self._holds_call = True
            if not self._may_be_call():
                passed += self._release(found.end() - found.start())
        if not self._may_be_call():
            passed += self._release(1)
            return passed + self.feed("")
        return passed

    def finish(self) -> tuple[str, list[ToolCallDelta]]:
        """The stream is over: text that is still to be spoken, and the calls that were found."""
        held, self._held, self._holds_call = self._held, "", False
        calls = list(_calls(held))
        return ("", calls) if calls else (held, [])

    def _may_be_call(self) -> bool:
        if len(self._held) > MAX_HELD_CHARS:
            return False
        first = _FIRST_KEY.search(self._held)
        return first is None or first[1] in _KEYS or self._held.startswith(_FUNCTION_TAG)

    def _release(self, chars: int) -> str:
        """Go on behind what looked like the beginning of a call."""
        released, self._held = self._held[:chars], self._held[chars:]
        self._holds_call = False
        return released


def _begun_opener(text: str) -> int:
    """How many characters at the end of a text may be the beginning of an opener."""
    longest = max(map(len, _OPENERS)) - 1
    for length in range(min(longest, len(text)), 0, -1):
        if any(opener.startswith(text[-length:]) for opener in _OPENERS):
            return length
    return 0


def _calls(text: str) -> Iterator[ToolCallDelta]:
    """All calls in a text."""
    decoder = json.JSONDecoder()
    at = 0
    while (begin := min((i for i in (text.find("{", at), text.find("[{", at)) if i >= 0), default=-1)) >= 0:
        try:
            value, at = decoder.raw_decode(text, begin)
        except ValueError:
            return
        tag = text.rfind(_FUNCTION_TAG, 0, begin)
        if tag >= 0 and text[begin - 1] == ">":
            value = {"name": text[tag + len(_FUNCTION_TAG) : begin - 1], "arguments": value}
        yield from _from_json(value)


def _from_json(value: Any) -> Iterator[ToolCallDelta]:
    """The calls that a value stands for, in the forms that models know."""
    if isinstance(value, list):
        for each in value:
            yield from _from_json(each)
    if not isinstance(value, dict):
        return
    inner = value.get("tool_calls") or value.get("function")
    if isinstance(inner, list | dict):
        yield from _from_json(inner)
        return
    name = next(
        (value[key] for key in ("name", "function", "tool", "tool_name") if isinstance(value.get(key), str)), ""
    )
    arguments = next((value[key] for key in ("arguments", "parameters", "args") if key in value), {})
    if name:
        # Some models write the arguments as a string of JSON, as the API does.
        written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        yield ToolCallDelta("", name, written)
