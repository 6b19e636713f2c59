"""A disk that does not answer: a commit, or a look into the outbox, that comes back when it is told to, or never."""

import asyncio

from firmware.core.usage import Chained
from firmware.ports import Dropped, StoredRecord, StoreFailed, VoidFrom
from tests.support.ports import MemoryDisk


class HangingDisk(MemoryDisk):
    """`hang()`: from now on no call returns, as on a bus that is stuck; one at a time is at work and the others stand
    behind it. `answer(works=)`: what was at work happens after all, or has failed, and everything works again."""

    def __init__(self, capacity_records: int = 1_000) -> None:
        super().__init__(capacity_records=capacity_records)
        self.at_work = 0
        self._turn = asyncio.Lock()
        self._answers = asyncio.Event()
        self._answers.set()
        self._works = True

    def hang(self) -> None:
        """Stop answering."""
        self._answers.clear()

    def answer(self, *, works: bool) -> None:
        """Answer again."""
        self._works = works
        self._answers.set()

    async def _answered(self) -> None:
        """Raises StoreFailed when what was at work has come to nothing."""
        if self._answers.is_set():
            return
        self.at_work += 1
        try:
            await self._answers.wait()
        finally:
            self.at_work -= 1
        if not self._works:
            raise StoreFailed("the disk has come back without it")

    async def commit(
        self,
        state: bytes | None,
        records: tuple[StoredRecord, ...],
        *,
        vital: bytes | None = None,
        usage: tuple[Chained, ...] = (),
        void_from: VoidFrom | None = None,
    ) -> Dropped:
        async with self._turn:
            await self._answered()
            return await super().commit(state, records, vital=vital, usage=usage, void_from=void_from)

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        async with self._turn:
            await self._answered()
            return await super().pending(reveals_position=reveals_position, limit=limit)

    async def remove(self, *numbers: int) -> None:
        async with self._turn:
            await self._answered()
            await super().remove(*numbers)
