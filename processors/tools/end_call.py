"""The bot hangs up."""

from processors.tools.base import ToolContext
from processors.tools.declare import tool


@tool()
async def end_call(context: ToolContext) -> str:
    """End the call. Use it when the caller says goodbye or wants nothing more."""
    context.line.hang_up()
    return "Say goodbye in one short sentence. The line closes when the caller has heard it."
