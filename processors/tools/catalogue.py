"""Finds the tools: every one that a module of this package defines. To add one is to add a file."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import replace

from processors import tools
from processors.tools.base import Tool
from settings import LlmProvider, Settings, SettingsError

LOCAL_TOOLS = ["check_balance", "recent_transactions"]
"""Tools of the small local model, if the settings name no others."""

TRANSFER = "transfer_to_person"
"""The tool that is only there where TRANSFER_TO says to whom."""


def find_tools() -> dict[str, Tool]:
    """All tools by name.

    Raises:
        SettingsError: Two have the same name.
    """
    found: dict[str, Tool] = {}
    for module_info in pkgutil.iter_modules(tools.__path__, f"{tools.__name__}."):
        module = importlib.import_module(module_info.name)
        for value in vars(module).values():
            if isinstance(value, Tool) and found.setdefault(value.name, value) is not value:
                raise SettingsError(f"TOOLS: two tools are named {value.name!r}, one of them in {module.__name__}")
    return dict(sorted(found.items()))


def offered(settings: Settings, more: Sequence[Tool] = ()) -> list[Tool]:
    """The tools that the settings let the model call, and more that come from elsewhere.

    ``auto`` gives the small local model two look-ups, with which it chose rightly for 19 of 20 sentences. Of all eight
    it chose rightly for 8 of 15, and called some that nobody had asked for.

    Raises:
        SettingsError: There is no such tool.
    """
    found = find_tools()
    if not settings.transfer_to:
        del found[TRANSFER]
    names = settings.tools
    if names == ["auto"]:
        is_local = settings.llm is LlmProvider.LOCAL
        names = [name for name in LOCAL_TOOLS if name in found] if is_local else ["all"]
    unasked = settings.tools_without_question
    for name in unasked:
        if name not in found and name not in {tool.name for tool in more}:
            raise SettingsError(f"TOOLS_WITHOUT_QUESTION: there is no tool {name!r}; it may be: {', '.join(found)}")
    chosen = [*choose(names, found), *more]
    proved = settings.tools_with_pin
    for name in proved:
        if name not in ("all", "effects") and name not in {tool.name for tool in (*found.values(), *more)}:
            raise SettingsError(
                f"TOOLS_WITH_PIN: there is no tool {name!r}; it may be: all, effects, {', '.join(found)}"
            )
    return [
        replace(tool, confirm=tool.confirm and tool.name not in unasked, proof=_is_named(tool, proved))
        for tool in chosen
    ]


def _is_named(tool: Tool, names: Sequence[str]) -> bool:
    return "all" in names or ("effects" in names and tool.effect) or tool.name in names


def choose(names: Sequence[str], found: Mapping[str, Tool]) -> list[Tool]:
    """The tools that a setting names: ``all``, ``none``, or their names.

    Raises:
        SettingsError: There is no such tool.
    """
    if list(names) == ["all"]:
        return list(found.values())
    if list(names) == ["none"]:
        return []
    for name in names:
        if name not in found:
            raise SettingsError(f"TOOLS: there is no tool {name!r}; it may be: all, none, {', '.join(found)}")
    return [found[name] for name in dict.fromkeys(names)]
