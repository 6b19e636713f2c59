"""What the store does to files beside SQLite: whole writes that are synced, and names that are.

A seam: the power-cut tests put a recording one in its place. Knows nothing of what is in the files.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """The files of one directory, by name. Every method raises OSError."""

    def read(self, name: str) -> bytes | None:
        """All of a file, None when there is none."""

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write into a file, made when there is none, and sync it."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name; what had that name is gone."""

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""

    def names(self) -> list[str]:
        """All names, sorted."""

    def sync_names(self) -> None:
        """Make what was created, renamed and removed durable."""


class DiskFiles:
    """The real ones."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, name: str) -> bytes | None:
        """See `Files`."""
        try:
            return (self._directory / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, offset: int, data: bytes) -> None:
        """See `Files`."""
        with _opened(self._directory / name, os.O_RDWR | os.O_CREAT) as file:
            done = 0
            while done < len(data):
                done += os.pwrite(file, data[done:], offset + done)
            os.fsync(file)

    def rename(self, old: str, new: str) -> None:
        """See `Files`."""
        (self._directory / old).replace(self._directory / new)

    def remove(self, name: str) -> None:
        """See `Files`."""
        (self._directory / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """See `Files`."""
        return sorted(os.listdir(self._directory))

    def sync_names(self) -> None:
        """See `Files`."""
        with _opened(self._directory, os.O_RDONLY) as directory:
            os.fsync(directory)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)
