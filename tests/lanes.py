"""Which lane a test runs in.

==========  ==================================================================  ===========================
lane        what is in it                                                       how it runs
==========  ==================================================================  ===========================
fast        no marker: pure code, virtual time, short conversations on loopback  ``make test-fast``, parallel
parallel    the fast lane and ``slow``                                          ``make test``, first part
serial      ``realtime``: the real clock, real browsers, the bot as a process   ``make test``, second part
==========  ==================================================================  ===========================

A test that measures time, or counts on two things happening in a certain order of real time, is marked ``realtime``;
all others must pass however busy the machine is.
"""

from collections.abc import Iterable
from pathlib import Path, PurePath

import pytest

TESTS = Path(__file__).parent

SERIAL_FOLDERS = frozenset({"browser", "calls", "clients"})
"""Folders whose tests drive other programs in real time."""

BROWSER_FOLDER = "browser"


def folder_of(path: PurePath) -> str:
    """The folder below ``tests/`` that a file is in; empty for ``tests/`` itself."""
    parts = path.relative_to(TESTS).parts
    return parts[0] if len(parts) > 1 else ""


def mark_folders(items: Iterable[pytest.Item]) -> None:
    """Mark the tests of whole folders."""
    for item in items:
        folder = folder_of(item.path)
        if folder in SERIAL_FOLDERS:
            item.add_marker(pytest.mark.realtime)
        if folder == BROWSER_FOLDER:
            item.add_marker(pytest.mark.browser)
