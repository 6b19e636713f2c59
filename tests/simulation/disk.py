"""The module's disk: one atomic commit, or none, or the power fails beside it. A `StorePort` that never waits."""

from collections import Counter
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final, TypeVar

from firmware.adapters.store.thinning import victims
from firmware.core.events import Trouble
from firmware.core.state import Durable
from firmware.core.usage import Chained
from firmware.ports import Dropped, Loaded, StoredRecord, StoreFailed, VoidFrom

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")

OLDER_MS: Final = 3 * 3_600_000
"""A card that is rolled back shows what it held up to so long ago."""


class PowerFailed(Exception):
    """The power went while the module was writing."""


def at_once(work: Coroutine[object, None, T]) -> T:
    """Run a coroutine that waits for nothing, without any event loop."""
    try:
        work.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    raise AssertionError("nothing in the simulator waits")


class Disk:
    """What is really durable. `fuse`: "before" or "after": the power fails beside the next commit. `writes`: the
    state that is about to be committed, and then `durable`: the same as the image, for the auditor."""

    def __init__(self, world: "World", capacity: int) -> None:
        self.world = world
        self.capacity = capacity
        self.image: bytes | None = None
        self.vital: bytes | None = None
        self.writes: Durable
        self.durable: Durable | None = None
        self.records: dict[int, StoredRecord] = {}
        self.usage: list[Chained] = []
        self.dropped: Counter[str] = Counter()
        self.full = False
        self.fuse = ""
        self.card = ""
        """What became of the card, until the next commit: "lost" or "rolled back"."""
        self.replaced = False
        """Whether the card ever lost anything."""
        self._older: tuple[bytes, Durable, dict[int, StoredRecord]] | None = None
        self._older_at = 0

    async def load(self) -> Loaded:
        """What a boot finds."""
        if self.card and self.vital is not None:
            self.replaced = True
            if self.card == "lost":
                self.image, self.durable, self.records = None, None, {}
                return Loaded(None, self.vital, Trouble.REBUILT, "the card is another one")
            if self._older is not None:
                self.image, self.durable, older = self._older
                self.records = dict(older)
                return Loaded(self.image, self.vital, Trouble.ROLLED_BACK, "the card is as it was hours ago")
        return Loaded(self.image)

    async def set_aside(self, why: str) -> Loaded:
        """Never: nothing here becomes unreadable."""
        raise AssertionError(why)

    async def commit(
        self,
        state: bytes | None,
        records: tuple[StoredRecord, ...],
        *,
        vital: bytes | None = None,
        usage: tuple[Chained, ...] = (),
        void_from: VoidFrom | None = None,
    ) -> Dropped:
        """All of it or nothing, so nothing is ever void. Raises StoreFailed, or PowerFailed before or after it."""
        if self.full:
            raise StoreFailed("the disk is full")
        fuse, self.fuse = self.fuse, ""
        if fuse == "before":
            raise PowerFailed
        assert state is not None
        self.image, self.vital, self.durable, self.card = state, vital, self.writes, ""
        if self.world.heap.now - self._older_at > OLDER_MS:
            self._older_at = self.world.heap.now
            self._older = (state, self.durable, dict(self.records))
        self.usage.extend(usage)
        lost: list[StoredRecord] = []
        for record in records:
            self.records[record.number] = record
        if len(self.records) > self.capacity:
            lost = self._make_room()
        self.world.trace(state)
        self.world.auditor.committed(self.durable, records, lost)
        if fuse == "after":
            raise PowerFailed
        return Dropped(self.dropped.total(), tuple(self.dropped.items()))

    def _make_room(self) -> list[StoredRecord]:
        self.records = dict(sorted(self.records.items()))
        entries = [(r.number, r.reveals_position, r.thinnable) for r in self.records.values()]
        lost = [self.records.pop(number) for number in victims(entries, self.capacity)]
        self.dropped.update(record.channel for record in lost)
        return lost

    def oldest(self, *, harmless_only: bool) -> StoredRecord | None:
        """The first record that may leave."""
        waiting = [r for n, r in sorted(self.records.items()) if not (harmless_only and r.reveals_position)]
        return next(iter(sorted(waiting, key=lambda record: not record.urgent)), None)

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        """The urgent ones first, each kind by number."""
        waiting = [r for _, r in sorted(self.records.items()) if reveals_position in (None, r.reveals_position)]
        return tuple(sorted(waiting, key=lambda record: not record.urgent)[:limit])

    async def remove(self, *numbers: int) -> None:
        """Forget acknowledged records."""
        for number in numbers:
            self.records.pop(number, None)

    async def pending_count(self) -> int:
        """How many records wait."""
        return len(self.records)

    async def close(self) -> None:
        """What is stored stays."""
