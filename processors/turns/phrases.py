"""The fixed sentences of the bot, in the language of the call."""

from languages.catalogue import language
from processors.turns.events import Phrase


def phrase_text(phrase: Phrase, code: str, greeting: str, wait_secs: float = 0.0) -> str:
    """The words of a phrase.

    Args:
        phrase: Which.
        code: Language code.
        greeting: The greeting, which is a setting.
        wait_secs: The wait that the phrase names, if it names one: rounded up to one that the language has words for.
    """
    if phrase is Phrase.GREETING:
        return greeting
    sentences = language(code).sentences
    waits = sentences.waits
    wait = next((words for secs, words in waits.items() if wait_secs <= secs + 1), waits[max(waits)])
    return getattr(sentences, phrase.value).format(wait=wait)


def all_texts(code: str, greeting: str) -> list[str]:
    """Every sentence that :func:`phrase_text` can return, once, and those that end a reply."""
    own = language(code).sentences
    texts = [phrase_text(phrase, code, greeting, secs) for phrase in Phrase for secs in own.waits]
    texts += [own.go_on, own.farewell]
    return [text for text in dict.fromkeys(texts) if text]
