"""Reads tool calls that a model wrote as text, in the forms that models were trained on. Pure.

JSON (``{"name": "book", "arguments": {...}}``), a name and JSON (``to=functions.book {...}``, ``<function=book>{...}``,
``book({...})``), Python (``book(n=6)``), and tags (``<invoke name="book"><parameter name="n">6</parameter></invoke>``).
"""

import ast
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from contracts.llm import ToolCallDelta, ToolSpec

CALL_KEYS: Final = frozenset(
    {"name", "function", "tool", "tool_name", "type", "id", "tool_calls", "arguments", "parameters", "args"}
    | {"tool_uses", "recipient_name", "function_name", "action", "action_input", "tool_input", "thought", "thoughts"}
    | {"reasoning"}
)
"""What the JSON of a call begins with."""

THOUGHT_KEYS: Final = frozenset({"thought", "thoughts", "reasoning"})
"""Without an answer behind it, what such a key begins is for nobody."""

_ANSWERS: Final = frozenset({"final answer", "final_answer", "answer", "respond", "reply"})
"""What agents call their answer, as if it were a tool."""

ANSWER_KEYS: Final = frozenset({"answer", "reply", "response", "final_answer", "text", "message", "content", "speech"})
"""What the JSON of an answer begins with, of models that were trained to write nothing else."""

_NAME_BEFORE: Final = re.compile(
    r"""(?:(?P<sure><function[=(]|<invoke\s+name=["']?|\bto=|functions\.|\[TOOL_CALLS\]\s*|<tool_call>\s*"""
    r"""|sep[|｜]>\s*|begin[|｜]>(?:function[\w<>|｜▁]*[|｜]>)?)|(?<![\w.]))"""
    r"""(?:functions\.|default_api\.|tools\.)?(?P<name>[A-Za-z_][\w.-]*)(?::\d+)?["')]?"""
    r"""(?:\s|[:=(>]|<\|\w+\|>|\[ARGS\]|```|json\b|code\b|commentary\b|<parameters?>|<arguments?>|Action Input:)*$"""
)
"""The name of a tool, and what models put between it and its arguments."""

_PARAMETERS: Final = (
    re.compile(r"<parameter(?:=|\s+name=)[\"']?([\w.-]+)[\"']?[^>]*>(.*?)</parameter>", re.DOTALL),
    re.compile(r"<arg_key>\s*(.*?)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL),
)
_TAGGED_NAME: Final = re.compile(
    r"""<function[=(]([\w.-]+)\)?>?|<invoke\s+name=["']?([\w.-]+)["']?\s*>|<tool_call>\s*([A-Za-z_][\w.-]*)"""
)
MAX_NAME_CHARS: Final = 200
"""A name and the marks behind it."""

_NAME_KEYS: Final = ("name", "function", "tool", "tool_name", "function_name", "recipient_name", "action")
_ARGUMENT_KEYS: Final = ("arguments", "parameters", "args", "action_input", "tool_input", "input")
_PAIRS: Final = {"{": "}", "[": "]", "(": ")"}


def written_calls(text: str, tools: Sequence[ToolSpec] = ()) -> list[ToolCallDelta]:
    """All calls in a piece of machine text.

    Args:
        text: The text.
        tools: The tools that there are.
    """
    tagged = list(_from_tags(text, tools))
    return tagged or list(_from_json_or_python(text, tools))


def is_arguments(text: str, tools: Sequence[ToolSpec]) -> bool:
    """Whether a text is an object that may be the arguments of one of the tools, whose name is missing."""
    found = _object_at(text, 0) if text.startswith("{") else None
    if found is None or not isinstance(found[0], dict) or not found[0]:
        return False
    return any(found[0].keys() <= tool.schema.get("properties", {}).keys() for tool in tools)


def wrapped_answer(text: str) -> str | None:
    """The words of ``{"answer": "We open at nine.", "confidence": 0.9}``; None if a text is no such object."""
    found = _object_at(text, 0) if text.startswith("{") else None
    if found is None or not isinstance(found[0], dict):
        return None
    if str(found[0].get("action")).lower() in _ANSWERS:
        words = found[0].get("action_input")
        return words if isinstance(words, str) else None
    answers = [words for key, words in found[0].items() if key in ANSWER_KEYS and isinstance(words, str)]
    return answers[0] if len(answers) == 1 else None


def closing(text: str) -> int | None:
    """Index behind the bracket that closes the first one of a text; None if it has not come."""
    open_: list[str] = []
    quote, escaped = "", False
    for at, char in enumerate(text):
        if quote:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == quote:
                quote = ""
        elif char in "\"'" and open_ and not (char == "'" and text[at - 1].isalnum()):
            quote = char
        elif char in _PAIRS:
            open_.append(_PAIRS[char])
        elif open_ and char == open_[-1]:
            open_.pop()
            if not open_:
                return at + 1
    return None


def _from_json_or_python(text: str, tools: Sequence[ToolSpec]) -> Iterator[ToolCallDelta]:
    at = 0
    names = {tool.name: tool for tool in tools}
    while at < len(text):
        begins = [index for index in (text.find(sign, at) for sign in "{[(") if index >= 0]
        if not begins:
            return
        begin = min(begins)
        before = _NAME_BEFORE.search(text, max(0, begin - MAX_NAME_CHARS), begin)
        if text[begin] == "(":
            name = _name(before)
            end = closing(text[begin:])
            if name in names and end is not None:
                arguments = _from_python(text[begin : begin + end], names[name])
                if arguments is not None:
                    yield ToolCallDelta("", name, arguments)
                    at = begin + end
                    continue
            at = begin + 1
            continue
        found = _object_at(text, begin)
        if found is None:
            at = begin + 1
            continue
        value, end = found
        calls = list(_from_json(value))
        if calls:
            yield from calls
        elif before is not None and isinstance(value, dict) and (before["sure"] or _name(before) in names):
            yield ToolCallDelta("", _name(before), json.dumps(value, ensure_ascii=False))
        elif isinstance(value, list):
            end = begin + 1  # calls in another form may stand in it
        at = end


def _name(before: re.Match[str] | None) -> str:
    return before["name"].removeprefix("functions.") if before is not None else ""


def _object_at(text: str, begin: int) -> tuple[Any, int] | None:
    """The JSON or Python value that begins at an index, and the index behind it."""
    try:
        return json.JSONDecoder().raw_decode(text, begin)
    except ValueError:
        pass
    end = closing(text[begin:])
    if end is None:
        return None
    try:
        return ast.literal_eval(text[begin : begin + end]), begin + end
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _from_json(value: Any) -> Iterator[ToolCallDelta]:
    """The calls that a value stands for."""
    if isinstance(value, list):
        for each in value:
            yield from _from_json(each)
    if not isinstance(value, dict):
        return
    inner = value.get("tool_calls") or value.get("tool_uses") or value.get("function")
    if isinstance(inner, list | dict):
        yield from _from_json(inner)
        return
    name = next(
        (value[key] for key in _NAME_KEYS if isinstance(value.get(key), str)),
        "",
    )
    arguments = next((value[key] for key in _ARGUMENT_KEYS if key in value), {})
    if name and not ("action" in value and name.lower() in _ANSWERS):
        # Some models write the arguments as a string of JSON, as the API does.
        written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        yield ToolCallDelta("", name.removeprefix("functions."), written)


def _from_python(arguments: str, tool: ToolSpec) -> str | None:
    """The JSON of ``(n=6)``, ``({"n": 6})`` or ``(6)``; None if it is no call."""
    properties = list(tool.schema.get("properties", {}))
    try:
        call = ast.parse(f"f{_as_python(arguments)}", mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        given = [ast.literal_eval(each) for each in call.args]
        named = {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg is not None}
        if len(named) != len(call.keywords) or len(given) > max(1, len(properties)):
            return None
        if len(given) == 1 and isinstance(given[0], dict):
            return json.dumps({**given[0], **named}, ensure_ascii=False)
        return json.dumps({**dict(zip(properties, given, strict=False)), **named}, ensure_ascii=False)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None


def _as_python(text: str) -> str:
    """JSON's names for Python's."""
    outside = re.split(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", text)
    words = {"true": "True", "false": "False", "null": "None"}
    for index in range(0, len(outside), 2):
        outside[index] = re.sub(r"\b(?:true|false|null)\b", lambda found: words[found.group()], outside[index])
    return "".join(outside)


def _from_tags(text: str, tools: Sequence[ToolSpec]) -> Iterator[ToolCallDelta]:
    """Calls whose parameters stand in tags."""
    names = list(_TAGGED_NAME.finditer(text))
    for name, following in zip(names, [*names[1:], None], strict=False):
        region = text[name.end() : following.start() if following is not None else len(text)]
        found = [each for pattern in _PARAMETERS for each in pattern.findall(region)]
        called = next(filter(None, name.groups())).removeprefix("functions.")
        if found:
            schema = next((tool.schema for tool in tools if tool.name == called), {})
            arguments = {key: _typed(value, schema.get("properties", {}).get(key, {})) for key, value in found}
            yield ToolCallDelta("", called, json.dumps(arguments, ensure_ascii=False))
        elif "{" not in region and re.match(r"\s*</(?:function|invoke|tool_call)>", region):
            yield ToolCallDelta("", called, "{}")


def _typed(value: str, schema: dict[str, Any]) -> Any:
    """A parameter's text as its type."""
    value = value.strip()
    if schema.get("type") == "string":
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
