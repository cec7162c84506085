"""The record's file: whatever is done to it, what is read is what was written, or one plain sentence says why not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recording.container import MAGIC, Contents, Entry, Packer, RecordError, packed, unpack

KEY = bytes(range(32))

entry = st.builds(Entry, st.integers(0, 255), st.floats(0, 1e6), st.binary(max_size=300))
blocks = st.lists(st.tuples(st.lists(entry, max_size=6), st.booleans()), max_size=5)
keys = st.sampled_from([b"", KEY])


def made(content, key=b"", *, ends=True) -> bytes:
    packer = Packer(key)
    data = packer.head()
    for entries, compress in content:
        data += packer.block(b"".join(packed(*each) for each in entries), compress=compress)
    return data + (packer.last(entries=3) if ends else b"")


def flat(content) -> list[Entry]:
    return [each for entries, _ in content for each in entries]


def read(data: bytes, key: bytes) -> Contents | str:
    """The contents, or the sentence that says why there are none."""
    try:
        return unpack(data, key)
    except RecordError as error:
        said = str(error)
        assert said
        assert "\n" not in said
        assert len(said) < 120
        return said


@given(blocks, keys)
def test_what_is_read_is_what_was_written(content, key):
    assert unpack(made(content, key), key) == Contents(flat(content), {"entries": 3})


@given(blocks, keys, st.data())
def test_a_file_that_is_cut_off_holds_what_came_before(content, key, data):
    whole = made(content, key)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    found = read(cut, key)
    if isinstance(found, str):
        assert found == "this is not the record of a call"
        return
    assert found.last is None
    assert found.entries == flat(content)[: len(found.entries)]


@settings(max_examples=200)
@given(blocks, keys, st.data())
def test_no_damage_goes_unnoticed_or_is_met_with_anything_but_a_sentence(content, key, data):
    whole = bytearray(made(content, key))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    found = read(bytes(whole), key)
    if isinstance(found, Contents):
        # The file's own id names nothing without a key; a length that grew makes the file one that was cut off.
        names_the_file = 11 <= at < 27 and not key
        assert found.entries == flat(content)[: len(found.entries)]
        assert found.last is None or names_the_file


@given(st.binary(max_size=400), st.booleans(), keys)
def test_any_foreign_file_gets_one_sentence(data, pretends, key):
    found = read((MAGIC if pretends else b"") + data, key)
    assert isinstance(found, str) or found.entries == []


def test_a_block_can_neither_be_left_out_nor_change_its_place_under_a_key():
    packer = Packer(KEY)
    head, one, two = packer.head(), *(packer.block(packed(1, float(at), b"x"), compress=False) for at in (1, 2))
    last = packer.last()
    assert len(unpack(head + one + two + last, KEY).entries) == 2
    for changed in (two + one + last, one + last, two + last):
        assert read(head + changed, KEY) == "the record was written with another RECORD_KEY, or changed since"


def test_an_encrypted_record_tells_nothing_without_its_key():
    data = made([([Entry(1, 2.0, b"my name is Anna")], False)], KEY)
    assert b"Anna" not in data
    assert read(data, b"") == "the record is encrypted: set RECORD_KEY to the key that it was written with"
    assert read(data, bytes(32)) == "the record was written with another RECORD_KEY, or changed since"


def test_another_version_is_named():
    data = bytearray(made([]))
    data[8] = 7
    with pytest.raises(RecordError, match="version 7, and only version 1"):
        unpack(bytes(data))
