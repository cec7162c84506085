"""Keeps a prompt within its size: old tool results are shortened first, then old turns leave. Pure.

What a caller has told is not lost with its turn: :class:`Earlier` keeps their words, those with facts in them longest,
until the model has summed them up.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

Message = dict[str, Any]

BYTES_PER_TOKEN: Final = 4.0
"""About, for English; letters of other scripts have more bytes, and make more tokens."""

OLD_RESULT_CHARS: Final = 160
"""What is left of a tool's result that has been told in an earlier turn."""

SHORTEST_RESULT_CHARS: Final = 400
"""What is always left of a result that is to be told now."""

HEAD: Final = "Earlier in this call the caller said:"
SUMMED_UP: Final = "Earlier in this call:"

_FACT: Final = re.compile(
    r"\d|@|\b(?:my name|name is|i am|i'm|call me|my number|my address|i live|born|ich heiße|mein name|ich bin|me llamo|"
    r"mi nombre|soy|je m'appelle|mon nom|je suis|मेरा नाम)\b",
    re.IGNORECASE,
)


def tokens(messages: Sequence[Message]) -> float:
    """About how many tokens messages have, by their length."""
    return len(json.dumps(list(messages), ensure_ascii=False, default=str).encode()) / BYTES_PER_TOKEN


def has_fact(text: str) -> bool:
    """Whether a caller's words may hold something that is worth remembering: a figure, an address, a name."""
    return _FACT.search(text) is not None


def fit(messages: Sequence[Message], max_tokens: float) -> tuple[list[Message], list[str]]:
    """Make messages fit, as far as that is possible: the first, and the last turn, always stay.

    Calls and their results stay in pairs.

    Args:
        messages: The prompt, system message first.
        max_tokens: How large it may be.

    Returns:
        The messages that are left, and what the caller said in the turns that are not.
    """
    kept = [dict(message) for message in messages]
    last_user = _last_user(kept)
    excess = tokens(kept) - max_tokens
    for message in kept[:last_user]:
        if excess <= 0:
            break
        if message["role"] == "tool":
            excess -= _shorten(message, OLD_RESULT_CHARS)
    for message in sorted(kept[last_user:], key=lambda each: -len(str(each.get("content") or ""))):
        if excess <= 0:
            break
        if message["role"] == "tool":
            room = len(str(message["content"])) - int(excess * BYTES_PER_TOKEN)
            excess -= _shorten(message, max(SHORTEST_RESULT_CHARS, room))
    dropped: list[str] = []
    while excess > 0 and (turn := _first_turn(kept)) is not None:
        begin, end = turn
        excess -= tokens(kept[begin:end])
        dropped += [str(each["content"]) for each in kept[begin:end] if each["role"] == "user" and each.get("content")]
        del kept[begin:end]
    if excess > 0:
        for message in kept[1:]:
            if excess > 0 and message["role"] in ("user", "assistant", "tool") and message.get("content"):
                room = len(str(message["content"])) - int(excess * BYTES_PER_TOKEN)
                excess -= _shorten(message, max(SHORTEST_RESULT_CHARS, room))
    return kept, dropped


def shorter(messages: Sequence[Message], share: float) -> list[Message]:
    """A prompt that was refused as too long, made shorter; the same length if nothing can be left out.

    Args:
        messages: The prompt.
        share: How much of its size may be left, from 0 to 1.
    """
    kept, dropped = fit(messages, tokens(messages) * share)
    if dropped and kept and kept[0]["role"] == "system":
        earlier = Earlier(max(200, int(len(str(kept[0]["content"])) * share)))
        for text in dropped:
            earlier.add(text)
        kept[0]["content"] = f"{kept[0]['content']}\n\n{earlier.text}"
    return kept


class Earlier:
    """What the caller said in turns that have left the prompt.

    Args:
        max_chars: Longest text; words without facts leave first, then the oldest.
    """

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self._summary = ""
        self._lines: list[str] = []

    def add(self, text: str) -> None:
        """A turn leaves."""
        text = " ".join(text.split())
        if not text or self._max_chars <= 0:
            return
        self._lines.append(text if len(text) <= 300 else f"{text[:150]} … {text[-150:]}")
        while len(self._lines) > 1 and sum(map(len, self._lines)) + len(self._summary) > self._max_chars:
            plain = next((index for index, line in enumerate(self._lines[:-1]) if not has_fact(line)), 0)
            del self._lines[plain]

    def with_lines(self, texts: Sequence[str]) -> "Earlier":
        """The same, and some turns more."""
        other = Earlier(self._max_chars)
        other._summary, other._lines = self._summary, list(self._lines)
        for text in texts:
            other.add(text)
        return other

    @property
    def lines(self) -> list[str]:
        """What has not been summed up."""
        return list(self._lines)

    @property
    def text(self) -> str:
        """What stands in the prompt; empty if no turn has left."""
        told = f"{SUMMED_UP} {self._summary}" if self._summary else ""
        said = "\n".join([HEAD, *(f"- {line}" for line in self._lines)]) if self._lines else ""
        return "\n".join(filter(None, (told, said)))

    def stored(self) -> dict[str, Any]:
        """As plain values, for :meth:`restore`."""
        return {"summary": self._summary, "lines": list(self._lines)}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Go on with what was stored.

        Raises:
            ValueError, KeyError, TypeError: It is none.
        """
        self._summary, self._lines = str(stored["summary"]), [str(line) for line in stored["lines"]]

    def to_sum_up(self) -> list[Message]:
        """A prompt that asks a model for the summary."""
        wish = (
            "Sum up what is known of this caller in at most five short sentences. Keep every name, number, date, "
            "amount, address and wish exactly as it stands. Write nothing else."
        )
        return [{"role": "system", "content": wish}, {"role": "user", "content": self.text}]

    def summed_up(self, summary: str, lines: Sequence[str]) -> None:
        """A summary has come; lines whose figures it has lost are kept as they were.

        Args:
            summary: The model's words.
            lines: What it was shown: what was added since stays.
        """
        summary = " ".join(summary.split())
        if not summary or len(summary) > self._max_chars:
            return
        figures = set(re.findall(r"\d+", summary))
        lost = [line for line in lines if not set(re.findall(r"\d+", line)) <= figures]
        before = set(re.findall(r"\d+", self._summary))
        self._summary = summary if before <= figures else f"{self._summary} {summary}"[-self._max_chars :]
        self._lines = [line for line in self._lines if line in lost or line not in lines]


def _last_user(messages: Sequence[Message]) -> int:
    return max((index for index, message in enumerate(messages) if message["role"] == "user"), default=len(messages))


def _first_turn(messages: Sequence[Message]) -> tuple[int, int] | None:
    """Where the oldest turn begins and ends; None if only the last is left."""
    begin = 1 if messages and messages[0]["role"] == "system" else 0
    users = [index for index, message in enumerate(messages) if message["role"] == "user" and index >= begin]
    if not users:
        return None
    if users[0] > begin:
        return begin, users[0]  # what the bot said before anybody else
    return (begin, users[1]) if len(users) > 1 else None


def _shorten(message: Message, chars: int) -> float:
    """Cut the middle out of a text; the tokens that this saves."""
    text = str(message["content"])
    if len(text) <= chars:
        return 0.0
    head = chars * 2 // 3
    message["content"] = f"{text[:head]} … {text[-(chars - head) :]}"
    return (len(text.encode()) - len(message["content"].encode())) / BYTES_PER_TOKEN
