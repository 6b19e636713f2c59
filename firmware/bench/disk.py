"""The switch between the module and its disk: full, read-only, hanging, without power; and a tap to listen in.

Decides what reaches the disk. Nothing about what is written.
"""

import asyncio
from enum import Enum, unique
from typing import Final

import msgspec

from firmware.bench.switches import Socket
from firmware.bench.taps import Taps
from firmware.core.usage import Chained
from firmware.ports import Dropped, Loaded, StoredRecord, StoreFailed, StorePort, VoidFrom
from protocol.telemetry import StoreCondition


@unique
class DiskFault(Enum):
    """What a disk can suffer from."""

    FULL = "full"
    READ_ONLY = "readonly"
    HANGING = "hanging"


_REFUSALS: Final = {
    DiskFault.FULL: ("the disk is full (a fault of the bench): `fault clear disk`", StoreCondition.FULL),
    DiskFault.READ_ONLY: ("the disk is read-only (a fault of the bench): `fault clear disk`", StoreCondition.READ_ONLY),
}


class Commit(msgspec.Struct, frozen=True):
    """One commit that the disk has taken."""

    state: bytes | None
    records: tuple[StoredRecord, ...]
    usage: tuple[Chained, ...]


class StoreSwitch(Socket[StorePort]):
    """A `StorePort` around another one. `taps` hear each commit that has worked.

    Hanging: calls wait until the fault is over. Cut: the power is gone, and nothing that comes after reaches the disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taps: Taps[Commit] = Taps()
        self._fault: DiskFault | None = None
        self._cut = False
        self._answers = asyncio.Event()
        self._answers.set()

    @property
    def fault(self) -> DiskFault | None:
        """What the disk suffers from at present."""
        return self._fault

    def suffer(self, fault: DiskFault | None) -> None:
        """From now on; None: it works."""
        self._fault = fault
        if fault is DiskFault.HANGING:
            self._answers.clear()
        else:
            self._answers.set()

    def plug(self, port: StorePort) -> None:
        """Use this one from now on; there is power again."""
        super().plug(port)
        self._cut = False

    def cut(self) -> None:
        """The power is gone: whatever has not begun by now does not happen."""
        self._cut = True

    async def _reached(self, *, writes: bool) -> None:
        await self._answers.wait()
        if self._cut:
            raise StoreFailed("there is no power")
        if writes and self._fault in _REFUSALS:
            raise StoreFailed(*_REFUSALS[self._fault])

    async def load(self) -> Loaded:
        """As StorePort."""
        await self._reached(writes=False)
        return await self.port.load()

    async def set_aside(self, why: str) -> Loaded:
        """As StorePort."""
        await self._reached(writes=True)
        return await self.port.set_aside(why)

    async def commit(
        self,
        state: bytes | None,
        records: tuple[StoredRecord, ...],
        *,
        vital: bytes | None = None,
        usage: tuple[Chained, ...] = (),
        void_from: VoidFrom | None = None,
    ) -> Dropped:
        """As StorePort."""
        await self._reached(writes=True)
        dropped = await self.port.commit(state, records, vital=vital, usage=usage, void_from=void_from)
        self.taps(Commit(state, records, usage))
        return dropped

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        """As StorePort."""
        await self._reached(writes=False)
        return await self.port.pending(reveals_position=reveals_position, limit=limit)

    async def remove(self, *numbers: int) -> None:
        """As StorePort."""
        await self._reached(writes=True)
        await self.port.remove(*numbers)

    async def pending_count(self) -> int:
        """As StorePort."""
        await self._reached(writes=False)
        return await self.port.pending_count()

    async def close(self) -> None:
        """As StorePort."""
        await self.port.close()
