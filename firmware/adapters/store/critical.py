"""The critical record: what must never be forgotten, a second time, beside the database.

Two slots in one file, written in turn, each with a generation and a checksum: a write that is torn leaves the other
slot. It is written after the database's commit, so an older database than this record is one that was lost or
rolled back. What the record says is opaque here.
"""

import hashlib
import struct
from typing import Final, NamedTuple

from firmware.adapters.store.files import Files

SLOT_BYTES: Final = 32 * 1024
"""More than the largest record; a multiple of any flash page, so that a torn page damages one slot only."""
SLOTS: Final = 2

_MAGIC: Final = b"SBVITAL1"
_HEADER: Final = struct.Struct(">8sQI16s")


class Kept(NamedTuple):
    """A record with the generation of the commit that it belongs to."""

    generation: int
    body: bytes


class Critical:
    """The record in the file called `name`."""

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._name = name
        self._newest_slot: int | None = None

    def read(self) -> Kept | None:
        """The newest record whose checksum holds, None when there is none. Raises OSError."""
        data = self._files.read(self._name) or b""
        slots = [_decode(data[start : start + SLOT_BYTES]) for start in range(0, SLOTS * SLOT_BYTES, SLOT_BYTES)]
        kept = [(each, slot) for slot, each in enumerate(slots) if each is not None]
        newest, self._newest_slot = max(kept, default=(None, None))
        return newest

    def write(self, generation: int, body: bytes) -> None:
        """Keep `body` in place of the older of the two; `read` comes first. Raises OSError."""
        encoded = _encode(generation, body)
        if len(encoded) > SLOT_BYTES:
            raise OSError(f"a record of {len(encoded)} bytes does not fit a slot of {SLOT_BYTES}")
        is_first = self._newest_slot is None
        slot = 0 if self._newest_slot is None else (self._newest_slot + 1) % SLOTS
        self._files.write(self._name, slot * SLOT_BYTES, encoded)
        if is_first:
            self._files.sync_names()
        self._newest_slot = slot


def _encode(generation: int, body: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, generation, len(body), _checksum(generation, body)) + body


def _decode(slot: bytes) -> Kept | None:
    if len(slot) < _HEADER.size:
        return None
    magic, generation, length, checksum = _HEADER.unpack_from(slot)
    body = slot[_HEADER.size : _HEADER.size + length]
    if magic != _MAGIC or len(body) != length or _checksum(generation, body) != checksum:
        return None
    return Kept(generation, body)


def _checksum(generation: int, body: bytes) -> bytes:
    return hashlib.blake2b(_MAGIC + generation.to_bytes(8, "big") + body, digest_size=16).digest()
