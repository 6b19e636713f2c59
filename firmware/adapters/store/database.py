"""SQLite as the store uses it: how it is opened, its schema, and in which words its errors are told.

psow=0 and synchronous=EXTRA, set before the first write, survived every image of a power cut (docs/durability.md);
SQLite's defaults did not.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from firmware.ports import StoreFailed
from protocol.telemetry import StoreCondition

LOCK_WAIT_S: Final = 1.0
"""A module that is just ending may hold the file this long."""
CHECKPOINT_PAGES: Final = 64
"""A short log: it stays small on a full disk, and is quick to read at boot."""

_PRIMARY_CODE: Final = 0xFF  # SQLite: the low byte of an extended result code
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

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
    """
    CREATE TABLE usage (number INTEGER PRIMARY KEY, body BLOB NOT NULL, digest BLOB NOT NULL) STRICT;
    ALTER TABLE state ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE record ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE record ADD COLUMN channel TEXT NOT NULL DEFAULT '';
    CREATE INDEX urgent_record ON record (number) WHERE urgent = 1;
    """,
)
"""`MIGRATIONS[n]` leads from schema version n to n + 1. Entries are added, never changed.

The generation stands in the state's own row, under its checksum: a card that lies can leave a mixture of old and new
pages that SQLite takes for sound.
"""


class Rows(Protocol):
    """What a statement found."""

    def fetchone(self) -> Any:
        """The next row or None."""

    def __iter__(self) -> Iterator[Any]: ...


class Database(Protocol):
    """The part of `sqlite3.Connection` that is used. Raises sqlite3.Error."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    def execute(self, sql: str, parameters: Sequence[object] = ..., /) -> Rows:
        """Run one statement."""

    def close(self) -> None:
        """Release the files."""


Connect = Callable[[Path], Database]


class Damaged(StoreFailed):
    """The file is not what the module wrote."""


def connect(path: Path) -> Database:
    """The file with Python's own SQLite."""
    database = sqlite3.connect(f"{path.as_uri()}?psow=0", uri=True, isolation_level=None, timeout=LOCK_WAIT_S)
    # SQLite checks no encoding: one flipped bit in a record's channel must not stop the delivery of all others.
    database.text_factory = lambda text: text.decode("utf-8", "replace")
    return database


def prepare(
    database: Database, path: Path, migrations: Sequence[str], checkpoint_pages: int = CHECKPOINT_PAGES
) -> bool:
    """Check the file and bring it to the newest schema. True when it is new. Raises sqlite3.Error, StoreFailed."""
    database.execute("PRAGMA synchronous=EXTRA")
    database.execute("PRAGMA locking_mode=EXCLUSIVE")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"PRAGMA wal_autocheckpoint={checkpoint_pages}")
    check(database, path)
    with transaction(database):
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        if version > len(migrations):
            raise StoreFailed(
                f"the state file {path} has version {version}, this module knows {len(migrations)}: "
                f"install the newer module again"
            )
        for script in migrations[version:]:
            for statement in filter(str.strip, script.split(";")):
                database.execute(statement)
        if version < len(migrations):
            database.execute(f"PRAGMA user_version={len(migrations)}")
        # Writes nothing, and is refused all the same when the file is read-only: a transaction alone is not.
        database.execute("DELETE FROM tally WHERE 0")
    return version == 0


def check(database: Database, path: Path) -> None:
    """Whether pages, indices and tables agree, so that no later statement meets a damage that was there already. The
    quick check of SQLite leaves the indices out, and is not faster here. Raises sqlite3.Error, Damaged."""
    found = str(database.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if found != "ok":
        raise Damaged(damaged(path, found))


@contextlib.contextmanager
def transaction(database: Database) -> Iterator[None]:
    """All of it or nothing."""
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


def is_damage(error: Exception) -> bool:
    """Whether the file is to blame, which no second try will cure."""
    return isinstance(error, Damaged) or (isinstance(error, sqlite3.Error) and primary_code(error) in _DAMAGE)


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 when there is none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY_CODE


def explain(error: sqlite3.Error, path: Path) -> str:
    """One line for what SQLite said: what, why, what to do."""
    match primary_code(error):
        case sqlite3.SQLITE_FULL:
            return f"the state file {path} cannot grow, the disk is full: free some space"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return f"the state file {path} is read-only: mount its disk for writing and give this user access"
        case sqlite3.SQLITE_CANTOPEN:
            return f"the state file {path} cannot be opened: make its directory and give this user access"
        case code if code in _DAMAGE:
            return damaged(path, str(error))
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"the state file {path} is in use by another process: stop the other module"
        case _:
            return f"the state file {path} cannot be read or written ({error}): check its disk"


def condition(error: sqlite3.Error) -> StoreCondition:
    """What the store is capable of after this error."""
    match primary_code(error):
        case sqlite3.SQLITE_FULL:
            return StoreCondition.FULL
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return StoreCondition.READ_ONLY
        case _:
            return StoreCondition.FAILING


def damaged(path: Path, detail: str) -> str:
    """One line for a file that is not what the module wrote."""
    return f"the state file {path} is damaged ({' '.join(detail.split())})"
