"""Calls, written as text, of tools that there are not: ``reserve_table(n=6)``, ``reserve {"n": 6}``. Pure.

Nothing but their form tells them from words. A name that no word of a language has (``check_order``, ``getWeather``) is
one as soon as an argument follows; a plain word only where what follows is surely no speech.
"""

import re
from typing import Final

SHORTEST_NAME_CHARS: Final = 4
"""Shorter names with arguments may be mathematics: f(x=0)."""

LONGEST_NAME_CHARS: Final = 64

_NAMESPACES: Final = ("functions", "default_api", "tools", "api", "mcp")
NAME: Final = re.compile(rf"(?:(?:{'|'.join(_NAMESPACES)})\.)?[A-Za-z_]\w*", re.ASCII)
_NO_WORD: Final = re.compile(r"\w*[A-Za-z]_\w*|[a-z]+[A-Z]\w*|(?:[A-Z][a-z]+){2,}|(?:\w+\.)\w+", re.ASCII)
_CAPITALISED: Final = re.compile(r"[A-Z][a-z]*")
"""A word at a sentence's start."""

_SURE: Final = re.compile(r"""\(\s*(?:[A-Za-z_]\w*\s*=(?=[^=])|["'\[{\d-]|\))""")
_SURE_MAYBE: Final = re.compile(r"\(\s*(?:[A-Za-z_]\w*\s*=?)?$")
_OF_A_WORD: Final = re.compile(
    r"""\(\s*(?:[A-Za-z_]\w*\s*=\s*(?:["'\[{\d-]|true|false|null|none)|\{\s*["']|["'])""", re.IGNORECASE
)
_OF_A_WORD_MAYBE: Final = re.compile(r"\(\s*(?:\{\s*|[A-Za-z_]\w*\s*(?:=\s*[a-z]{0,4})?)?$", re.IGNORECASE)
_OBJECT: Final = re.compile(r"""\s?\{\s*["'][\w-]{1,64}["']\s*:""")
_OBJECT_MAYBE: Final = re.compile(r"""(?:\s|\s?\{\s*(?:["'][\w-]{0,64}(?:["']\s*)?)?)$""")


def is_call(text: str) -> bool | None:
    """Whether a text begins with a call; None: that is not clear yet.

    Args:
        text: The text, from a word's first letter on.
    """
    name = NAME.match(text)
    if name is None or name.end() > LONGEST_NAME_CHARS:
        return False
    behind = text[name.end() :]
    if not behind or (behind == "." and name.group() in _NAMESPACES):
        return None
    if len(name.group()) < SHORTEST_NAME_CHARS and "_" not in name.group():
        return False
    if "_" in name.group() and behind[0] == "(":
        return True
    no_word = _NO_WORD.fullmatch(name.group()) is not None
    if behind[0].isspace() and _CAPITALISED.fullmatch(name.group()):
        return False
    sure, maybe = (_SURE, _SURE_MAYBE) if no_word else (_OF_A_WORD, _OF_A_WORD_MAYBE)
    if sure.match(behind) or _OBJECT.match(behind):
        return True
    if maybe.fullmatch(behind) or _OBJECT_MAYBE.fullmatch(behind):
        return None
    return False
