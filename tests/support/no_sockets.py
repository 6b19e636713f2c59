"""Forbids the network for a while: sockets, name resolution, and programs that could use them for us."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_OTHER_PROGRAMS = ("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system")


class Forbidden:
    """An audit hook: within `forbidden` every socket call is remembered in `attempts`, and fails.

    An audit hook cannot be removed or patched away, and sees every use of the `socket` module, name resolution
    included. `open_sockets` is asked of the kernel, so it also sees what did not go through that module.
    """

    def __init__(self) -> None:
        self.attempts: list[str] = []
        self._active = False
        sys.addaudithook(self._audit)

    @contextmanager
    def forbidden(self) -> Iterator[None]:
        """From here to the end of the block."""
        self.attempts.clear()
        self._active = True
        try:
            yield
        finally:
            self._active = False

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._active and event.startswith(("socket.", *_OTHER_PROGRAMS)):
            self.attempts.append(event)
            # Raises pytest's Failed, which no `except Exception` swallows.
            pytest.fail(f"{event}{arguments!r} while the network is forbidden")


def open_sockets() -> set[str]:
    """The sockets that this process has now, by the kernel's names for them."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        # The directory's own descriptor is gone again.
        if entry.is_symlink() and (name := os.readlink(entry)).startswith("socket:"):
            found.add(name)
    return found
