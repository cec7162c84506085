"""The fixed sentences of the bot, in the language of the call."""

from processors.languages.catalogue import language
from processors.turns.events import Phrase


def phrase_text(phrase: Phrase, code: str, greeting: str) -> str:
    """The words of a phrase.

    Args:
        phrase: Which.
        code: Language code.
        greeting: The greeting, which is a setting.
    """
    return greeting if phrase is Phrase.GREETING else getattr(language(code).sentences, phrase.value)
