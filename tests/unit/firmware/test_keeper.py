"""What is written down when the disk refuses, and what a boot makes of what it finds."""

import asyncio

import msgspec
import pytest
from structlog.testing import capture_logs

from firmware.adapters.store import MemoryStore
from firmware.core import module, vital
from firmware.core.effects import Effect, Log, Persist, Report
from firmware.core.events import RecordsDropped, Trouble
from firmware.core.reports import Point, Record
from firmware.core.state import Counters, DeadBooking, Durable, EndReason, Slot, Trip
from firmware.core.usage import Chained
from firmware.keeper import Keeper, decode_durable, encode, recalled
from firmware.ports import Loaded, StoredRecord, StoreFailed
from protocol.messages import Phase
from protocol.telemetry import Channel, EventKind, StoreCondition
from tests.support.core import EPOCH, FLOOR_MS, PROFILE, a_state
from tests.support.credentials import BOOKING
from tests.support.ports import MemoryDisk

DEAD = DeadBooking(b"an ended booking", EndReason.DRIVER, 1_790_009_000, 1_789_999_000)
KNOWN = Durable(FLOOR_MS, EPOCH, dead=(DEAD,))
STATE = msgspec.structs.replace(a_state(), durable=KNOWN)
PERSIST = Persist(required=False)


def told(number: int) -> Report:
    return Report(Record(number=number, kind=EventKind.BOOTED))


def seen_at(number: int) -> Report:
    return Report(Record(number=number, channel=Channel.TRACK, point=Point(1, 2, 3)))


def alarm(number: int) -> Report:
    return Report(Record(number=number, channel=Channel.ALERT, kind=EventKind.LEFT_OPEN))


def entry(number: int) -> Log:
    return Log(Chained(number, b"entry", bytes(32)))


def told_of(events: int) -> RecordsDropped:
    return RecordsDropped(events, ((Channel.EVENT, events),))


class Desk:
    """A keeper on a disk of its own."""

    def __init__(self, disk: MemoryStore) -> None:
        self.disk = disk
        self.posted: list[RecordsDropped] = []
        self.keeper = Keeper(self.disk, lambda: int(asyncio.get_running_loop().time() * 1000), self.posted.append)

    async def save(self, *effects: Effect) -> bool:
        return await self.keeper.save(STATE, (*effects, PERSIST))

    async def numbers(self) -> list[int]:
        return [record.number for record in await self.disk.pending(limit=1_000)]


def a_disk() -> tuple[Desk, MemoryDisk]:
    disk = MemoryDisk()
    return Desk(disk), disk


# ---------------------------------------------------------------- saving
@pytest.mark.req("PWR-1", "BKG-7")
async def test_state_records_and_entries_of_a_step_are_written_together() -> None:
    desk, disk = a_disk()
    assert await desk.save(told(1), entry(1), seen_at(2))
    assert (await disk.load()).state == encode(KNOWN)[0]
    assert [(r.number, r.reveals_position, r.thinnable) for r in await disk.pending(limit=9)] == [
        (1, False, False),
        (2, True, True),
    ]
    assert len(await disk.usage()) == 1
    assert (desk.keeper.due_at_ms, desk.keeper.is_due, desk.keeper.owes_state) == (None, False, False)


@pytest.mark.req("PWR-2", "BKG-7")
async def test_a_disk_without_room_for_records_still_takes_state_and_usage_log() -> None:
    desk, disk = a_disk()
    disk.full_for_records = True
    assert await desk.save(told(1), entry(1))
    assert await desk.keeper.save(STATE, (told(2), Persist(required=True)))
    assert (await disk.load()).state is not None
    assert (await desk.numbers(), len(await disk.usage())) == ([], 1)
    assert (desk.keeper.due_at_ms, desk.keeper.is_due, desk.keeper.owes_state) == (10_000, False, False)
    await asyncio.sleep(10)
    assert desk.keeper.is_due
    disk.full_for_records = False
    assert await desk.save(told(3))
    assert await desk.numbers() == [1, 2, 3]
    assert desk.keeper.due_at_ms is None


@pytest.mark.req("PWR-2")
async def test_a_disk_that_takes_nothing_is_owed_everything_but_what_was_undone() -> None:
    desk, disk = a_disk()
    disk.full = True
    assert not await desk.save(told(1), entry(1))
    assert not await desk.keeper.save(STATE, (told(2), entry(2), Persist(required=True)))
    assert not await desk.save()
    assert desk.keeper.is_due
    disk.full = False
    assert await desk.save(told(3), entry(2))
    assert await desk.numbers() == [1, 3]
    assert [each.number for each in await disk.usage()] == [1, 2]


@pytest.mark.req("PWR-2", "TEL-4")
async def test_what_waits_is_bounded_and_events_go_last() -> None:
    desk, disk = a_disk()
    disk.full = True
    for number in range(1, 401):
        await desk.save(told(number) if number % 2 else seen_at(number))
    disk.full = False
    await desk.save()
    numbers = await desk.numbers()
    assert len(numbers) == 256
    assert numbers == sorted(numbers)
    assert [number for number in numbers if number % 2] == list(range(1, 401, 2))


@pytest.mark.req("TEL-4")
async def test_what_the_store_gave_up_is_told_at_most_every_ten_minutes() -> None:
    desk = Desk(MemoryStore(capacity_records=2))
    await desk.save(told(1), told(2))
    assert desk.posted == []
    await desk.save(told(3))
    await desk.save(told(4))
    assert desk.posted == [told_of(1)]
    await asyncio.sleep(600)
    await desk.save()
    assert desk.posted == [told_of(1), told_of(2)]
    await asyncio.sleep(600)
    await desk.save()
    assert len(desk.posted) == 2, "nothing new was given up"


@pytest.mark.req("TEL-4")
async def test_a_boot_tells_what_was_given_up_before_and_not_told_then() -> None:
    store = MemoryStore(capacity_records=1)
    await Desk(store).save(told(1), told(2), told(3))
    again = Desk(store)
    await again.save()
    assert again.posted == [told_of(2)]


@pytest.mark.req("TEL-4", "PWR-2")
async def test_what_never_reached_the_disk_is_counted_with_the_rest() -> None:
    desk, disk = a_disk()
    disk.full = True
    for number in range(1, 301):
        await desk.save(told(number) if number % 2 else seen_at(number))
    assert desk.keeper.dropped == 44
    disk.full = False
    await desk.save()
    assert desk.posted == [RecordsDropped(44, ((Channel.TRACK, 44),))]


# ---------------------------------------------------------------- positions
MOVING = msgspec.structs.replace(KNOWN, slot=Slot(1, Point(1, 2, 3)))


async def drive(desk: Desk, number: int, **changes: object) -> bool:
    """A step of a car that has moved, and nothing else."""
    moved = msgspec.structs.replace(MOVING, counters=Counters(number), slot=Slot(number, Point(number, 2, 3)))
    state = msgspec.structs.replace(STATE, durable=msgspec.structs.replace(moved, **changes))
    return await desk.keeper.save(state, (seen_at(number), PERSIST))


async def moving() -> tuple[Desk, MemoryDisk]:
    """A car that moves, with its first position on the disk."""
    desk, disk = a_disk()
    assert await drive(desk, 1)
    assert len(disk.commits) == 1
    return desk, disk


@pytest.mark.req("TEL-3")
async def test_positions_wait_for_each_other_five_seconds_at_most() -> None:
    desk, disk = await moving()
    for number in range(2, 5):
        assert await drive(desk, number)
        await asyncio.sleep(1)
    assert (desk.keeper.due_at_ms, desk.keeper.is_due, len(disk.commits)) == (5_000, False, 1)
    assert await desk.keeper.pending(limit=9) == await disk.pending(limit=9), "not told before it is kept"
    assert (await desk.keeper.pending_count(), desk.keeper.condition) == (4, StoreCondition.OK)
    await asyncio.sleep(2)
    assert desk.keeper.is_due
    assert await drive(desk, 5)
    assert (await desk.numbers(), len(disk.commits)) == ([1, 2, 3, 4, 5], 2)
    assert desk.keeper.due_at_ms is None


@pytest.mark.req("TEL-3")
async def test_ten_positions_are_written_at_once() -> None:
    desk, disk = await moving()
    for number in range(2, 12):
        assert len(disk.commits) == 1
        await drive(desk, number)
    assert (await desk.numbers(), len(disk.commits)) == (list(range(1, 12)), 2)


@pytest.mark.req("PWR-1", "PRV-2", "PRV-3", "BKG-7")
@pytest.mark.parametrize(
    ("changes", "effects"),
    [
        pytest.param({}, (told(9),), id="an event"),
        pytest.param({}, (entry(1),), id="an entry of the log"),
        pytest.param({}, (Persist(required=True),), id="what is permitted"),
        pytest.param({"floor_ms": FLOOR_MS + 1}, (), id="the time"),
        pytest.param({"slot": Slot(9)}, (), id="a withdrawal"),
        pytest.param({"slot": Slot(9, Point(1, 2, 3), parking=True)}, (), id="a parking position"),
    ],
)
async def test_anything_else_is_written_at_once_and_takes_the_positions_along(
    changes: dict[str, object], effects: tuple[Effect, ...]
) -> None:
    desk, disk = await moving()
    await drive(desk, 2)
    state = msgspec.structs.replace(STATE, durable=msgspec.structs.replace(MOVING, **changes))
    assert await desk.keeper.save(state, (*effects, PERSIST))
    assert len(disk.commits) == 2
    assert (await desk.numbers())[:2] == [1, 2]


# ---------------------------------------------------------------- the shelf
@pytest.mark.req("PWR-2")
async def test_what_a_full_disk_refuses_is_told_from_memory_in_its_place() -> None:
    desk, disk = a_disk()
    await desk.save(told(1))
    disk.full_for_records = True
    await desk.save(told(2), seen_at(3))
    await desk.save(alarm(4))
    assert [record.number for record in await desk.keeper.pending(limit=9)] == [4, 1, 2, 3]
    assert [record.number for record in await desk.keeper.pending(reveals_position=False, limit=2)] == [4, 1]
    assert await desk.keeper.pending_count() == 4
    await desk.keeper.remove(4, 1, 2)
    assert [record.number for record in await desk.keeper.pending(limit=9)] == [3]
    disk.full_for_records = False
    await asyncio.sleep(10)
    await desk.save()
    assert await desk.numbers() == [3]
    assert desk.keeper.condition is StoreCondition.OK


@pytest.mark.req("PWR-2")
async def test_when_not_even_numbers_can_be_kept_what_waits_is_told_after_one_more_try() -> None:
    desk, disk = a_disk()
    disk.full, disk.refuses_as = True, StoreCondition.READ_ONLY
    await desk.save(alarm(1), told(3))
    assert desk.keeper.condition is StoreCondition.READ_ONLY
    disk.unreadable = 9
    with pytest.raises(StoreFailed):
        await desk.keeper.pending(limit=9)
    await asyncio.sleep(10)
    await desk.save()
    assert [record.number for record in await desk.keeper.pending(limit=9)] == [1]
    await desk.keeper.remove(1)
    assert await desk.keeper.pending(limit=9) == (), "the rest must not overtake what lies in the store"
    disk.unreadable = 0
    assert [record.number for record in await desk.keeper.pending(limit=9)] == [3]
    disk.full = False
    await desk.save(told(4))
    assert await desk.numbers() == [3, 4]


@pytest.mark.req("TEL-5")
async def test_what_is_forgotten_while_it_is_being_written_does_not_come_back() -> None:
    desk, disk = a_disk()
    disk.full_for_records = True
    await desk.save(told(1))
    await desk.save(told(2))
    for works in (False, True):
        disk.full_for_records, disk.slow_s = not works, 1.0
        saving = asyncio.create_task(desk.save(told(3)))
        await asyncio.sleep(0.5)
        await desk.keeper.remove(2 if works else 1)
        assert await saving
        disk.slow_s = 0
    assert await desk.numbers() == [3]


# ---------------------------------------------------------------- recalling
async def test_a_new_store_has_nothing_to_recall() -> None:
    desk, _ = a_disk()
    assert await desk.keeper.recall(PROFILE) == (None, None)


@pytest.mark.req("PWR-1")
async def test_a_boot_gets_exactly_what_was_committed() -> None:
    desk, disk = a_disk()
    await desk.save(told(1))
    assert await Desk(disk).keeper.recall(PROFILE) == (KNOWN, None)


@pytest.mark.req("PWR-1", "ACC-5")
async def test_a_state_that_can_not_be_read_is_set_aside_and_the_dead_stay_dead() -> None:
    desk, disk = a_disk()
    await disk.commit(b"no state", (), vital=encode(KNOWN)[1])
    durable, trouble = await desk.keeper.recall(PROFILE)
    assert trouble is Trouble.REBUILT
    assert durable is not None
    assert durable.dead == (DEAD,)
    state, _ = module.boot(durable, PROFILE, 0, trouble)
    assert not state.durable.trip.running


@pytest.mark.req("PWR-1", "ACC-5")
async def test_when_nothing_can_be_read_the_module_knows_that_it_has_forgotten() -> None:
    desk, disk = a_disk()
    await disk.commit(b"no state", (), vital=b"nor this")
    durable, trouble = await desk.keeper.recall(PROFILE)
    assert (durable, trouble) == (Durable(FLOOR_MS, EPOCH, forgetful=True), Trouble.REBUILT)


@pytest.mark.req("ACC-5")
def test_an_older_state_learns_from_what_is_vital() -> None:
    older = encode(Durable(FLOOR_MS, EPOCH))[0]
    durable = recalled(Loaded(older, encode(KNOWN)[1], Trouble.ROLLED_BACK), PROFILE)
    assert durable == vital.restored(Durable(FLOOR_MS, EPOCH), vital.of(KNOWN), PROFILE)
    assert recalled(Loaded(None, None, Trouble.READ_ONLY), PROFILE) is None


def test_bytes_that_are_no_state_are_refused_in_one_line() -> None:
    assert decode_durable(encode(KNOWN)[0]) == KNOWN
    with pytest.raises(StoreFailed, match="the stored state can not be read"):
        decode_durable(b"")


# ---------------------------------------------------------------- a card of another module
FOREIGN = msgspec.structs.replace(KNOWN, module_id=b"another!", floor_ms=FLOOR_MS + 9)
FORGETFUL = Durable(FLOOR_MS, EPOCH, forgetful=True)


@pytest.mark.req("ACC-5", "PWR-1", "TEL-3")
async def test_the_store_of_another_module_is_set_aside_as_a_whole_and_said_in_one_line() -> None:
    desk, disk = a_disk()
    state, noted = encode(FOREIGN)
    await disk.commit(state, (_record(1),), vital=noted, usage=(entry(1).entry,))
    with capture_logs() as logged:
        assert await desk.keeper.recall(PROFILE) == (FORGETFUL, Trouble.REBUILT)
    assert await desk.numbers() == []
    assert await disk.usage() == ()
    (line,) = [line for line in logged if line["event"] == "stored state"]
    assert line["why"] == (
        f"the stored state is that of module {b'another!'.hex()}, and this is {PROFILE.module_id.hex()}: put the card "
        f"back into its own module; this one begins anew"
    )


@pytest.mark.req("ACC-5")
def test_what_another_module_noted_counts_as_lost() -> None:
    noted = encode(FOREIGN)[1]
    assert recalled(Loaded(None, noted, Trouble.REBUILT), PROFILE) == FORGETFUL
    assert recalled(Loaded(None, noted, Trouble.READ_ONLY), PROFILE) == FORGETFUL
    assert recalled(Loaded(encode(KNOWN)[0], noted, Trouble.ROLLED_BACK), PROFILE) == KNOWN


@pytest.mark.req("PWR-1")
def test_a_state_of_before_states_had_owners_is_ones_own_unless_its_booking_says_otherwise() -> None:
    assert recalled(Loaded(encode(KNOWN)[0]), PROFILE) == KNOWN
    own = msgspec.structs.replace(KNOWN, module_id=PROFILE.module_id, trip=Trip(Phase.ENDED, BOOKING))
    for durable in (own, msgspec.structs.replace(own, module_id=b"")):
        assert recalled(Loaded(encode(durable)[0]), PROFILE) == durable
    theirs = msgspec.structs.replace(BOOKING, module_id=b"another!")
    with pytest.raises(StoreFailed, match=b"another!".hex()):
        recalled(Loaded(encode(msgspec.structs.replace(KNOWN, trip=Trip(Phase.ENDED, theirs)))[0]), PROFILE)


@pytest.mark.req("PWR-1")
def test_stored_bytes_without_an_owner_can_still_be_read() -> None:
    known, noted = (msgspec.msgpack.decode(part) for part in encode(KNOWN))
    del known["module_id"]
    older = Loaded(msgspec.msgpack.encode(known), msgspec.msgpack.encode(noted[:-2]), Trouble.ROLLED_BACK)
    before_s = KNOWN.floor_ms // 1000 + 1
    assert recalled(older, PROFILE) == msgspec.structs.replace(KNOWN, orders_before_s=before_s)


def _record(number: int) -> StoredRecord:
    return StoredRecord(number, False, b"theirs")
