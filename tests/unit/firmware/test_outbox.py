"""The courier: from the store to the broker, and forgotten only when acknowledged."""

import asyncio
import json
from collections.abc import AsyncIterator

import msgspec
import pytest

from firmware.core.effects import Persist, Report
from firmware.core.events import Event, PositionSlotAcknowledged
from firmware.core.reports import Point, Record
from firmware.core.state import Counters, Slot, State
from firmware.keeper import RETRY_SAVE_MS, Keeper
from firmware.outbox import GROUP_RECORDS, MOST_SAID, WINDOW, Courier
from firmware.ports import Publication, StoredRecord, StoreFailed
from protocol.errors import Role
from protocol.telemetry import Channel, EventKind, decode_backlog
from tests.support.core import BEGINS_MS, a_state, durably, running
from tests.support.credentials import BOOKING
from tests.support.ports import MemoryBroker, MemoryDisk

replace = msgspec.structs.replace

POINT = Point(481_371_540, 115_761_240, BEGINS_MS)


def event(number: int, kind: EventKind = EventKind.BOOTED) -> StoredRecord:
    return stored(Record(number, Channel.EVENT, number, BEGINS_MS, "synced", kind))


def position(number: int) -> StoredRecord:
    return stored(Record(number, Channel.TRACK, number, BEGINS_MS, "synced", point=POINT))


def alert(number: int) -> StoredRecord:
    return stored(Record(number, Channel.ALERT, number, BEGINS_MS, "synced", EventKind.LEFT_OPEN))


def stored(record: Record) -> StoredRecord:
    return StoredRecord(record.number, record.reveals_position, msgspec.msgpack.encode(record), urgent=record.urgent)


def booted(state: State) -> State:
    """After the first boot."""
    return durably(state, counters=Counters(boot=1))


class Letters(MemoryBroker):
    """Keeps reports of health apart."""

    def __init__(self, changed: asyncio.Event) -> None:
        super().__init__(changed)
        self.health: list[dict[str, object]] = []

    def arrived(self, publication: Publication) -> None:
        if publication.topic.endswith("/health"):
            assert publication.retain
            self.health.append(json.loads(publication.payload))
        else:
            super().arrived(publication)


class Office:
    """A courier with its surroundings; the core answers an acknowledged slot as the real one does."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.broker = Letters(self.changed)
        self.disk = MemoryDisk(10_000)
        self.now = 0
        self.state: State = booted(replace(a_state(), broker_connected=True))
        self.posted: list[Event] = []
        self.forgets = False
        self.courier, self.task = self.hire(self.disk)

    def hire(self, disk: MemoryDisk) -> tuple[Courier, asyncio.Task[None]]:
        """A courier of its own for a disk."""
        self.keeper = Keeper(disk, lambda: self.now, self._post)
        courier = Courier(self.keeper, self.broker, lambda: (self.state, self.now), self._post, version="1.2.3")
        return courier, asyncio.create_task(courier.run())

    def become(self, state: State, *, connected: bool = True) -> None:
        """The module is now in another state, and nothing was stored."""
        self.state = booted(replace(state, broker_connected=connected))
        self.courier.guard()
        self.courier.wake(stored=False)

    async def under_way(self, count: int) -> None:
        """Wait until so many publications were handed over to a broker that takes none."""
        async with asyncio.timeout(60):
            while len(self.broker.under_way) < count:
                self.changed.clear()
                await self.changed.wait()

    @property
    def seqs(self) -> list[int]:
        """What arrived, by number, as a receiver sees it."""
        found: list[int] = []
        for publication in self.broker.published:
            if publication.topic.endswith("/backlog"):
                found += [json.loads(entry.report)["stamp"]["seq"] for entry in decode_backlog(publication.payload)]
            elif publication.payload:
                found.append(json.loads(publication.payload)["stamp"]["seq"])
        return found

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
    await asyncio.sleep(0)
    await asyncio.sleep(0)
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
    await office.quiet()
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
    _, task = office.hire(disk)
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
    await asyncio.sleep(0.1)
    office.forgets = False
    await office.keep(event(1))
    assert await office.sent(2) == ["position", "event"]
    assert await office.sent(3) == ["position", "event", "position"]
    assert asyncio.get_running_loop().time() == pytest.approx(1.0)


@pytest.mark.req("PWR-1")
async def test_a_record_that_can_not_be_read_is_given_up(office: Office) -> None:
    await office.keep(StoredRecord(1, False, b"\xc1 no record"), event(2))
    assert await office.sent(1) == ["event"]
    await office.quiet()
    assert await office.disk.pending_count() == 0


# ---------------------------------------------------------------- looking into the store
async def test_a_step_that_stores_nothing_looks_into_no_store(office: Office) -> None:
    await office.quiet()
    office.disk.unreadable = 1_000  # each look is counted
    for _ in range(100):
        office.courier.wake(stored=False)
        await asyncio.sleep(0.5)
    assert office.disk.unreadable == 1_000
    office.disk.unreadable = 0
    await office.keep(event(1))
    assert await office.sent(1) == ["event"]


async def test_what_a_full_disk_leaves_in_memory_is_looked_for_at_each_step(office: Office) -> None:
    office.disk.full = True
    left = Record(1, Channel.EVENT, 1, BEGINS_MS, "synced", EventKind.BOOTED)
    assert not await office.keeper.save(office.state, (Report(left),))
    office.courier.wake(stored=False)
    await office.quiet()
    assert office.broker.published == [], "it may be given another number yet"
    office.now += RETRY_SAVE_MS
    office.courier.wake(stored=False)
    assert await office.sent(1) == ["event"]


# ---------------------------------------------------------------- the window
@pytest.mark.req("TEL-3", "TEL-5")
async def test_so_many_are_under_way_at_once_and_arrive_in_order(office: Office) -> None:
    office.broker.holds = True
    for number in range(1, WINDOW + 4):
        await office.keep(event(number))
        await asyncio.sleep(1)
    assert [json.loads(each.payload)["stamp"]["seq"] for each, _ in office.broker.under_way] == list(range(1, 9))
    assert await office.disk.pending_count() == 11, "nothing is forgotten before it was acknowledged"
    office.broker.release()
    await office.quiet()
    assert office.seqs == list(range(1, 12))
    assert await office.disk.pending_count() == 0


@pytest.mark.req("TEL-5")
async def test_behind_one_that_failed_all_are_sent_again_in_order(office: Office) -> None:
    office.broker.holds = True
    await office.keep(*(event(number) for number in range(1, 7)))
    await office.under_way(6)
    office.broker._take()
    office.broker._take()
    office.broker.lose("the line broke")
    office.broker.holds = False
    await office.quiet()
    assert office.seqs == [1, 2, 3, 4, 5, 6]
    assert await office.disk.pending_count() == 0


async def test_a_new_connection_does_not_wait_for_the_pause_of_the_old_one(office: Office) -> None:
    office.broker.refusals = 1
    await office.keep(event(1))
    await asyncio.sleep(0.1)
    assert office.broker.published == []
    office.become(a_state(), connected=False)
    office.become(a_state())
    await office.sent(1)
    assert asyncio.get_running_loop().time() == pytest.approx(0.1)


@pytest.mark.req("TEL-3")
async def test_a_backlog_goes_in_batches_and_comes_out_in_order(office: Office) -> None:
    office.become(a_state(), connected=False)
    await office.keep(*((event, position)[number % 2](number) for number in range(1, 1_301)))
    office.become(a_state())
    await office.quiet()
    assert office.seqs == list(range(1, 1_301))
    topics = [publication.topic.rpartition("/")[2] for publication in office.broker.published]
    assert topics == ["backlog"] * 21
    assert dict(office.broker.published[0].attributes)["content-encoding"] == "deflate"
    assert not any(publication.retain for publication in office.broker.published)
    assert await office.disk.pending_count() == 0


@pytest.mark.req("TEL-4")
async def test_alerts_overtake_history(office: Office) -> None:
    office.broker.holds = True
    await office.keep(*(event(number) for number in range(1, 701)))
    await office.under_way(WINDOW)
    await office.keep(alert(701))
    office.broker.release()
    office.broker.holds = False
    await office.quiet()
    topics = [publication.topic.rpartition("/")[2] for publication in office.broker.published]
    assert topics.index("alert") == WINDOW, "right behind what was under way"
    assert [number for number in office.seqs if number != 701] == list(range(1, 701))


@pytest.mark.req("TEL-5")
async def test_what_was_acknowledged_is_forgotten_in_groups(office: Office) -> None:
    groups: list[int] = []

    class Counting(MemoryDisk):
        async def remove(self, *numbers: int) -> None:
            groups.append(len(numbers))
            await super().remove(*numbers)

    disk = Counting(10_000)
    await disk.commit(None, tuple(event(number) for number in range(1, 2_001)))
    _, task = office.hire(disk)
    await office.quiet()
    task.cancel()
    assert sum(groups) == 2_000
    assert len(groups) <= 2_000 / GROUP_RECORDS + 1
    assert office.seqs == list(range(1, 2_001))


@pytest.mark.req("PWR-2")
async def test_a_store_that_can_not_forget_does_not_send_twice_nor_stop(office: Office) -> None:
    class Stuck(MemoryDisk):
        stuck = True

        async def remove(self, *numbers: int) -> None:
            if self.stuck:
                raise StoreFailed("the disk is read-only")
            await super().remove(*numbers)

    disk = Stuck()
    await disk.commit(None, (event(1), event(2)))
    courier, task = office.hire(disk)
    await office.quiet()
    await disk.commit(None, (event(3),))
    courier.wake()
    await office.quiet()
    assert office.seqs == [1, 2, 3]
    assert await disk.pending_count() == 3
    disk.stuck = False
    await office.quiet()
    assert await disk.pending_count() == 0
    task.cancel()


@pytest.mark.req("PRV-2", "PWR-2")
async def test_the_retained_position_goes_out_although_the_store_can_not_be_read(office: Office) -> None:
    office.disk.unreadable = 1_000
    await office.keep(event(1))
    office.become(a_state(slot=Slot(5, POINT, True, acknowledged=False)))
    assert await office.sent(1) == ["position"]
    assert asyncio.get_running_loop().time() == 0


# ---------------------------------------------------------------- health
@pytest.mark.req("TEL-1", "TEL-4")
async def test_health_is_told_on_connection_regularly_and_when_the_stores_trouble_changes(office: Office) -> None:
    await office.quiet()
    assert len(office.broker.health) == 1
    told = office.broker.health[0]
    assert (told["queued"], told["dropped"], told["store"], told["version"]) == (0, 0, "ok", "1.2.3")
    await asyncio.sleep(300)
    assert len(office.broker.health) == 2
    office.become(a_state(), connected=False)
    await office.keep(event(1), event(2))
    office.become(a_state())
    await office.quiet()
    assert [health["queued"] for health in office.broker.health] == [0, 0, 2]
    office.disk.full = True
    await office.keeper.save(office.state, (Persist(required=False),))
    office.courier.wake()
    await office.quiet()
    assert [health["store"] for health in office.broker.health] == ["ok", "ok", "ok", "full"]


@pytest.mark.req("PWR-2")
async def test_a_connection_that_is_lost_while_records_are_counted_is_told_nothing(office: Office) -> None:
    class Slow(MemoryDisk):
        async def pending_count(self) -> int:
            office.become(a_state(), connected=False)
            return await super().pending_count()

    office.task.cancel()
    _, task = office.hire(Slow())
    told = len(office.broker.health)
    await office.quiet()
    assert len(office.broker.health) == told
    task.cancel()


# ---------------------------------------------------------------- what is taken back
@pytest.mark.req("PRV-1")
@pytest.mark.parametrize("what", ["record", "backlog", "slot"])
async def test_a_position_on_its_way_is_taken_back_when_a_drivers_booking_begins(office: Office, what: str) -> None:
    office.broker.holds = True
    if what == "slot":
        office.become(a_state(slot=Slot(5, POINT, True, acknowledged=False)))
    else:
        await office.keep(*(position(number) for number in range(1, 2 if what == "record" else 40)))
    await office.under_way(1)
    office.become(durably(running(), slot=Slot(6, acknowledged=False)))
    assert len(office.broker.severed) == 1
    office.broker.holds = False
    await office.quiet()
    assert [(each.topic.rpartition("/")[2], each.payload) for each in office.broker.published] == [("position", b"")]
    office.become(a_state())
    await office.quiet()
    assert office.seqs == list(range(1, {"record": 2, "backlog": 40, "slot": 1}[what]))


@pytest.mark.req("PRV-1")
async def test_what_reveals_nothing_is_not_taken_back_nor_what_has_been_acknowledged(office: Office) -> None:
    office.broker.holds = True
    await office.keep(event(1))
    await office.under_way(1)
    office.become(running())
    office.become(a_state())
    await office.keep(position(2))
    await office.under_way(2)
    office.broker.release()
    office.become(running())  # in the same moment: the courier has not looked yet
    office.broker.holds = False
    await office.quiet()
    assert office.broker.severed == []
    assert office.seqs == [1, 2]
    assert await office.disk.pending_count() == 0


# ---------------------------------------------------------------- another owner
@pytest.mark.req("OWN-4")
@pytest.mark.parametrize("connected", [True, False])
async def test_positions_of_another_owner_are_forgotten_and_never_leave(office: Office, connected: bool) -> None:
    office.become(running())
    await office.keep(position(1), event(2), *(position(number) for number in range(3, 600)))
    await office.quiet()
    office.become(a_state(erased_before=600), connected=connected)
    await office.keep(position(600), event(601))
    await office.quiet()
    assert await office.disk.pending_count() == (0 if connected else 2)
    office.become(a_state(erased_before=600))
    await office.quiet()
    assert office.seqs == [2, 600, 601]


@pytest.mark.req("OWN-4")
async def test_a_position_that_was_read_or_is_on_its_way_when_the_car_changes_hands_is_taken_back(
    office: Office,
) -> None:
    office.broker.holds = True
    await office.keep(*(position(number) for number in range(1, 5)), event(5))
    await office.under_way(5)
    office.become(a_state(erased_before=5))
    assert office.broker.severed == ["another owner has the car while a position is on its way"]
    office.become(a_state(erased_before=5))
    office.broker.holds = False
    await office.quiet()
    assert office.seqs == [5]
    assert len(office.broker.severed) == 1


@pytest.mark.req("OWN-4")
async def test_a_car_that_changes_hands_while_the_store_is_read_is_in_time(office: Office) -> None:
    class Late(MemoryDisk):
        """The car changes hands while this store looks for records."""

        async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
            found = await super().pending(reveals_position=reveals_position, limit=limit)
            office.become(a_state(erased_before=3))
            return found

    disk = Late()
    await disk.commit(None, (position(1), position(2), event(3)))
    _, task = office.hire(disk)
    await office.quiet()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert office.seqs == [3]
    assert await disk.pending_count() == 0


@pytest.mark.req("OWN-4")
async def test_a_store_that_can_not_be_read_has_its_positions_forgotten_later(office: Office) -> None:
    office.become(a_state(), connected=False)
    await office.keep(position(1))
    office.disk.unreadable = 3
    office.become(a_state(erased_before=2), connected=False)
    await office.quiet()
    assert await office.disk.pending_count() == 0


@pytest.mark.req("PRV-4")
async def test_an_owners_booking_takes_nothing_back(office: Office) -> None:
    office.broker.holds = True
    await office.keep(position(1))
    await office.under_way(1)
    office.become(running(replace(BOOKING, role=Role.OWNER)))
    assert office.broker.severed == []


# ---------------------------------------------------------------- answers that are no records
async def test_an_answer_goes_before_all_records_and_is_not_kept(office: Office) -> None:
    office.broker.holds = True
    await office.keep(*(event(number) for number in range(1, 701)))
    await office.under_way(WINDOW)
    answer = Record(0, Channel.ORDER_RESULT, 1, BEGINS_MS, "synced", reason="TOKEN_MALFORMED", correlation=b"who")
    answer = replace(answer, numbers=(("code", 3), ("pending", 0)))
    office.courier.say(answer)
    office.broker.release()
    office.broker.holds = False
    await office.quiet()
    said = office.broker.published[WINDOW]
    assert (said.topic, said.correlation) == ("sharebox/0011223344556677/order/result", b"who")
    assert said.expiry_s is not None


async def test_answers_are_for_now_and_never_many(office: Office) -> None:
    answer = Record(0, Channel.ORDER_RESULT, 1, BEGINS_MS, "synced", numbers=(("code", 3), ("pending", 0)))
    office.become(a_state(), connected=False)
    office.courier.say(answer)
    office.become(a_state())
    for _ in range(100):
        office.courier.say(answer)
    await office.quiet()
    assert len(office.broker.published) == MOST_SAID
    office.broker.holds = True
    for _ in range(100):
        office.courier.say(answer)
    office.become(a_state(), connected=False)
    office.broker.lose("gone")
    office.broker.holds = False
    office.become(a_state())
    await office.quiet()
    assert len(office.broker.published) == MOST_SAID, "nothing of the old connection"


async def test_a_broker_that_fails_in_another_way_is_a_bug() -> None:
    class Broken(MemoryBroker):
        def publish(self, publication: Publication) -> "asyncio.Future[None]":
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.set_exception(ZeroDivisionError())
            return future

    disk = MemoryDisk()
    await disk.commit(None, (event(1),))
    state = replace(a_state(), broker_connected=True)
    keeper = Keeper(disk, lambda: 0, lambda _: None)
    courier = Courier(keeper, Broken(asyncio.Event()), lambda: (state, 0), lambda _: None, version="1.2.3")
    with pytest.raises(ZeroDivisionError):
        await courier.run()
