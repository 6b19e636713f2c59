"""The store on a disk: one SQLite file, and a critical record beside it that tells when the file was lost.

Decides in which order the two are written, and what a boot finds: the committed state; or what is left of it, with
the reason, when the file is damaged (it is moved aside, never removed), gone, older than the critical record, or can
not be written. Refuses to know what a state, a record or an entry says: bodies are opaque.

The order: first the database, in one transaction with the number of its generation, then the critical record with
the same number. After a power cut the database is as new or newer; a database that is older has lost commits that
were acknowledged, by a card that lied or somebody who put an old copy back.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from firmware.adapters.store import copies
from firmware.adapters.store.critical import Critical, Kept
from firmware.adapters.store.database import (
    CHECKPOINT_PAGES,
    MIGRATIONS,
    Connect,
    Damaged,
    Database,
    condition,
    connect,
    explain,
    is_damage,
    prepare,
    primary_code,
    transaction,
)
from firmware.adapters.store.files import DiskFiles, Files
from firmware.adapters.store.reserve import RESERVE_BYTES, Reserve
from firmware.adapters.store.thinning import victims
from firmware.core.events import Trouble
from firmware.core.usage import Chained
from firmware.ports import Dropped, Loaded, StoredRecord, StoreFailed, VoidFrom
from protocol.telemetry import StoreCondition

DAMAGED_KEPT: Final = 3
"""Files moved aside; beyond it the oldest goes."""
_IN_USE: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_WAITING: Final = (
    "SELECT number, reveals_position, body, thinnable, urgent, channel FROM record "
    "WHERE urgent = 1 AND (?1 IS NULL OR reveals_position = ?1) ORDER BY number LIMIT ?2",
    "SELECT number, reveals_position, body, thinnable, urgent, channel FROM record "
    "WHERE urgent = 0 AND (?1 IS NULL OR reveals_position = ?1) ORDER BY number LIMIT ?2",
)
"""Urgent ones first. Two questions with an index each: sorting 20 000 records would read them all."""


class Settings(NamedTuple):
    """How the store is built; only tests change any of it."""

    connect: Connect = connect
    migrations: Sequence[str] = MIGRATIONS
    checkpoint_pages: int = CHECKPOINT_PAGES
    reserve_bytes: int = RESERVE_BYTES


class Disk:
    """The store without a thread. Raises StoreFailed, sqlite3.Error and OSError, which all mean: not stored."""

    def __init__(
        self,
        path: Path,
        *,
        capacity_records: int,
        noted: Callable[[str], None] = lambda _: None,
        files: Files | None = None,
        settings: Settings = Settings(),  # noqa: B008
    ) -> None:
        if capacity_records < 1:
            raise ValueError("the outbox needs room for at least one record")
        self._path = path
        self._capacity = capacity_records
        self._noted = noted
        self._files = files or DiskFiles(path.parent)
        self._settings = settings
        self._critical = Critical(self._files, path.with_suffix(".vital").name)
        self._reserve = Reserve(self._files, path.with_suffix(".reserve").name, settings.reserve_bytes)
        self._database: Database | None = None
        self._kept: Kept | None = None
        self._generation: int | None = None
        """Of the database, as `load` or the last commit left it; None: not loaded, or not known what it holds."""
        self._attempted: int | None = None
        """A commit that failed may have happened all the same."""
        self._copy: Database | None = None
        self._copied = contextlib.ExitStack()
        """A read-only file is read from a copy, and what was delivered is forgotten there."""
        self._gone: set[int] = set()
        self._unknown = ""
        """Why it is not known what the database holds: then nothing may be written over it."""
        self._broken = ""
        """The damage that showed after the boot, when what the module knows is newer than any copy."""

    # ------------------------------------------------------------ what a boot finds
    def load(self) -> Loaded:
        """See `StorePort.load`. Raises StoreFailed when another process has the file, or a newer module wrote it."""
        self._unknown = self._broken = ""
        self._kept = self._read_critical()
        try:
            state = self._read(self._open())
        except Damaged as error:
            return self.set_aside(str(error))
        except sqlite3.Error as error:
            if is_damage(error):
                return self.set_aside(explain(error, self._path))
            if primary_code(error) in _IN_USE:
                raise
            return self._read_only(explain(error, self._path))
        self._reserve.take()
        kept, generation = self._kept, self._generation or 0
        if kept is None or (state is not None and generation >= kept.generation):
            return Loaded(state)
        if state is None:
            return Loaded(None, self._vital, Trouble.REBUILT, f"the state file {self._path} was gone")
        lost = kept.generation - generation
        why = f"the state file {self._path} is {lost} commits older than the critical record beside it"
        return Loaded(state, self._vital, Trouble.ROLLED_BACK, why)

    def set_aside(self, why: str) -> Loaded:
        """Move the database aside and begin a new one, from the critical record."""
        self.close()
        vital = self._vital
        try:
            aside = self._move_aside()
            self._read(self._open())
        except (sqlite3.Error, OSError) as error:
            self.close()
            self._generation, self._unknown = None, why
            return Loaded(None, vital, Trouble.READ_ONLY, f"{why}, and it cannot be moved aside: {error}")
        return Loaded(None, vital, Trouble.REBUILT, f"{why}; it was moved to {aside}")

    @property
    def _vital(self) -> bytes | None:
        """What the critical record says; one that was never told anything says nothing."""
        return (self._kept.body or None) if self._kept else None

    def _read_critical(self) -> Kept | None:
        try:
            return self._critical.read()
        except OSError as error:
            self._noted(f"the critical record cannot be read ({error}): a state that was rolled back goes unnoticed")
            return None

    def _read(self, database: Database) -> bytes | None:
        state, self._generation = copies.read_state(database, self._path)
        return state

    def _read_only(self, why: str) -> Loaded:
        """The file can not be opened for writing: what it holds is read from a copy, to run on from memory."""
        self._generation = None
        kept = self._kept
        try:
            with copies.copied(self._files, self._path) as database:
                state, generation = copies.read_state(database, self._path)
        except (Damaged, sqlite3.Error, OSError):
            self._unknown = why
            return Loaded(None, self._vital, Trouble.READ_ONLY, why)
        self._generation = generation
        is_newest = state is not None and (kept is None or generation >= kept.generation)
        return Loaded(state, None if is_newest else self._vital, Trouble.READ_ONLY, why)

    def _move_aside(self) -> str:
        aside = f"{self._path.name}.damaged-"
        numbers = sorted(
            int(name.removeprefix(aside))
            for name in self._files.names()
            if name.startswith(aside) and name.removeprefix(aside).isdigit()
        )
        for number in numbers[: max(0, len(numbers) - DAMAGED_KEPT + 1)]:
            self._files.remove(f"{aside}{number}")
            self._files.remove(f"{aside}{number}-wal")
        here = f"{aside}{numbers[-1] + 1 if numbers else 1}"
        # The database first: a log without one is thrown away by SQLite, a database without its log is believed.
        for suffix in ("", "-wal"):
            if self._path.name + suffix in self._files.names():
                self._files.rename(self._path.name + suffix, here + suffix)
        self._files.sync_names()
        return here

    # ------------------------------------------------------------ writing
    def commit(
        self,
        state: bytes | None,
        records: tuple[StoredRecord, ...],
        vital: bytes | None = None,
        usage: tuple[Chained, ...] = (),
        void_from: VoidFrom | None = None,
    ) -> Dropped:
        """See `StorePort.commit`."""
        self._be_loaded()
        if self._broken and state is not None:
            self._begin_anew()
        with self._watched():
            try:
                dropped = self._write(state, records, usage, void_from)
            except sqlite3.Error as error:
                if primary_code(error) != sqlite3.SQLITE_FULL or records:
                    raise
                self._reserve.release()
                dropped = self._write(state, records, usage, void_from)
            else:
                if records:
                    self._reserve.take()
        if state is not None:
            self._note(vital)
        return dropped

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """A damage that shows after the boot is an error like any other; the next commit of a state ends it."""
        try:
            yield
        except (Damaged, sqlite3.Error) as error:
            if is_damage(error):
                self._broken = explain(error, self._path) if isinstance(error, sqlite3.Error) else str(error)
            raise

    def _begin_anew(self) -> None:
        """Make way for a new file: its first commit is what the module knows, which is newer than any copy."""
        self.close()
        self._reserve.release()
        aside = self._move_aside()
        self._noted(f"{self._broken}; it was moved to {aside}, with the records that were not delivered")
        self._broken, self._generation = "", 0

    def _be_loaded(self) -> None:
        if self._generation is None and not self._unknown:
            self.load()
        if self._unknown:
            raise StoreFailed(f"{self._unknown}; then start the module again")

    def _write(
        self,
        state: bytes | None,
        records: tuple[StoredRecord, ...],
        usage: tuple[Chained, ...],
        void_from: VoidFrom | None,
    ) -> Dropped:
        database = self._open()
        generation = max(self._generation or 0, self._kept.generation if self._kept else 0) + 1
        expected, self._attempted = (self._generation, self._attempted), generation
        with transaction(database):
            found = database.execute("SELECT generation FROM state").fetchone() or (0,)
            if found[0] not in expected:
                raise StoreFailed(f"the state file {self._path} is another one than at boot: start the module again")
            if void_from is not None:
                database.execute("DELETE FROM record WHERE number >= ?", (void_from.record,))
                database.execute("DELETE FROM usage WHERE number >= ?", (void_from.entry,))
            if state is not None:
                row = (state, copies.checksum(state, generation), generation)
                database.execute("REPLACE INTO state VALUES (1, ?, ?, ?)", row)
            for entry in usage:
                database.execute("REPLACE INTO usage VALUES (?, ?, ?)", (entry.number, entry.body, entry.digest))
            for record in records:
                database.execute(
                    "REPLACE INTO record (number, reveals_position, thinnable, body, urgent, channel) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        record.number,
                        record.reveals_position,
                        record.thinnable,
                        record.body,
                        record.urgent,
                        record.channel,
                    ),
                )
            if records:
                self._make_room(database)
            dropped = copies.read_dropped(database)
        if state is not None:
            self._generation = generation
        return dropped

    def _note(self, vital: bytes | None) -> None:
        """The commit stands whatever becomes of the critical record: it guards against a card that lies."""
        assert self._generation is not None
        body = vital if vital is not None else self._kept.body if self._kept else b""
        self._kept = Kept(self._generation, body)
        try:
            self._critical.write(*self._kept)
        except OSError as error:
            self._noted(f"the critical record cannot be written ({error}): a card that lies can undo this commit")

    def _make_room(self, database: Database) -> None:
        if self.pending_count() <= self._capacity:
            return
        rows = database.execute("SELECT number, reveals_position, thinnable FROM record ORDER BY number")
        dropped = victims([(number, bool(a), bool(b)) for number, a, b in rows], self._capacity)
        for number in dropped:
            row = database.execute("DELETE FROM record WHERE number = ? RETURNING channel", (number,)).fetchone()
            for name in (copies.DROPPED, f"{copies.DROPPED} {row[0]}"):
                database.execute(
                    "INSERT INTO tally VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET count = count + 1", (name,)
                )

    def remove(self, *numbers: int) -> None:
        """See `StorePort.remove`."""
        self._be_loaded()
        with self._watched():
            try:
                self._remove(numbers)
            except sqlite3.Error as error:
                if primary_code(error) != sqlite3.SQLITE_FULL:
                    raise
                self._reserve.release()
                self._remove(numbers)

    def _remove(self, numbers: Iterable[int]) -> None:
        database = self._readable()
        with transaction(database):
            for number in numbers:
                database.execute("DELETE FROM record WHERE number = ?", (number,))
        if database is self._copy:
            self._gone.update(numbers)

    # ------------------------------------------------------------ reading
    def pending(self, reveals_position: bool | None, limit: int) -> tuple[StoredRecord, ...]:
        """See `StorePort.pending`."""
        self._be_loaded()
        found: list[StoredRecord] = []
        with self._watched():
            database = self._readable()
            for question in _WAITING:
                rows = database.execute(question, (reveals_position, limit - len(found)))
                found += [StoredRecord(n, bool(a), bytes(text), bool(b), bool(c), d) for n, a, text, b, c, d in rows]
        return tuple(found)

    def pending_count(self) -> int:
        """See `StorePort.pending_count`."""
        with self._watched():
            return int(self._readable().execute("SELECT count(*) FROM record").fetchone()[0])

    def dropped_count(self) -> int:
        """See `SqliteStore.dropped_count`."""
        with self._watched():
            return copies.read_dropped(self._open()).total

    def usage(self) -> tuple[Chained, ...]:
        """The usage log, as it is kept."""
        with self._watched():
            return copies.read_usage(self._open())

    # ------------------------------------------------------------ the file
    def _open(self) -> Database:
        if self._database is None:
            settings = self._settings
            database = settings.connect(self._path)
            try:
                if prepare(database, self._path, settings.migrations, settings.checkpoint_pages):
                    # SQLite does this for its journals, but not for a new database.
                    self._files.sync_names()
            except BaseException:
                database.close()
                raise
            self._database = database
            if self._copy is not None:
                self._drop_copy()
                self._remove(self._gone)
                self._gone.clear()
        return self._database

    def _readable(self) -> Database:
        """The file, or a copy while it is read-only."""
        try:
            return self._open()
        except sqlite3.Error as error:
            if condition(error) is not StoreCondition.READ_ONLY:
                raise
        if self._copy is None:
            self._copy = self._copied.enter_context(copies.copied(self._files, self._path))
        return self._copy

    def _drop_copy(self) -> None:
        self._copy = None
        self._copied.close()

    def close(self) -> None:
        """Release the files."""
        self._drop_copy()
        database, self._database = self._database, None
        if database is not None:
            with contextlib.suppress(sqlite3.Error):
                database.close()
