"""The chat completions API as several vendors speak it: what a request carries, and what its stream means."""

import email.utils
from collections.abc import AsyncIterator, Sequence
from typing import Any

from processors.llm.base import Cause, Delta, Finish, TextDelta, ToolCallDelta, ToolSpec, Usage

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


def tool_arguments(tools: Sequence[ToolSpec]) -> dict[str, Any]:
    """The request's ``tools``; nothing without any."""
    if not tools:
        return {}
    functions = [{"name": tool.name, "description": tool.description, "parameters": tool.schema} for tool in tools]
    return {"tools": [{"type": "function", "function": function} for function in functions]}


async def deltas(chunks: AsyncIterator[Any]) -> AsyncIterator[Delta]:
    """Text at once; tool calls, whose pieces come apart, when they are whole; the finish when the usage is known.

    Args:
        chunks: Chunks of the vendor's own SDK.
    """
    calls: dict[int, list[str]] = {}
    reason: str | None = None
    usage: Usage | None = None
    async for chunk in chunks:
        usage = _usage(chunk) or usage
        for choice in chunk.choices:
            if choice.delta.content:
                yield TextDelta(choice.delta.content)
            for piece in choice.delta.tool_calls or ():
                call = calls.setdefault(piece.index, ["", "", ""])
                call[0] = call[0] or piece.id or ""
                if piece.function is not None:
                    call[1] += piece.function.name or ""
                    call[2] += piece.function.arguments or ""
            reason = choice.finish_reason or reason
    if reason is None:
        return
    for _, (call_id, name, arguments) in sorted(calls.items()):
        yield ToolCallDelta(call_id, name, arguments)
    yield Finish(reason, usage)


def _usage(chunk: Any) -> Usage | None:
    """What a chunk says of the cost: in its own field, or in Groq's."""
    found = getattr(chunk, "usage", None) or getattr(getattr(chunk, "x_groq", None), "usage", None)
    if found is None:
        return None
    details = getattr(found, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return Usage(found.prompt_tokens, cached, found.completion_tokens)


def retry_after_secs(value: str | None, now: float) -> float | None:
    """Seconds of a ``Retry-After`` header, which holds seconds or a date (RFC 9110 section 10.2.3); None without one.

    Args:
        value: The header.
        now: Unix time.
    """
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (TypeError, ValueError):
        return None
