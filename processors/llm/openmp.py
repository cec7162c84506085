"""The OpenMP runtime that llama.cpp's library counts on, for systems that have none.

On Linux the library is linked against the system's ``libgomp.so.1``, which slim systems (a minimal Debian, container
images) lack. Wheels that use OpenMP carry a copy of their own under a name with a hash, made for any glibc from 2.17
on. Such a copy is fetched once, checked against its SHA-256, given its usual name again (the ``SONAME`` by which the
dynamic linker knows it), and loaded; llama.cpp's library then finds it in the process. GCC's runtime libraries may be
passed on and linked with anything (GPL-3.0 with the GCC Runtime Library Exception).
"""

import ctypes
import os
import platform
import sys
from pathlib import Path
from typing import Final

from processors.models.downloads import Member, Wheel, cache_folder, fetch_members, write_whole

SONAME: Final = "libgomp.so.1"

ADVICE: Final = f"install the system's {SONAME} (Debian, Ubuntu: apt install libgomp1; Fedora: dnf install libgomp)"
"""What a person can do."""

_REQUIREMENT: Final = "pykdtree==1.4.3"

COPIES: Final = {
    "x86_64": (
        Wheel(_REQUIREMENT, platforms=("manylinux_2_28_x86_64",), python="3.12"),
        Member(
            "pykdtree.libs/libgomp-870cb1d0.so.1.0.0",
            "4dae993cb6da9101fc2cfef827306dd03b892011d2e2789c8e44828ca9f2583c",
        ),
    ),
    "aarch64": (
        Wheel(_REQUIREMENT, platforms=("manylinux_2_28_aarch64",), python="3.12"),
        Member(
            "pykdtree.libs/libgomp-947d5fa1.so.1.0.0",
            "dc3231f8fd4cadc46d8659c3b8dd811ae33174749e86807f16f61ead6ee59bfd",
        ),
    ),
}
"""A small wheel with a copy, and the copy, by machine."""


def ensure_openmp() -> None:
    """Have the runtime in this process, the system's if there is one.

    Raises:
        OSError: There is none and it cannot be fetched; the message says what to install.
    """
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(SONAME, os.RTLD_GLOBAL | os.RTLD_NOW)
    except OSError:
        try:
            ctypes.CDLL(str(fetched_copy()), os.RTLD_GLOBAL | os.RTLD_NOW)
        except OSError as error:
            raise OSError(f"{ADVICE}; a copy cannot be had either: {error}") from None


def fetched_copy(folder: Path | None = None) -> Path:
    """The copy from the package index under its usual name, fetched once.

    Args:
        folder: Where to keep it; default: a folder of the cache.

    Raises:
        OSError: There is none for this machine, or it cannot be fetched or kept.
    """
    if platform.machine() not in COPIES:
        raise OSError(f"there is none for {platform.machine()}")
    wheel, member = COPIES[platform.machine()]
    folder = folder or cache_folder() / "lib" / platform.machine()
    path = folder / SONAME
    if not path.is_file():
        fetch_members(wheel, [member], folder)
        write_whole(path, renamed((folder / member.file_name).read_bytes(), member.file_name))
        (folder / member.file_name).unlink(missing_ok=True)
    return path


def renamed(library: bytes, name: str) -> bytes:
    """A shared library that calls itself ``name`` as one that calls itself :data:`SONAME`; nothing moves in it."""
    old = name.encode() + b"\0"
    if library.count(old) != 1:
        raise OSError(f"{name} does not hold its own name once")
    return library.replace(old, SONAME.encode().ljust(len(old), b"\0"))
