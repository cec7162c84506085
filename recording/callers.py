"""Whose record it is, and how all records of somebody are deleted.

A record's header names its caller by a mark (HMAC-SHA256 under the records' key), so that records without audio, which
hold nothing of who called, can be found as well.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.caller_identity import CallerIdentity
from contracts.caller_time import PHONE_NUMBER
from recording.container import RecordError, unpack
from recording.entries import Kind, from_json
from recording.writer import records_in


def caller_mark(caller: str, key: bytes) -> str:
    """The mark of a caller: the subject of their token, or their telephone number."""
    return hmac.new(key or b"parley", caller.encode(), "sha256").hexdigest()


def caller_marks(identity: CallerIdentity | None, request_data: Mapping[str, Any], key: bytes) -> list[str]:
    """The marks of all names that a call's caller has."""
    names = [identity.subject] if identity is not None else []
    number = request_data.get(PHONE_NUMBER)
    if isinstance(number, str) and number:
        names.append(number)
    return [caller_mark(name, key) for name in names]


@dataclass(frozen=True)
class Deleted:
    """What became of the records of somebody.

    Attributes:
        deleted: How many were deleted.
        unreadable: Files that could not be read, and may be theirs; and why.
    """

    deleted: int
    unreadable: list[str]


def delete_records_of(folder: Path, caller: str, key: bytes) -> Deleted:
    """Delete all records of a caller.

    Args:
        folder: Where they are.
        caller: The subject of their token, or their telephone number.
        key: Of the records.

    Raises:
        OSError: The folder cannot be read, or a file cannot be deleted.
    """
    mark, deleted, unreadable = caller_mark(caller, key), 0, list[str]()
    for path in records_in(folder):
        try:
            entries = unpack(path.read_bytes(), key).entries
            header = from_json(entries[0].body) if entries and entries[0].kind == Kind.HEADER else {}
        except RecordError as error:
            unreadable.append(f"{path}: {error}")
            continue
        if mark in header.get("callers", ()):
            path.unlink(missing_ok=True)
            deleted += 1
    return Deleted(deleted, unreadable)
