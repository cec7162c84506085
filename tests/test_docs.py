"""The example in the documentation is a tool as it stands."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from languages.base import Language
from languages.catalogue import find_languages
from processors import tools as tools_package
from processors.tools.base import ToolContext, ToolError
from processors.tools.catalogue import find_tools

DOCS = Path(__file__).parents[1] / "docs"

EXAMPLES = ("prompts/bakery.md", "processors/tools/order_cake.py", "languages/it.py")
"""Files that the reader is asked to write."""


async def test_the_tool_of_ten_minutes_works(tmp_path, monkeypatch):
    text = (DOCS / "make-it-your-own.md").read_text(encoding="utf-8")
    source, trial = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "order_cake.py").write_text(source)
    monkeypatch.setattr(tools_package, "__path__", [*tools_package.__path__, str(tmp_path)])
    order_cake = find_tools()["order_cake"]
    assert (order_cake.effect, order_cake.confirm, order_cake.timeout_secs) == (True, True, 5)
    context = ToolContext()
    assert trial.startswith('arguments = order_cake.check({"kind": "apple"})\n')
    arguments = order_cake.check({"kind": "apple"})
    for number in (1, 2, 3):
        assert await order_cake.run(arguments, context) == f"One apple cake in 12 pieces is ordered, number {number}."
    with pytest.raises(ToolError, match="three cakes"):
        await order_cake.run(arguments, context)
    assert "number 1" in await order_cake.run(arguments, ToolContext())


def test_every_part_of_a_language_is_explained():
    text = (DOCS / "add-a-language.md").read_text(encoding="utf-8")
    table = "\n".join(line for line in text.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", table)) >= {part.name for part in fields(Language)}
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"`{code}`" in readme for code in find_languages())


def test_files_that_the_documentation_names_are_there():
    """A path in code marks that begins with one of our folders; a star stands for any name."""
    root = DOCS.parent
    folders = {path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")}
    missing = [
        f"{page.name}: {path}"
        for page in (root / "README.md", root / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")))
        for path in re.findall(r"`([\w-]+/[\w./*-]*)`", page.read_text(encoding="utf-8"))
        if path.split("/")[0] in folders and not any(root.glob(path.rstrip("/")))
    ]
    assert [path for path in missing if not path.endswith(EXAMPLES)] == []
