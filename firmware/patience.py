"""How long the module waits for its disk: a store that hangs counts as one that has failed.

Decides when waiting ends, and what is known of a commit that was given up: nothing, until a later one has worked. That
one takes the place of whatever the lost one has left, and until then none of it is shown to anybody. Refuses to know
what a state or a record means, and how long is too long: that follows from the state (`module.patience_ms`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import structlog

from firmware.core.usage import Chained
from firmware.ports import Dropped, Loaded, StoredRecord, StoreFailed, StorePort, VoidFrom

T = TypeVar("T")

NEVER: Final = 2**63 - 1
"""Larger than any number of a record or an entry; what SQLite can still count."""
HANGS: Final = "the disk does not answer: check the card; what permits is refused until it does"

log = structlog.get_logger("sharebox")


class Patience:
    """A `StorePort` in front of another one, whose calls end within `within_ms()`, `load` and `set_aside` excepted:
    without them there is no module. One that takes longer raises StoreFailed and goes on by itself; while it does,
    every other raises at once, so no more than were under way at that moment ever wait. `returned` is called when
    the store answers again."""

    def __init__(self, store: StorePort, within_ms: Callable[[], int], returned: Callable[[], None]) -> None:
        self._store = store
        self._within_ms = within_ms
        self._returned = returned
        self._late: set[asyncio.Future[Any]] = set()
        self._void_from: VoidFrom | None = None
        self._acknowledged: frozenset[int] = frozenset()
        """Records to be removed. Nothing is shown before they are, so there are never more than were shown at once."""

    async def load(self) -> Loaded:
        """See `StorePort`."""
        return await self._store.load()

    async def set_aside(self, why: str) -> Loaded:
        """See `StorePort`."""
        return await self._store.set_aside(why)

    async def commit(
        self,
        state: bytes | None,
        records: tuple[StoredRecord, ...],
        *,
        vital: bytes | None = None,
        usage: tuple[Chained, ...] = (),
        void_from: VoidFrom | None = None,
    ) -> Dropped:
        """See `StorePort`. What a commit that failed may have left is void with the next one that works."""
        void = _lower(self._void_from, void_from)
        try:
            dropped = await self._within(
                lambda: self._store.commit(state, records, vital=vital, usage=usage, void_from=void)
            )
        except StoreFailed:
            self._void_from = _lower(void, _first(records, usage))
            raise
        self._void_from = None
        return dropped

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        """See `StorePort`. Without what a commit that failed may have left, and what was to be removed meanwhile."""
        await self._forget()
        found = await self._within(lambda: self._store.pending(reveals_position=reveals_position, limit=limit))
        return tuple(r for r in found if self._void_from is None or r.number < self._void_from.record)

    async def remove(self, *numbers: int) -> None:
        """See `StorePort`. When this fails it is done before the next look at what is pending (TEL-5)."""
        self._acknowledged |= {*numbers}
        await self._forget()

    async def _forget(self) -> None:
        if numbers := self._acknowledged:
            await self._within(lambda: self._store.remove(*sorted(numbers)))
            self._acknowledged -= numbers

    async def pending_count(self) -> int:
        """See `StorePort`."""
        return await self._within(self._store.pending_count)

    async def close(self) -> None:
        """Wait for nothing any more. The store behind it is its owner's to close."""
        late = tuple(self._late)
        for call in late:
            call.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _within(self, call: Callable[[], Awaitable[T]]) -> T:
        if self._late:
            raise StoreFailed(HANGS)
        task = asyncio.ensure_future(call())
        try:
            await asyncio.wait({task}, timeout=self._within_ms() / 1000)
        except asyncio.CancelledError:
            task.cancel()
            self._late.add(task)
            raise
        if task.done():
            return task.result()
        if not self._late:
            log.error("store hangs", why=HANGS)
        self._late.add(task)
        task.add_done_callback(self._answered)
        raise StoreFailed(HANGS)

    def _answered(self, task: asyncio.Future[Any]) -> None:
        self._late.discard(task)
        if task.cancelled():
            return
        failed = str(task.exception() or "")
        if not self._late:
            log.warning("store answers again", failed=failed)
            self._returned()


def _first(records: tuple[StoredRecord, ...], usage: tuple[Chained, ...]) -> VoidFrom:
    return VoidFrom(
        min((record.number for record in records), default=NEVER), min((each.number for each in usage), default=NEVER)
    )


def _lower(one: VoidFrom | None, other: VoidFrom | None) -> VoidFrom | None:
    if one is None or other is None:
        return one or other
    return VoidFrom(min(one.record, other.record), min(one.entry, other.entry))
