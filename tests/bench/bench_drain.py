"""How quickly a backlog drains, as a ratio to a bare aiomqtt loop; what keeping a record costs; memory of an outage.

    python -m tests.bench.bench_drain [--rounds 5] [--json]

The bare loop publishes the payloads of the same records, one by one, QoS 1, with the same window, to the same
mosquitto: what anybody would write first, without any storage. The outbox reads them from its database on the disk,
sends them in compressed batches, and removes them there when they were acknowledged. A third candidate is the bare loop
with the very batches, already made: what the network side alone costs. Wall-clock time. Goal: at least 0.7 times the
records a second of the bare loop.
"""

import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import aiomqtt
import msgspec

from firmware import page
from firmware.adapters.mqtt import BrokerSettings, MqttBroker
from firmware.adapters.store import SqliteStore
from firmware.core import reporting
from firmware.core.reporting import Message
from firmware.core.reports import Point, Record
from firmware.core.state import Counters, State
from firmware.keeper import Keeper
from firmware.outbox import WINDOW, Courier
from firmware.ports import StoredRecord
from host_tools.backend.broker import Broker
from protocol.telemetry import MAX_BACKLOG_RECORDS, QOS, Channel, EventKind
from tests.bench.turns import Row, medians, parser, ratios, show
from tests.support.core import BEGINS_MS, a_state, durably

RECORDS: Final = 4_000
LONG_OUTAGE: Final = 100_000
GOAL: Final = 0.7
BARE: Final = "bare aiomqtt, the records one by one"
OUTBOX: Final = "the outbox, from the disk and in batches"
SINGLY: Final = "the outbox, from the disk and one by one"
BATCHES: Final = "bare aiomqtt, the batches ready-made"


def records(count: int) -> list[Record]:
    """A drive: positions, states and now and then an event."""
    made = []
    for number in range(1, count + 1):
        record = Record(number, Channel.TRACK, number, BEGINS_MS + number * 1_000, "synced", boot=1)
        if number % 20 == 0:
            record = msgspec.structs.replace(record, channel=Channel.EVENT, kind=EventKind.BOOTED)
        elif number % 3 == 0:
            signals = (("Vehicle.TraveledDistance", number / 10), ("Vehicle.Cabin.Door.Row1.DriverSide.IsLocked", True))
            record = msgspec.structs.replace(record, channel=Channel.STATE, signals=signals)
        else:
            record = msgspec.structs.replace(record, point=Point(481_371_540 + number * 37, 115_761_240, BEGINS_MS))
        made.append(record)
    return made


def stored(each: Record) -> StoredRecord:
    """As the keeper does it."""
    return StoredRecord(each.number, each.reveals_position, msgspec.msgpack.encode(each), channel=each.channel.value)


async def publish_all(broker: Broker, messages: Sequence[Message]) -> float:
    """Seconds for all of them, WINDOW at a time."""
    async with aiomqtt.Client(broker.host, broker.port, max_inflight_messages=WINDOW) as client:
        waiting = iter(messages)

        async def publish_some() -> None:
            for message in waiting:
                await client.publish("bare", message.payload, QOS)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(WINDOW):
                group.create_task(publish_some())
        return time.perf_counter() - began


@contextmanager
def one_by_one() -> Iterator[None]:
    """No batches: what the outbox itself costs."""
    limits: dict[str, object] = vars(page)
    before = limits["MAX_BACKLOG_RECORDS"]
    limits["MAX_BACKLOG_RECORDS"] = 1
    try:
        yield
    finally:
        limits["MAX_BACKLOG_RECORDS"] = before


async def drain(broker: Broker, state: State, waiting: Sequence[Record], folder: Path) -> tuple[float, float]:
    """Seconds to keep a record durably, one commit each for a tenth of them; seconds to deliver all of them."""
    store = SqliteStore(folder / f"{time.perf_counter_ns()}.db", capacity_records=2 * len(waiting))
    await store.load()
    alone = len(waiting) // 10
    began = time.perf_counter()
    for record in waiting[:alone]:
        await store.commit(None, (stored(record),))
    kept_s = (time.perf_counter() - began) / alone
    await store.commit(None, tuple(stored(record) for record in waiting[alone:]))

    client = MqttBroker(BrokerSettings(host=broker.host, port=broker.port), bytes(8), entropy=os.urandom)
    connected = asyncio.Event()
    office = Courier(Keeper(store, lambda: 0, lambda _: None), client, lambda: (state, 0), lambda _: None, version="0")
    tasks = [asyncio.create_task(client.run(connected.set, lambda: None, lambda *_: None))]
    await connected.wait()
    began = time.perf_counter()
    tasks.append(asyncio.create_task(office.run()))
    while await store.pending_count():
        await asyncio.sleep(0.001)
    drained_s = time.perf_counter() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await store.close()
    return kept_s, drained_s


def peak_bytes() -> int:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def measure(rounds: int, folder: Path) -> tuple[dict[str, float], float]:
    """Median seconds for one record of each candidate; and to keep one."""
    state = durably(a_state(), counters=Counters(boot=1))
    state = msgspec.structs.replace(state, broker_connected=True)
    waiting = records(RECORDS)
    single = [reporting.record_message(state, record, 0) for record in waiting]
    parts = [tuple(waiting[at : at + MAX_BACKLOG_RECORDS]) for at in range(0, RECORDS, MAX_BACKLOG_RECORDS)]
    batches = [reporting.backlog_message(state, part, 0) for part in parts]
    times: dict[str, list[float]] = {BARE: [], OUTBOX: [], SINGLY: [], BATCHES: []}
    kept = []
    async with Broker() as broker:
        for _ in range(rounds):
            times[BARE].append(await publish_all(broker, single) / RECORDS)
            kept_s, drained_s = await drain(broker, state, waiting, folder)
            times[OUTBOX].append(drained_s / RECORDS)
            with one_by_one():
                times[SINGLY].append((await drain(broker, state, waiting, folder))[1] / RECORDS)
            times[BATCHES].append(await publish_all(broker, batches) / RECORDS)
            kept.append(kept_s)
    return medians(times), medians({"kept": kept})["kept"]


async def long_outage(folder: Path) -> tuple[int, float]:
    """How much the process grows when so many records wait, and are delivered, in bytes; and the seconds for it."""
    state = durably(a_state(), counters=Counters(boot=1))
    state = msgspec.structs.replace(state, broker_connected=True)
    store = SqliteStore(folder / "long.db", capacity_records=LONG_OUTAGE)
    await store.load()
    for first in range(0, LONG_OUTAGE, 1_000):
        part = (msgspec.structs.replace(each, number=each.number + first) for each in records(1_000))
        await store.commit(None, tuple(stored(record) for record in part))
    async with Broker() as broker:
        client = MqttBroker(BrokerSettings(host=broker.host, port=broker.port), bytes(8), entropy=os.urandom)
        connected = asyncio.Event()
        keeper = Keeper(store, lambda: 0, lambda _: None)
        courier = Courier(keeper, client, lambda: (state, 0), lambda _: None, version="0")
        running = [asyncio.create_task(client.run(connected.set, lambda: None, lambda *_: None))]
        await connected.wait()
        before, began = peak_bytes(), time.perf_counter()
        running.append(asyncio.create_task(courier.run()))
        while await store.pending_count():
            await asyncio.sleep(0.05)
        grown, took_s = peak_bytes() - before, time.perf_counter() - began
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    await store.close()
    return grown, took_s


def delivered_at_last(folder: Path) -> tuple[int, float]:
    """`long_outage`, from anywhere."""
    return asyncio.run(long_outage(folder))


def main() -> int:
    """Exit code: 1 when the goal is missed."""
    options = parser(__doc__, 5).parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        found, kept_s = asyncio.run(measure(options.rounds, Path(name)))
        # In a process of its own: the most memory that this one ever had says nothing any more.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            grown, took_s = pool.submit(delivered_at_last, Path(name)).result()
    rows: list[Row] = ratios(found, BARE)
    show("one record of a backlog", rows, "us", as_json=options.json)
    show(
        "one record kept durably, a commit of its own", [Row("commit", kept_s, 1, "itself")], "us", as_json=options.json
    )
    rate = found[BARE] / found[OUTBOX]
    if not options.json:
        print(f"\ndrain rate: {1 / found[OUTBOX]:.0f} records/s, {rate:.2f} times the bare loop (goal {GOAL})")
        print(f"backlog of {LONG_OUTAGE}: drained in {took_s:.1f} s, {grown / 2**20:.1f} MiB more memory at most")
    return 0 if rate >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
