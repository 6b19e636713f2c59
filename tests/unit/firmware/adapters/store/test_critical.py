"""The critical record: two slots, written in turn, and the newest that is whole counts."""

from pathlib import Path

import pytest

from firmware.adapters.store.critical import SLOT_BYTES, Critical, Kept
from firmware.adapters.store.files import DiskFiles


def critical(folder: Path) -> Critical:
    """As after a reboot."""
    return Critical(DiskFiles(folder), "m.vital")


@pytest.mark.req("PWR-1")
def test_the_newest_record_is_found_after_any_number_of_writes(tmp_path: Path) -> None:
    used = critical(tmp_path)
    assert used.read() is None
    for generation in (1, 2, 3, 7):
        used.write(generation, b"body %d" % generation)
        assert critical(tmp_path).read() == Kept(generation, b"body %d" % generation)
    assert (tmp_path / "m.vital").stat().st_size < 2 * SLOT_BYTES


@pytest.mark.req("PWR-1")
@pytest.mark.parametrize("torn", [0, 1, 7, 8, 20, 35, 36, 40])
def test_a_torn_write_leaves_the_record_before_it(tmp_path: Path, torn: int) -> None:
    used = critical(tmp_path)
    used.write(5, b"the one before")
    used.write(6, b"the one that is torn")
    path = tmp_path / "m.vital"
    whole = path.read_bytes()
    path.write_bytes(whole[: SLOT_BYTES + torn] + b"\xa5" * (len(whole) - SLOT_BYTES - torn))
    again = critical(tmp_path)
    assert again.read() == Kept(5, b"the one before")
    again.write(9, b"next")
    assert path.read_bytes()[:SLOT_BYTES].startswith(whole[:SLOT_BYTES]), "the only good slot is not written over"
    assert critical(tmp_path).read() == Kept(9, b"next")


@pytest.mark.req("PWR-1")
def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    critical(tmp_path).write(5, b"body")
    path = tmp_path / "m.vital"
    whole = path.read_bytes()
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert critical(tmp_path).read() is None


def test_a_record_that_does_not_fit_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    used = critical(tmp_path)
    with pytest.raises(OSError, match="does not fit"):
        used.write(1, bytes(SLOT_BYTES))
    assert used.read() is None
