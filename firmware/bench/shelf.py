"""States that were put aside by name (BEN-4): as the module stores them, and with what is kept beside them.

Decides which names are good, and how many there are. Refuses to know what a state says.
"""

import re
from pathlib import Path
from typing import Final, Protocol

import msgspec

FORMAT: Final = "sharebox-state/1"
MOST: Final = 64
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SUFFIX: Final = ".state"


class ShelfFailed(Exception):
    """One line with what, why and what to do."""


class Saved(msgspec.Struct, frozen=True):
    """`state`, `vital`: as `keeper.encode` gives them. `at_ms`: UTC of the bench."""

    module_id: bytes
    at_ms: int
    state: bytes
    vital: bytes
    format: str = FORMAT


class Shelf(Protocol):
    """Where they are. Names are checked by whoever calls."""

    def names(self) -> tuple[str, ...]:
        """All of them, sorted."""

    def put(self, name: str, saved: Saved) -> None:
        """Replaces one that is there. Raises ShelfFailed."""

    def get(self, name: str) -> Saved:
        """Raises ShelfFailed."""


def _missing(name: str) -> ShelfFailed:
    return ShelfFailed(f"no state is called {name!r}. `state list` names them")


def _full() -> ShelfFailed:
    return ShelfFailed(f"{MOST} states are saved already. Save under one of their names, or remove files")


class MemoryShelf:
    """A `Shelf` that lasts as long as the bench."""

    def __init__(self) -> None:
        self._saved: dict[str, Saved] = {}

    def names(self) -> tuple[str, ...]:
        """As Shelf."""
        return tuple(sorted(self._saved))

    def put(self, name: str, saved: Saved) -> None:
        """As Shelf."""
        if name not in self._saved and len(self._saved) >= MOST:
            raise _full()
        self._saved[name] = saved

    def get(self, name: str) -> Saved:
        """As Shelf."""
        if name not in self._saved:
            raise _missing(name)
        return self._saved[name]


class FolderShelf:
    """A `Shelf` in a folder, one file each, for its owner alone: tokens' names are in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> tuple[str, ...]:
        """As Shelf."""
        try:
            files = [each.name.removesuffix(_SUFFIX) for each in self._folder.glob(f"*{_SUFFIX}")]
        except OSError:
            return ()
        return tuple(sorted(name for name in files if NAME.fullmatch(name)))

    def put(self, name: str, saved: Saved) -> None:
        """As Shelf: wholly, or not at all."""
        names = self.names()
        if name not in names and len(names) >= MOST:
            raise _full()
        path = self._folder / f"{name}{_SUFFIX}"
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.touch(mode=0o600)
            part.write_bytes(msgspec.msgpack.encode(saved))
            part.replace(path)
        except OSError as error:
            raise ShelfFailed(f"{path} can not be written ({error.strerror}). Check the directory") from None

    def get(self, name: str) -> Saved:
        """As Shelf."""
        path = self._folder / f"{name}{_SUFFIX}"
        try:
            saved = msgspec.msgpack.decode(path.read_bytes(), type=Saved)
        except FileNotFoundError:
            raise _missing(name) from None
        except (OSError, msgspec.DecodeError) as error:
            raise ShelfFailed(f"{path} can not be read ({error}). Save it anew") from None
        if saved.format != FORMAT:
            raise ShelfFailed(f"{path} is no {FORMAT}. Save it anew with this version")
        return saved
