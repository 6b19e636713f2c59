"""A whole booking with a real car's parts: relays open it, its bus says how it moves, a receiver says where it is.

On virtual time, save the pulses of the relays, which threads of their own end in real time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from host_tools.phone.client import Phone
from protocol.errors import Code
from protocol.messages import Phase
from protocol.values import VehicleState
from tests.support.hardware_rig import IMMOBILISER, LOCK, UNLOCK, HardwareRig

pytestmark = pytest.mark.req("HW-1", "BLE-3")


@asynccontextmanager
async def at_the_car() -> AsyncIterator[HardwareRig]:
    rig = HardwareRig()
    with capture_logs():
        async with rig:
            speaking = asyncio.create_task(rig.can_car.speak())
            try:
                yield rig
            finally:
                speaking.cancel()
                await asyncio.wait({speaking})
    assert rig.chip.settings == {}
    rig.close()


async def wait_with(phone: Phone, seconds: float) -> None:
    """An app that looks at the status now and then."""
    for _ in range(round(seconds / 100)):
        await asyncio.sleep(100)
        await phone.status()


async def seen(phone: Phone) -> VehicleState:
    """The car, as the module knows it."""
    vehicle = (await phone.status()).vehicle
    assert vehicle is not None
    return vehicle


@pytest.mark.req("ACC-1", "ACC-2", "BKG-3", "BKG-5", "PRV-5")
async def test_a_driver_opens_drives_and_brings_it_back() -> None:
    async with at_the_car() as rig:
        anna = rig.holder("Anna")
        _, file = rig.book(anna, lasts_s=3600)
        assert rig.chip.driven == {UNLOCK: False, LOCK: False, IMMOBILISER: False}
        async with rig.phone(anna, file) as phone:
            await phone.unlock()
            assert rig.chip.history == [(UNLOCK, True), (UNLOCK, False)]
            await asyncio.sleep(1)
            assert (await seen(phone)).locked is False
            await phone.enable_drive()
            assert rig.chip.driven[IMMOBILISER] is True
            rig.can_car.say("Power", IgnitionState=2)
            rig.can_car.say("Motion", Speed=48.5)
            await rig.found(34.5)
            position = await phone.locate()
            assert position.longitude_e7 == pytest.approx(115_750_000, abs=10)
            car = await seen(phone)
            assert (car.ignition_on, car.parked, car.odometer_m, car.drive_enabled) == (True, False, 12_345_600, True)
            rig.can_car.say("Motion", Speed=0)
            rig.can_car.say("Power", IgnitionState=0)
            await asyncio.sleep(7)
            assert (await seen(phone)).parked
            await phone.lock()
            await asyncio.sleep(1)
            ended = await phone.end_booking()
            assert ended.receipt
        await asyncio.sleep(1)
        assert [line for line, active in rig.chip.history if active] == [UNLOCK, IMMOBILISER, LOCK, LOCK]
        assert rig.chip.driven[IMMOBILISER] is False


@pytest.mark.req("CUT-2", "CUT-3", "CUT-4", "CUT-5")
async def test_the_cutoff_waits_until_the_bus_says_that_it_is_parked() -> None:
    async with at_the_car() as rig:
        bert = rig.holder("Bert")
        _, file = rig.book(bert, lasts_s=60)
        async with rig.phone(bert, file) as phone:
            await phone.unlock()
            await phone.enable_drive()
            rig.can_car.say("Power", IgnitionState=2)
            rig.can_car.say("Motion", Speed=120)
            # On the motorway, and its bus is out of reach for most of the time: that is quicker to play.
            rig.unplug()
            await wait_with(phone, 1_900)
            rig.unplugged = False
            await wait_with(phone, 100)
            assert (await seen(phone)).ignition_on
            assert (await phone.status()).access.phase is Phase.CUTOFF_PENDING
            # Off, as it seems; but nobody tells the speed.
            rig.can_car.silent = {"Motion"}
            rig.can_car.say("Power", IgnitionState=0)
            await wait_with(phone, 100)
            # It does not move; but its sender no longer knows whether the ignition is on.
            rig.can_car.silent = set()
            rig.can_car.say("Motion", Speed=0)
            rig.can_car.say("Power", IgnitionState=7)
            await wait_with(phone, 100)
            # All is well again, and the controller is off the bus before five seconds are over.
            rig.can_car.say("Power", IgnitionState=0)
            await asyncio.sleep(3)
            rig.can_car.error(0x040)
            rig.can_car.silent = {*rig.can_car.said}
            await wait_with(phone, 100)
            # The adapter is unplugged, too, and comes back.
            rig.unplug()
            await wait_with(phone, 100)
            rig.unplugged = False
            await asyncio.sleep(11)
            assert (await phone.status()).access.phase is Phase.CUTOFF_PENDING
            assert not (await seen(phone)).parked
            assert rig.chip.driven[IMMOBILISER] is True
            rig.can_car.silent = set()
            began_ms = rig.clock.monotonic_ms()
            async with asyncio.timeout(30):
                await phone.closed.wait()
            assert 5_000 <= rig.clock.monotonic_ms() - began_ms <= 7_500
            assert rig.chip.driven[IMMOBILISER] is False
        async with rig.phone(bert, file) as phone:
            assert phone.access.refusal is not None
            assert phone.access.refusal.code is Code.BOOKING_CUT_OFF


@pytest.mark.req("ACC-3", "ACC-9")
async def test_without_a_booking_no_relay_ever_moves() -> None:
    async with at_the_car() as rig:
        eve = rig.holder("Eve")
        _, file = rig.book(eve, lasts_s=3600, key_epoch=9)
        async with rig.phone(eve, file) as phone:
            assert not phone.access.granted
            await asyncio.sleep(5)
        rig.can_car.say("Keys", KeyButton=1)
        await asyncio.sleep(1)
        assert rig.chip.history == []


@pytest.mark.req("CUT-5", "ACC-5")
async def test_after_a_power_cut_the_posture_is_safe_and_then_that_of_the_booking() -> None:
    async with at_the_car() as rig:
        carla = rig.holder("Carla")
        _, file = rig.book(carla, lasts_s=3600)
        async with rig.phone(carla, file) as phone:
            await phone.enable_drive()
        await rig.rack.power_off(cut=True)
        assert rig.chip.settings == {}
        assert rig.chip.history[-1] == (IMMOBILISER, False)
        await rig.boot()
        await asyncio.sleep(1)
        assert rig.chip.history[-1] == (IMMOBILISER, True)
