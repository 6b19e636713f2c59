"""The store as the pump sees it: `disk` in a thread of its own, its errors as StoreFailed. Decides nothing."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from firmware.adapters.store.database import condition, explain
from firmware.adapters.store.disk import Disk
from firmware.core.usage import Chained
from firmware.ports import Dropped, Loaded, StoredRecord, StoreFailed, VoidFrom

P = ParamSpec("P")
T = TypeVar("T")


class SqliteStore:
    """The store in one SQLite file and a critical record beside it; a `StorePort`.

    Every call runs in one thread of the store's own, so a slow disk never stops the event loop. A call that
    is cancelled may have happened. One process at a time has the file. Must be closed. `noted` hears in one line of
    what weakens the store without stopping it; it is called in that thread.
    """

    def __init__(
        self, path: str | Path, *, capacity_records: int, noted: Callable[[str], None] = lambda _: None
    ) -> None:
        self._disk = Disk(Path(path).absolute(), capacity_records=capacity_records, noted=noted)
        self._path = Path(path).absolute()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._closed = False

    async def load(self) -> Loaded:
        """What a boot finds. Raises StoreFailed when another process has the file, or a newer module wrote it."""
        return await self._call(self._disk.load)

    async def set_aside(self, why: str) -> Loaded:
        """The state makes no sense to the module: move the file aside and begin anew. `why`: one line."""
        return await self._call(self._disk.set_aside, why)

    async def commit(
        self,
        state: bytes | None,
        records: tuple[StoredRecord, ...],
        *,
        vital: bytes | None = None,
        usage: tuple[Chained, ...] = (),
        void_from: VoidFrom | None = None,
    ) -> Dropped:
        """Remove records and entries from these numbers on, replace the state (None: keep it), append records and
        entries of the usage log, atomically; then keep `vital` (None: as before) in the critical record. Returns what
        was ever given up because the outbox was full (TEL-4). Raises StoreFailed: nothing of it is stored."""
        return await self._call(self._disk.commit, state, records, vital, usage, void_from)

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        """Unacknowledged records, at most `limit`: urgent ones first, each kind by number; filtered if
        `reveals_position` is given."""
        return await self._call(self._disk.pending, reveals_position, limit)

    async def remove(self, *numbers: int) -> None:
        """Forget acknowledged records, in one transaction. Removing twice is no error. Raises StoreFailed."""
        await self._call(self._disk.remove, *numbers)

    async def pending_count(self) -> int:
        """How many records wait."""
        return await self._call(self._disk.pending_count)

    async def dropped_count(self) -> int:
        """How many records were given up since the store is new, because the outbox was full (TEL-4)."""
        return await self._call(self._disk.dropped_count)

    async def usage(self) -> tuple[Chained, ...]:
        """The usage log, as it is kept (BKG-7)."""
        return await self._call(self._disk.usage)

    async def close(self) -> None:
        """Release the files. Closing twice is no error."""
        if not self._closed:
            self._closed = True
            await self._elsewhere(self._disk.close)
            self._thread.shutdown()

    async def _call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._closed:
            raise StoreFailed(f"the state file {self._path} is closed")
        return await self._elsewhere(lambda: self._guarded(work, *args, **kwargs))

    async def _elsewhere(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _guarded(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except sqlite3.Error as error:
            raise StoreFailed(explain(error, self._path), condition(error)) from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreFailed(f"beside {self._path} nothing can be written ({reason}): check its disk") from error
