"""A disk that hangs: what denies goes on, what permits is refused, phones are served, and in the end the disk is right.

On virtual time, with the whole loop around the core and a disk of the tests that answers when it is told to.
"""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from firmware.core import usage
from firmware.core.events import Action
from firmware.core.state import Durable
from firmware.keeper import decode_durable
from firmware.pump import Pump
from protocol.errors import Code, Refusal
from protocol.messages import Ended, Operation, Phase, Reply, Request, Status
from tests.support.core import ENDS_MS, PROFILE
from tests.support.hanging import HangingDisk
from tests.support.phone import Phone
from tests.support.ports import Bench

STATUS = Request(9, Operation.STATUS)


def command(operation: Operation, number: int) -> Request:
    return Request(number, operation, number.to_bytes(8, "big"))


class HangingBench(Bench):
    """A bench whose disk can hang."""

    def __init__(self, *, rtc_at_zero_ms: int | None = None, networked: bool = False) -> None:
        super().__init__(networked=networked, **({} if rtc_at_zero_ms is None else {"rtc_at_zero_ms": rtc_at_zero_ms}))
        self.disk: HangingDisk = HangingDisk()

    async def on_disk(self) -> Durable:
        """What a power cut would leave."""
        stored = (await self.disk.load()).state
        assert stored is not None
        return decode_durable(stored)

    async def agrees(self, pump: Pump) -> bool:
        """Whether disk and module say the same, and the usage log ends where the state says."""
        durable = await self.on_disk()
        _, faults = usage.verify(PROFILE.module_id, await self.disk.usage(), durable.log)
        return durable == pump.state.durable and faults == []

    async def forced_off(self, link: int) -> float:
        """When the phone was hung up."""
        await self.until(lambda: link in self.radio.hung_up)
        return self.radio.hung_up[link]


def now_s() -> float:
    return asyncio.get_running_loop().time()


def refusal(reply: Reply) -> Refusal:
    assert isinstance(reply.body, Refusal)
    return reply.body


def access_code(reply: Reply) -> Code | None:
    assert isinstance(reply.body, Status)
    return None if reply.body.access.refusal is None else reply.body.access.refusal.code


@pytest.mark.req("CUT-2", "CUT-4", "ACC-5", "PWR-2")
@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("before_s", [0.05, 0.5, 1.0, 3.0])
async def test_a_disk_that_hangs_does_not_delay_the_cutoff_and_does_not_undo_it(before_s: float, works: bool) -> None:
    bench = HangingBench(rtc_at_zero_ms=ENDS_MS - 60_000)
    async with bench.at_work() as pump:
        await bench.phone()
        await asyncio.sleep(1_500)
        phone = await bench.phone(Phone(name="again"))
        assert (await phone.ask(command(Operation.ENABLE_DRIVE, 1))).code is Code.OVERDUE, "and done"
        await asyncio.sleep(1_860 - before_s - now_s())
        bench.disk.hang()
        bench.radio.deaf = True
        phone.write(phone.phone.request(command(Operation.UNLOCK, 2)))
        assert 1_860 < await bench.forced_off(phone.link) <= 1_861
        assert Action.UNLOCK not in bench.vehicle.done
        assert bench.vehicle.done[-1] is Action.ARM_IMMOBILISER
        bench.radio.deaf = False
        await asyncio.sleep(3_600)
        again = await bench.phone(Phone(name="an hour later"))
        assert access_code(await again.ask(STATUS)) is Code.BOOKING_CUT_OFF
        bench.disk.answer(works=works)
        await asyncio.sleep(1)
        assert (await bench.on_disk()).trip.phase is Phase.CUT_OFF
        assert await bench.agrees(pump)
    async with bench.at_work():
        after = await bench.phone(Phone(name="after the power cut"))
        assert access_code(await after.ask(STATUS)) is Code.BOOKING_CUT_OFF


@pytest.mark.req("CUT-4", "CUT-3", "PWR-2")
async def test_a_car_that_parks_while_the_disk_hangs_is_cut_off_within_a_second() -> None:
    bench = HangingBench(rtc_at_zero_ms=ENDS_MS - 60_000)
    async with bench.at_work() as pump:
        phone = await bench.phone()
        await phone.ask(command(Operation.ENABLE_DRIVE, 1))
        bench.vehicle.set(ignition_on=True, speed_kmh=50.0)
        await asyncio.sleep(1_950.5 - now_s())
        assert pump.state.durable.trip.phase is Phase.CUTOFF_PENDING
        driver = await bench.phone(Phone(name="at the wheel"))
        await asyncio.sleep(0.25)
        bench.vehicle.set(ignition_on=False, speed_kmh=0.0)
        parked_at = 1_956.0  # the first sample that stands still comes at 1951
        await asyncio.sleep(0.2)
        bench.disk.hang()
        driver.write(driver.phone.request(command(Operation.UNLOCK, 2)))
        assert parked_at <= await bench.forced_off(driver.link) <= parked_at + 1


@pytest.mark.req("PWR-2", "ACC-8", "BKG-1", "BKG-7", "TEL-3")
@pytest.mark.parametrize("works", [True, False])
async def test_a_booking_that_begins_on_a_hanging_disk_has_not_begun_and_leaves_no_trace(works: bool) -> None:
    bench = HangingBench(networked=True)
    async with bench.at_work() as pump:
        bench.broker.connect()
        await asyncio.sleep(5)
        bench.disk.hang()
        phone = await bench.phone()
        asked_at = now_s()
        assert access_code(await phone.ask(STATUS)) is Code.STORAGE_FAILED
        assert now_s() - asked_at < 1.3
        told = refusal(await phone.ask(command(Operation.UNLOCK, 1)))
        assert (told.code, told.may_have_succeeded) == (Code.STORAGE_FAILED, False)
        assert bench.vehicle.done == [Action.ARM_IMMOBILISER]
        bench.vehicle.set(doors_open=True)
        await asyncio.sleep(30)
        bench.disk.answer(works=works)
        await asyncio.sleep(3)
        assert (await bench.on_disk()).trip.phase is Phase.NONE
        assert await bench.agrees(pump)
        assert (await phone.ask(command(Operation.UNLOCK, 2))).code is Code.OK
        await asyncio.sleep(30)
        stories = [json.loads(payload) for payload in bench.broker.on("event")]
        assert [story["kind"] for story in stories] == ["module.booted", "booking.started"]
        for channel in ("event", "state"):
            numbers = [json.loads(payload)["stamp"]["seq"] for payload in bench.broker.on(channel)]
            assert numbers == list(range(1, len(numbers) + 1)), "none twice, and none missing"


@pytest.mark.req("ACC-5", "BKG-2", "PWR-1")
@pytest.mark.parametrize("works", [True, False])
async def test_an_end_on_a_hanging_disk_ends_is_not_acknowledged_and_lasts(works: bool) -> None:
    bench = HangingBench()
    async with bench.at_work() as pump:
        phone = await bench.phone()
        await asyncio.sleep(10)
        bench.disk.hang()
        reply = await phone.ask(command(Operation.END_BOOKING, 1))
        assert (refusal(reply).code, refusal(reply).may_have_succeeded) == (Code.STORAGE_FAILED, True)
        assert pump.state.durable.trip.phase is Phase.ENDED
        await asyncio.sleep(30)
        bench.disk.answer(works=works)
        await asyncio.sleep(1)
        assert await bench.agrees(pump)
        assert (await bench.on_disk()).trip.phase is Phase.ENDED
        assert not isinstance(reply.body, Ended)
    async with bench.at_work():
        again = await bench.phone(Phone(name="again"))
        assert access_code(await again.ask(STATUS)) is Code.BOOKING_ENDED


@pytest.mark.req("PRV-2", "PWR-2")
async def test_the_parking_position_is_told_though_the_disk_hangs() -> None:
    bench = HangingBench(rtc_at_zero_ms=ENDS_MS - 60_000, networked=True)
    async with bench.at_work():
        bench.broker.connect()
        await bench.phone()
        await asyncio.sleep(1_800)
        bench.disk.hang()
        await asyncio.sleep(58)
        assert not bench.broker.retained.get("position")
        await asyncio.sleep(7)
        assert bench.broker.retained["position"]
        bench.disk.answer(works=True)


@pytest.mark.req("PWR-2")
async def test_the_log_says_once_that_the_disk_hangs_and_once_that_it_answers() -> None:
    bench = HangingBench()
    with capture_logs() as logged:
        async with bench.at_work():
            phone = await bench.phone()
            bench.disk.hang()
            for number in range(1, 20):
                await phone.ask(command(Operation.UNLOCK, number))
                await asyncio.sleep(1)
            bench.disk.answer(works=True)
            await asyncio.sleep(5)
    said = [line["event"] for line in logged if line["log_level"] in ("error", "warning")]
    assert said == ["store hangs", "state not saved", "store answers again"]
    assert "check the card" in logged[0]["why"]
