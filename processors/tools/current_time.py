"""What time it is."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from processors.caller_time import offset_of
from processors.tools.base import ToolContext, ToolError
from processors.tools.declare import tool


@tool(worded_for="date day it it's now time today today's week")
async def current_time(
    context: ToolContext,
    timezone: Annotated[str, Field(description='IANA name, such as "Europe/Paris"; empty: the caller\'s.')] = "",
) -> str:
    """Tell the date, the day of the week and the time, here or elsewhere."""
    now = context.now()
    if timezone:
        try:
            now = now.astimezone(ZoneInfo(timezone))
        except (ZoneInfoNotFoundError, ValueError):
            raise ToolError(f"there is no time zone {timezone!r}; use a name such as Europe/Paris") from None
    return f"It is {now:%A}, {now.day} {now:%B %Y}, {now:%H:%M} ({offset_of(now)})."
