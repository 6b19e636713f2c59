"""What goes next, and together."""

import msgspec
import pytest

from firmware.core.reports import Point, Record
from firmware.page import MAX_BATCH_BYTES, Page, decode_record
from firmware.ports import StoredRecord, StoreFailed
from protocol.telemetry import MAX_BACKLOG_BYTES, Channel, EventKind
from tests.support.core import BEGINS_MS

POINT = Point(481_371_540, 115_761_240, BEGINS_MS)


def event(number: int, *, size: int = 0) -> StoredRecord:
    return stored(Record(number, Channel.EVENT, number, BEGINS_MS, "synced", EventKind.BOOTED, reason="x" * size))


def alert(number: int) -> StoredRecord:
    return stored(Record(number, Channel.ALERT, number, BEGINS_MS, "synced", EventKind.LEFT_OPEN))


def state(number: int) -> StoredRecord:
    return stored(Record(number, Channel.STATE, number, BEGINS_MS, "synced", signals=(("Vehicle.X", True),)))


def position(number: int) -> StoredRecord:
    return stored(Record(number, Channel.TRACK, number, BEGINS_MS, "synced", point=POINT))


def stored(record: Record) -> StoredRecord:
    return StoredRecord(
        record.number, record.reveals_position, msgspec.msgpack.encode(record), urgent=record.channel is Channel.ALERT
    )


def taken(page: Page, alone: int = 8) -> list[list[int]]:
    """All publications, by the numbers in them."""
    found = []
    while records := page.take(alone):
        found.append([record.number for record in records])
    return found


@pytest.mark.req("TEL-3")
def test_a_few_go_one_by_one_and_many_in_batches_until_a_few_are_left() -> None:
    page = Page()
    page.fill([event(number) for number in range(1, 9)], (), is_all=True)
    assert taken(page) == [[number] for number in range(1, 9)]
    page.fill([event(number) for number in range(1, 10)], (), is_all=True)
    assert taken(page) == [list(range(1, 10))]
    page.fill([event(number) for number in range(1, 136)], (), is_all=True)
    assert taken(page) == [list(range(1, 65)), list(range(65, 129)), *([number] for number in range(129, 136))]
    assert page.take(8) == ()


@pytest.mark.req("TEL-3")
def test_urgent_records_go_alone() -> None:
    page = Page()
    page.fill([alert(40), alert(41), *(event(number) for number in range(1, 12))], (), is_all=True)
    assert taken(page) == [[40], [41], list(range(1, 12))]


@pytest.mark.req("TEL-1")
def test_the_newest_state_goes_alone_so_that_the_broker_retains_it() -> None:
    records = [state(1), *(event(number) for number in range(2, 12)), state(12), *map(event, range(13, 24))]
    page = Page()
    page.fill(records, (), is_all=True)
    assert taken(page) == [list(range(1, 12)), [12], list(range(13, 24))]
    page.fill([*records, *map(position, range(24, 100))], (), is_all=False)
    assert [record.number for record in page.take(8)] == list(range(1, 65)), "a newer one may wait in the store"


def test_a_page_wants_more_when_it_is_not_enough_for_a_batch_and_the_store_has_more() -> None:
    page = Page()
    assert page.wanting
    page.fill([event(number) for number in range(1, 65)], (), is_all=False)
    page.outdated = False
    assert not page.wanting
    page.take(8)
    assert page.wanting
    page.fill([], (), is_all=True)
    assert not page.wanting
    page.outdated = True
    assert page.wanting


def test_what_is_under_way_is_skipped_and_what_can_not_be_read_is_named() -> None:
    page = Page()
    foreign = StoredRecord(7, reveals_position=False, body=event(8).body)
    found = [event(1), event(2), StoredRecord(3, reveals_position=False, body=b"\xc1"), event(4), foreign]
    assert page.fill(found, {1, 4}, is_all=True) == [3, 7]
    assert taken(page) == [[2]]


@pytest.mark.req("SEC-1")
def test_a_batch_stays_within_what_readers_inflate() -> None:
    page = Page()
    page.fill([event(number, size=9_000) for number in range(1, 21)], (), is_all=True)
    assert taken(page) == [list(range(1, 8)), list(range(8, 15)), *([number] for number in range(15, 21))]
    page.fill([event(number, size=MAX_BATCH_BYTES) for number in range(1, 11)], (), is_all=True)
    assert taken(page) == [[number] for number in range(1, 11)], "one is always taken"
    assert MAX_BATCH_BYTES * 3 < MAX_BACKLOG_BYTES


def test_a_record_reads_back_as_it_was_written() -> None:
    assert decode_record(position(3).body, 3) == Record(3, Channel.TRACK, 3, BEGINS_MS, "synced", point=POINT)
    assert decode_record(position(3).body).number == 3
    with pytest.raises(StoreFailed, match="a stored record can not be read"):
        decode_record(b"\xc1")
    with pytest.raises(StoreFailed, match="lacks what its channel tells"):
        decode_record(position(3).body, 4)


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
