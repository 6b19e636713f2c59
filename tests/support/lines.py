"""A serial line as a module leaves it: a link to its terminal, and a lock as long as the module lives."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def lay(path: Path, terminal: str) -> None:
    """What a module that was killed has left: the link, and a lock that nobody holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(terminal)
    path.with_name(f".{path.name}.lock").touch(0o600)


@contextmanager
def held(*paths: Path) -> Iterator[None]:
    """As long as it lasts a module has these lines."""
    locks = [os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600) for path in paths]
    try:
        for lock in locks:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        for lock in locks:
            os.close(lock)
