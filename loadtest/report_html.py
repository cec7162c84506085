"""The report as one HTML file: the Markdown report's content and plots, with nothing to be fetched. Pure."""

import html
import re
from typing import Any, Final

from loadtest import plots, report_markdown

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid #8886; padding: .25rem .6rem; text-align: left; vertical-align: top; }
figure { margin: 1.5rem 0; background: #fff; border-radius: 6px; padding: .5rem; }
figure svg { width: 100%; height: auto; }
figcaption { color: #444; font-size: .9rem; padding: 0 .5rem .5rem; }
.missed { color: #c0392b; font-weight: 600; }
code { font-size: .85em; }
"""


def page(found: dict[str, Any]) -> str:
    """The whole file.

    Args:
        found: ``{"summary": ..., "calls": [...]}``.
    """
    summary = found["summary"]
    title = f"Load test: {summary['callers']} callers, {summary['requests']} requests"
    figures = "".join(
        f"<figure>{svg}<figcaption>{html.escape(caption)}</figcaption></figure>" for svg, caption in plots.all_of(found)
    )
    body = _html(report_markdown.text(summary))
    at = body.index("<h2>Figures</h2>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"{body[:at]}<h2>Plots</h2>{figures}{body[at:]}</body></html>\n"
    )


def _html(markdown: str) -> str:
    """The few forms of Markdown that our own report uses: headings, tables, lists, paragraphs."""
    return "\n".join(_block(block) for block in markdown.strip().split("\n\n"))


def _block(block: str) -> str:
    if heading := re.match(r"(#+) (.*)", block):
        level = len(heading[1])
        return f"<h{level}>{_inline(heading[2])}</h{level}>"
    lines = block.split("\n")
    if lines[0].startswith("|"):
        return _table(lines)
    if lines[0].startswith("- "):
        return "<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>"
    return f"<p>{_inline(block)}</p>"


def _table(lines: list[str]) -> str:
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    head = "<tr>" + "".join(f"<th>{_inline(cell)}</th>" for cell in header) + "</tr>" if any(header) else ""
    body = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{head}{body}</table>"


def _inline(text: str) -> str:
    escaped = html.escape(text, quote=False)
    escaped = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escaped)
    escaped = re.sub(r"`(.+?)`", r"<code>\1</code>", escaped)
    escaped = re.sub(r"^\[x\]", "☑", re.sub(r"^\[ \]", "☐", escaped))
    return re.sub(r"\bMISSED\b", '<span class="missed">MISSED</span>', escaped)
