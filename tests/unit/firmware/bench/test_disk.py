"""The switch before the disk: what reaches it and what does not."""

import asyncio

import pytest

from firmware.adapters.store import MemoryStore
from firmware.bench.disk import DiskFault, StoreSwitch
from firmware.ports import StoredRecord, StoreFailed

RECORD = StoredRecord(1, False, b"body")


@pytest.mark.req("PWR-2")
async def test_a_disk_that_is_full_or_read_only_takes_nothing_and_is_read_all_the_same() -> None:
    store, switch = MemoryStore(capacity_records=10), StoreSwitch()
    switch.plug(store)
    taken: list[bytes | None] = []
    switch.taps.add(lambda commit: taken.append(commit.state))
    await switch.commit(b"one", (RECORD,))
    for fault in (DiskFault.FULL, DiskFault.READ_ONLY):
        switch.suffer(fault)
        assert switch.fault is fault
        with pytest.raises(StoreFailed) as caught:
            await switch.commit(b"two", ())
        assert caught.value.condition.value in ("full", "read only")
        for writing in (switch.remove(1), switch.set_aside("why")):
            with pytest.raises(StoreFailed):
                await writing
        assert (await switch.load()).state == b"one"
        assert await switch.pending() == (RECORD,)
        assert await switch.pending_count() == 1
    switch.suffer(None)
    await switch.remove(1)
    await switch.set_aside("anew")
    assert await switch.pending_count() == 0
    await switch.close()
    assert taken == [b"one"]


async def test_a_disk_that_hangs_answers_when_the_fault_is_over() -> None:
    store, switch = MemoryStore(capacity_records=10), StoreSwitch()
    switch.plug(store)
    switch.suffer(DiskFault.HANGING)
    waiting = asyncio.create_task(switch.commit(b"late", ()))
    await asyncio.sleep(60)
    assert not waiting.done()
    switch.suffer(None)
    await waiting
    assert (await store.load()).state == b"late"


@pytest.mark.req("PWR-1")
async def test_nothing_reaches_the_disk_after_the_power_was_cut() -> None:
    store, switch = MemoryStore(capacity_records=10), StoreSwitch()
    switch.plug(store)
    await switch.commit(b"before", ())
    switch.suffer(DiskFault.HANGING)
    waiting = asyncio.create_task(switch.commit(b"too late", ()))
    await asyncio.sleep(1)
    switch.cut()
    switch.suffer(None)
    with pytest.raises(StoreFailed, match="no power"):
        await waiting
    with pytest.raises(StoreFailed, match="no power"):
        await switch.load()
    switch.plug(store)
    assert (await switch.load()).state == b"before"
