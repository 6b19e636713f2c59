"""What a review of the pump has found: who may take up the module's attention, and what must never be lost."""

import asyncio

import pytest

from firmware.core.events import (
    Action,
    ActuationFinished,
    HandshakeBegun,
    LinkLost,
    OrderReceived,
    OrderUnreadable,
    VehicleSampled,
)
from firmware.pump import MOST_EVENTS
from firmware.switchboard import Switchboard
from protocol import framing
from protocol.errors import Code
from protocol.messages import Done, MessageType, Operation, Phase, Reply, Request
from protocol.tokens import RevocationList
from tests.support.core import ENDS_MS
from tests.support.credentials import MODULE_ID
from tests.support.phone import Phone
from tests.support.ports import Bench, MemoryRadio, OnAir

HELLO = bytes([MessageType.EDHOC, 0])
"""A first handshake message that costs its sender five bytes."""


def flood(on_air: OnAir, messages: int) -> None:
    """Handshakes begun as fast as a radio can be thought of."""
    for number in range(messages):
        on_air.write(framing.fragments(HELLO, on_air.phone.payload, number))


@pytest.mark.req("SEC-1", "ACC-7", "BLE-1")
async def test_a_flood_while_the_disk_is_slow_loses_no_fact_about_the_car_or_a_link() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        driver, leaver = await bench.phone(), bench.connect(Phone(name="leaver"))
        await asyncio.sleep(1)
        bench.disk.slow_s = 1.1
        driver.write(driver.phone.request(Request(1, Operation.UNLOCK, b"command1")))
        await asyncio.sleep(0.5)  # the disk is at work, and nothing is read from the queue
        pump.post(ActuationFinished(Action.LOCK, confirmed=True))
        bench.radio.leave(leaver.link)
        bench.radio.hung_up[leaver.link] = 0  # a link that is gone is not reported again when it is hung up
        stranger = bench.connect(Phone(name="stranger"))
        flood(stranger, 2 * MOST_EVENTS)
        bench.disk.slow_s = 0
        assert await driver.hear_answer() == Reply(1, Code.OK, Done())
        heard = [event for event, _ in bench.seen]
        assert LinkLost(leaver.link) in heard, "three such ghosts, and the module takes no phone any more"
        assert ActuationFinished(Action.LOCK, confirmed=True) in heard
        assert sum(isinstance(event, HandshakeBegun) for event in heard) <= MOST_EVENTS // 2
        await bench.until(lambda: stranger.link in bench.radio.hung_up)
        assert driver.link not in bench.radio.hung_up


@pytest.mark.req("SEC-1")
async def test_samples_and_orders_take_no_more_than_half_of_the_queue() -> None:
    bench = Bench()
    async with bench.at_work() as pump:
        await asyncio.sleep(0.5)
        bench.disk.slow_s = 1.1
        pump.post(OrderReceived(RevocationList(MODULE_ID, 1, 0, 0, ())))
        await asyncio.sleep(0.6)
        for _ in range(MOST_EVENTS):
            bench.broker.deliver("order", b"nonsense", b"")
        await asyncio.sleep(0.1)
        bench.disk.slow_s = 0
        bench.seen.clear()
        pump.post(LinkLost(77))
        await bench.until(lambda: any(event == LinkLost(77) for event, _ in bench.seen))
        waited = [event for event, _ in bench.seen][1:-1]
        assert len(waited) == MOST_EVENTS // 2
        assert {type(event) for event in waited} == {OrderUnreadable, VehicleSampled}


async def test_a_link_is_hung_up_on_once_however_often_that_is_asked_for() -> None:
    radio = MemoryRadio(asyncio.Event())
    radio.deaf = True
    board = Switchboard(radio)
    board.opened(1)
    board.send(1, [b"x"])
    before = len(asyncio.all_tasks())
    for _ in range(100):
        board.hang_up(1)
    assert len(asyncio.all_tasks()) == before + 1
    await board.close()


@pytest.mark.req("PWR-2", "TEL-4", "BKG-1")
async def test_while_the_disk_is_full_a_car_that_reports_a_lot_loses_no_event() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        await asyncio.sleep(1.5)
        before = await bench.disk.pending_count()
        bench.disk.full = True
        pump.post(OrderReceived(RevocationList(MODULE_ID, 1, 0, 0, ())))
        for _ in range(300):
            bench.vehicle.set(doors_open=not bench.vehicle.sample.doors_open)
            await asyncio.sleep(1)
        bench.disk.full = False
        await asyncio.sleep(20)
        pending = await bench.disk.pending(limit=1_000)
        waiting = sorted(pending, key=lambda record: record.number)[before:]
        assert len(waiting) == 256 + 1, "what was lost is told"
        assert [record.thinnable for record in waiting].index(False) == 0, "the order's result is the oldest"
        assert pending[0] == waiting[0], "and goes first"


@pytest.mark.req("CUT-2", "CUT-4")
async def test_doors_that_are_stuck_do_not_delay_arming_at_the_cutoff() -> None:
    bench = Bench(rtc_at_zero_ms=ENDS_MS - 60_000, networked=False)
    loop = asyncio.get_running_loop()
    async with bench.at_work() as pump:
        await bench.phone()
        await asyncio.sleep(1_850)
        driver = await bench.phone(Phone(name="again"))
        bench.vehicle.set(locked=False)
        await asyncio.sleep(10.001 - 1)
        bench.vehicle.stuck_doors = True
        driver.write(driver.phone.request(Request(1, Operation.LOCK, b"command1")))
        bench.vehicle.done.clear()
        await bench.until(lambda: Action.ARM_IMMOBILISER in bench.vehicle.done)
        assert pump.state.durable.trip.phase is Phase.CUT_OFF
        assert loop.time() == pytest.approx(1_860.001, abs=0.01)
