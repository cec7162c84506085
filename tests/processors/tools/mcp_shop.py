"""A real MCP server for the tests: ``python mcp_shop.py LOG``; what it changes it writes to LOG."""

import os
import sys
import time
from pathlib import Path

from mcp.server.fastmcp import FastMCP
from mcp.types import ToolAnnotations

LOG = Path(sys.argv[1])
shop = FastMCP("shop")


@shop.tool(annotations=ToolAnnotations(readOnlyHint=True))
def price(article: str, count: int = 1) -> str:
    """Look up a price."""
    if article == "gold":
        raise ValueError("gold is not sold here")
    return f"{count} {article} cost {count * 2} dollars"


@shop.tool(annotations=ToolAnnotations(readOnlyHint=True))
def current_time() -> str:
    """Tell the shop's time."""
    return "shop time"


@shop.tool()
def order(article: str) -> str:
    """Order an article."""
    with LOG.open("a") as log:
        log.write(f"{article} {os.environ.get('LEVEL', '')}\n")
    time.sleep(0.3)
    return f"ordered: {article}"


@shop.tool()
def crash() -> str:
    """Take the server down."""
    os._exit(1)


shop.run()
