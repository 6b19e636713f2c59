"""Reading a database that must not be touched: from a copy, while another process has it or its disk is read-only.

The copy is of one moment: when a file changes while it is copied, it is copied again.
"""

import errno
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from firmware.adapters.store.critical import Critical
from firmware.adapters.store.database import Damaged, Database, check, connect, damaged, explain
from firmware.adapters.store.files import DiskFiles, Files
from firmware.core.usage import Chained
from firmware.ports import Dropped, StoreFailed

TRIES: Final = 20
DROPPED: Final = "dropped"
"""The tally of all records that were given up; those of one channel are "dropped CHANNEL"."""
_FIRST: Final = "SELECT body, checksum, 0 FROM state"  # schema 1
_NEWEST: Final = "SELECT body, checksum, generation FROM state"


class Copy(NamedTuple):
    """What a store holds of the usage log, with the two places that know its head."""

    state: bytes | None
    vital: bytes | None
    usage: tuple[Chained, ...]


def read_copy(path: Path) -> Copy:
    """What the store at `path` holds, while a module may be at work on it. Raises StoreFailed."""
    files = DiskFiles(path.parent)
    try:
        kept = Critical(files, path.with_suffix(".vital").name).read()  # first, so that it is never the newer one
        if files.read(path.name) is None:
            raise StoreFailed(f"there is no state file {path}: has this module ever run? Check [module] state_dir")
        with copied(files, path) as database:
            state, _ = read_state(database, path)
            return Copy(state, None if kept is None else kept.body, read_usage(database))
    except sqlite3.Error as error:
        raise StoreFailed(explain(error, path)) from error
    except OSError as error:
        raise StoreFailed(f"the state file {path} cannot be read: {error.strerror}") from error


@contextmanager
def copied(files: Files, path: Path) -> Iterator[Database]:
    """A copy of the database, open. Raises OSError, sqlite3.Error, Damaged."""
    with tempfile.TemporaryDirectory(prefix="sharebox-") as folder:
        for _ in range(TRIES):
            found = [files.read(path.name + suffix) for suffix in ("", "-wal")]
            if found == [files.read(path.name + suffix) for suffix in ("", "-wal")]:
                break
        else:
            raise OSError(errno.EBUSY, "it changes all the time")
        for suffix, data in zip(("", "-wal"), found, strict=True):
            if data is not None:
                Path(folder, f"copy{suffix}").write_bytes(data)
        with closing(connect(Path(folder, "copy"))) as database:
            if found[0]:
                check(database, path)
            yield database


def read_state(database: Database, path: Path) -> tuple[bytes | None, int]:
    """The state and its generation. Raises sqlite3.Error, Damaged."""
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
    if "state" not in tables:
        return None, 0
    row = database.execute(_NEWEST if "usage" in tables else _FIRST).fetchone()
    if row is None:
        return None, 0
    body, found = bytes(row[0]), int(row[2])
    if checksum(body, found) != row[1]:
        raise Damaged(damaged(path, "the state does not match its checksum"))
    return body, found


def checksum(state: bytes, generation: int) -> int:
    """Over both; files of the first schema have no generation."""
    return zlib.crc32(state, generation)


def read_usage(database: Database) -> tuple[Chained, ...]:
    """The usage log; empty in a file of an older schema."""
    if not database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'usage'").fetchone():
        return ()
    rows = database.execute("SELECT number, body, digest FROM usage ORDER BY number")
    return tuple(Chained(number, bytes(body), bytes(digest)) for number, body, digest in rows)


def read_dropped(database: Database) -> Dropped:
    """What was ever given up for lack of room."""
    counts = {str(name): int(count) for name, count in database.execute("SELECT name, count FROM tally ORDER BY name")}
    channels = ((name.removeprefix(f"{DROPPED} "), n) for name, n in counts.items() if name.startswith(f"{DROPPED} "))
    return Dropped(counts.get(DROPPED, 0), tuple(channels))
