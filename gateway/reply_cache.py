"""Replies to questions that anybody may ask, remembered for a while. Pure: ``now`` is an argument.

A wrong hit is worse than a miss, so a question is remembered only if *all* of this holds:

- it is the first thing that the caller says: nothing before it can change what it means;
- it holds no digit, no ``@``, no word that points to the caller (my, I, mine), to a thing before (that, it, again) or
  to a moment (now, today, open *yet*);
- the reply was made of words alone: no tool was called, and the model came to its end;
- prompt, tools and models are the same (they are part of the key).

Wording is compared without case, punctuation and leading courtesies: "Hello, when do you open?" and "when do you open"
are the same question, "Please tell me when you open" is another.
"""

import hashlib
import json
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from processors.llm.base import Message, ToolSpec

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

_COURTESIES = "hi hello hey please um uh er well so okay ok hallo bitte äh hola por favor bonjour"

COURTESIES: Final = frozenset(_COURTESIES.split())
"""Words before a question that change nothing."""

WORD: Final = re.compile(r"(?:[^\W_]|[\u0900-\u097f])+(?:'[^\W_]+)?")
"""A word; Devanagari's vowel signs count as letters."""

LONGEST_QUESTION_WORDS: Final = 20


@dataclass(frozen=True)
class _Entry:
    text: str
    until: float


class ReplyCache:
    """Replies by question.

    Args:
        keep_secs: How long a reply is good.
        size: How many are kept; the one not asked for longest goes first.
        world: What else a reply depends on, such as the models' names.
    """

    def __init__(self, keep_secs: float, size: int = 256, world: Iterable[str] = ()) -> None:
        self._keep_secs = keep_secs
        self._size = size
        self._world = list(world)
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self.hits = 0
        self.misses = 0
        self.passed = 0
        """Questions that are not remembered by the rule."""

    def __len__(self) -> int:
        """Replies that are kept."""
        return len(self._entries)

    def key(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str | None:
        """The question's key; None if its reply must not be remembered."""
        question = _only_question(messages)
        words = normalised(question) if question is not None else None
        if not words:
            return None
        system = [str(message.get("content")) for message in messages if message.get("role") == "system"]
        about = json.dumps([words, system, [(t.name, t.description, t.schema) for t in tools], self._world])
        return hashlib.sha256(about.encode()).hexdigest()

    def get(self, key: str | None, now: float) -> str | None:
        """The reply, if it is known and still good."""
        if key is None:
            self.passed += 1
            return None
        entry = self._entries.get(key)
        if entry is None or entry.until <= now:
            self._entries.pop(key, None)
            self.misses += 1
            return None
        self._entries.move_to_end(key)
        self.hits += 1
        return entry.text

    def put(self, key: str | None, text: str, now: float) -> None:
        """Remember a reply."""
        if key is None or not text.strip():
            return
        self._entries[key] = _Entry(text, now + self._keep_secs)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def snapshot(self) -> dict[str, int]:
        """Plain values for the dashboard."""
        return {"hits": self.hits, "misses": self.misses, "not_cacheable": self.passed, "size": len(self._entries)}


def normalised(question: str) -> str | None:
    """A question's wording as it is compared; None if its reply must not be remembered."""
    if any(char.isdigit() or char == "@" for char in question):
        return None
    plain = unicodedata.normalize("NFKC", question).casefold().replace("’", "'")
    words = WORD.findall(plain)
    while words and words[0] in COURTESIES:
        words.pop(0)
    if not words or len(words) > LONGEST_QUESTION_WORDS:
        return None
    if any(word in POINTING or word.split("'")[0] in POINTING for word in words):
        return None
    return " ".join(words)


def _only_question(messages: Sequence[Message]) -> str | None:
    """What the caller said, if it is the first and only thing."""
    said = [message for message in messages if message.get("role") != "system"]
    users = [message for message in said if message.get("role") == "user"]
    only = len(users) == 1 and said[-1] is users[0] and all(m.get("role") in ("user", "assistant") for m in said)
    content = users[0].get("content") if only else None
    return content if isinstance(content, str) else None
