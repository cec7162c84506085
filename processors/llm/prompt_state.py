"""What the local model has read of its system prompt, kept on disk from one start to the next.

Reading a prompt takes some 20 ms a token, and the system prompt is the same at each start; what the model holds after
it (keys and values, some 30 kB a token) is written once and loaded in a few milliseconds. A state fits one model, one
prompt, one version of the library and one set of its parameters only: all of them are in its name. A file that was cut
short or damaged is known by its SHA-256 and ignored.
"""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processors.models.downloads import cache_folder, write_whole

FORMAT = 1
"""Version of this file's own rules; raise it when what makes a state fit changes."""

KEPT = 4
"""States kept: of the last prompts that were used."""


def prompts_folder() -> Path:
    """The folder of the cache that states are kept in, made if it is not there.

    Raises:
        OSError: It cannot be made.
    """
    folder = cache_folder() / "prompts"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@dataclass(frozen=True)
class PromptState:
    """The place of one state.

    Attributes:
        folder: Where states are kept.
        key: What it is the state of.
    """

    folder: Path
    key: str

    @classmethod
    def of(cls, *what: str, folder: Path | None = None) -> "PromptState":
        """The state of a model that has read a prompt.

        Args:
            what: All that makes a state fit: model, prompt, tools, library, parameters.
            folder: Where states are kept; default: a folder of the cache.
        """
        text = json.dumps([FORMAT, *what], ensure_ascii=False)
        return cls(folder or prompts_folder(), hashlib.sha256(text.encode()).hexdigest()[:32])

    @property
    def file_name(self) -> str:
        """Name of the file that the library reads."""
        return f"{self.key}.state"

    @property
    def path(self) -> Path:
        """The file that the library reads."""
        return self.folder / self.file_name

    def usable(self) -> bool:
        """Whether it is there, and whole."""
        try:
            mark = json.loads(self._mark.read_text(encoding="utf-8"))
            return isinstance(mark, dict) and mark.get("sha256") == _digest(self.path)
        except (OSError, ValueError):
            return False

    def scratch_name(self) -> str:
        """A name in the same folder for the library to write to, before :meth:`keep`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return f"{self.key}.{secrets.token_hex(4)}.partial"

    def keep(self, scratch_name: str) -> None:
        """Put what was written in its place, at once and whole, and forget the oldest of the others.

        Raises:
            OSError: It cannot be kept.
        """
        scratch = self.folder / scratch_name
        mark = json.dumps({"sha256": _digest(scratch)})
        # Without its mark a state is not used: a crash between the two steps costs one reading.
        self.discard()
        scratch.replace(self.path)
        write_whole(self._mark, mark.encode())
        self._forget_oldest()

    def discard(self, scratch_name: str | None = None) -> None:
        """Remove it, or what was to become it."""
        gone: Sequence[Path] = [self._mark, self.path] if scratch_name is None else [self.folder / scratch_name]
        for path in gone:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    @property
    def _mark(self) -> Path:
        return self.folder / f"{self.key}.json"

    def _forget_oldest(self) -> None:
        states = sorted(self.folder.glob("*.state"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in states[KEPT:]:
            PromptState(self.folder, path.stem).discard()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
