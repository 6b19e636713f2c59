"""What a booking could do now is what a phone would be told; a refusal says what would change it."""

import asyncio

import pytest

from firmware.bench import judging
from firmware.bench.levels import Level
from firmware.demo.rig import Rig
from host_tools.phone.errors import Refused
from protocol.errors import Code, Refusal, refuse
from protocol.messages import Operation
from tests.support.keyholders import Keyholders


def changes(rig: Rig, refusal: Refusal) -> str:
    return " ".join(judging.changes(refusal, rig.pump.state, rig.clock.monotonic_ms()))


@pytest.mark.req("BEN-1")
async def test_what_would_be_refused_is_refused_and_what_would_not_is_not() -> None:
    async with Rig() as rig:
        anna, ben = rig.holder("Anna"), rig.holder("Ben")
        async with (
            rig.phone(anna, rig.book(anna, lasts_s=3600)[1]) as phone,
            rig.phone(ben, rig.book(ben, lasts_s=3600)[1]),
        ):
            await phone.unlock()
            rig.vehicle.open_door()
            await asyncio.sleep(1)
            before = rig.pump.state
            found = {each.where: each for each in judging.bookings(before, rig.clock.monotonic_ms())}
            hers, his = found.values()
            assert hers.booking.user == anna.user
            assert hers.denied is None
            verdicts = {each.operation: each.refusal for each in hers.verdicts}
            ending = verdicts.pop(Operation.END_BOOKING)
            assert ending is not None
            with pytest.raises(Refused) as caught:
                await phone.end_booking()
            assert caught.value.refusal.code is ending.code
            refused = {operation: each.code for operation, each in verdicts.items() if each is not None}
            assert refused == {Operation.LOCK: Code.DOORS_OPEN, Operation.DISABLE_DRIVE: Code.NOT_PARKED}
            assert his.denied is not None
            assert his.denied.code is Code.VEHICLE_IN_USE
            shown = await rig.desk().do("can", Level.OBSERVE)
            assert any("end booking: no, " in line for line in shown.lines)
            assert any("nothing: another booking is running" in line for line in shown.lines)


async def test_a_booking_without_a_phone_is_judged_too() -> None:
    async with Rig() as rig:
        assert (await rig.desk().do("can", Level.OBSERVE)).lines == ("No booking and no key is known here.",)
        anna = rig.holder("Anna")
        async with rig.phone(anna, rig.book(anna, lasts_s=3600)[1]) as phone:
            await phone.unlock()
        await asyncio.sleep(10)
        (holding,) = judging.bookings(rig.pump.state, rig.clock.monotonic_ms())
        assert holding.where == "in the car"
        async with rig.phone(anna, rig.book(anna, lasts_s=3600)[1]):
            pass


@pytest.mark.req("ACC-8")
async def test_a_refusal_says_what_would_change_it_as_the_car_is_now() -> None:
    async with Rig() as rig:
        parked = refuse(Code.NOT_PARKED)
        await asyncio.sleep(1)
        assert "more, and it is parked" in changes(rig, parked)
        await asyncio.sleep(10)
        assert "The car is parked, for" in changes(rig, parked)
        rig.vehicle.turn_ignition(True, with_key=True)
        rig.vehicle.drive(speed_kmh=30)
        await asyncio.sleep(20)
        assert "Ignition on, speed 30 km/h: park with the ignition off for 5 s." in changes(rig, parked)
        rig.vehicle.override("speed_kmh", None)
        await asyncio.sleep(1)
        assert "speed unknown" in changes(rig, parked)
        rig.vehicle.silence_bus()
        await asyncio.sleep(10)
        assert "the bus is silent" in changes(rig, parked)


@pytest.mark.req("ACC-8")
async def test_doors_clock_and_the_other_booking_have_their_own_words() -> None:
    async with Rig() as rig:
        rig.vehicle.open_door(from_inside=True)
        rig.vehicle.hide("boot_open")
        await asyncio.sleep(1)
        words = changes(rig, refuse(Code.END_NOT_POSSIBLE))
        assert "A door is open: close it." in words
        assert "Whether the boot is open is unknown." in words
        assert "(synced): satellites or a phone mend it." in changes(rig, refuse(Code.CLOCK_UNCERTAIN))
        in_use = refuse(Code.VEHICLE_IN_USE)
        assert "The running booking" not in changes(rig, in_use)
        anna = rig.holder("Anna")
        async with rig.phone(anna, rig.book(anna, lasts_s=600)[1]) as phone:
            await phone.unlock()
            assert "The running booking ends in 9 min" in changes(rig, in_use)
            await asyncio.sleep(900)
            assert "The running booking is overdue by" in changes(rig, in_use)
        rig.vehicle.lose_fix()
        await asyncio.sleep(10)
        await rig.shut_down()
        await rig.boot(rtc=False)
        assert "any time after that (floor)" in changes(rig, refuse(Code.CLOCK_UNCERTAIN))


@pytest.mark.req("KEY-4", "KEY-2", "OWN-4")
async def test_a_pause_missing_vehicle_keys_and_hours_are_told_as_they_stand_now() -> None:
    async with Rig() as rig:
        people = Keyholders(rig)
        await people.bring(people.share(coded=True).file)
        paused = refuse(Code.CODE_PAUSED)
        assert "The pause is over." in changes(rig, paused)
        for code in ("135790", "246809"):
            await rig.pump.menu.activate(code)
            await asyncio.sleep(6)
        assert "24 s more." in changes(rig, paused)
        rig.vehicle.put_keys(1)
        await asyncio.sleep(1)
        assert "Vehicle keys in the car now: 1." in changes(rig, refuse(Code.KEYS_MISSING))
        rig.vehicle.hide("keys_present")
        await asyncio.sleep(1)
        assert "Vehicle keys in the car now: unknown." in changes(rig, refuse(Code.KEYS_MISSING))
        assert "To the module it is between" in changes(rig, refuse(Code.OUTSIDE_HOURS))
