"""What a language is to the bot: everything that depends on it, in one object. Pure.

One language is one file in this folder that makes a :class:`Language`; see ``docs/add-a-language.md``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from languages.speech import Speech


def words(text: str) -> list[str]:
    """The words of a text: lower case, without punctuation; hyphens separate, apostrophes do not."""
    return _WORD.findall(text.lower().replace("’", "'"))


def phrases(text: str) -> frozenset[tuple[str, ...]]:
    """Phrases that are separated by commas, each as a tuple of its words."""
    return frozenset(tuple(words(phrase)) for phrase in text.split(",") if phrase.strip())


def endings(text: str) -> frozenset[str]:
    """Phrases that are separated by commas, each as it stands."""
    return frozenset(phrase.strip() for phrase in text.split(",") if phrase.strip())


_LETTERS = r"(?:[^\W_]|[\u0900-\u0963])+"  # Devanagari's vowel signs are marks, not letters
_WORD = re.compile(rf"{_LETTERS}(?:'{_LETTERS})*")


@dataclass(frozen=True)
class Sentences:
    """What the bot says of its own accord.

    Attributes:
        greeting: First words, unless the setting names others.
        repeat: It did not hear what was said.
        moment: It takes longer than usual.
        still: It takes longer still.
        apology: It cannot answer.
        still_there: The caller has said nothing for a while.
        goodbye: Nor after that: it hangs up.
        closing: The server stops, and so it hangs up.
        time_up: The longest call is over, and so it hangs up.
        person: The caller talks like a machine: it asks whether it is one.
        busy: The answer comes late because many call; ``{wait}`` stands for how late.
        in_queue: The same again.
        full: There will be no answer because too many call.
        quota: There will be no more answers today.
        go_on: Asks whether to go on with a long reply.
        farewell: The caller has said goodbye.
        waits: Words for ``{wait}``, by seconds, ascending: few, so that the sentences are spoken once and remembered.
    """

    greeting: str
    repeat: str
    moment: str
    still: str
    apology: str
    still_there: str
    goodbye: str
    closing: str
    time_up: str
    person: str
    busy: str
    in_queue: str
    full: str
    quota: str
    go_on: str
    farewell: str
    waits: Mapping[int, str]


@dataclass(frozen=True)
class Lexicon:
    """The short answers of a language; phrases are tuples of words (:func:`phrases`).

    Attributes:
        acknowledgements: Words and phrases that say "go on".
        stops: Words and phrases that take the floor.
        fillers: Words that say nothing by themselves, before or after others.
        exclamations: Words and phrases that only show what somebody feels, and words that address somebody.
        requests: Words that requests and statements are made of, beside those of the cues: pronouns, verbs.
    """

    acknowledgements: frozenset[tuple[str, ...]]
    stops: frozenset[tuple[str, ...]]
    fillers: frozenset[str]
    exclamations: frozenset[tuple[str, ...]] = frozenset()
    requests: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Cues:
    """How utterances of one language end, and don't. All in lower case, without punctuation (:func:`endings`).

    Attributes:
        unfinished: Words and phrases that nothing ends with.
        doubtful: Words and phrases that an utterance may end with, though most often it goes on.
        opening: Whole utterances that only announce more.
        finished: Whole utterances that are complete whatever they sound like.
        closing: Words and phrases that end an utterance.
        questions: Words that begin questions; those may end with a doubtful word ("what is it like?").
        digits: Names of digits, and what stands between them when a number is dictated.
        numbers: Words that announce a dictated number.
        lengths: How many digits what they announce has, where that is known.
        spelled: Words that announce something spelled, such as a name.
        spelling_words: Words that stand for letters, besides the letters themselves.
        signs: What stands between the digits and letters of a dictation.
        at_signs: How the sign of an e-mail address is said.
        dots: How the dot of an e-mail address is said.
        corrections: Words that take back what was dictated last.
        leads: What people say before a dictation that is all they say ("it's").
    """

    unfinished: frozenset[str]
    finished: frozenset[str]
    closing: frozenset[str]
    digits: frozenset[str]
    numbers: frozenset[str]
    doubtful: frozenset[str] = frozenset()
    opening: frozenset[str] = frozenset()
    questions: frozenset[str] = frozenset()
    lengths: Mapping[str, int] = field(default_factory=dict[str, int])
    spelled: frozenset[str] = frozenset()
    spelling_words: frozenset[str] = frozenset()
    signs: frozenset[str] = frozenset()
    at_signs: frozenset[str] = frozenset()
    dots: frozenset[str] = frozenset()
    corrections: frozenset[str] = frozenset()
    leads: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Agreement:
    """How people agree in a language; phrases are tuples of words (:func:`phrases`).

    Attributes:
        yes: One of these phrases is in a yes.
        no: None of these is.
    """

    yes: frozenset[tuple[str, ...]]
    no: frozenset[tuple[str, ...]]


@dataclass(frozen=True)
class Language:
    """Everything that depends on the language of a call.

    Attributes:
        code: ISO 639-1 code: the setting's value, and what Deepgram, ElevenLabs and gTTS are told.
        name: English name, for messages.
        locale: BCP 47 tag, which Azure wants.
        azure_voice: Voice at Azure, unless the setting names another.
        elevenlabs_voice: Voice id at ElevenLabs, unless the setting names another.
        sentences: What the bot says of its own accord.
        lexicon: Short answers over the bot's voice: what acknowledges, what stops.
        cues: Whether what was said sounds finished.
        agreement: What counts as a yes.
        speech: How figures and signs are said.
        idle: Words that ask for nothing by themselves ("please", "can", "you"): where only these are said, no tool is
            meant. A word too few costs some tokens, one too many a tool that is not at hand.
        handovers: Phrases by which a caller says that somebody else takes the telephone.
    """

    code: str
    name: str
    locale: str
    azure_voice: str
    elevenlabs_voice: str
    sentences: Sentences
    lexicon: Lexicon
    cues: Cues
    agreement: Agreement
    speech: Speech
    idle: frozenset[str] = frozenset()
    handovers: frozenset[tuple[str, ...]] = frozenset()
