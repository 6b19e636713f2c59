"""What a boot finds on a disk that was torn, filled, locked, swapped or lost."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from firmware.adapters.store.database import MIGRATIONS, primary_code
from firmware.adapters.store.disk import Disk, Settings
from firmware.core.events import Trouble
from firmware.core.state import Counters, EndReason
from firmware.core.usage import Chained
from firmware.keeper import decode_durable
from firmware.ports import Loaded, StoredRecord, StoreFailed
from tests.support.vfs import ApswConnect, RecordedFiles, Tape

VECTOR = Path(__file__).parents[4] / "vectors" / "store-v1.sqlite"
ENTRY = Chained(1, b"entry", b"1" * 32)


def event(number: int, body: bytes = b"event") -> StoredRecord:
    return StoredRecord(number, reveals_position=False, body=body)


def at(path: Path, settings: Settings | None = None, notes: list[str] | None = None) -> Disk:
    """The store as after a reboot."""
    noted = (notes if notes is not None else []).append
    return Disk(path, capacity_records=1_000, noted=noted, settings=settings or Settings(reserve_bytes=0))


def on(tape: Tape, path: Path, reserve_bytes: int = 0) -> Disk:
    """The store on a disk that the test owns."""
    settings = Settings(ApswConnect(tape), reserve_bytes=reserve_bytes)
    return Disk(path, capacity_records=100_000, files=RecordedFiles(path.parent, tape), settings=settings)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with three commits, closed in good order."""
    path = tmp_path / "m.db"
    disk = at(path)
    for number in (1, 2, 3):
        disk.commit(b"state %d" % number, (event(number),), b"vital %d" % number, (ENTRY,))
    disk.close()
    return path


def booted(path: Path) -> tuple[Disk, Loaded]:
    """After a reboot, and what it found."""
    disk = at(path)
    return disk, disk.load()


def found_at(path: Path) -> Loaded:
    """What a boot finds."""
    disk, found = booted(path)
    disk.close()
    return found


# ---------------------------------------------------------------- damaged, gone, older
@pytest.mark.req("PWR-1", "ACC-5")
def test_a_damaged_file_is_moved_aside_and_the_module_begins_from_the_critical_record(path: Path) -> None:
    junk = b"this was never a database" * 400
    path.write_bytes(junk)
    disk, found = booted(path)
    assert (found.state, found.vital, found.trouble) == (None, b"vital 3", Trouble.REBUILT)
    assert found.why.endswith("it was moved to m.db.damaged-1")
    assert "is damaged" in found.why
    assert (path.parent / "m.db.damaged-1").read_bytes() == junk
    disk.commit(b"anew", (), b"vital 4")
    disk.close()
    assert found_at(path) == Loaded(b"anew")


@pytest.mark.req("PWR-1")
@pytest.mark.parametrize("what", [b"stbte 3", b"state 4"])
def test_a_flipped_bit_in_the_state_is_noticed(path: Path, what: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(b"state 3", what))
    found = found_at(path)
    assert found.trouble is Trouble.REBUILT
    assert "checksum" in found.why


@pytest.mark.req("PWR-1")
def test_a_boot_that_found_damage_and_wrote_nothing_finds_the_same_again(path: Path) -> None:
    path.write_bytes(b"junk" * 1000)
    found_at(path)
    found = found_at(path)
    assert (found.vital, found.trouble) == (b"vital 3", Trouble.REBUILT)
    assert "was gone" in found.why


def test_of_the_files_moved_aside_the_last_three_are_kept(path: Path) -> None:
    for number in range(5):
        path.write_bytes(b"junk %d" % number * 1000)
        found_at(path)
    aside = sorted(each.name for each in path.parent.glob("*damaged*"))
    assert aside == ["m.db.damaged-3", "m.db.damaged-4", "m.db.damaged-5"]
    assert (path.parent / "m.db.damaged-5").read_bytes().startswith(b"junk 4")


@pytest.mark.req("PWR-1", "ACC-5")
def test_a_lost_file_is_noticed(path: Path) -> None:
    path.unlink()
    found = found_at(path)
    assert (found.state, found.vital, found.trouble) == (None, b"vital 3", Trouble.REBUILT)


@pytest.mark.req("PWR-1", "ACC-5")
def test_a_card_that_was_rolled_back_is_noticed_until_it_is_written_again(path: Path) -> None:
    old = path.read_bytes()
    disk = at(path)
    disk.commit(b"state 4", (), b"vital 4")
    disk.commit(b"state 5", (), b"vital 5")
    disk.close()
    path.write_bytes(old)
    for _ in range(2):
        disk, found = booted(path)
        assert (found.state, found.vital, found.trouble) == (b"state 3", b"vital 5", Trouble.ROLLED_BACK)
        assert "is 2 commits older" in found.why
        disk.close()
    disk = at(path)
    disk.load()
    disk.commit(b"merged", (), b"vital 6")
    disk.close()
    assert found_at(path) == Loaded(b"merged")


@pytest.mark.req("PWR-1")
def test_the_critical_record_may_be_older_or_missing_after_a_power_cut(path: Path) -> None:
    vital = path.with_suffix(".vital")
    older = vital.read_bytes()
    disk = at(path)
    disk.commit(b"state 4", (), b"vital 4")
    disk.close()
    vital.write_bytes(older)
    disk, found = booted(path)
    assert found == Loaded(b"state 4")
    disk.close()
    vital.unlink()
    disk, found = booted(path)
    assert found == Loaded(b"state 4")
    disk.commit(b"state 5", ())
    disk.close()
    assert vital.exists()


def test_without_the_critical_record_a_damaged_file_leaves_nothing(path: Path) -> None:
    path.with_suffix(".vital").unlink()
    path.write_bytes(b"junk" * 1000)
    found = found_at(path)
    assert (found.state, found.vital, found.trouble) == (None, None, Trouble.REBUILT)


# ---------------------------------------------------------------- damage after the boot
def at_work_on_a_damaged_file(tape: Tape, path: Path, notes: list[str]) -> Disk:
    """A store in use whose file loses everything but its first pages: more records than SQLite holds in memory."""
    settings = Settings(ApswConnect(tape), reserve_bytes=0)
    files = RecordedFiles(path.parent, tape)
    disk = Disk(path, capacity_records=10_000, noted=notes.append, files=files, settings=settings)
    disk.commit(b"state 4", tuple(event(number, bytes(1_000)) for number in range(4, 4_000)), b"vital 4")
    with path.open("r+b") as file:
        file.seek(6 * 4096)
        file.write(b"\xa5" * (path.stat().st_size - 6 * 4096))
    with pytest.raises(sqlite3.Error, match="malformed"):
        disk.pending(None, 5_000)
    return disk


@pytest.mark.req("PWR-1", "ACC-5")
def test_a_damage_that_shows_after_the_boot_ends_with_the_next_commit(path: Path) -> None:
    notes: list[str] = []
    disk = at_work_on_a_damaged_file(Tape(), path, notes)
    disk.commit(b"state 5", (event(5_000),), b"vital 5", (ENTRY,))
    assert [record.number for record in disk.pending(None, 9)] == [5_000]
    assert (disk.usage(), disk.dropped_count()) == ((ENTRY,), 0)
    (line,) = notes
    assert line == (
        f"the state file {path} is damaged (database disk image is malformed); it was moved to "
        f"m.db.damaged-1, with the records that were not delivered"
    )
    assert (path.parent / "m.db.damaged-1").stat().st_size > 4_000_000
    disk.close()
    assert found_at(path) == Loaded(b"state 5")


@pytest.mark.req("PWR-1", "ACC-5")
def test_a_power_cut_before_that_commit_leaves_what_is_vital(path: Path) -> None:
    disk = at_work_on_a_damaged_file(Tape(), path, [])
    disk.close()
    found = found_at(path)
    assert (found.state, found.vital, found.trouble) == (None, b"vital 4", Trouble.REBUILT)


@pytest.mark.req("PWR-2")
def test_a_damaged_file_that_can_not_be_moved_is_not_written_over_until_it_can(path: Path) -> None:
    tape, notes = Tape(), list[str]()
    disk = at_work_on_a_damaged_file(tape, path, notes)
    tape.read_only = True
    for _ in range(2):
        with pytest.raises(OSError, match="Read-only"):
            disk.commit(b"state 5", ())
    assert notes == []
    tape.read_only = False
    disk.commit(b"state 5", ())
    assert len(notes) == 1
    disk.close()
    assert found_at(path) == Loaded(b"state 5")


# ---------------------------------------------------------------- other versions
@pytest.mark.req("PWR-1")
def test_a_file_of_the_first_schema_is_carried_forward(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    path.write_bytes(VECTOR.read_bytes())
    disk, found = booted(path)
    assert found.trouble is None
    assert found.state is not None
    durable = decode_durable(found.state)
    assert [(dead.booking_id, dead.reason) for dead in durable.dead] == [(b"an ended booking", EndReason.CUT_OFF)]
    assert durable.counters == Counters(5, 3, 2, 2, 1)
    assert [record.body for record in disk.pending(None, 9)] == [b"record %d" % n for n in (1, 2, 3, 4)]
    disk.commit(msgspec.msgpack.encode(durable), (event(5),), b"vital", (ENTRY,))
    disk.close()
    disk, found = booted(path)
    assert (disk.usage(), disk.pending_count()) == ((ENTRY,), 5)
    disk.close()


def test_an_added_schema_is_taken_and_a_newer_one_refused(path: Path) -> None:
    added = Settings(migrations=(*MIGRATIONS, "CREATE TABLE added (id INTEGER)"), reserve_bytes=0)
    newer = at(path, added)
    assert newer.load().state == b"state 3"
    newer.close()
    with pytest.raises(StoreFailed, match="install the newer module"):
        at(path).load()
    assert not list(path.parent.glob("*damaged*"))


# ---------------------------------------------------------------- full
@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """A disk that takes no more: the kernel refuses every write beyond `size` bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.req("PWR-2", "PWR-1")
def test_a_write_that_the_disk_refuses_is_undone_and_works_again_later(path: Path) -> None:
    disk = at(path)
    disk.load()
    with files_limited_to(20_000), pytest.raises(sqlite3.Error):
        disk.commit(b"new", (event(4, bytes(50_000)),))
    assert (disk.load().state, disk.pending_count()) == (b"state 3", 3)
    disk.commit(b"new", (event(4),))
    assert (disk.load().state, disk.pending_count()) == (b"new", 4)
    disk.close()


def fill(disk: Disk) -> int:
    """Commit records until there is no room for one more; how many there were."""
    number = 0
    while True:
        try:
            disk.commit(b"state", (event(number + 1, bytes(3_000)),), b"vital")
        except sqlite3.Error as error:
            if primary_code(error) != sqlite3.SQLITE_FULL:
                raise
            return number
        number += 1


@pytest.mark.req("PWR-2")
def test_on_a_full_disk_the_state_is_written_on_and_on(tmp_path: Path) -> None:
    tape = Tape()
    tape.limit = 1_000_000
    disk = on(tape, tmp_path / "m.db", reserve_bytes=512 * 1024)
    number = fill(disk)
    assert number > 30
    for commit in range(400):
        disk.commit(b"state %d" % commit + bytes(4_000), (), b"vital %d" % commit)
        tape.ops.clear()
    with pytest.raises(sqlite3.Error, match="full"):
        disk.commit(b"state", tuple(event(number + n, bytes(3_000)) for n in range(200)))
    disk.remove(1)
    disk.close()
    tape.limit = None
    disk = on(tape, tmp_path / "m.db")
    assert disk.load().state == b"state 399" + bytes(4_000)
    disk.close()


@pytest.mark.req("PWR-2")
def test_a_disk_that_is_full_at_the_first_boot_is_used_once_it_has_room(tmp_path: Path) -> None:
    tape = Tape()
    tape.limit = 0
    disk = on(tape, tmp_path / "m.db")
    found = disk.load()
    assert (found.state, found.trouble) == (None, Trouble.READ_ONLY)
    assert "full" in found.why
    with pytest.raises(sqlite3.Error, match="full"):
        disk.commit(b"state", ())
    tape.limit = None
    disk.commit(b"state", ())
    disk.close()
    assert found_at(tmp_path / "m.db") == Loaded(b"state")


# ---------------------------------------------------------------- read-only
@pytest.mark.req("PWR-2", "ACC-5")
def test_a_read_only_disk_is_read_and_nothing_is_written(path: Path) -> None:
    hot = at(path)
    hot.commit(b"state 4", (), b"vital 4")  # in the log alone: the power goes before it is closed
    tape = Tape([each.name for each in path.parent.iterdir()])
    tape.read_only = True
    copy = path.parent / "copy"
    copy.mkdir()
    for each in list(path.parent.iterdir()):
        if each.is_file():
            (copy / each.name).write_bytes(each.read_bytes())
    hot.close()
    disk = on(tape, copy / "m.db", reserve_bytes=1_000)
    found = disk.load()
    assert (found.state, found.vital, found.trouble) == (b"state 4", None, Trouble.READ_ONLY)
    assert "mount its disk for writing" in found.why
    with pytest.raises(sqlite3.Error, match="readonly"):
        disk.commit(b"state 5", ())
    tape.read_only = False
    disk.commit(b"state 5", ())
    disk.close()
    assert found_at(copy / "m.db") == Loaded(b"state 5")


@pytest.mark.req("PWR-2", "TEL-5")
def test_what_waits_on_a_read_only_disk_is_delivered_and_forgotten_once_it_can_be(path: Path) -> None:
    tape = Tape()
    disk = on(tape, path)
    disk.commit(b"state", tuple(event(number) for number in range(1, 6)))
    disk.close()
    tape.read_only = True
    disk = on(tape, path)
    assert disk.load().trouble is Trouble.READ_ONLY
    assert [record.number for record in disk.pending(None, 9)] == [1, 2, 3, 4, 5]
    disk.remove(1, 2)
    assert ([record.number for record in disk.pending(None, 9)], disk.pending_count()) == ([3, 4, 5], 3)
    with pytest.raises(sqlite3.Error, match="readonly"):
        disk.commit(b"anew", ())
    tape.read_only = False
    disk.commit(b"anew", (event(6),))
    assert [record.number for record in disk.pending(None, 9)] == [3, 4, 5, 6]
    disk.close()
    disk = on(tape, path)
    assert (disk.load().state, disk.pending_count()) == (b"anew", 4)
    disk.close()


@pytest.mark.req("PWR-2", "ACC-5")
def test_a_read_only_disk_that_is_damaged_is_never_written_over_in_this_life(path: Path) -> None:
    path.write_bytes(b"junk" * 1000)
    tape = Tape([each.name for each in path.parent.iterdir()])
    tape.read_only = True
    disk = on(tape, path)
    found = disk.load()
    assert (found.state, found.vital, found.trouble) == (None, b"vital 3", Trouble.READ_ONLY)
    tape.read_only = False
    with pytest.raises(StoreFailed, match="then start the module again"):
        disk.commit(b"what the module knows now", ())
    with pytest.raises(StoreFailed):
        disk.pending(None, 1)
    assert path.read_bytes() == b"junk" * 1000
    assert disk.load().trouble is Trouble.REBUILT
    disk.close()


@pytest.mark.req("ACC-5")
def test_an_old_read_only_file_is_told_what_is_vital(path: Path) -> None:
    old = path.read_bytes()
    disk = at(path)
    disk.commit(b"state 4", (), b"vital 4")
    disk.close()
    path.write_bytes(old)
    tape = Tape([each.name for each in path.parent.iterdir()])
    tape.read_only = True
    disk = on(tape, path)
    found = disk.load()
    assert (found.state, found.vital, found.trouble) == (b"state 3", b"vital 4", Trouble.READ_ONLY)
    disk.close()


@pytest.mark.req("PWR-2")
def test_a_missing_directory_is_named_and_works_once_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "m.db"
    late = at(path)
    assert "make its directory" in late.load().why
    with pytest.raises(sqlite3.Error):
        late.commit(b"state", ())
    path.parent.mkdir()
    late.commit(b"state", ())
    assert late.load() == Loaded(b"state")
    late.close()


@pytest.mark.req("ACC-5")
def test_a_file_that_was_swapped_while_it_could_not_be_written_is_not_written_over(path: Path) -> None:
    old = path.read_bytes()
    disk = at(path)
    disk.commit(b"state 4", ())
    disk.close()
    path.write_bytes(old)
    with pytest.raises(StoreFailed, match="is another one than at boot"):
        disk.commit(b"state 5", ())
    disk.close()


# ---------------------------------------------------------------- the critical record and the disk
@pytest.mark.req("PWR-1")
def test_a_commit_stands_when_the_critical_record_can_not_be_written(path: Path) -> None:
    notes: list[str] = []
    path.with_suffix(".vital").unlink()
    path.with_suffix(".vital").mkdir()
    disk = at(path, notes=notes)
    assert disk.load() == Loaded(b"state 3")
    disk.commit(b"state 4", (), b"vital 4")
    assert len(notes) == 2
    assert "a card that lies can undo this commit" in notes[1]
    disk.close()
    assert found_at(path) == Loaded(b"state 4")


def test_an_outbox_without_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Disk(tmp_path / "m.db", capacity_records=0)
