"""Takes Markdown, HTML, links, code and emoji out of a text. Pure."""

import re

from languages.speech import Speech
from processors.tts.aligned_text import AlignedText
from processors.tts.codes import masked_rules

CODE = re.compile(r"```.*?(?:```|$)", re.DOTALL)
"""A block of code; one that is not closed goes to the end."""

_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_URL = re.compile(
    r"(?:https?://|www\.)(?:www\.)?(?P<host>[^\s/?#()\[\]<>\"'|]*[^\s/?#()\[\]<>\"'|.,;:!])"
    r"[^\s()\[\]<>\"'|]*?(?=[.,;:!?*_]*(?:[\s()\[\]<>\"'|]|$))",
    re.IGNORECASE,
)
_RULE = re.compile(r"^[ \t]*(?:[-*_=][ \t]*){3,}$|^[ \t|:-]*-{2,}[ \t|:-]*$", re.MULTILINE)
_LINE_MARK = re.compile(r"^[ \t]*(?:(?:#{1,6}|[-*+•>]|\[[ xX]\]|\d+[.)])[ \t]+)+", re.MULTILINE)
_AMOUNTS = frozenset("0123456789$£€₹")
_TIMES = re.compile(r"(?<=\d)\s*\*\s*(?=\d)")
_EMPHASIS = re.compile(r"[*`~]+(?=\S)|(?<=\S)[*`~]+|(?<!\w)_+(?=\S)|(?<=\S)_+(?!\w)")


_NUMBERED = ("Quartal", "Halbjahr", "Klasse", "Liga", "Stock", "Etage", "FC", "Platz", "Weltkrieg", "Jahrhundert")
"""What is numbered in German, by an ordinal."""


def strip_markup(text: AlignedText, speech: Speech) -> None:
    """Leave the words of a text; of a link its text or its host."""
    if "`" in text.text:
        text.rewrite(CODE, lambda _: " ")
    text.rewrite(_TAG, lambda _: " ")
    text.keep(_LINK)
    text.rewrite(_URL, lambda found: found["host"].replace(".", f" {speech.signs['.']} "))
    text.rewrite(_RULE, lambda _: " ")
    dated = tuple(name for names in speech.months for name in names.split()) if speech.dot_makes_ordinal else ()

    def without_mark(found: re.Match[str]) -> str | None:
        """1. is a mark; but not in "1. Mai"."""
        behind = found.string[found.end() :]
        return None if found.group().strip()[:1].isdigit() and behind.startswith((*dated, *_NUMBERED)) and dated else ""

    text.rewrite(_LINE_MARK, without_mark)
    for pattern, rule in masked_rules(speech):
        text.rewrite(pattern, rule)
    text.rewrite(_TIMES, lambda _: f" {speech.signs['*']} ")
    text.rewrite(
        _EMPHASIS, lambda found: "~" if found.group() == "~" and found.string[found.end() :][:1] in _AMOUNTS else ""
    )
