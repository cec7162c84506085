"""Replies to questions that anybody may ask, remembered for a while. Pure: ``now`` is an argument.

A reply is remembered only if its question is general (:mod:`gateway.general_questions`), if it was made of words alone
(no tool was called) and the model came to its end. Prompt, tools and models are part of the key.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.llm import Message, ToolSpec
from gateway.general_questions import general_question


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
        language: Language of the calls.
    """

    def __init__(self, keep_secs: float, size: int = 256, world: Iterable[str] = (), language: str = "en") -> None:
        self._keep_secs = keep_secs
        self._size = size
        self._world = list(world)
        self._language = language
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
        words = general_question(messages, self._language)
        if words is None:
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
