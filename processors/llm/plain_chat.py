"""Tools for a model that knows only system, user and assistant: calls and results become text. Pure.

The local model's library can do this too, but it then insists that what the model writes is a call to the letter, and
gives the whole reply up if it is not. A small model is rarely that exact, so its text is taken as it comes, and
:mod:`processors.llm.written_calls` finds the calls in it.
"""

import json
from collections.abc import Sequence

from contracts.llm import Message, ToolSpec
from processors.llm.marks import INSTRUCTION


def plain(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[Message]:
    """The prompt without tool calls and tool messages.

    Args:
        messages: The prompt, system message first.
        tools: Tools that may be called; the system message tells of them.

    Returns:
        Messages with a role and a text each.
    """
    out: list[Message] = []
    for message in messages:
        if message["role"] == "tool":
            # Without the last words, the small model calls the tool again and again.
            out.append({"role": "user", "content": f"Result of the tool: {message['content']}\nTell the caller."})
            continue
        said = [message["content"]] if message.get("content") else []
        calls = [
            f'{{"name": {json.dumps(call["function"]["name"])}, "arguments": {call["function"]["arguments"] or "{}"}}}'
            for call in message.get("tool_calls") or ()
        ]
        out.append({"role": message["role"], "content": "\n".join([*said, *calls])})
    if tools and out and out[0]["role"] == "system":
        out[0] = {"role": "system", "content": f"{out[0]['content']}\n\n{offer(tools)}"}
    return out


def offer(tools: Sequence[ToolSpec]) -> str:
    """What the model is told of its tools; nothing without any."""
    if not tools:
        return ""
    lines = ["You may call these tools when they are needed:"]
    for tool in tools:
        told = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
        lines.append(json.dumps(told, ensure_ascii=False))
    lines.append(f'{INSTRUCTION} {{"name": <its name>, "arguments": <a JSON object>}}.')
    return "\n".join(lines)
