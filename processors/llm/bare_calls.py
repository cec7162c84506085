"""Tool calls that a small model writes as plain text: ``{"name": "book", "arguments": {...}}``.

Pure. Whether a reply is such a call can be told at its first character that is not white space, so ordinary text is
never held back.
"""

import json
import re

from processors.llm.base import ToolCallDelta

MAX_HELD_CHARS = 4_000
"""Longer JSON is no tool call of a voice bot."""

_OPENERS = ("{", "```", "<tool_call>")
_WRAPPING = re.compile(r"</?tool_call>|```(?:json)?")


class BareCallFilter:
    """Lets text through unless the reply began like a tool call; then holds it until the end.

    Use: pass each delta through :meth:`feed`, and at the end of the stream :meth:`finish`.
    """

    def __init__(self) -> None:
        self._held = ""
        self._decided = False

    def feed(self, text: str) -> str:
        """Take a delta; the text that may be spoken now."""
        if self._decided:
            return text
        self._held += text
        start = self._held.lstrip()
        may_be_call = any(start.startswith(opener) or opener.startswith(start) for opener in _OPENERS)
        if may_be_call and len(self._held) <= MAX_HELD_CHARS:
            return ""
        self._decided = True
        held, self._held = self._held, ""
        return held

    def finish(self) -> tuple[str, list[ToolCallDelta]]:
        """The stream is over: text that is still to be spoken, and the calls that were found."""
        held, self._held = self._held, ""
        calls = _parse(held)
        return ("", calls) if calls else (held, [])


def _parse(text: str) -> list[ToolCallDelta]:
    """All calls of a text that holds nothing but calls; else none."""
    rest = _WRAPPING.sub(" ", text).strip()
    decoder = json.JSONDecoder()
    calls: list[ToolCallDelta] = []
    while rest:
        try:
            value, end = decoder.raw_decode(rest)
        except ValueError:
            return []
        if not (isinstance(value, dict) and isinstance(value.get("name"), str)):
            return []
        arguments = value.get("arguments", value.get("parameters", {}))
        # Some models write the arguments as a string of JSON, as the API does.
        written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        calls.append(ToolCallDelta("", value["name"], written))
        rest = rest[end:].lstrip(" \n\t,;")
    return calls
