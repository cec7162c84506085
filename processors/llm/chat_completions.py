"""The chat completions API as several vendors speak it: what a request carries, and what its stream means."""

import email.utils
import json
import math
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

from contracts.llm import Cause, Delta, Finish, LanguageModelError, TextDelta, ToolCallDelta, ToolSpec, Usage

RETRYABLE_STATUS = frozenset({408, 409, 425, 429, 499})
"""Client errors that may pass by themselves; server errors may all."""


KEY_STATUS = frozenset({401, 403})
"""The key is refused."""


def retryable(status: int) -> bool:
    """Whether the same request may work later."""
    return status >= 500 or status in RETRYABLE_STATUS


def cause_of(status: int) -> Cause:
    """Whose fault an HTTP error is.

    What concerns one request only (400, 413, 422, ...) must not be taken for the vendor's fault, which opens the
    circuit breaker for all calls.
    """
    if status in KEY_STATUS:
        return Cause.KEY
    if status == 429:
        return Cause.BUSY
    return Cause.FAULT if retryable(status) else Cause.REQUEST


_NO_DELTA: Final = SimpleNamespace(content=None, tool_calls=None)

MOST_TOKENS: Final = 1e9
"""No request has more."""

LONGEST_WAIT_SECS: Final = 86_400.0
"""Who tells us to wait longer is asked again after a day."""

TOO_LONG = re.compile(
    r"context[_ ]length|context window|maximum context|too many tokens|reduce (?:the|your) (?:length|message)|"
    r"(?:prompt|request|input|message)s? (?:is |are )?too (?:long|large)|exceeds? the (?:available |maximum )?context",
    re.IGNORECASE,
)
"""How servers say that a prompt is longer than they take."""


def is_too_long(status: int, said: str) -> bool:
    """Whether a refusal is for the prompt's length.

    Args:
        status: HTTP status.
        said: The vendor's words, its error code among them.
    """
    return status == 413 or (status in (400, 422) and TOO_LONG.search(said) is not None)


def tool_arguments(tools: Sequence[ToolSpec]) -> dict[str, Any]:
    """The request's ``tools``; nothing without any."""
    if not tools:
        return {}
    functions = [{"name": tool.name, "description": tool.description, "parameters": tool.schema} for tool in tools]
    return {"tools": [{"type": "function", "function": function} for function in functions]}


async def deltas(chunks: AsyncIterator[Any]) -> AsyncIterator[Delta]:
    """Text at once; tool calls, whose pieces come apart, when they are whole; the finish when the usage is known.

    Args:
        chunks: Chunks of the vendor's own SDK, which does not check their form.

    Raises:
        LanguageModelError: A chunk has another form than the API's.
    """
    answer = _Answer()
    async for chunk in chunks:
        try:
            text = answer.take(chunk)
        except (AttributeError, TypeError, ValueError, LookupError):
            raise LanguageModelError("the stream is damaged", retryable=True) from None
        if text:
            yield TextDelta(text)
    for delta in answer.whole():
        yield delta


class _Answer:
    """What the chunks of one answer come to."""

    def __init__(self) -> None:
        self._calls = _Calls()
        self._reason: str | None = None
        self._usage: Usage | None = None

    def take(self, chunk: Any) -> str:
        """Take a chunk; returns its text."""
        usage = _usage(chunk)
        self._usage = usage or self._usage
        text = ""
        # Some servers send no choices at all beside the usage, and no delta beside the reason.
        for choice in chunk.choices or (() if usage is not None else chunk.choices):
            delta: Any = choice.delta or (_NO_DELTA if choice.finish_reason else None)
            text += _text(delta.content)
            for piece in delta.tool_calls or ():
                self._calls.add(piece)
            if choice.finish_reason:
                self._reason = _word(choice.finish_reason)
        return text

    def whole(self) -> Iterator[Delta]:
        """What is known at the end of the stream; nothing, if it broke off."""
        if self._reason is not None:
            yield from self._calls.whole()
            yield Finish(self._reason, self._usage)


def _text(content: Any) -> str:
    """The text of a delta, which is plain, or a list of parts: of those, thoughts are none of it.

    Raises:
        TypeError: It is neither.
    """
    if not isinstance(content, list):
        return _word(content or "")
    parts = [part if isinstance(part, dict) else vars(part) for part in content]
    return "".join(_word(part.get("text") or "") for part in parts if part.get("type") == "text")


def _word(value: Any) -> str:
    """A text of the vendor's, which is none if it is anything else.

    Raises:
        TypeError: It is.
    """
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


@dataclass
class _Call:
    index: int | None
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class _Calls:
    """Puts the pieces of tool calls together.

    Calls are told apart by index and by id: some servers give every call the index 0, some none at all, some repeat id
    and name with each piece.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(self, piece: Any) -> None:
        """Take a piece, as the vendor's SDK gives it."""
        index, call_id = getattr(piece, "index", None), _word(piece.id or "")
        if not isinstance(index, int | None):
            raise TypeError(type(index).__name__)
        name = _word((piece.function.name if piece.function is not None else None) or "")
        told = piece.function.arguments if piece.function is not None else None
        arguments = _word(told or "")
        call = self._of(index, call_id, name, begins=told is not None)
        call.call_id = call.call_id or call_id
        if name != call.name:  # some repeat it
            call.name += name
        call.arguments += arguments

    def whole(self) -> list[ToolCallDelta]:
        """The calls, in the order of their indices."""
        ordered = sorted(self._calls, key=lambda call: call.index or 0)
        return [ToolCallDelta(call.call_id, call.name, call.arguments) for call in ordered]

    def _of(self, index: int | None, call_id: str, name: str, *, begins: bool) -> _Call:
        """The call that a piece belongs to; a new one, if it begins one.

        Args:
            index: As the server numbers it.
            call_id: Its id, if the piece tells it.
            name: Its name, if the piece tells it.
            begins: Whether the piece may begin a call, which it does with arguments, if only empty ones.
        """
        known = [call for call in self._calls if call.index == index]
        if call_id:
            same = next((call for call in known if call.call_id == call_id), None)
            if same is None and known and not known[-1].call_id and not known[-1].arguments:
                same = known[-1]  # its id comes late
        else:
            same = known[-1] if known else None
            other = begins and same is not None and name and same.name not in ("", name)
            if other or (same is not None and name and same.arguments and _is_complete(same.arguments)):
                same = None
        if same is None:
            same = _Call(index)
            self._calls.append(same)
        return same


def _is_complete(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True


def _usage(chunk: Any) -> Usage | None:
    """What a chunk says of the cost: in its own field, or in Groq's."""
    found = getattr(chunk, "usage", None) or getattr(getattr(chunk, "x_groq", None), "usage", None)
    if found is None:
        return None
    details = getattr(found, "prompt_tokens_details", None)
    told = (
        getattr(found, "prompt_tokens", None),
        getattr(details, "cached_tokens", None) or 0,
        getattr(found, "completion_tokens", None) or 0,
    )
    counts = [int(count) for count in told if isinstance(count, int | float) and 0 <= count < MOST_TOKENS]
    if len(counts) < len(told):
        return None  # what cannot be read costs the bill a line, and the caller no word
    prompt, cached, completion = counts
    return Usage(prompt, cached, completion)


def retry_after_secs(value: str | None, now: float) -> float | None:
    """Seconds of a ``Retry-After`` header, which holds seconds or a date (RFC 9110 section 10.2.3); None without one.

    Args:
        value: The header.
        now: Unix time.
    """
    if value is None:
        return None
    try:
        secs = float(value)
    except ValueError:
        try:
            secs = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (TypeError, ValueError, OverflowError):
            return None
    return None if math.isnan(secs) else min(max(0.0, secs), LONGEST_WAIT_SECS)
