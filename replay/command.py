"""``python bot.py replay``: plays records again, and says what is the same and what is not."""

import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from processors.models.files import usable_cores
from recording.container import RecordError
from recording.writer import records_in
from replay.as_test import write_test
from replay.compare import difference
from replay.figures import Figures, as_text, figures, table
from replay.listen import write_wav
from replay.play import play
from replay.record import Trace, load, trace_of


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        records: Records, and folders of them.
        changes: Settings that are to be others: ``NAME=VALUE``.
        listen: Where the sound is written; None: nowhere.
        as_test: Where the test is written; None: nowhere.
    """

    records: Sequence[Path]
    changes: Sequence[str] = ()
    listen: Path | None = None
    as_test: Path | None = None


@dataclass(frozen=True)
class Replayed:
    """What came of one record.

    Attributes:
        name: The file's.
        secs: How long the call was.
        took_secs: How long the replay took.
        before: The call as it was.
        after: As it is now.
        parts: Where the two part; empty: nowhere.
        guessed: From where on the replay is a guess, in seconds since the call began; None: nowhere.
        why: What was guessed first.
        error: Why there was no replay.
    """

    name: str
    secs: float = 0.0
    took_secs: float = 0.0
    before: Figures | None = None
    after: Figures | None = None
    parts: str = ""
    guessed: float | None = None
    why: str = ""
    error: str = ""


def main(options: Options, key: bytes) -> int:
    """Run the command; returns the exit code: 0 if every call was replayed as it was, or as it was asked for.

    Args:
        options: What to do.
        key: Of the records, if they are encrypted.
    """
    try:
        changes = _changes(options.changes)
        files = [file for path in options.records for file in (records_in(path) if path.is_dir() else [path])]
        if not files:
            raise RecordError("there are no records in this folder")
        if len(files) == 1 or options.listen or options.as_test:
            if len(files) > 1:
                raise RecordError("--listen and --as-test take one record")
            return _one(files[0], key, changes, options)
    except RecordError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return _many(files, key, changes)


def _changes(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if wrong := [name for name, equals, _ in pairs if not equals or not name]:
        raise RecordError(f"--set takes NAME=VALUE, not {wrong[0]!r}")
    return {name: value for name, _, value in pairs}


def _one(path: Path, key: bytes, changes: Mapping[str, str], options: Options) -> int:
    record = load(path, key)
    if options.as_test is not None:
        for line in write_test(record, options.as_test):
            print(line)
        return 0
    if not record.whole:
        print("the record was cut off: it is replayed as far as it goes")
    began = time.perf_counter()
    trace = play(record, changes, keeps_audio=options.listen is not None)
    took_secs = time.perf_counter() - began
    if options.listen is not None:
        write_wav(options.listen, trace, record.began)
        print(f"{options.listen}: the caller on the left, the bot on the right")
    replayed = _replayed(path, record.secs, took_secs, trace_of(record), trace, record.began)
    print(f"{record.secs:.1f} s of call in {took_secs:.1f} s: {record.secs / max(took_secs, 0.001):.0f} times life")
    if not changes:
        print(_said(replayed))
        return 1 if replayed.parts else 0
    assert replayed.before is not None
    assert replayed.after is not None
    print(as_text(table([(replayed.before, replayed.after)]), 1))
    for was, is_ in zip(replayed.before.heard, replayed.after.heard, strict=False):
        if was != is_:
            print(f"the caller heard {was!r}, and would have heard {is_!r}")
            break
    print(_explanation(replayed))
    return 0


def _replayed(path: Path, secs: float, took_secs: float, was: Trace, is_: Trace, began: float) -> Replayed:
    parts = difference(was, is_, began)
    first = is_.notes[0] if is_.notes else None
    return Replayed(
        path.name,
        secs,
        took_secs,
        figures(was),
        figures(is_),
        str(parts) if parts is not None else "",
        first[0] - began if first is not None else None,
        first[1] if first is not None else "",
    )


def _said(replayed: Replayed) -> str:
    if replayed.parts:
        return f"the replay parts from the record {replayed.parts}"
    return "the replay is the call: every message at its instant, every sample as it was"


def _explanation(replayed: Replayed) -> str:
    if replayed.guessed is None:
        return "nothing had to be guessed: vendors and tools were asked what they had been asked"
    return f"from {replayed.guessed:.1f} s on it is a guess: {replayed.why}"


def replay_file(path: Path, key: bytes = b"", changes: Mapping[str, str] | None = None) -> Replayed:
    """Replay one record; one that cannot be read says why."""
    try:
        record = load(path, key)
        began = time.perf_counter()
        trace = play(record, changes)
    except RecordError as error:
        return Replayed(path.name, error=str(error))
    return _replayed(path, record.secs, time.perf_counter() - began, trace_of(record), trace, record.began)


def _many(files: Sequence[Path], key: bytes, changes: Mapping[str, str]) -> int:
    began = time.perf_counter()
    work = partial(replay_file, key=key, changes=dict(changes))
    with ProcessPoolExecutor(min(usable_cores(), len(files)), mp_context=get_context("spawn")) as pool:
        replayed = list(pool.map(work, files))
    took_secs = time.perf_counter() - began
    for each in replayed:
        if each.error:
            print(f"error: {each.error}", file=sys.stderr)
        elif each.parts and not changes:
            print(f"{each.name}: parts from the record {each.parts}")
    good = [each for each in replayed if each.before is not None and each.after is not None]
    secs = sum(each.secs for each in good)
    print(f"{len(good)} calls, {secs:.0f} s, in {took_secs:.1f} s: {secs / max(took_secs, 0.001):.0f} times life")
    if not changes:
        same = sum(not each.parts for each in good)
        print(f"{same} of {len(good)} calls are replayed to the instant and to the sample")
        return 0 if same == len(replayed) else 1
    print(as_text(table([(each.before, each.after) for each in good if each.before and each.after]), len(good)))
    guessed = [each for each in good if each.guessed is not None]
    print(f"{len(guessed)} of {len(good)} calls hold a guess" + (f"; the first: {guessed[0].why}" if guessed else ""))
    return 0 if len(good) == len(replayed) else 1
