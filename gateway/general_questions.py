"""Which questions have an answer that does not depend on who asks, when, or after what. Pure; English for the latter.

A first question is *general* if it holds no digit, no ``@``, no word that points to the caller (my, I), to a thing
before (that, it, again) or to a moment (now, today, open *yet*). A later one is general only where besides nothing that
was said before it can change its answer:

- it stands by itself: it begins as a question does and addresses the business ("do *you* open"), not "and on
  Saturday?" or "what are the fees?", which take up what was said;
- the bot has just asked nothing, was not cut off, and no tool's result is still to be told;
- no earlier turn brought up something that a question may silently be about (a name, a number, a day, "the branch in
  Bonn"), or how to answer ("speak German", "be brief");
- it shares no word of its own with what was said, but for exchanges about the very same question.

A wrong hit is worse than a miss: what is in doubt is asked.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from contracts.llm import Message

_POINTING = """
i me my mine myself we us our ours
ich mir mich mein meine meinen meinem meiner wir uns unser unsere
yo mi mis me mío mía nosotros nuestra nuestro
je moi mon ma mes nous notre nos
मैं मेरा मेरी मेरे मुझे हम हमारा हमारी
it its that this these those they them he she him her there then same again else another more other
es das dies diese dieser dieses noch nochmal wieder andere anderen
eso esto esta este esa ese otra otro más
cela ça ce cette autre encore plus
यह वह ये वे फिर और
now today tonight tomorrow yesterday time date day currently still yet current latest recent weather
jetzt heute morgen gestern uhr datum aktuell
ahora hoy mañana ayer hora fecha actual
maintenant aujourd demain hier heure date actuel
अभी आज कल समय तारीख
"""
"""The caller; something said or seen before; a moment: by language."""

POINTING: Final = frozenset(_POINTING.split())
"""Words that make a question mean something only here and now."""

_COURTEOUS = """
hi hello hey please um uh er well so okay ok hallo bitte äh hola por favor bonjour
"""

COURTESIES: Final = frozenset(_COURTEOUS.split())
"""Words before a question that change nothing."""

WORD: Final = re.compile(r"(?:[^\W_]|[\u0900-\u097f])+(?:'[^\W_]+)?")
"""A word; Devanagari's vowel signs count as letters."""

LONGEST_QUESTION_WORDS: Final = 20

_ASKING_FIRST: Final = re.compile(
    r"^(?:can|could|would|will) you (?:please )?tell (?:me|us) |^(?:please )?tell me |^do you know "
)
"""What asks for an answer, and says nothing of which."""

_ASKING = """
what when where who why how which can could do does are is will would
"""

_BEGINNINGS: Final = frozenset(_ASKING.split())
_SECOND_PERSON: Final = frozenset(["you", "your"])

_REFERENTS: Final = re.compile(
    r"\d|@"
    r"|\b(?:the|a|an|this|that|these|those|another|one|two|three|four|five|six|seven|eight|nine|ten)\b"
    r"|\b(?:in|at|for|about|of|with|near|from|between|on|as|if|because|when i|while)\b"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:weekends?|weekdays?|holidays?|christmas|easter)\b"
    r"|\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b",
    re.IGNORECASE,
)
"""What a later question may silently be about."""

_MANNER: Final = re.compile(
    r"\b(?:speak|talk|say|answer|reply|respond|repeat|spell|translate|call me|my name|from now|always|never|slow\w*|"
    r"loud\w*|short\w*|brief\w*|long\w*|simple|simpl\w+|detail\w*|pretend|imagine|suppose|assume|ignore|forget|remember|"
    r"english|german|spanish|french|hindi|italian|language|joke|rhyme|polite|rude|wrong|no|not|don't|instead)\b",
    re.IGNORECASE,
)
"""What tells how to answer from now on, or that an answer was wrong."""

_IDLE = """
what when where who why how which can could do does did are is am was were will would shall should may might
must have has had be been you your yours and or but so to not no yes with by up out off please thanks thank
welcome hello hi hey okay ok well sure good morning afternoon evening day much many any some all very too also
just i'm i am me my mine we our us it its it's that's there here this that these those the a an of in on at
for from about i if as than then
"""

_IDLE_WORDS: Final = frozenset(_IDLE.split())
"""Words that say nothing of what a question is about."""

_STEM_LETTERS: Final = 4
"""Words that begin alike are taken for the same: open, opens, opening."""


def words_of(text: str) -> list[str]:
    """A text's words, as they are compared."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold().replace("’", "'"))


def normalised(question: str) -> str | None:
    """A question's wording as it is compared; None if its answer depends on who asks or when.

    "Hello, when do you open?" and "can you tell me when you open, please" are the same.
    """
    if any(char.isdigit() or char == "@" for char in question):
        return None
    words = words_of(question)
    while words and words[0] in COURTESIES:
        words.pop(0)
    while words and words[-1] in ("please", "thanks"):
        words.pop()
    asked = _ASKING_FIRST.sub("", " ".join(words))
    words = asked.split()
    if not words or len(words) > LONGEST_QUESTION_WORDS:
        return None
    if any(word in POINTING or word.split("'")[0] in POINTING for word in words):
        return None
    return " ".join(_without_auxiliary(words))


def general_question(messages: Sequence[Message], language: str) -> str | None:
    """The wording of what is asked last, if its answer may be that to anybody's question; None if not."""
    said = [message for message in messages if message.get("role") != "system"]
    if not said or said[-1].get("role") != "user" or not isinstance(said[-1].get("content"), str):
        return None
    question = normalised(said[-1]["content"])
    if question is None:
        return None
    before = said[:-1]
    if not any(message.get("role") == "user" for message in before):
        return question if all(message.get("role") == "assistant" for message in before) else None
    if language != "en" or not _stands_alone(question) or not _is_closed(before):
        return None
    own = set(_stems(question))
    for asked, answers in _exchanges(before):
        if normalised(asked) == question:
            continue
        if _REFERENTS.search(asked) or _MANNER.search(asked):
            return None
        if own & {stem for text in (asked, *answers) for stem in _stems(text)}:
            return None
    return question


def _stands_alone(question: str) -> bool:
    words = question.split()
    return (
        len(words) >= 3
        and words[0] in _BEGINNINGS
        and bool(_SECOND_PERSON & set(words))
        and not _REFERENTS.search(question)
    )


def _is_closed(before: Sequence[Message]) -> bool:
    """Whether nothing of what was said waits for anything."""
    last = before[-1]
    if last.get("role") != "assistant" or not isinstance(last.get("content"), str):
        return False
    texts = [str(message.get("content") or "") for message in before]
    waits = any("still running" in text or "has not been told" in text or "[interrupted]" in text for text in texts)
    return not waits and "?" not in last["content"]


def _exchanges(before: Sequence[Message]) -> Iterator[tuple[str, list[str]]]:
    """Each thing that the caller said, with all that followed: words and results of tools."""
    asked, answers = "", []
    for message in before:
        content = str(message.get("content") or "")
        if message.get("role") == "user":
            if asked or answers:
                yield asked, answers
            asked, answers = content, []
        else:
            answers.append(content)
    yield asked, answers


def _stems(text: str) -> Iterator[str]:
    """Beginnings of the words that say what a text is about."""
    return (word[:_STEM_LETTERS] for word in words_of(text) if word not in _IDLE_WORDS and len(word) > 2)


def _without_auxiliary(words: list[str]) -> list[str]:
    """``when do you open`` and ``when are you open`` as ``when you open``."""
    if len(words) >= 4 and words[0] in ("when", "where") and words[1] in ("do", "are") and words[2] == "you":
        return [words[0], *words[2:]]
    return words
