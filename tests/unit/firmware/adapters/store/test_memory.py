"""The store of a simulation; what it has in common with the one on disk is in `test_sqlite`."""

import pytest

from firmware.adapters.store import MemoryStore
from firmware.ports import StoredRecord, StoreFailed


@pytest.mark.req("PWR-1")
async def test_a_failed_commit_stores_nothing() -> None:
    memory = MemoryStore(capacity_records=5)
    record = StoredRecord(1, reveals_position=False, body=b"event")
    await memory.commit(b"old", ())
    memory.fail_next_commit("the disk is full")
    with pytest.raises(StoreFailed, match="the disk is full"):
        await memory.commit(b"new", (record,))
    assert ((await memory.load()).state, await memory.pending_count()) == (b"old", 0)
    await memory.commit(b"new", (record,))
    assert ((await memory.load()).state, await memory.pending_count()) == (b"new", 1)


async def test_what_is_vital_stays_until_it_is_replaced() -> None:
    memory = MemoryStore(capacity_records=5)
    await memory.commit(b"old", (), vital=b"vital")
    await memory.commit(b"new", ())
    assert (await memory.set_aside("gone")).vital == b"vital"
