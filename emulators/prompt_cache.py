"""A vendor's prompt cache: which beginning of a prompt has been read lately. Pure: time and chance are arguments.

As Groq describes its own (console.groq.com/docs/prompt-caching): prefixes are matched, hits are likely, not promised,
a prefix expires when it is not used for two hours, and short ones are not kept ("128 to 1024 tokens, depending on the
model"; the worst is assumed).
"""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

CHARS_PER_TOKEN: Final = 4
BLOCK_TOKENS: Final = 128
"""Prefixes are compared in steps of so many tokens."""

MOST_BLOCKS: Final = 50_000
"""Blocks that are remembered; older ones go."""


class CacheRules(BaseModel):
    """How a vendor caches prompts.

    Attributes:
        models: Those whose prompts are cached.
        min_tokens: Shorter prefixes are not cached.
        miss_rate: Share of the lookups that miss although the prefix is there.
        keep_secs: How long a prefix is kept without use.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[str, ...] = ("openai/gpt-oss-120b", "openai/gpt-oss-20b", "moonshotai/kimi-k2-instruct-0905")
    min_tokens: int = Field(default=1024, ge=0)
    miss_rate: float = Field(default=0.1, ge=0, le=1)
    keep_secs: float = Field(default=7200.0, gt=0)


class PromptCache:
    """What one model has read.

    Args:
        rules: How it caches.
        chance: Decides about misses.
    """

    def __init__(self, rules: CacheRules, chance: random.Random) -> None:
        self._rules = rules
        self._chance = chance
        self._used_at: dict[bytes, float] = {}

    def cached_tokens(self, prompt: str, now: float) -> int:
        """Tokens at the prompt's beginning that need not be read again."""
        hit = 0
        for number, digest in enumerate(_blocks(prompt), 1):
            if now - self._used_at.get(digest, -float("inf")) > self._rules.keep_secs:
                break
            hit = number * BLOCK_TOKENS
        if hit < max(1, self._rules.min_tokens) or self._chance.random() < self._rules.miss_rate:
            return 0
        return hit

    def read(self, prompt: str, now: float) -> None:
        """The prompt has been processed."""
        for digest in _blocks(prompt):
            self._used_at.pop(digest, None)
            self._used_at[digest] = now
        while len(self._used_at) > MOST_BLOCKS:
            del self._used_at[next(iter(self._used_at))]


def rendered(messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> str:
    """A prompt as the model reads it: instructions, tools, conversation (as gpt-oss' Harmony format has them)."""
    system = [message for message in messages[:1] if message.get("role") == "system"]
    parts: list[Any] = [*system, *tools, *messages[len(system) :]]
    return "\n".join(json.dumps(part, ensure_ascii=False) for part in parts)


def _blocks(prompt: str) -> list[bytes]:
    """A digest of each prefix of a whole number of blocks, the shortest first."""
    digest, size = hashlib.blake2b(digest_size=16), BLOCK_TOKENS * CHARS_PER_TOKEN
    found = []
    for at in range(size, len(prompt) + 1, size):
        digest.update(prompt[at - size : at].encode())
        found.append(digest.copy().digest())
    return found
