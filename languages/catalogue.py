"""Finds the languages: every file of this folder that makes a :class:`Language`. To add one is to add a file."""

import importlib
import pkgutil
from functools import cache

import languages
from languages.base import Language


class UnknownLanguage(ValueError):
    """There is no file for a language."""


@cache
def find_languages() -> dict[str, Language]:
    """All languages by code."""
    found: dict[str, Language] = {}
    for module_info in pkgutil.iter_modules(languages.__path__, f"{languages.__name__}."):
        if module_info.name != __name__:
            module = importlib.import_module(module_info.name)
            found |= {value.code: value for value in vars(module).values() if isinstance(value, Language)}
    return dict(sorted(found.items()))


def language(code: str) -> Language:
    """The language of a code.

    Raises:
        UnknownLanguage: There is none; names those that there are.
    """
    found = find_languages()
    if code not in found:
        known = ", ".join(f"{each.code} ({each.name})" for each in found.values())
        raise UnknownLanguage(f"there is no language {code!r}; it may be: {known}")
    return found[code]
