"""One suite for both stores, then what only a disk can do."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware.adapters.store import MemoryStore, SqliteStore
from firmware.core.effects import Persist, Report
from firmware.core.events import Trouble
from firmware.core.reports import Record
from firmware.core.usage import Chained
from firmware.keeper import Keeper
from firmware.patience import NEVER
from firmware.ports import Dropped, Loaded, StoredRecord, StoreFailed, StorePort, VoidFrom
from protocol.telemetry import EventKind, StoreCondition
from tests.support.core import a_state

CAPACITY = 100
ROOT = Path(__file__).parents[5]
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


ENTRIES = (Chained(1, b"first", b"1" * 32), Chained(2, b"second", b"2" * 32))


def event(number: int, body: bytes = b"event") -> StoredRecord:
    return StoredRecord(number, reveals_position=False, body=body)


def state(number: int) -> StoredRecord:
    return StoredRecord(number, reveals_position=False, body=b"state", thinnable=True)


def position(number: int) -> StoredRecord:
    return StoredRecord(number, reveals_position=True, body=b"position", thinnable=True)


async def numbers(used: StorePort) -> list[int]:
    return [record.number for record in await used.pending(limit=1000)]


async def test_a_new_store_has_no_state_and_no_records(empty: Store) -> None:
    assert await empty.load() == Loaded()
    assert await empty.pending() == ()
    assert await empty.pending_count() == 0
    assert await empty.dropped_count() == 0


@pytest.mark.req("PWR-1", "TEL-3")
async def test_state_and_records_survive_a_reboot(empty: Store, tmp_path: Path) -> None:
    await empty.commit(b"first", (event(1),))
    await empty.commit(b"second\x00\xff", (position(2), event(3, b"")))
    reopened = await after_a_reboot(empty, tmp_path / "state.sqlite")
    assert (await reopened.load()).state == b"second\x00\xff"
    assert await reopened.pending(limit=9) == (event(1), position(2), event(3, b""))
    await reopened.close()


async def test_a_commit_without_a_state_keeps_the_state(empty: Store) -> None:
    await empty.commit(b"kept", ())
    await empty.commit(None, (event(1),))
    assert (await empty.load()).state == b"kept"
    assert await empty.pending_count() == 1


async def test_an_empty_state_is_a_state(empty: Store) -> None:
    await empty.commit(b"", ())
    assert (await empty.load()).state == b""


@pytest.mark.req("TEL-3")
async def test_records_come_back_in_the_order_of_their_numbers(empty: Store) -> None:
    await empty.commit(None, (event(5), event(7)))
    await empty.commit(None, (event(6),))
    assert await numbers(empty) == [5, 6, 7]
    assert [record.number for record in await empty.pending(limit=2)] == [5, 6]


@pytest.mark.req("TEL-3")
async def test_urgent_records_overtake_the_rest_and_keep_their_own_order(empty: Store) -> None:
    alert = StoredRecord(7, reveals_position=False, body=b"alert", urgent=True)
    later = StoredRecord(9, reveals_position=False, body=b"another", urgent=True)
    await empty.commit(None, (event(5), position(6), alert, event(8), later))
    assert await numbers(empty) == [7, 9, 5, 6, 8]
    assert [record.number for record in await empty.pending(limit=3)] == [7, 9, 5]
    assert [record.number for record in await empty.pending(reveals_position=False, limit=9)] == [7, 9, 5, 8]
    assert (await empty.pending(limit=1)) == (alert,)


@pytest.mark.req("TEL-5")
async def test_many_records_are_removed_at_once(empty: Store) -> None:
    await empty.commit(None, tuple(event(number) for number in range(1, 9)))
    await empty.remove(2, 3, 5, 99)
    await empty.remove()
    assert await numbers(empty) == [1, 4, 6, 7, 8]


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


@pytest.mark.req("PWR-1", "BKG-7")
async def test_what_a_lost_commit_may_have_left_goes_with_the_one_that_says_so(empty: Store, tmp_path: Path) -> None:
    await empty.commit(b"lost", (event(1), event(2), event(3)), usage=ENTRIES)
    await empty.commit(b"true", (event(2, b"other"),), void_from=VoidFrom(record=2, entry=2))
    again = await after_a_reboot(empty, tmp_path / "state.sqlite")
    assert (await again.load()).state == b"true"
    assert [(each.number, each.body) for each in await again.pending(limit=9)] == [(1, b"event"), (2, b"other")]
    assert await again.usage() == ENTRIES[:1]
    await again.commit(None, (), void_from=VoidFrom(NEVER, 1))
    assert (len(await again.pending(limit=9)), await again.usage()) == (2, ())
    await again.close()


def test_an_outbox_without_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        MemoryStore(capacity_records=0)
    with pytest.raises(ValueError, match="at least one"):
        SqliteStore(tmp_path / "state.sqlite", capacity_records=0)


@pytest.mark.req("BKG-7")
async def test_the_usage_log_is_kept_with_the_state(empty: Store, tmp_path: Path) -> None:
    await empty.commit(b"first", (), usage=ENTRIES[:1])
    await empty.commit(b"second", (event(1),), usage=ENTRIES[1:])
    reopened = await after_a_reboot(empty, tmp_path / "state.sqlite")
    assert await reopened.usage() == ENTRIES
    await reopened.close()


@pytest.mark.req("PWR-1")
async def test_a_state_that_makes_no_sense_is_set_aside_and_what_is_vital_stays(empty: Store, tmp_path: Path) -> None:
    await empty.commit(b"nonsense", (event(1),), vital=b"vital", usage=ENTRIES)
    found = await empty.set_aside("it makes no sense")
    assert (found.state, found.vital, found.trouble) == (None, b"vital", Trouble.REBUILT)
    assert found.why.startswith("it makes no sense")
    assert (await empty.pending(), await empty.usage()) == ((), ())
    assert await empty.commit(b"anew", ()) == Dropped()
    reopened = await after_a_reboot(empty, tmp_path / "state.sqlite")
    assert await reopened.load() == Loaded(b"anew")
    await reopened.close()


@pytest.mark.req("TEL-4")
async def test_a_commit_says_how_many_records_were_ever_given_up(empty: Store) -> None:
    assert await empty.commit(b"", tuple(event(n) for n in range(1, 101))) == Dropped()
    assert await empty.commit(b"", (event(101), event(102))) == Dropped(2, (("", 2),))
    assert await empty.commit(b"", ()) == Dropped(2, (("", 2),))


# ---------------------------------------------------------------- only on disk
WRITER = """
import asyncio, sys
from firmware.adapters.store import SqliteStore
from firmware.ports import Dropped, StoredRecord

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
        stored = int((await reopened.load()).state or b"0")
        assert stored in (acknowledged, acknowledged + 1), "the one in flight may have happened"
        assert await numbers(reopened) == list(range(1, stored + 1)), "state and records are of one commit"
        await reopened.close()


async def test_a_second_module_on_the_same_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    first, second = (SqliteStore(path, capacity_records=CAPACITY) for _ in range(2))
    await first.commit(b"first", ())
    with pytest.raises(StoreFailed, match="is in use by another process: stop the other module"):
        await second.load()
    assert (await first.load()).state == b"first"
    await first.close()
    await second.close()


@pytest.mark.req("PWR-2")
async def test_what_weakens_the_store_is_noted_and_what_stops_it_is_one_line(tmp_path: Path) -> None:
    notes: list[str] = []
    path = tmp_path / "state.sqlite"
    disk = SqliteStore(path, capacity_records=CAPACITY, noted=notes.append)
    (tmp_path / "state.vital").mkdir()
    await disk.commit(b"state", ())
    assert [note.partition("(")[0] for note in notes] == [
        "the critical record cannot be read ",
        "the critical record cannot be written ",
    ]
    await disk.close()


@pytest.mark.req("PWR-1", "PWR-2")
async def test_the_keeper_goes_on_when_its_file_is_damaged_while_it_works(tmp_path: Path) -> None:
    """Once it has shown, the next step is saved in a new file."""
    path = tmp_path / "state.sqlite"
    disk = SqliteStore(path, capacity_records=10_000)
    keeper = Keeper(disk, lambda: int(asyncio.get_running_loop().time() * 1000), lambda _: None)
    await disk.commit(b"state", tuple(event(number, bytes(1_000)) for number in range(4_000)))
    with path.open("r+b") as file:
        file.seek(6 * 4096)
        file.write(bytes(path.stat().st_size - 6 * 4096))
    with pytest.raises(StoreFailed, match="is damaged"):
        await keeper.pending(limit=5_000)
    told = Report(Record(number=5_000, kind=EventKind.BOOTED))
    assert await keeper.save(a_state(), (told, Persist(required=True)))
    assert keeper.condition is StoreCondition.OK
    assert [record.number for record in await keeper.pending(limit=9)] == [5_000]
    await disk.close()
    rebooted = SqliteStore(path, capacity_records=CAPACITY)
    assert (await rebooted.load()).trouble is None
    await rebooted.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    closed = SqliteStore(tmp_path / "state.sqlite", capacity_records=CAPACITY)
    await closed.close()
    await closed.close()
    with pytest.raises(StoreFailed, match="is closed"):
        await closed.load()
