"""What the house knows, from its folder of Markdown files."""

from processors.tools.base import ToolContext
from processors.tools.declare import tool
from processors.tools.knowledge import Knowledge


@tool()
async def search_knowledge(context: ToolContext, question: str) -> str:
    """Look up opening hours, fees, cards, loans and other facts. Use it before saying that something is not known.

    Args:
        question: What is to be known, in a few words.
    """
    found = await context.shared(Knowledge).search(question)
    if not found:
        return "Nothing is known about that. Say so."
    return "\n".join(f"[{passage.title}] {' '.join(passage.text.split())}" for passage in found)
