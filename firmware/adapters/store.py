"""Durable memory of the module: its state, and the outbox of records that the broker has not acknowledged.

Decides: which records are given up when the outbox is full (TEL-4), and how a failing disk is named.
Refuses to know: what a state or a record says. Bodies are opaque bytes.
"""

import asyncio
import contextlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from firmware.ports import StoredRecord, StoreFailed

P = ParamSpec("P")
T = TypeVar("T")

LOCK_WAIT_S: Final = 1.0
"""A module that is just ending may hold the file this long."""

# A full outbox makes room for this share of itself at once, so that not every commit has to.
_SLACK_SHARE: Final = 32
_PRIMARY_CODE: Final = 0xFF  # SQLite: the low byte of an extended result code

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL, checksum INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE record (
        number INTEGER PRIMARY KEY,
        reveals_position INTEGER NOT NULL,
        thinnable INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE tally (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;
    INSERT INTO tally VALUES ('dropped', 0);
    """,
)
"""`MIGRATIONS[n]` leads from schema version n to n + 1. Entries are added, never changed."""


# ---------------------------------------------------------------- what is given up when the outbox is full
def victims(entries: Sequence[tuple[int, bool, bool]], capacity: int) -> list[int]:
    """Numbers of the records to drop so that at most `capacity` stay; empty while nothing has to go.

    `entries`: (number, reveals_position, thinnable) in order. Positions and vehicle states are thinned evenly,
    each among themselves and the old ones first; their newest stay. Then events go, the oldest first.
    """
    excess = len(entries) - capacity
    if excess <= 0:
        return []
    positions = [number for number, reveals, thinnable in entries if thinnable and reveals]
    states = [number for number, reveals, thinnable in entries if thinnable and not reveals]
    spare_positions, spare_states = max(0, len(positions) - 1), max(0, len(states) - 1)
    goal = min(excess + capacity // _SLACK_SHARE, spare_positions + spare_states)
    fair = goal * len(positions) // max(1, len(positions) + len(states))
    from_states = min(spare_states, goal - min(spare_positions, fair))
    dropped = thin(positions, goal - from_states) + thin(states, from_states)
    if len(dropped) < excess:
        gone = set(dropped)
        rest = sorted((thinnable, number) for number, _, thinnable in entries if number not in gone)
        dropped += [number for _, number in rest[: excess - len(dropped)]]
    return sorted(dropped)


def thin(numbers: Sequence[int], drop: int) -> list[int]:
    """Choose `drop` of the rising `numbers`, the old ones first, so that what stays is spread evenly.

    A number goes when the hole that it leaves is no wider than `reach`; the reach doubles when that is not
    enough. The newest never goes.
    """
    kept = list(numbers)
    dropped: list[int] = []
    drop = min(drop, len(kept) - 1)
    reach = 2
    while len(dropped) < drop:
        if len(kept) == 2:  # no hole to judge by
            dropped.append(kept.pop(0))
            continue
        stay = kept[:1]
        for number, following in pairwise(kept[1:]):
            if len(dropped) < drop and following - stay[-1] <= reach:
                dropped.append(number)
            else:
                stay.append(number)
        kept = [*stay, kept[-1]]
        reach *= 2
    return dropped


# ---------------------------------------------------------------- on disk
class SqliteStore:
    """The store in one SQLite file; a `StorePort`.

    Every call runs in one thread of the store's own, so a slow disk never stops the event loop. A call that
    is cancelled may have happened. One process at a time has the file. Must be closed.
    """

    def __init__(self, path: str | Path, *, capacity_records: int, migrations: Sequence[str] = MIGRATIONS) -> None:
        if capacity_records < 1:
            raise ValueError("the outbox needs room for at least one record")
        self._path = Path(path).absolute()
        self._capacity = capacity_records
        self._migrations = migrations
        self._database: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._closed = False

    async def load(self) -> bytes | None:
        """The last committed state, None on a new store. Raises StoreFailed when it is damaged or unreadable."""
        return await self._call(self._load)

    async def commit(self, state: bytes | None, records: tuple[StoredRecord, ...]) -> None:
        """Replace the state (None: keep it) and append records, atomically. Raises StoreFailed."""
        await self._call(self._commit, state, records)

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        """Oldest unacknowledged records in order, at most `limit`; filtered if `reveals_position` is given."""
        return await self._call(self._pending, reveals_position, limit)

    async def remove(self, number: int) -> None:
        """Forget an acknowledged record. Removing twice is no error. Raises StoreFailed."""
        await self._call(self._remove, number)

    async def pending_count(self) -> int:
        """How many records wait."""
        return await self._call(self._scalar, "SELECT count(*) FROM record")

    async def dropped_count(self) -> int:
        """How many records were given up since the store is new, because the outbox was full (TEL-4)."""
        return await self._call(self._scalar, "SELECT count FROM tally WHERE name = 'dropped'")

    async def close(self) -> None:
        """Release the files. Closing twice is no error."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._forget_database)
            self._thread.shutdown()

    async def _call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def guarded() -> T:
            try:
                return work(*args, **kwargs)
            except sqlite3.Error as error:
                raise StoreFailed(explain(error, self._path)) from error

        if self._closed:
            raise StoreFailed(f"the state file {self._path} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, guarded)

    # -- below: in the store's thread
    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            database = sqlite3.connect(
                f"{self._path.as_uri()}?psow=0", uri=True, isolation_level=None, timeout=LOCK_WAIT_S
            )
            try:
                self._prepare(database)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    def _prepare(self, database: sqlite3.Connection) -> None:
        # psow=0 and EXTRA, before the first write, survived every image of a power cut in a trial; the
        # defaults did not.
        database.execute("PRAGMA synchronous=EXTRA")
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        damage = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise StoreFailed(_damaged(self._path, damage))
        with _transaction(database):
            version = int(database.execute("PRAGMA user_version").fetchone()[0])
            if version > len(self._migrations):
                raise StoreFailed(
                    f"the state file {self._path} has version {version}, this module knows "
                    f"{len(self._migrations)}: install the newer module again"
                )
            for script in self._migrations[version:]:
                for statement in filter(str.strip, script.split(";")):
                    database.execute(statement)
            database.execute(f"PRAGMA user_version={len(self._migrations)}")
        if version == 0:
            self._sync_directory()

    def _sync_directory(self) -> None:
        # SQLite does this for its journals, but not for a new database.
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _forget_database(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with contextlib.suppress(sqlite3.Error):
                database.close()

    def _load(self) -> bytes | None:
        row = self._open().execute("SELECT body, checksum FROM state").fetchone()
        if row is None:
            return None
        body = bytes(row[0])
        if zlib.crc32(body) != row[1]:
            raise StoreFailed(_damaged(self._path, "the state does not match its checksum"))
        return body

    def _commit(self, state: bytes | None, records: tuple[StoredRecord, ...]) -> None:
        database = self._open()
        with _transaction(database):
            if state is not None:
                database.execute("REPLACE INTO state VALUES (1, ?, ?)", (state, zlib.crc32(state)))
            for record in records:
                database.execute(
                    "REPLACE INTO record VALUES (?, ?, ?, ?)",
                    (record.number, record.reveals_position, record.thinnable, record.body),
                )
            if records:
                self._make_room(database)

    def _make_room(self, database: sqlite3.Connection) -> None:
        if self._scalar("SELECT count(*) FROM record") <= self._capacity:
            return
        rows = database.execute("SELECT number, reveals_position, thinnable FROM record ORDER BY number")
        dropped = victims([(number, bool(a), bool(b)) for number, a, b in rows], self._capacity)
        database.executemany("DELETE FROM record WHERE number = ?", [(number,) for number in dropped])
        database.execute("UPDATE tally SET count = count + ? WHERE name = 'dropped'", (len(dropped),))

    def _pending(self, reveals_position: bool | None, limit: int) -> tuple[StoredRecord, ...]:
        rows = self._open().execute(
            "SELECT number, reveals_position, body, thinnable FROM record "
            "WHERE ?1 IS NULL OR reveals_position = ?1 ORDER BY number LIMIT ?2",
            (reveals_position, limit),
        )
        return tuple(StoredRecord(n, bool(a), bytes(body), bool(b)) for n, a, body, b in rows)

    def _remove(self, number: int) -> None:
        self._open().execute("DELETE FROM record WHERE number = ?", (number,))

    def _scalar(self, query: str) -> int:
        return int(self._open().execute(query).fetchone()[0])


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        # On some errors SQLite has already rolled back by itself.
        if database.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                database.execute("ROLLBACK")
        raise


def explain(error: sqlite3.Error, path: Path) -> str:
    """One line for what SQLite said: what, why, what to do."""
    match getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE:
        case sqlite3.SQLITE_FULL:
            return f"the state file {path} cannot grow, the disk is full: free some space"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return f"the state file {path} is read-only: mount its disk for writing and give this user access"
        case sqlite3.SQLITE_CANTOPEN:
            return f"the state file {path} cannot be opened: make its directory and give this user access"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _damaged(path, str(error))
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"the state file {path} is in use by another process: stop the other module"
        case _:
            return f"the state file {path} cannot be read or written ({error}): check its disk"


def _damaged(path: Path, detail: str) -> str:
    detail = " ".join(detail.split())
    return f"the state file {path} is damaged ({detail}): restore it, or move it away and begin anew"


# ---------------------------------------------------------------- in memory
class MemoryStore:
    """The store of a simulation; a `StorePort`. Keep the object: its content survives the module's reboots."""

    def __init__(self, *, capacity_records: int) -> None:
        if capacity_records < 1:
            raise ValueError("the outbox needs room for at least one record")
        self._capacity = capacity_records
        self._state: bytes | None = None
        self._records: dict[int, StoredRecord] = {}
        self._dropped = 0
        self._failures: list[str] = []

    def fail_next_commit(self, reason: str = "the disk is full") -> None:
        """The next commit raises StoreFailed(reason) and stores nothing; call again for the one after it."""
        self._failures.append(reason)

    async def load(self) -> bytes | None:
        """As `SqliteStore.load`."""
        return self._state

    async def commit(self, state: bytes | None, records: tuple[StoredRecord, ...]) -> None:
        """As `SqliteStore.commit`."""
        if self._failures:
            raise StoreFailed(self._failures.pop(0))
        if state is not None:
            self._state = state
        for record in records:
            in_order = record.number > next(reversed(self._records), -1)
            self._records[record.number] = record
            if not in_order:
                self._records = dict(sorted(self._records.items()))
        if len(self._records) > self._capacity:
            entries = [(r.number, r.reveals_position, r.thinnable) for r in self._records.values()]
            dropped = victims(entries, self._capacity)
            for number in dropped:
                del self._records[number]
            self._dropped += len(dropped)

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        """As `SqliteStore.pending`."""
        wanted = (r for r in self._records.values() if reveals_position in (None, r.reveals_position))
        return tuple(islice(wanted, limit))

    async def remove(self, number: int) -> None:
        """As `SqliteStore.remove`."""
        self._records.pop(number, None)

    async def pending_count(self) -> int:
        """How many records wait."""
        return len(self._records)

    async def dropped_count(self) -> int:
        """As `SqliteStore.dropped_count`."""
        return self._dropped

    async def close(self) -> None:
        """Nothing to release: what is stored stays."""
