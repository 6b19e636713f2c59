"""Room that is given up when nothing else is left."""

from pathlib import Path

import pytest

from firmware.adapters.store.files import DiskFiles
from firmware.adapters.store.reserve import Reserve
from tests.support.vfs import RecordedFiles, Tape


@pytest.mark.req("PWR-2")
def test_room_is_taken_once_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "m.reserve"
    reserve = Reserve(DiskFiles(tmp_path), path.name, 10_000)
    reserve.take()
    assert path.stat().st_size == 10_000
    path.unlink()
    reserve.take()
    assert not path.exists(), "held is held: no look at the disk each time"
    reserve.release()
    reserve.take()
    assert path.stat().st_size == 10_000
    reserve.release()
    assert not path.exists()


def test_a_part_of_a_reserve_is_filled_up(tmp_path: Path) -> None:
    (tmp_path / "m.reserve").write_bytes(b"short")
    Reserve(DiskFiles(tmp_path), "m.reserve", 600).take()
    assert (tmp_path / "m.reserve").stat().st_size == 600
    Reserve(DiskFiles(tmp_path), "none", 0).take()
    assert not (tmp_path / "none").exists()


@pytest.mark.req("PWR-2")
def test_a_disk_without_room_is_no_error(tmp_path: Path) -> None:
    tape = Tape()
    tape.limit = 100
    reserve = Reserve(RecordedFiles(tmp_path, tape), "m.reserve", 600)
    reserve.take()
    assert list(tmp_path.iterdir()) == []
    tape.read_only = True
    reserve.take()
    reserve.release()
    assert list(tmp_path.iterdir()) == []
