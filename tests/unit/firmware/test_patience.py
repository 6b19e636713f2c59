"""A store that does not answer counts as one that has failed, and nothing that it may have done is shown."""

import asyncio

import pytest

from firmware.core.usage import Chained
from firmware.patience import NEVER, Patience
from firmware.ports import Dropped, StoredRecord, StoreFailed
from tests.support.hanging import HangingDisk

WITHIN_MS = 500


def record(number: int, body: bytes = b"") -> StoredRecord:
    return StoredRecord(number, False, body)


def entry(number: int, body: bytes = b"") -> Chained:
    return Chained(number, body, bytes(32))


class Waiting:
    """A patient store on a disk that can hang. `returned_at`: when the disk has answered again, loop time."""

    def __init__(self) -> None:
        self.disk = HangingDisk()
        self.returned_at: list[float] = []
        self.patience = Patience(self.disk, lambda: WITHIN_MS, lambda: self.returned_at.append(now_s()))

    async def bodies(self) -> list[tuple[int, bytes]]:
        return [(each.number, each.body) for each in await self.disk.pending(limit=99)]

    async def entries(self) -> list[tuple[int, bytes]]:
        return [(each.number, each.body) for each in await self.disk.usage()]


def now_s() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.req("PWR-2", "CUT-4")
async def test_a_commit_that_hangs_is_given_up_in_time_and_the_next_ones_at_once() -> None:
    desk = Waiting()
    desk.disk.hang()
    with pytest.raises(StoreFailed, match="does not answer"):
        await desk.patience.commit(b"state", ())
    assert now_s() == WITHIN_MS / 1000
    for call in (desk.patience.pending, desk.patience.pending_count, lambda: desk.patience.remove(1)):
        with pytest.raises(StoreFailed, match="does not answer"):
            await call()
    assert (now_s(), desk.disk.at_work) == (WITHIN_MS / 1000, 1)
    await desk.patience.close()


async def test_a_commit_that_is_just_in_time_is_as_good_as_any() -> None:
    desk = Waiting()
    desk.disk.slow_s = WITHIN_MS / 1000 - 0.001
    assert await desk.patience.commit(b"state", (record(1),)) == Dropped()
    assert [each.number for each in await desk.patience.pending()] == [1]
    assert await desk.patience.pending_count() == 1
    await desk.patience.remove(1)
    assert await desk.patience.pending() == ()
    assert desk.returned_at == []


@pytest.mark.req("PWR-1", "BKG-7")
@pytest.mark.parametrize("works", [True, False])
async def test_what_a_lost_commit_has_left_is_gone_with_the_next_one(works: bool) -> None:
    desk = Waiting()
    await desk.patience.commit(b"before", (record(1), record(2)), usage=(entry(1),))
    desk.disk.hang()
    with pytest.raises(StoreFailed):
        await desk.patience.commit(b"undone", (record(3), record(4), record(5)), usage=(entry(2), entry(3)))
    await asyncio.sleep(1)
    desk.disk.answer(works=works)
    await asyncio.sleep(1)
    assert desk.returned_at == [1.5]
    assert (await desk.disk.load()).state == (b"undone" if works else b"before")
    assert await desk.patience.commit(b"after", (record(3, b"other"),), usage=(entry(2, b"other"),)) == Dropped()
    assert (await desk.disk.load()).state == b"after"
    assert await desk.bodies() == [(1, b""), (2, b""), (3, b"other")]
    assert await desk.entries() == [(1, b""), (2, b"other")]
    await desk.patience.commit(b"on", (record(4),))
    assert [number for number, _ in await desk.bodies()] == [1, 2, 3, 4], "and it is said once"


@pytest.mark.req("TEL-5", "PWR-1")
async def test_until_then_none_of_it_is_shown_to_anybody() -> None:
    desk = Waiting()
    await desk.patience.commit(b"before", (record(1),))
    desk.disk.hang()
    with pytest.raises(StoreFailed):
        await desk.patience.commit(b"undone", (record(2), record(3)))
    desk.disk.answer(works=True)
    await asyncio.sleep(1)
    assert [number for number, _ in await desk.bodies()] == [1, 2, 3]
    assert [each.number for each in await desk.patience.pending(limit=99)] == [1]
    desk.disk.full = True
    with pytest.raises(StoreFailed, match="full"):
        await desk.patience.commit(b"nor this", (record(4),))
    assert [each.number for each in await desk.patience.pending(limit=99)] == [1]
    desk.disk.full = False
    await desk.patience.commit(b"after", ())
    assert [number for number, _ in await desk.bodies()] == [1], "what several lost commits have left is gone at once"
    assert [each.number for each in await desk.patience.pending(limit=99)] == [1]


@pytest.mark.req("TEL-5")
async def test_a_record_that_could_not_be_removed_is_not_shown_again() -> None:
    desk = Waiting()
    await desk.patience.commit(b"", (record(1), record(2)))
    desk.disk.hang()
    for _ in range(3):
        with pytest.raises(StoreFailed):
            await desk.patience.remove(1)
    assert desk.patience._acknowledged == {1}, "however often that is tried"
    with pytest.raises(StoreFailed):
        await desk.patience.pending()
    desk.disk.answer(works=False)
    await asyncio.sleep(1)
    assert [number for number, _ in await desk.bodies()] == [1, 2]
    assert [each.number for each in await desk.patience.pending()] == [2]
    assert [number for number, _ in await desk.bodies()] == [2]


async def test_a_lost_commit_of_a_state_alone_takes_nothing_along() -> None:
    desk = Waiting()
    await desk.patience.commit(b"before", (record(1), record(NEVER - 1)), usage=(entry(1),))
    desk.disk.full = True
    with pytest.raises(StoreFailed):
        await desk.patience.commit(b"undone", ())
    desk.disk.full = False
    await desk.patience.commit(b"after", ())
    assert len(await desk.bodies()) == 2
    assert len(await desk.entries()) == 1


async def test_the_store_has_answered_when_the_last_call_has() -> None:
    desk = Waiting()
    desk.disk.hang()
    calls = [asyncio.create_task(desk.patience.pending()), asyncio.create_task(desk.patience.commit(b"", ()))]
    await asyncio.wait(calls)
    assert [str(call.exception()) for call in calls] == [str(calls[0].exception())] * 2
    desk.disk.answer(works=False)
    await asyncio.sleep(1)
    assert desk.returned_at == [0.5]
    assert await desk.patience.pending() == ()


async def test_when_the_module_ends_nothing_is_left_behind() -> None:
    desk = Waiting()
    desk.disk.hang()
    tasks = len(asyncio.all_tasks())
    with pytest.raises(StoreFailed):
        await desk.patience.commit(b"", ())
    await desk.patience.close()
    assert (len(asyncio.all_tasks()), desk.disk.at_work, desk.returned_at) == (tasks, 0, [])
    again = Patience(desk.disk, lambda: WITHIN_MS, lambda: None)
    waiting = asyncio.create_task(again.commit(b"", ()))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.wait({waiting})
    await again.close()
    assert (waiting.cancelled(), len(asyncio.all_tasks()), desk.disk.at_work) == (True, tasks, 0)


async def test_what_a_boot_needs_is_waited_for() -> None:
    desk = Waiting()
    await desk.patience.commit(b"state", ())
    assert (await desk.patience.load()).state == b"state"
    assert (await desk.patience.set_aside("it makes no sense")).why == "it makes no sense"
