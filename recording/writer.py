"""Writes records to a folder, on one thread, beside the calls: a call never waits for its record.

What a call tells is appended to a queue without a lock; twice a second the thread writes what has gathered. When the
disk cannot follow, the queue's bound is reached: then a call's record ends there and says so, and the call goes on.
"""

import re
import secrets
import threading
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loguru import logger

from recording.container import ENTRY, Packer
from recording.entries import Kind

SUFFIX: Final = ".parley"
UNFINISHED: Final = ".part"

QUEUE_BYTES: Final = 64 * 1024 * 1024
"""What may wait to be written, for all calls together."""

_WRITE_SECS: Final = 0.5
_RETENTION_SECS: Final = 3_600.0
_JOIN_SECS: Final = 30.0
_DAY_SECS: Final = 86_400.0

_BLOCK_BYTES: Final = 4 * 1024 * 1024
_AUDIO: Final = frozenset(map(int, (Kind.PACKET, Kind.PCM, Kind.TTS_CHUNK)))
"""Kinds that no compression makes smaller."""


class RecordFile:
    """The record of one call that is being written. All methods but those of the thread return at once.

    Args:
        folder: Where.
        name: Of the file, without its ending.
        key: 32 bytes; empty: it is not encrypted.
        most_bytes: Longest record.
    """

    def __init__(self, folder: Path, name: str, key: bytes, most_bytes: int) -> None:
        self.path = folder / f"{name}{SUFFIX}"
        self.dropped = 0
        """Entries that were not written."""
        self._unfinished = folder / f"{name}{SUFFIX}{UNFINISHED}"
        self._most_bytes = most_bytes
        self._packer = Packer(key)
        self._entries: deque[bytes] = deque()
        self._added_bytes = 0  # by calls alone, as the next is by the thread alone: no sum needs a lock
        self._taken_bytes = 0
        self._count = 0
        self._begun = False
        self._over = False
        self._failed = False

    def add(self, kind: int, at: float, body: bytes) -> None:
        """Append an entry.

        Args:
            kind: One of :class:`~recording.entries.Kind`.
            at: Seconds of the loop's clock.
            body: As its kind has it.
        """
        if self.dropped or self._added_bytes + len(body) > self._most_bytes:
            self.dropped += 1  # a record with a hole in it could not be replayed
            return
        entry = ENTRY.pack(kind, at, len(body)) + body  # as packed(): this is called some thousand times a second
        self._added_bytes += len(entry)
        self._entries.append(entry)

    @property
    def waiting_bytes(self) -> int:
        """What is still to be written."""
        return max(0, self._added_bytes - self._taken_bytes)

    def drop_rest(self) -> None:
        """The disk cannot follow: the record ends here."""
        self.dropped += 1

    def close(self) -> None:
        """Nothing more comes."""
        self._over = True

    # --- the thread's side -------------------------------------------------------------------

    def write(self) -> bool:
        """Write what has gathered; whether that was all."""
        over = self._over  # before the entries are taken: what comes later is for the next time
        try:
            self._write(over)
        except OSError as error:
            if not self._failed:
                logger.error("the record of a call cannot be written: {}", error.strerror or type(error).__name__)
            self._failed = True
            self.dropped += 1
        return over

    def _write(self, over: bool) -> None:
        blocks = [] if self._begun else [self._packer.head()]
        self._begun = True
        while self._entries:
            blocks.append(self._next_block())
        if self._failed:
            return
        if over:
            blocks.append(self._packer.last(entries=self._count, dropped=self.dropped))
        with self._unfinished.open("ab") as file:
            if file.tell() == 0:
                self._unfinished.chmod(0o600)
            file.write(b"".join(blocks))
        if over:
            self._unfinished.rename(self.path)

    def _next_block(self) -> bytes:
        entries, taken_bytes, audio_bytes = list[bytes](), 0, 0
        take = self._entries.popleft
        for _ in range(len(self._entries)):
            entry = take()
            entries.append(entry)
            size = len(entry)
            taken_bytes += size
            if entry[0] in _AUDIO:
                audio_bytes += size
            if taken_bytes >= _BLOCK_BYTES:
                break
        self._count += len(entries)
        self._taken_bytes += taken_bytes
        return self._packer.block(b"".join(entries), compress=2 * audio_bytes < taken_bytes)


class RecordWriter:
    """All records of a process.

    Args:
        folder: Where; made if it is not there.
        key: 32 bytes; empty: records are not encrypted.
        days: Records that are older are deleted; 0: none is.
        most_mb: Longest record of one call.
        queue_bytes: What may wait to be written.
    """

    def __init__(
        self,
        folder: Path,
        key: bytes = b"",
        days: float = 0.0,
        most_mb: float = 256.0,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self._folder = folder
        self._queue_bytes = queue_bytes
        self._key = key
        self._days = days
        self._most_bytes = round(most_mb * 1_000_000)
        self._files: list[RecordFile] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stops = False
        self._thread: threading.Thread | None = None
        self._swept_at = -_RETENTION_SECS
        self.dropped = 0
        """Entries of all calls that were not written."""

    def open(self, call_id: str) -> RecordFile:
        """Begin the record of a call."""
        began = datetime.now(UTC)
        called = re.sub(r"[^A-Za-z0-9-]", "", call_id)[:40]
        name = f"{began:%Y%m%dT%H%M%S}-{called or 'call'}-{secrets.token_hex(4)}"
        file = RecordFile(self._folder, name, self._key, self._most_bytes)
        with self._lock:
            self._files.append(file)
            if self._thread is None:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._thread = self._start()
        return file

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="records", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Write what is left; returns when that is done."""
        with self._lock:
            thread, self._stops = self._thread, True
            for file in self._files:
                file.close()
        self._wake.set()
        if thread is not None:
            thread.join(_JOIN_SECS)

    def write(self) -> None:
        """Write what has gathered of all calls; the thread's work."""
        with self._lock:
            files = list(self._files)
        waiting = sum(file.waiting_bytes for file in files)
        for file in files:
            if waiting > self._queue_bytes:
                file.drop_rest()
            if file.write():
                self.dropped += file.dropped
                with self._lock:
                    self._files.remove(file)

    def _run(self) -> None:
        while True:
            stops = self._stops
            self.write()
            if stops:
                return
            self._sweep()
            self._wake.wait(_WRITE_SECS)

    def _sweep(self) -> None:
        now = time.monotonic()
        if not self._days or now - self._swept_at < _RETENTION_SECS:
            return
        self._swept_at = now
        try:
            delete_older(self._folder, datetime.now(UTC).timestamp() - _DAY_SECS * self._days)
        except OSError as error:
            logger.error("old records cannot be deleted: {}", error.strerror or type(error).__name__)


def records_in(folder: Path) -> list[Path]:
    """The records in a folder, oldest first; one that is still written, or was never finished, is among them."""
    found = [path for path in folder.iterdir() if path.name.endswith((SUFFIX, SUFFIX + UNFINISHED))]
    return sorted(found)


def delete_older(folder: Path, before_unix: float) -> int:
    """Delete records that were last written before a time; how many there were."""
    old = [path for path in records_in(folder) if path.stat().st_mtime < before_unix]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
