"""Which lane a test runs in.

==========  ==================================================================  ===========================
lane        what is in it                                                       how it runs
==========  ==================================================================  ===========================
fast        no marker: pure code, virtual time, short conversations on loopback  ``make test-fast``, parallel
parallel    the fast lane and ``slow``                                          ``make test``, first part
real time   ``realtime``: the real clock, real browsers, the bot as a process   second part, two files at once
timed       ``timed``: those of them that measure time                          third part, one after the other
==========  ==================================================================  ===========================

A test that counts on the real clock stands in one of the folders of ``REAL_TIME_FOLDERS``; one that fails when another
runs beside it is marked ``timed``. All others must pass however busy the machine is.
"""

from collections.abc import Iterable
from pathlib import Path, PurePath

import pytest

TESTS = Path(__file__).parent

REAL_TIME_FOLDERS = frozenset({"browser", "calls", "clients"})
"""Folders whose tests drive other programs in real time; the Makefile names them, so that no others are read."""

BROWSER_FOLDER = "browser"


def folder_of(path: PurePath) -> str:
    """The folder below ``tests/`` that a file is in; empty for ``tests/`` itself."""
    parts = path.relative_to(TESTS).parts
    return parts[0] if len(parts) > 1 else ""


def mark_folders(items: Iterable[pytest.Item]) -> None:
    """Mark the tests of whole folders.

    Raises:
        pytest.UsageError: A test outside them counts on the real clock, and would run in no lane.
    """
    for item in items:
        folder = folder_of(item.path)
        if folder in REAL_TIME_FOLDERS:
            item.add_marker(pytest.mark.realtime)
        elif item.get_closest_marker("realtime") or item.get_closest_marker("timed"):
            raise pytest.UsageError(f"{item.nodeid}: move it to one of {sorted(REAL_TIME_FOLDERS)}, see tests/lanes.py")
        if folder == BROWSER_FOLDER:
            item.add_marker(pytest.mark.browser)
