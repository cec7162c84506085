"""The chat completions API as several vendors speak it: what a request carries, and what its stream means."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from processors.llm.base import Delta, Finish, TextDelta, ToolCallDelta, ToolSpec, Usage

RETRYABLE_STATUS = frozenset({408, 409, 425, 429, 499})
"""Client errors that may pass by themselves; server errors may all."""


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
