"""A module whose outbox overflows during an outage, and a backend that knows afterwards what it lost, and why."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from host_tools.backend.archive import Archive
from host_tools.backend.reading import Raw, Received, read, stamp_of
from host_tools.backend.sequence import Sequence
from protocol.telemetry import Channel, EventKind, EventReport
from tests.support.credentials import MODULE_ID
from tests.support.ports import Bench, MemoryDisk

CAPACITY = 40
EVENTS_S = 2
LATER_S = 1500


async def lived() -> list[Raw]:
    """What the broker got: a first hour's connection, an outage with far more to tell than there is room for, the end
    of it, and time enough for the last statement."""
    bench = Bench()
    bench.disk = MemoryDisk(capacity_records=CAPACITY)
    async with bench.at_work():
        bench.broker.connect()
        await bench.until(lambda: bool(bench.broker.on("state")))
        bench.broker.disconnect()
        for number in range(5 * CAPACITY):
            bench.vehicle.set(locked=number % 2 == 1)
            await asyncio.sleep(EVENTS_S)
        bench.broker.connect()
        for number in range(3):
            await asyncio.sleep(LATER_S)
            bench.vehicle.set(locked=number % 2 == 0)
        await asyncio.sleep(LATER_S)
        assert await bench.disk.pending_count() == 0
    return [Raw(each.topic, each.payload, retained=False) for each in bench.broker.published]


def followed(messages: list[Raw]) -> tuple[Sequence, list[Received]]:
    sequence = Sequence()
    return sequence, [sequence.follow(one) for message in messages for one in read(message)]


@pytest.mark.req("TEL-3", "TEL-4", "TEL-5")
async def test_every_gap_is_explained_by_what_the_module_says_it_gave_up() -> None:
    messages = await lived()
    sequence, records = followed(messages)
    assert any(one.backlog for one in records)
    assert not [one for one in records if one.error]
    missing = sequence.missing(MODULE_ID)
    assert missing > 2 * CAPACITY
    assert sequence.unexplained(MODULE_ID) == 0
    statements = [
        one.value
        for one in records
        if isinstance(one.value, EventReport) and one.value.kind is EventKind.RECORDS_DROPPED and not one.repeated
    ]
    assert statements[-1].numbers["total"] == missing, "not one more than was lost"


@pytest.mark.req("TEL-3", "TEL-5")
async def test_what_came_is_in_order_and_what_came_twice_is_known() -> None:
    _, records = followed(await lived())
    fresh: dict[Channel, list[int]] = {}
    for one in records:
        stamp = stamp_of(one.value)
        if stamp is not None and one.channel is not Channel.POSITION and not one.repeated:
            fresh.setdefault(one.channel, []).append(stamp.seq)
    assert set(fresh) >= {Channel.STATE, Channel.EVENT}
    for numbers in fresh.values():
        assert numbers == sorted(set(numbers))


@pytest.mark.req("TEL-4")
async def test_a_statement_that_is_held_back_leaves_the_gap_unexplained() -> None:
    """The broker may hide what it likes: what nobody has stated is not explained."""
    sequence = Sequence()
    for message in await lived():
        for one in read(message):
            value = one.value
            if not (isinstance(value, EventReport) and value.kind is EventKind.RECORDS_DROPPED):
                sequence.follow(one)
    assert sequence.unexplained(MODULE_ID) == sequence.missing(MODULE_ID) > 0


@pytest.mark.req("TEL-3", "TEL-4")
async def test_the_history_of_a_file_says_the_same(tmp_path: Path) -> None:
    messages = await lived()
    sequence, _ = followed(messages)
    with Archive(tmp_path / "saved.db", keep=10_000) as archive:
        archive.listening(0)
        for at_ms, message in enumerate(messages, 1):
            archive.add(read(message), at_ms)
        told: Counter[str] = Counter()
        for kept in archive.history():
            told["missing"] += kept.received.missing
            told["explained"] += kept.received.explained
            told["unheard"] += kept.received.unheard
    assert told == {"missing": sequence.missing(MODULE_ID), "explained": sequence.missing(MODULE_ID), "unheard": 0}
