"""What a fault must not leave behind, beside silence: machine text, doubled words, a history of what was not heard."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from contracts.frames import OUTPUT_SAMPLE_RATE_HZ
from contracts.llm import Message
from emulators import speech
from loadtest.in_process import PlayoutTick

WORDS_OFF: Final = 1
"""A cut in the middle of a word may count it or not."""

SAYS_NOTHING_SECS: Final = 0.3
"""So much of a reply is not told as heard."""

_SHOWN: Final = ("reply-played", "bot-tts-text", "bot-transcription", "bot-llm-text", "error")

_CUT: Final = " …[interrupted]"

Told = Sequence[tuple[float, str, Mapping[str, Any]]]
"""What the page was told: (seconds, type, data)."""


def leaked(messages: Told, unsaid: Iterable[str]) -> list[str]:
    """What was heard or shown of what must not be."""
    shown = [data for _, kind, data in messages if kind in _SHOWN]
    told = "\n".join(str(value).lower() for data in shown for name, value in data.items() if name != "unheard")
    return [f"{part!r} was said" for part in unsaid if part.lower() in told]


def doubled(prompt: Sequence[Message], asked: Mapping[str, int]) -> list[str]:
    """Words that stand in the prompt more often than they were spoken.

    Args:
        prompt: The last prompt.
        asked: How often each word was spoken.
    """
    users = " ".join(str(message["content"]).lower() for message in prompt if message["role"] == "user")
    return [f"{word!r} twice" for word, times in asked.items() if users.count(word) > times]


async def heard_off(ticks: Sequence[PlayoutTick], spoken: Sequence[str], told: str) -> list[str]:
    """Where history holds other words than had left when the reply was cut.

    Args:
        ticks: The playout, from the reply's first tick to its last.
        spoken: What the voice was asked for, in order.
        told: What history says was heard.
    """
    left_secs = sum(tick.content for tick in ticks) / OUTPUT_SAMPLE_RATE_HZ
    if left_secs < SAYS_NOTHING_SECS:
        return []
    words, base = 0, 0.0
    for text in spoken:
        said = await speech.say(text)
        words += sum(base + word.start_secs < left_secs for word in said.words)
        base += said.secs
    in_history = len(told.removesuffix(_CUT).split())
    off = in_history - words
    return [] if abs(off) <= WORDS_OFF else [f"{in_history} words in history, {words} heard"]
