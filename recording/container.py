"""The file of one recorded call: blocks of entries, each with a checksum, compressed or encrypted. Pure: no I/O.

::

    file  = MAGIC (8 bytes) version (u16) encrypted (u8) file id (16 bytes) block*
    block = codec (u8) length (u32) CRC-32 of the payload (u32) payload
    entry = kind (u8) time (f64, seconds of the event loop's clock) length (u32) body

All numbers are little-endian. The payload of a block is its entries, one after the other: as they are, where they are
mostly audio that nothing compresses, else by zlib. With a key the payload is AES-256-GCM over that; the number of the
block is authenticated, so that blocks can neither be left out nor change places. The last block says that it is the
last: a file without it was cut off, and holds what came before.
"""

import json
import secrets
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC: Final = b"PARLEYRC"
VERSION: Final = 1
KEY_BYTES: Final = 32

MAX_BLOCK_BYTES: Final = 64 * 1024 * 1024
"""No block is longer, so that a damaged length asks for no memory."""

_HEAD: Final = struct.Struct("<8sHB16s")
_BLOCK: Final = struct.Struct("<BII")
ENTRY: Final = struct.Struct("<BdI")
_NONCE_BYTES: Final = 12

_PLAIN, _ZLIB, _LAST = 0, 1, 2


class RecordError(Exception):
    """A record cannot be read; one plain sentence that says why."""


class Entry(NamedTuple):
    """One thing that happened.

    Attributes:
        kind: What; see :mod:`recording.entries`.
        at: When, in seconds of the call's event loop.
        body: The rest.
    """

    kind: int
    at: float
    body: bytes


def packed(kind: int, at: float, body: bytes) -> bytes:
    """An entry as bytes."""
    return ENTRY.pack(kind, at, len(body)) + body


class Packer:
    """Makes the blocks of one file.

    Args:
        key: 32 bytes; empty: nothing is encrypted.
    """

    def __init__(self, key: bytes = b"") -> None:
        self._file_id = secrets.token_bytes(16)
        self._cipher = _cipher(key, self._file_id) if key else None
        self._blocks = 0

    def head(self) -> bytes:
        """The file's first bytes."""
        return _HEAD.pack(MAGIC, VERSION, self._cipher is not None, self._file_id)

    def block(self, entries: bytes, *, compress: bool) -> bytes:
        """A block of packed entries."""
        return self._block(_ZLIB, zlib.compress(entries, 1)) if compress else self._block(_PLAIN, entries)

    def last(self, **told: Any) -> bytes:
        """The last block.

        Args:
            told: What it says of the whole.
        """
        return self._block(_LAST, json.dumps(told).encode())

    def _block(self, codec: int, payload: bytes) -> bytes:
        if self._cipher is not None:
            nonce = secrets.token_bytes(_NONCE_BYTES)
            payload = nonce + self._cipher.encrypt(nonce, payload, _place(codec, self._blocks))
        self._blocks += 1
        return _BLOCK.pack(codec, len(payload), zlib.crc32(payload)) + payload


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes:
        entries: In order.
        last: What the last block says; None: the file is cut off.
    """

    entries: list[Entry]
    last: dict[str, Any] | None


def unpack(data: bytes, key: bytes = b"") -> Contents:
    """The contents of a file.

    Args:
        data: The whole file.
        key: 32 bytes, if it is encrypted.

    Raises:
        RecordError: It is none, or damaged, or of another key.
    """
    if len(data) < _HEAD.size or not data.startswith(MAGIC):
        raise RecordError("this is not the record of a call")
    _, version, encrypted, file_id = _HEAD.unpack_from(data)
    if version != VERSION:
        raise RecordError(f"this record is of version {version}, and only version {VERSION} can be read")
    if encrypted > 1:
        raise RecordError("the record is damaged in its first bytes")
    if encrypted and not key:
        raise RecordError("the record is encrypted: set RECORD_KEY to the key that it was written with")
    cipher = _cipher(key, file_id) if encrypted else None
    entries: list[Entry] = []
    at, number = _HEAD.size, 0
    while at < len(data):
        if len(data) - at < _BLOCK.size:
            return Contents(entries, None)
        codec, length, checksum = _BLOCK.unpack_from(data, at)
        where = f"the record is damaged in block {number + 1}, at byte {at}"
        if codec > _LAST or length > MAX_BLOCK_BYTES:
            raise RecordError(where)
        at += _BLOCK.size
        payload = data[at : at + length]
        if len(payload) < length:
            return Contents(entries, None)
        at += length
        if zlib.crc32(payload) != checksum:
            raise RecordError(where)
        if cipher is not None:
            payload = _decrypted(cipher, payload, codec, number)
        if codec == _LAST:
            if at < len(data):
                raise RecordError(f"the record goes on behind its end, at byte {at}")
            return Contents(entries, _told(payload, where))
        entries += _entries(_inflated(payload, where) if codec == _ZLIB else payload, where)
        number += 1
    return Contents(entries, None)


def _entries(data: bytes, where: str) -> Iterator[Entry]:
    at = 0
    while at < len(data):
        if len(data) - at < ENTRY.size:
            raise RecordError(where)
        kind, secs, length = ENTRY.unpack_from(data, at)
        at += ENTRY.size
        if len(data) - at < length:
            raise RecordError(where)
        yield Entry(kind, secs, data[at : at + length])
        at += length


def _inflated(payload: bytes, where: str) -> bytes:
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(payload, MAX_BLOCK_BYTES)
    except zlib.error:
        raise RecordError(where) from None
    if not inflater.eof:
        raise RecordError(where)
    return data


def _told(payload: bytes, where: str) -> dict[str, Any]:
    try:
        told = json.loads(payload)
    except ValueError:
        raise RecordError(where) from None
    if not isinstance(told, dict):
        raise RecordError(where)
    return told


def _decrypted(cipher: AESGCM, payload: bytes, codec: int, number: int) -> bytes:
    try:
        return cipher.decrypt(payload[:_NONCE_BYTES], payload[_NONCE_BYTES:], _place(codec, number))
    except (InvalidTag, ValueError):
        raise RecordError("the record was written with another RECORD_KEY, or changed since") from None


def _place(codec: int, number: int) -> bytes:
    return struct.pack("<BI", codec, number)


def _cipher(key: bytes, file_id: bytes) -> AESGCM:
    """Each file has a key of its own."""
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=file_id, info=b"parley call record").derive(key))
