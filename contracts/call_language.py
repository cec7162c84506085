"""Which language a call is in: it follows the caller, where the recogniser can tell what they speak. Pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from languages.base import words
from languages.catalogue import language

LANGUAGE: Final = "language"
"""Where a signed token, or an offer's ``requestData``, names the language of the call ("de")."""

FEWEST_WORDS: Final = 3
"""Fewer are no sentence: "no" and "okay" are words of many languages."""

CLEAR: Final = 0.8
"""So sure the recogniser must be."""


@dataclass(frozen=True)
class HeardLanguage:
    """What a recogniser says of the language of some words.

    Attributes:
        code: ISO 639-1 code; empty: it does not say.
        confidence: How sure it is, from 0 to 1.
    """

    code: str = ""
    confidence: float = 0.0


def chosen_language(claims: Mapping[str, Any], request_data: Mapping[str, Any], allowed: Collection[str]) -> str | None:
    """The language that a call begins in: the token's, else the page's; None if neither names one that is allowed.

    Args:
        claims: What a signed token says.
        request_data: What the client sent beside its offer.
        allowed: Codes of the languages that calls may be in.
    """
    for said in (claims.get(LANGUAGE), request_data.get(LANGUAGE)):
        if isinstance(said, str) and (code := said.lower().partition("-")[0]) in allowed:
            return code
    return None


class CallLanguage:
    """The language of one call.

    Args:
        code: What it begins in.
        allowed: What it may change to.
        first: What the bot is set up for.
    """

    def __init__(self, code: str, allowed: Collection[str] = (), first: str = "") -> None:
        self.code = code
        self._first = first or code
        self._allowed = frozenset(allowed)
        self._speakers: list[Callable[[str], None]] = []

    def tell(self, *speakers: Callable[[str], None]) -> None:
        """Who is told the language, at once if it is not the bot's first: it holds from the next reply on."""
        self._speakers += speakers
        if self.code != self._first:
            for speak in speakers:
                speak(self.code)

    def hear(self, text: str, heard: HeardLanguage) -> bool:
        """The caller has said something; whether the language changed.

        It changes with one clear sentence to a language that is allowed, and back with the next one.
        """
        known = heard.code in self._allowed and heard.code != self.code
        if not known or heard.confidence < CLEAR or len(words(text)) < FEWEST_WORDS:
            return False
        self.code = heard.code
        for speak in self._speakers:
            speak(heard.code)
        return True

    def told(self) -> str:
        """What the language model is told; empty if a call is in English and stays so."""
        name = language(self.code).name
        if len(self._allowed) > 1 or self.code != self._first:
            return f"The caller speaks {name} now: answer in {name}, whatever language the text before is in."
        return "" if self.code == "en" else f"Always answer in {name}, whatever language this text is in."
