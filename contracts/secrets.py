"""Keys, passwords and tokens that must leave the process in no log line, page, metric or trace.

Our own are known word for word (:func:`register`); those of others are known by their form: what follows
``Authorization`` or ``api_key=``, what a vendor's key looks like, a signed token.
"""

import base64
import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

HIDDEN: Final = "[hidden]"
SHORTEST: Final = 8
"""A secret that is shorter would be found in innocent words."""

_FORMS: Final = (
    re.compile(
        r"""(?ix)
        (\b(?:proxy-)?authorization|\b(?:x-|xi-)?api[-_ ]?key|\bocp-apim-subscription-key|\bsubscription[-_]key
        |\b(?:access[-_]|refresh[-_]|id[-_]|call[-_]|caller[-_])?token|\bpassword|\bsecret|\bkey)
        (\\*["']?\s*[=:]\s*\\*["']?)
        (?:(?:bearer|basic|token|digest)\s+)?
        [^\s"'\\&,;)}\]>]{4,}
        """
    ),
    re.compile(r"(?i)(\b(?:bearer|basic)\b)(\s+)[A-Za-z0-9._~+/=-]{8,}"),
)
_LOOKS: Final = (
    re.compile(r"\b(?:sk|pk|rk|gsk|xai|whsec|ghp|glpat)[-_][A-Za-z0-9_-]{12,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?"),
)
_IN_URL: Final = re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)")

_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


def register(secrets: Iterable[str]) -> None:
    """Hide these from now on, as they are and as URLs, JSON and HTTP headers write them."""
    global _pattern
    for secret in secrets:
        if len(secret) >= SHORTEST:
            encoded = base64.b64encode(secret.encode()).decode()
            _known.update((secret, quote(secret, safe=""), json.dumps(secret)[1:-1], encoded))
    longest_first = sorted(_known, key=len, reverse=True)
    _pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def scrub(text: str) -> str:
    """The text without secrets."""
    if _pattern is not None:
        text = _pattern.sub(HIDDEN, text)
    text = _IN_URL.sub(HIDDEN, text)
    for form in _FORMS:
        text = form.sub(rf"\1\2{HIDDEN}", text)
    for look in _LOOKS:
        text = look.sub(HIDDEN, text)
    return text
