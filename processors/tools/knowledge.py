"""A folder of Markdown files that can be searched: SQLite's full-text index (FTS5), in memory."""

import asyncio
import re
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from processors.tools.base import ToolError
from processors.turns.verdict.words import words
from settings import ROOT, Settings

MAX_PASSAGE_CHARS = 700
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
_COMMON = frozenset(
    words(
        "a an and are at be by can could do does for from have has how i if in is it its me my of on or please tell "
        "that the there this to was we what when where which who will with would you your about know want"
    )
)
"""Words that stand everywhere: a question of nothing else finds nothing."""


@dataclass(frozen=True)
class Passage:
    """A section of a file.

    Attributes:
        title: Its headings, from the file's down.
        text: Its text.
    """

    title: str
    text: str


class Knowledge:
    """The index. Files that change are read again at the next search.

    Args:
        settings: ``knowledge_folder`` names the folder.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = ROOT / settings.knowledge_folder
        self._lock = threading.Lock()
        self._index: sqlite3.Connection | None = None
        self._read: list[tuple[Path, int]] = []

    async def search(self, question: str, count: int = 3) -> list[Passage]:
        """The passages that fit best, the best first; none if no word of the question is there.

        Raises:
            ToolError: The folder cannot be read.
        """
        asked = [word for word in words(question) if word not in _COMMON]
        if not asked:
            return []
        query = " OR ".join('"' + word.replace('"', "") + '"' for word in asked)
        try:
            return await asyncio.to_thread(self._search, query, count)
        except (OSError, UnicodeDecodeError, sqlite3.Error) as error:
            raise ToolError(f"the knowledge cannot be read ({error})") from None

    def close(self) -> None:
        """Forget the index."""
        with self._lock:
            if self._index is not None:
                self._index.close()
                self._index = None

    def _search(self, query: str, count: int) -> list[Passage]:
        with self._lock:
            # A word in a heading says more than one in the text.
            rows = (
                self._fresh_index()
                .execute(
                    "SELECT title, text FROM passages WHERE passages MATCH ? ORDER BY bm25(passages, 4.0, 1.0) LIMIT ?",
                    (query, count),
                )
                .fetchall()
            )
        return [Passage(title, text) for title, text in rows]

    def _fresh_index(self) -> sqlite3.Connection:
        found = [(path, path.stat().st_mtime_ns) for path in sorted(self._folder.glob("**/*.md"))]
        if self._index is None or found != self._read:
            if self._index is not None:
                self._index.close()
            self._index = sqlite3.connect(":memory:", check_same_thread=False)
            self._index.execute("CREATE VIRTUAL TABLE passages USING fts5(title, text, tokenize = 'porter unicode61')")
            for path, _ in found:
                for passage in passages_of(path.stem, path.read_text(encoding="utf-8")):
                    self._index.execute("INSERT INTO passages VALUES (?, ?)", (passage.title, passage.text))
            self._read = found
        return self._index


def passages_of(name: str, markdown: str) -> list[Passage]:
    """A file's sections, each under its headings; long ones are cut at paragraphs.

    Args:
        name: The file's name, the title of what stands before any heading.
        markdown: Its text.
    """
    parts = _HEADING.split(markdown)
    title, passages = name.replace("-", " "), []
    head = title
    for index, part in enumerate(parts):
        if index % 2:
            head = part if index == 1 or part == title else f"{title}: {part}"
            title = part if index == 1 else title
            continue
        passages += [Passage(head, text) for text in _pieces(part)]
    return passages


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for paragraph in filter(None, (part.strip() for part in re.split(r"\n\s*\n", text))):
        if pieces and len(pieces[-1]) + len(paragraph) < MAX_PASSAGE_CHARS:
            pieces[-1] += "\n" + paragraph
        else:
            pieces.append(paragraph)
    return pieces
