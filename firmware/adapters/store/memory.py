"""The store of a simulation: what a disk would hold, in an object that survives the module's reboots.

Decides nothing that `disk` does not decide: both give up the same records when the outbox is full.
"""

from collections import Counter
from itertools import chain, islice

from firmware.adapters.store.thinning import victims
from firmware.core.events import Trouble
from firmware.core.usage import Chained
from firmware.ports import Dropped, Loaded, StoredRecord, StoreFailed, VoidFrom


class MemoryStore:
    """A `StorePort`. Keep the object: its content survives the module's reboots."""

    def __init__(self, *, capacity_records: int) -> None:
        if capacity_records < 1:
            raise ValueError("the outbox needs room for at least one record")
        self._capacity = capacity_records
        self._state: bytes | None = None
        self._vital: bytes | None = None
        self._records: dict[int, StoredRecord] = {}
        self._usage: dict[int, Chained] = {}
        self._dropped: Counter[str] = Counter()
        self._failures: list[str] = []

    def fail_next_commit(self, reason: str = "the disk is full") -> None:
        """The next commit raises StoreFailed(reason) and stores nothing; call again for the one after it."""
        self._failures.append(reason)

    async def load(self) -> Loaded:
        """As `SqliteStore.load`."""
        return Loaded(self._state)

    async def set_aside(self, why: str) -> Loaded:
        """As `SqliteStore.set_aside`."""
        self._state = None
        self._records.clear()
        self._usage.clear()
        return Loaded(None, self._vital, Trouble.REBUILT, why)

    async def commit(
        self,
        state: bytes | None,
        records: tuple[StoredRecord, ...],
        *,
        vital: bytes | None = None,
        usage: tuple[Chained, ...] = (),
        void_from: VoidFrom | None = None,
    ) -> Dropped:
        """As `SqliteStore.commit`."""
        if self._failures:
            raise StoreFailed(self._failures.pop(0))
        if void_from is not None:
            self._records = {n: record for n, record in self._records.items() if n < void_from.record}
            self._usage = {n: entry for n, entry in self._usage.items() if n < void_from.entry}
        if state is not None:
            self._state = state
        if vital is not None:
            self._vital = vital
        self._usage |= {entry.number: entry for entry in usage}
        for record in records:
            in_order = record.number > next(reversed(self._records), -1)
            self._records[record.number] = record
            if not in_order:
                self._records = dict(sorted(self._records.items()))
        if len(self._records) > self._capacity:
            entries = [(r.number, r.reveals_position, r.thinnable) for r in self._records.values()]
            dropped = victims(entries, self._capacity)
            self._dropped.update(self._records.pop(number).channel for number in dropped)
        return Dropped(self._dropped.total(), tuple(sorted(self._dropped.items())))

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        """As `SqliteStore.pending`."""
        wanted = [r for r in self._records.values() if reveals_position in (None, r.reveals_position)]
        urgent = (r for r in wanted if r.urgent)
        return tuple(islice(chain(urgent, (r for r in wanted if not r.urgent)), limit))

    async def remove(self, *numbers: int) -> None:
        """As `SqliteStore.remove`."""
        for number in numbers:
            self._records.pop(number, None)

    async def pending_count(self) -> int:
        """How many records wait."""
        return len(self._records)

    async def dropped_count(self) -> int:
        """As `SqliteStore.dropped_count`."""
        return self._dropped.total()

    async def usage(self) -> tuple[Chained, ...]:
        """As `SqliteStore.usage`."""
        return tuple(self._usage.values())

    async def close(self) -> None:
        """Nothing to release: what is stored stays."""
