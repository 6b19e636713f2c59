"""One suite for both stores, then what only a disk can do."""

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from firmware.adapters.store import MIGRATIONS, MemoryStore, SqliteStore, explain, thin, victims
from firmware.ports import StoredRecord, StoreFailed, StorePort

CAPACITY = 100
ROOT = Path(__file__).parents[4]
Store = SqliteStore | MemoryStore


@pytest.fixture(params=["sqlite", "memory"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        made: Store = SqliteStore(tmp_path / "state.sqlite", capacity_records=CAPACITY)
    else:
        made = MemoryStore(capacity_records=CAPACITY)
    yield made
    await made.close()


async def after_a_reboot(used: Store, path: Path) -> Store:
    await used.close()
    return SqliteStore(path, capacity_records=CAPACITY) if isinstance(used, SqliteStore) else used


def event(number: int, body: bytes = b"event") -> StoredRecord:
    return StoredRecord(number, reveals_position=False, body=body)


def state(number: int) -> StoredRecord:
    return StoredRecord(number, reveals_position=False, body=b"state", thinnable=True)


def position(number: int) -> StoredRecord:
    return StoredRecord(number, reveals_position=True, body=b"position", thinnable=True)


async def numbers(used: StorePort) -> list[int]:
    return [record.number for record in await used.pending(limit=1000)]


async def test_a_new_store_has_no_state_and_no_records(empty: Store) -> None:
    assert await empty.load() is None
    assert await empty.pending() == ()
    assert await empty.pending_count() == 0
    assert await empty.dropped_count() == 0


@pytest.mark.req("PWR-1", "TEL-3")
async def test_state_and_records_survive_a_reboot(empty: Store, tmp_path: Path) -> None:
    await empty.commit(b"first", (event(1),))
    await empty.commit(b"second\x00\xff", (position(2), event(3, b"")))
    reopened = await after_a_reboot(empty, tmp_path / "state.sqlite")
    assert await reopened.load() == b"second\x00\xff"
    assert await reopened.pending(limit=9) == (event(1), position(2), event(3, b""))
    await reopened.close()


async def test_a_commit_without_a_state_keeps_the_state(empty: Store) -> None:
    await empty.commit(b"kept", ())
    await empty.commit(None, (event(1),))
    assert await empty.load() == b"kept"
    assert await empty.pending_count() == 1


async def test_an_empty_state_is_a_state(empty: Store) -> None:
    await empty.commit(b"", ())
    assert await empty.load() == b""


@pytest.mark.req("TEL-3")
async def test_records_come_back_in_the_order_of_their_numbers(empty: Store) -> None:
    await empty.commit(None, (event(5), event(7)))
    await empty.commit(None, (event(6),))
    assert await numbers(empty) == [5, 6, 7]
    assert [record.number for record in await empty.pending(limit=2)] == [5, 6]


@pytest.mark.req("PRV-1")
async def test_positions_can_be_left_waiting_while_the_rest_goes_out(empty: Store) -> None:
    await empty.commit(None, (position(1), event(2), position(3), state(4)))
    assert [r.number for r in await empty.pending(reveals_position=False, limit=9)] == [2, 4]
    assert [r.number for r in await empty.pending(reveals_position=True, limit=9)] == [1, 3]
    assert [r.number for r in await empty.pending(reveals_position=True)] == [1]


@pytest.mark.req("TEL-5")
async def test_a_record_stays_until_it_is_removed_and_removing_twice_is_no_error(empty: Store) -> None:
    await empty.commit(None, (event(1), event(2)))
    assert await empty.pending() == await empty.pending() == (event(1),)
    await empty.remove(1)
    await empty.remove(1)
    await empty.remove(99)
    assert await numbers(empty) == [2]


async def test_committing_a_record_again_does_not_double_it(empty: Store) -> None:
    await empty.commit(None, (event(1),))
    await empty.commit(None, (event(1),))
    assert await empty.pending_count() == 1


@pytest.mark.req("TEL-4")
async def test_a_full_outbox_keeps_every_event_and_counts_the_rest(empty: Store, tmp_path: Path) -> None:
    events = list(range(10, 1000, 20))  # 50 events among 950 positions and states
    for first in range(1, 1001, 5):
        batch = range(first, first + 5)
        made = (event(n) if n in events else position(n) if n % 2 else state(n) for n in batch)
        await empty.commit(b"state", tuple(made))
        assert await empty.pending_count() <= CAPACITY
    reopened = await after_a_reboot(empty, tmp_path / "state.sqlite")
    kept = await reopened.pending(limit=1000)
    assert [record.number for record in kept if not record.thinnable] == events
    assert await reopened.dropped_count() == 1000 - len(kept)
    assert {999, 1000} <= {record.number for record in kept}, "the newest position and state stay"
    await reopened.close()


@pytest.mark.req("TEL-4")
async def test_events_go_oldest_first_when_nothing_else_is_left(empty: Store) -> None:
    await empty.commit(None, (position(1), state(2), *(event(n) for n in range(3, 103))))
    assert await numbers(empty) == [1, 2, *range(5, 103)]
    await empty.commit(None, (event(103),))
    assert await numbers(empty) == [1, 2, *range(6, 104)]
    assert await empty.dropped_count() == 3


@pytest.mark.req("TEL-4")
def test_thinning_leaves_an_even_trail_and_never_takes_the_newest() -> None:
    assert thin(list(range(1, 11)), 4) == [2, 4, 6, 8]
    assert thin([1, 3, 5, 7, 9, 10, 11, 12], 1) == [10], "where they are dense before where they are sparse"
    assert thin([4, 9], 5) == [4]
    assert thin([4], 1) == []
    assert thin([], 1) == []
    trail = sorted(set(range(1, 10_001)) - set(thin(range(1, 10_001), 9_000)))
    holes = [after - before for before, after in pairwise(trail)]
    assert trail[-1] == 10_000
    assert len(trail) == 1_000
    assert max(holes) <= 16, "no hole is wider than the last reach"


@pytest.mark.req("TEL-4")
def test_positions_and_states_are_thinned_each_among_themselves() -> None:
    entries = [(number, number % 2 == 1, True) for number in range(1, 101)]
    gone = victims(entries, 60)
    assert sum(number % 2 for number in gone) == pytest.approx(len(gone) / 2, abs=1)
    assert victims(entries, 100) == []
    assert victims([(1, True, True), (2, False, True)], 1) == [1]


@pytest.mark.req("PWR-1")
async def test_a_failed_commit_stores_nothing() -> None:
    memory = MemoryStore(capacity_records=5)
    await memory.commit(b"old", ())
    memory.fail_next_commit("the disk is full")
    with pytest.raises(StoreFailed, match="the disk is full"):
        await memory.commit(b"new", (event(1),))
    assert (await memory.load(), await memory.pending_count()) == (b"old", 0)
    await memory.commit(b"new", (event(1),))
    assert (await memory.load(), await memory.pending_count()) == (b"new", 1)


def test_an_outbox_without_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        MemoryStore(capacity_records=0)
    with pytest.raises(ValueError, match="at least one"):
        SqliteStore(tmp_path / "state.sqlite", capacity_records=0)


# ---------------------------------------------------------------- only on disk
WRITER = """
import asyncio, sys
from firmware.adapters.store import SqliteStore
from firmware.ports import StoredRecord

async def main():
    store = SqliteStore(sys.argv[1], capacity_records=100000)
    number = await store.pending_count()
    while True:
        number += 1
        await store.commit(b"%d" % number, (StoredRecord(number, False, b"x" * 300),))
        print(number, flush=True)

asyncio.run(main())
"""


def write_until_killed(path: Path, commits: int) -> int:
    """Let a process commit, kill it after at least `commits`; the last number that it saw acknowledged."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None
        seen = [int(writer.stdout.readline()) for _ in range(commits)]
        writer.send_signal(signal.SIGKILL)
        return max([*seen, *map(int, writer.stdout.read().split())])


@pytest.mark.req("PWR-1", "TEL-5")
async def test_a_writer_killed_at_any_moment_loses_no_acknowledged_commit(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    for commits in (1, 17, 40):
        acknowledged = write_until_killed(path, commits)
        reopened = SqliteStore(path, capacity_records=100_000)
        stored = int(await reopened.load() or b"0")
        assert stored in (acknowledged, acknowledged + 1), "the one in flight may have happened"
        assert await numbers(reopened) == list(range(1, stored + 1)), "state and records are of one commit"
        await reopened.close()


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
async def test_a_write_that_the_disk_refuses_is_undone_and_works_again_later(tmp_path: Path) -> None:
    disk = SqliteStore(tmp_path / "state.sqlite", capacity_records=CAPACITY)
    await disk.commit(b"old", (event(1),))
    log_size = (tmp_path / "state.sqlite-wal").stat().st_size
    with files_limited_to(log_size), pytest.raises(StoreFailed) as failure:
        await disk.commit(b"new", (event(2, bytes(50_000)),))
    assert "\n" not in str(failure.value)
    assert "check its disk" in str(failure.value)
    assert (await disk.load(), await numbers(disk)) == (b"old", [1])
    await disk.commit(b"new", (event(2),))
    assert (await disk.load(), await numbers(disk)) == (b"new", [1, 2])
    await disk.close()


async def fails_with(path: Path, *words: str) -> None:
    broken = SqliteStore(path, capacity_records=CAPACITY)
    with pytest.raises(StoreFailed) as failure:
        await broken.load()
    await broken.close()
    assert "\n" not in str(failure.value)
    for word in (str(path), *words):
        assert word in str(failure.value)


@pytest.mark.req("PWR-1")
async def test_a_damaged_file_is_named_and_not_touched(tmp_path: Path) -> None:
    junk = tmp_path / "junk.sqlite"
    junk.write_bytes(b"this was never a database" * 400)
    await fails_with(junk, "is damaged", "move it away")
    assert junk.read_bytes().startswith(b"this was never")


async def test_a_flipped_bit_in_the_state_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    disk = SqliteStore(path, capacity_records=CAPACITY)
    await disk.commit(b"a distinctive state", ())
    await disk.close()
    path.write_bytes(path.read_bytes().replace(b"a distinctive state", b"a distinctive stbte"))
    await fails_with(path, "is damaged", "checksum")


async def test_a_broken_page_is_noticed_when_the_store_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    disk = SqliteStore(path, capacity_records=1000)
    await disk.commit(b"state", tuple(event(n, bytes(500)) for n in range(200)))
    await disk.close()
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xa5" * (len(content) - 8192))
    await fails_with(path, "is damaged")


async def test_a_missing_directory_is_named_and_works_once_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "state.sqlite"
    late = SqliteStore(path, capacity_records=CAPACITY)
    with pytest.raises(StoreFailed, match="make its directory"):
        await late.commit(b"state", ())
    path.parent.mkdir()
    await late.commit(b"state", ())
    assert await late.load() == b"state"
    await late.close()


async def test_a_second_module_on_the_same_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    first = SqliteStore(path, capacity_records=CAPACITY)
    await first.commit(b"first", ())
    await fails_with(path, "in use by another process")
    assert await first.load() == b"first"
    await first.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    closed = SqliteStore(tmp_path / "state.sqlite", capacity_records=CAPACITY)
    await closed.close()
    await closed.close()
    with pytest.raises(StoreFailed, match="is closed"):
        await closed.load()


async def test_an_older_schema_is_carried_forward_and_a_newer_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    old = SqliteStore(path, capacity_records=CAPACITY)
    await old.commit(b"kept", (event(1),))
    await old.close()
    added = (*MIGRATIONS, "CREATE TABLE added (id INTEGER)")
    newer = SqliteStore(path, capacity_records=CAPACITY, migrations=added)
    assert (await newer.load(), await numbers(newer)) == (b"kept", [1])
    await newer.close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
        assert database.execute("SELECT count(*) FROM added").fetchone() == (0,)
    await fails_with(path, "install the newer module")


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    old = SqliteStore(path, capacity_records=CAPACITY)
    await old.commit(b"kept", ())
    await old.close()
    script = "DROP TABLE state; DROP TABLE nowhere"
    wrong = SqliteStore(path, capacity_records=CAPACITY, migrations=(*MIGRATIONS, script))
    with pytest.raises(StoreFailed, match="nowhere"):
        await wrong.load()
    await wrong.close()
    again = SqliteStore(path, capacity_records=CAPACITY)
    assert await again.load() == b"kept"
    await again.close()


def real_error(path: Path, *statements: str, uri: str = "") -> sqlite3.Error:
    with closing(sqlite3.connect(f"{path.as_uri()}{uri}", uri=True, isolation_level=None)) as database:
        try:
            for statement in statements:
                database.execute(statement)
        except sqlite3.Error as error:
            return error
    raise AssertionError("SQLite raised nothing")


@pytest.mark.req("PWR-2")
def test_a_full_and_a_read_only_disk_each_have_their_line(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    full = real_error(path, "CREATE TABLE t (x)", "PRAGMA max_page_count=3", "INSERT INTO t VALUES (zeroblob(100000))")
    assert explain(full, path) == f"the state file {path} cannot grow, the disk is full: free some space"
    read_only = real_error(path, "INSERT INTO t VALUES (1)", uri="?mode=ro")
    assert "is read-only: mount its disk for writing" in explain(read_only, path)


@pytest.mark.req("PWR-1")
async def test_commits_are_padded_to_whole_sectors_against_torn_writes(tmp_path: Path) -> None:
    """What `psow=0` with a synced log does, and SQLite's default does not: seen from outside, in the log's size."""
    path, log = tmp_path / "state.sqlite", tmp_path / "state.sqlite-wal"
    disk = SqliteStore(path, capacity_records=CAPACITY)
    await disk.commit(b"state", ())
    before = log.stat().st_size
    await disk.commit(b"other", ())
    grown = log.stat().st_size - before
    await disk.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as stock:
        assert stock.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        stock.execute("UPDATE state SET body = x'00'")
        before = log.stat().st_size
        stock.execute("UPDATE state SET body = x'01'")
        stock_grown = log.stat().st_size - before
    frame = 24 + 4096
    assert (stock_grown, grown) == (frame, 2 * frame)
