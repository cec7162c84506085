"""What of a text is said aloud. Pure."""

import re

_CODE = re.compile(r"```.*?```|```.*$", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
_URL = re.compile(
    r"(?:https?://|www\.)(?:www\.)?([^\s/?#()\[\]<>\"']*[^\s/?#()\[\]<>\"'.,;:!])[^\s()\[\]<>\"']*?(?=[.,;:!?]*(?:\s|$))",
    re.IGNORECASE,
)
_LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}|[-*+•>]|\d+[.)])[ \t]+", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*(?:[-*_=][ \t]*){3,}$", re.MULTILINE)
_EMPHASIS = re.compile(r"[*`~]+(?=\S)|(?<=\S)[*`~]+|(?<!\w)_+(?=\S)|(?<=\S)_+(?!\w)")
_SYMBOL = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2190-\u21ff\u2300-\u23ff\u25a0-\u25ff\u2b00-\u2bff\ufe0e\ufe0f\u200d\u20e3|{}\\\\]"
)
_SPACE = re.compile(r"\s+")


def spoken(text: str) -> str:
    """The text without what cannot be spoken: markup, code, emoji; empty if nothing is left to say."""
    said = _CODE.sub(" ", text)
    said = _TAG.sub(" ", said)
    said = _LINK.sub(r"\1", said)
    said = _URL.sub(r"\1", said)
    said = _RULE.sub(" ", said)
    said = _LINE_MARK.sub("", said)
    said = _EMPHASIS.sub("", said)
    said = _SYMBOL.sub(" ", said).replace("_", " ")
    said = _SPACE.sub(" ", said).strip()
    return said if any(char.isalnum() for char in said) else ""
