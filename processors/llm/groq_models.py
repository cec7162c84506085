"""Which chat models a Groq key may use: https://console.groq.com/docs/api-reference#models-list."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final

import groq
import httpx
from groq import AsyncGroq
from loguru import logger
from pydantic import SecretStr

ALL_OTHERS: Final = "auto"
"""In a list of models: all others that the key may use, from here on."""

LIST_SECS: Final = 3.0
"""A list that takes longer is done without."""

SHORTEST_CONTEXT: Final = 8_192
"""Tokens; a conversation with tools needs as many."""

_NO_CHAT: Final = re.compile(
    r"whisper|tts|speech|guard|orpheus|playai|embed|rerank|vision|ocr|compound|moderation", re.I
)
"""What listens, speaks, judges, or is more than one model."""

_CACHES: Final = re.compile(r"gpt-oss|kimi", re.I)
"""Models whose cached prompt tokens do not count (console.groq.com/docs/prompt-caching): the same limits carry more."""

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)b\b", re.I)


async def models_of(api_key: SecretStr, named: Sequence[str], base_url: str | None = None) -> list[str]:
    """The models to ask, best first.

    Args:
        api_key: The key.
        named: Their ids; :data:`ALL_OTHERS` stands for all others that the key may use.
        base_url: Another host that speaks the same protocol.
    """
    if ALL_OTHERS not in named:
        return list(named)
    client = AsyncGroq(api_key=api_key.get_secret_value(), base_url=base_url, max_retries=0, timeout=LIST_SECS)
    try:
        async with asyncio.timeout(LIST_SECS):
            # The SDK hands on what came, of whatever type: a text, for instance, where it is no JSON.
            listed = getattr(await client.models.list(), "data", None)
        if not isinstance(listed, list):
            raise ValueError("no list")
    except (groq.GroqError, httpx.HTTPError, TimeoutError, ValueError) as error:
        logger.warning(
            "Groq's list of models cannot be had ({}): only those that are named are asked", type(error).__name__
        )
        listed = []
    finally:
        await client.close()
    return in_order(named, chat_models(listed))


def chat_models(listed: Sequence[Any]) -> list[str]:
    """Ids of those that can hold a conversation: those that cache prompts first, then the larger ones."""
    found = [
        str(model.id)
        for model in listed
        if getattr(model, "id", None)
        and not _NO_CHAT.search(str(model.id))
        and getattr(model, "active", True) is not False
        and (getattr(model, "context_window", None) or SHORTEST_CONTEXT) >= SHORTEST_CONTEXT
    ]
    return sorted(found, key=lambda name: (not _CACHES.search(name), -_size(name), name))


def in_order(named: Sequence[str], others: Sequence[str]) -> list[str]:
    """The named ones, with all others in place of :data:`ALL_OTHERS`; each once."""
    rest = [name for name in others if name not in named]
    return list(dict.fromkeys(each for name in named for each in (rest if name == ALL_OTHERS else [name])))


def _size(name: str) -> float:
    """Billions of parameters, as the name tells; 0 if it does not."""
    return max(map(float, _SIZE.findall(name)), default=0.0)
