"""The courier: from the store to the broker, and forgotten only when acknowledged."""

import asyncio
import json
from collections.abc import AsyncIterator

import msgspec
import pytest

from firmware.core.events import Event, PositionSlotAcknowledged
from firmware.core.reports import Point, Record
from firmware.core.state import Slot, State
from firmware.outbox import Courier, decode_record
from firmware.ports import StoredRecord, StoreFailed
from protocol.telemetry import Channel, EventKind
from tests.support.core import BEGINS_MS, a_state, durably, running
from tests.support.ports import MemoryBroker, MemoryDisk

replace = msgspec.structs.replace

POINT = Point(481_371_540, 115_761_240, BEGINS_MS)


def event(number: int, kind: EventKind = EventKind.BOOTED) -> StoredRecord:
    return stored(Record(number, Channel.EVENT, number, BEGINS_MS, "synced", kind))


def position(number: int) -> StoredRecord:
    return stored(Record(number, Channel.TRACK, number, BEGINS_MS, "synced", point=POINT))


def stored(record: Record) -> StoredRecord:
    return StoredRecord(record.number, record.reveals_position, msgspec.msgpack.encode(record))


class Office:
    """A courier with its surroundings; the core answers an acknowledged slot as the real one does."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.broker = MemoryBroker(self.changed)
        self.disk = MemoryDisk()
        self.now = 0
        self.state: State = replace(a_state(), broker_connected=True)
        self.posted: list[Event] = []
        self.forgets = False
        self.courier = Courier(self.disk, self.broker, lambda: (self.state, self.now), self._post)
        self.task = asyncio.create_task(self.courier.run())

    def become(self, state: State, *, connected: bool = True) -> None:
        """The module is now in another state."""
        self.state = replace(state, broker_connected=connected)
        self.courier.wake()

    async def keep(self, *records: StoredRecord) -> None:
        """More records lie in the store."""
        await self.disk.commit(None, records)
        self.courier.wake()

    async def sent(self, count: int) -> list[str]:
        """The channels of what has been published, once there are that many."""
        async with asyncio.timeout(60):
            while len(self.broker.published) < count:
                self.changed.clear()
                await self.changed.wait()
        assert len(self.broker.published) == count
        return [publication.topic.split("/", 2)[2] for publication in self.broker.published]

    async def quiet(self) -> None:
        """A minute later, whatever could be delivered has been."""
        await asyncio.sleep(60)

    def _post(self, event: Event) -> None:
        self.posted.append(event)
        slot = self.state.durable.slot
        if isinstance(event, PositionSlotAcknowledged) and event.version == slot.version and not self.forgets:
            self.become(durably(self.state, slot=replace(slot, acknowledged=True)))


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    office = Office()
    yield office
    office.task.cancel()
    await asyncio.gather(office.task, return_exceptions=True)


@pytest.mark.req("TEL-3", "TEL-5")
async def test_records_go_out_in_order_and_are_forgotten_when_acknowledged(office: Office) -> None:
    await office.keep(event(1), position(2), event(3))
    assert await office.sent(3) == ["event", "track", "event"]
    await office.quiet()
    assert await office.disk.pending_count() == 0
    assert [json.loads(payload)["stamp"]["seq"] for payload in office.broker.on("event")] == [1, 3]
    assert office.broker.published[0].topic == "sharebox/0011223344556677/event"


@pytest.mark.req("TEL-5")
async def test_what_was_not_acknowledged_is_sent_again_with_the_same_number(office: Office) -> None:
    office.broker.refusals = 2
    await office.keep(event(7))
    await office.sent(1)
    assert asyncio.get_running_loop().time() == 2.0
    assert json.loads(office.broker.on("event")[0])["stamp"]["seq"] == 7


async def test_a_store_that_can_not_be_read_is_tried_again(office: Office) -> None:
    office.disk.unreadable = 3
    await office.keep(event(1))
    assert await office.sent(1) == ["event"]
    assert asyncio.get_running_loop().time() == 3.0


@pytest.mark.req("TEL-3")
async def test_nothing_is_sent_without_a_connection(office: Office) -> None:
    office.become(a_state(), connected=False)
    await office.keep(event(1))
    await office.quiet()
    assert office.broker.published == []
    office.become(a_state())
    assert await office.sent(1) == ["event"]


@pytest.mark.req("PRV-2")
async def test_the_retained_position_goes_first(office: Office) -> None:
    office.become(a_state(), connected=False)
    await office.keep(event(1))
    office.become(a_state(slot=Slot(5, POINT, True, acknowledged=False)))
    assert await office.sent(2) == ["position", "event"]
    assert office.broker.published[0].retain
    assert office.posted == [PositionSlotAcknowledged(5)]


@pytest.mark.req("PRV-1")
async def test_positions_wait_during_a_drivers_booking_and_the_rest_goes_on(office: Office) -> None:
    office.become(running())
    await office.keep(position(1), event(2), position(3), event(4))
    assert await office.sent(2) == ["event", "event"]
    await office.quiet()
    assert await office.disk.pending_count() == 2
    office.become(a_state())
    assert await office.sent(4) == ["event", "event", "track", "track"]


@pytest.mark.req("PRV-1")
async def test_a_booking_that_starts_while_the_store_is_read_is_in_time(office: Office) -> None:
    class Late(MemoryDisk):
        """A booking starts while this store looks for a record."""

        async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
            found = await super().pending(reveals_position=reveals_position, limit=limit)
            office.become(running())
            return found

    disk = Late()
    await disk.commit(None, (position(1),))
    courier = Courier(disk, office.broker, lambda: (office.state, 0), office._post)
    task = asyncio.create_task(courier.run())
    await office.quiet()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert office.broker.published == []
    assert await disk.pending_count() == 1


@pytest.mark.req("PRV-3")
async def test_a_slot_that_changes_while_it_is_sent_is_sent_again(office: Office) -> None:
    office.become(a_state(slot=Slot(5, POINT, True, acknowledged=False)))
    await office.sent(1)
    office.become(durably(running(), slot=Slot(6, acknowledged=False)))
    assert await office.sent(2) == ["position", "position"]
    assert office.broker.retained["position"] == b""


async def test_an_acknowledgement_that_the_core_never_heard_is_given_again(office: Office) -> None:
    office.forgets = True
    office.become(a_state(slot=Slot(5, POINT, True, acknowledged=False)))
    await office.sent(1)
    office.forgets = False
    await office.keep(event(1))
    assert await office.sent(3) == ["position", "position", "event"]
    assert asyncio.get_running_loop().time() == 1.0


@pytest.mark.req("PWR-1")
async def test_a_record_that_can_not_be_read_is_given_up(office: Office) -> None:
    await office.keep(StoredRecord(1, False, b"\xc1 no record"), event(2))
    assert await office.sent(1) == ["event"]
    await office.quiet()
    assert await office.disk.pending_count() == 0


def test_a_record_reads_back_as_it_was_written() -> None:
    assert decode_record(position(3).body) == Record(3, Channel.TRACK, 3, BEGINS_MS, "synced", point=POINT)
    with pytest.raises(StoreFailed, match="a stored record can not be read"):
        decode_record(b"\xc1")


@pytest.mark.req("PWR-2")
@pytest.mark.parametrize(
    "damage",
    [
        {"utc_ms": 2**60},
        {"utc_ms": -1},
        {"point": Point(0, 0, 2**60)},
        {"channel": Channel.ORDER_RESULT, "point": None},
        {"channel": Channel.ORDER_RESULT, "point": None, "numbers": (("code", 0),)},
    ],
)
def test_a_record_that_could_not_be_sent_was_not_read(damage: dict[str, object]) -> None:
    record = msgspec.structs.replace(decode_record(position(3).body), **damage)
    with pytest.raises(StoreFailed, match="lacks what its channel tells"):
        decode_record(msgspec.msgpack.encode(record))


def test_a_record_whose_text_is_damaged_was_not_read() -> None:
    damaged = position(3).body.replace(b"synced", b"\xffynced")
    with pytest.raises(StoreFailed, match="a stored record can not be read"):
        decode_record(damaged)
