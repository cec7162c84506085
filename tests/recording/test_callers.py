"""All records of a caller can be found and deleted, and nobody else's."""

import pytest

from contracts.caller_identity import CallerIdentity
from recording.callers import caller_marks, delete_records_of
from recording.entries import Kind, as_json
from recording.writer import RecordWriter, records_in

KEY = bytes(range(32))


@pytest.mark.parametrize("key", [b"", KEY])
def test_records_of_one_caller_are_deleted(tmp_path, key):
    writer = RecordWriter(tmp_path, key)
    callers = [
        (CallerIdentity("ada"), {}),
        (CallerIdentity("ben"), {"phone_number": "+33612345678"}),
        (None, {"phone_number": "+33612345678"}),
        (None, {"phone_number": 5}),
    ]
    for number, (identity, data) in enumerate(callers):
        file = writer.open(f"call{number}")
        file.add(Kind.HEADER, 0.0, as_json({"callers": caller_marks(identity, data, key)}))
    writer.close()
    (tmp_path / "broken.parley").write_bytes(b"nothing")
    found = delete_records_of(tmp_path, "+33612345678", key)
    assert found.deleted == 2
    (unreadable,) = found.unreadable
    assert "broken.parley: this is not the record of a call" in unreadable
    left = sorted(path.name.split("-")[-2] for path in records_in(tmp_path) if "broken" not in path.name)
    assert left == ["call0", "call3"]
    assert delete_records_of(tmp_path, "ada", key).deleted == 1
    assert delete_records_of(tmp_path, "nobody", key).deleted == 0
    assert b"ada" not in b"".join(path.read_bytes() for path in records_in(tmp_path))
