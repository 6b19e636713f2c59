"""SQLite on a disk that the test owns: every write recorded, no room left, or no writing at all.

The store runs on it unchanged: `ApswConnect` is its connection factory, `RecordedFiles` its other files. What is
recorded is one list of operations on inodes and names, in order, from both.
"""

import itertools
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw

from firmware.adapters.store.database import Database
from firmware.adapters.store.files import DiskFiles

_SERIAL = itertools.count()


# ---------------------------------------------------------------- what is recorded
class Create(NamedTuple):
    """A name appears, with a new inode."""

    name: str
    inode: int


class Rename(NamedTuple):
    """A name changes."""

    old: str
    new: str


class Delete(NamedTuple):
    """A name goes."""

    name: str


class Write(NamedTuple):
    """Bytes into an inode."""

    inode: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """An inode's size is set."""

    inode: int
    size: int


class Sync(NamedTuple):
    """The writes to an inode are durable, and so are all names so far; None: the names alone."""

    inode: int | None


class Mark(NamedTuple):
    """The application was told that its operation `number` is done."""

    number: int


Op = Create | Rename | Delete | Write | Truncate | Sync | Mark


class Tape:
    """The operations on one directory, in order. `limit`: bytes that may still be added to files, None: any."""

    def __init__(self, present: Sequence[str] = ()) -> None:
        self.ops: list[Op] = []
        self.inodes = {name: number for number, name in enumerate(present)}
        self.limit: int | None = None
        self.read_only = False
        self._next = len(self.inodes)

    def opened(self, name: str) -> int:
        """The inode of a file that is opened for writing, made when it is new."""
        if name not in self.inodes:
            self.inodes[name], self._next = self._next, self._next + 1
            self.ops.append(Create(name, self.inodes[name]))
        return self.inodes[name]

    def renamed(self, old: str, new: str) -> None:
        self.inodes[new] = self.inodes.pop(old)
        self.ops.append(Rename(old, new))

    def deleted(self, name: str) -> None:
        if self.inodes.pop(name, None) is not None:
            self.ops.append(Delete(name))

    def may_grow(self, by: int) -> bool:
        """Take that much of the room that is left."""
        if by <= 0 or self.limit is None:
            return True
        if by > self.limit:
            return False
        self.limit -= by
        return True


# ---------------------------------------------------------------- SQLite on the tape
class _File(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], tape: Tape) -> None:
        super().__init__("", name, flags)
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        kept = text and not flags[0] & apsw.SQLITE_OPEN_DELETEONCLOSE
        self._inode = tape.opened(os.path.basename(text)) if text and kept else None
        self._tape = tape

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._inode is not None:
            if not self._tape.may_grow(offset + len(data) - self.xFileSize()):
                raise apsw.FullError("the disk is full")
            self._tape.ops.append(Write(self._inode, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        if self._inode is not None:
            self._tape.ops.append(Truncate(self._inode, size))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        # The recorder's own disk need not be durable, and a real sync costs milliseconds.
        if self._inode is not None:
            self._tape.ops.append(Sync(self._inode))

    def excepthook(self, *_: object) -> bool:
        """SQLite forgives some failures, such as that of a checkpoint; so do we."""
        return True


class _Vfs(apsw.VFS):
    def __init__(self, name: str, tape: Tape) -> None:
        super().__init__(name, "")
        self._tape = tape

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _File(name, flags, self._tape)

    def xDelete(self, name: str, sync: bool) -> None:
        self._tape.deleted(os.path.basename(name))
        if sync:
            self._tape.ops.append(Sync(None))
        super().xDelete(name, sync)

    def excepthook(self, *_: object) -> bool:
        """See `_File`."""
        return True


class _Rows:
    def __init__(self, rows: list[tuple[object, ...]]) -> None:
        self._rows = iter(rows)

    def fetchone(self) -> object:
        return next(self._rows, None)

    def __iter__(self) -> Iterator[object]:
        return self._rows


class _Database:
    """apsw in the shape of `database.Database`, with the errors of `sqlite3`."""

    def __init__(self, path: Path, vfs: str) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        with _translated():
            self._connection = apsw.Connection(f"{path.as_uri()}?psow=0", flags, vfs)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> _Rows:
        with _translated():
            bindings = tuple(int(each) if isinstance(each, bool) else each for each in parameters)
            return _Rows(list(self._connection.execute(sql, bindings or None)))

    def close(self) -> None:
        with _translated():
            self._connection.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        told = sqlite3.OperationalError(str(error))
        told.sqlite_errorcode = getattr(
            error, "extendedresult", sqlite3.SQLITE_FULL if isinstance(error, apsw.FullError) else 0
        )
        raise told from None


class ApswConnect:
    """A connection factory for the store, onto `tape`."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._name = f"tape-{next(_SERIAL)}"
        self._vfs = _Vfs(self._name, tape)

    def __call__(self, path: Path) -> Database:
        if self._tape.read_only:
            return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        return _Database(path, self._name)


# ---------------------------------------------------------------- the other files on the tape
class RecordedFiles:
    """`files.Files` of a directory, onto `tape`."""

    def __init__(self, directory: Path, tape: Tape) -> None:
        self._directory = directory
        self._disk = DiskFiles(directory)
        self._tape = tape

    def read(self, name: str) -> bytes | None:
        return self._disk.read(name)

    def write(self, name: str, offset: int, data: bytes) -> None:
        self._writable()
        path = self._directory / name
        size = path.stat().st_size if path.exists() else 0
        if not self._tape.may_grow(offset + len(data) - size):
            raise OSError(28, "No space left on device")
        inode = self._tape.opened(name)
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.seek(offset)
            file.write(data)
        self._tape.ops += [Write(inode, offset, data), Sync(inode)]

    def rename(self, old: str, new: str) -> None:
        self._writable()
        self._disk.rename(old, new)
        self._tape.renamed(old, new)

    def remove(self, name: str) -> None:
        self._writable()
        path = self._directory / name
        if self._tape.limit is not None and path.exists():
            self._tape.limit += path.stat().st_size
        self._disk.remove(name)
        self._tape.deleted(name)

    def names(self) -> list[str]:
        return self._disk.names()

    def sync_names(self) -> None:
        self._writable()
        self._tape.ops.append(Sync(None))

    def _writable(self) -> None:
        if self._tape.read_only:
            raise OSError(30, "Read-only file system")
