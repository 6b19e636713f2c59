"""Reading a store that must not be touched."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from firmware.adapters.store import copies
from firmware.adapters.store.copies import copied, read_copy, read_state, read_usage
from firmware.adapters.store.database import Damaged
from firmware.adapters.store.disk import Disk
from firmware.adapters.store.files import DiskFiles
from firmware.core.usage import Chained
from firmware.ports import Dropped, StoreFailed

ENTRY = Chained(1, b"entry", b"1" * 32)
VECTOR = Path(__file__).parents[4] / "vectors" / "store-v1.sqlite"


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Disk]:
    """A module that has the file."""
    disk = Disk(tmp_path / "m.db", capacity_records=10)
    disk.commit(b"state", (), b"vital", (ENTRY,))
    yield disk
    disk.close()


@pytest.mark.req("BKG-7")
def test_the_log_can_be_read_while_the_module_is_at_work_and_nothing_is_written(at_work: Disk, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    copy = read_copy(tmp_path / "m.db")
    assert (copy.state, copy.vital, copy.usage) == (b"state", b"vital", (ENTRY,))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    at_work.commit(b"newer", ())
    assert read_copy(tmp_path / "m.db").state == b"newer"


def test_a_file_of_an_older_schema_has_no_usage_log(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    path.write_bytes(VECTOR.read_bytes())
    with closing(sqlite3.connect(path)) as database:
        assert read_usage(database) == ()
        state, generation = read_state(database, path)
        assert state is not None
        assert generation == 0
    assert read_copy(path).vital is None


def test_a_module_that_never_ran_and_a_file_that_is_none_each_have_their_line(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="has this module ever run"):
        read_copy(tmp_path / "m.db")
    (tmp_path / "m.db").write_bytes(b"never a database" * 1000)
    with pytest.raises(StoreFailed, match="is damaged"):
        read_copy(tmp_path / "m.db")
    (tmp_path / "m.db").unlink()
    (tmp_path / "m.db").mkdir()
    with pytest.raises(StoreFailed, match="cannot be read"):
        read_copy(tmp_path / "m.db")


def test_damage_inside_is_noticed(at_work: Disk, tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    at_work.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE state SET body = x'00'")
        database.commit()
        with pytest.raises(Damaged, match="checksum"):
            read_state(database, path)


def test_a_tally_without_the_sum_counts_from_nothing(at_work: Disk, tmp_path: Path) -> None:
    """An old page of the tally may stand beside a new state, on a card that lies."""
    at_work.close()
    with closing(sqlite3.connect(tmp_path / "m.db")) as database:
        database.execute("DELETE FROM tally")
        assert copies.read_dropped(database) == Dropped()


class Restless(DiskFiles):
    """Files that change each time they are looked at."""

    looks = 0

    def read(self, name: str) -> bytes | None:
        self.looks += 1
        return b"%d" % self.looks


def test_a_file_that_changes_all_the_time_is_given_up(tmp_path: Path) -> None:
    files = Restless(tmp_path)
    with pytest.raises(OSError, match="all the time"), copied(files, tmp_path / "m.db"):
        pass
    assert files.looks == 4 * copies.TRIES
