"""Records on the disk: nothing waits for them, and what cannot be kept says so."""

import os
import threading
from pathlib import Path

import pytest

from recording.container import unpack
from recording.entries import Kind
from recording.writer import RecordWriter, delete_older, records_in

KEY = bytes(range(32))


def only(folder: Path) -> Path:
    (path,) = records_in(folder)
    return path


def test_a_record_is_whole_when_the_writer_is_closed(tmp_path):
    writer = RecordWriter(tmp_path / "records")
    file = writer.open("a/../b")
    for at in range(1000):
        file.add(Kind.SENT, float(at), b"{}")
    file.close()
    writer.close()
    found = unpack(only(tmp_path / "records").read_bytes())
    assert [each.at for each in found.entries] == [float(at) for at in range(1000)]
    assert found.last == {"entries": 1000, "dropped": 0}
    assert only(tmp_path / "records").stat().st_mode & 0o077 == 0


def test_two_calls_of_one_name_have_files_of_their_own(tmp_path):
    writer = RecordWriter(tmp_path, KEY)
    for body in (b"one", b"two"):
        writer.open("call").add(Kind.SENT, 0.0, body)
    writer.close()
    bodies = {unpack(path.read_bytes(), KEY).entries[0].body for path in records_in(tmp_path)}
    assert bodies == {b"one", b"two"}


def test_what_is_too_long_ends_there_and_says_so(tmp_path):
    writer = RecordWriter(tmp_path, most_mb=0.001)
    file = writer.open("call")
    for at in range(100):
        file.add(Kind.SENT, float(at), bytes(50))
    writer.close()
    found = unpack(only(tmp_path).read_bytes())
    assert found.last is not None
    assert found.last["dropped"] == 100 - len(found.entries) > 0
    assert [each.at for each in found.entries] == [float(at) for at in range(len(found.entries))]


class StillWriter(RecordWriter):
    """Writes only when it is told to."""

    def _start(self) -> threading.Thread:
        return threading.Thread()


def test_a_disk_that_cannot_follow_ends_records_and_not_calls(tmp_path):
    writer = StillWriter(tmp_path, queue_bytes=20)
    file = writer.open("call")
    file.add(Kind.SENT, 0.0, b"a")
    writer.write()
    for _ in range(5):
        file.add(Kind.SENT, 1.0, b"b")
    writer.write()  # what waits is still written; nothing comes after it
    file.add(Kind.SENT, 2.0, b"c")
    file.close()
    writer.write()
    found = unpack(only(tmp_path).read_bytes())
    assert [each.body for each in found.entries] == [b"a", *5 * [b"b"]]
    assert found.last == {"entries": 6, "dropped": 2}
    assert writer.dropped == 2


def test_a_folder_that_is_gone_costs_the_record_alone(tmp_path):
    writer = StillWriter(tmp_path / "records")
    file = writer.open("call")
    file.add(Kind.SENT, 0.0, b"a")
    (tmp_path / "records").rmdir()
    writer.write()
    file.add(Kind.SENT, 1.0, b"b")
    file.close()
    writer.write()
    assert writer.dropped == 2
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("ending", ["", ".part"])
def test_what_is_too_old_is_deleted(tmp_path, ending):
    for name, age in (("old", 100.0), ("new", 0.0)):
        path = tmp_path / f"{name}.parley{ending}"
        path.write_bytes(b"")
        os.utime(path, (1_000_000.0 - age, 1_000_000.0 - age))
    (tmp_path / "other.txt").write_text("stays")
    assert delete_older(tmp_path, 1_000_000.0 - 50.0) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"new.parley{ending}", "other.txt"]
