"""Bluetooth, network, satellites, faults and power, by command."""

import asyncio

import pytest

from firmware.bench.levels import Level
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.results import DeskCode, DeskError, Result
from firmware.bench.session import Session
from firmware.bench.work import Work
from firmware.core.events import Action
from firmware.demo.rig import Rig
from host_tools.phone.errors import PhoneError


async def do(rig: Rig, line: str) -> Result:
    return await rig.desk().do(line, Level.OPERATE)


@pytest.mark.req("BEN-1", "BLE-2")
async def test_a_module_off_the_air_is_not_found_and_one_back_is() -> None:
    async with Rig() as rig:
        anna = rig.holder("Anna")
        file = rig.book(anna, lasts_s=3600)[1]
        assert (await do(rig, "ble off")).data["ble"] is False
        with pytest.raises(PhoneError):
            async with rig.phone(anna, file):
                pass
        assert (await do(rig, "ble on")).data["ble"] is True
        async with rig.phone(anna, file) as phone:
            assert (await phone.status()).access.granted


@pytest.mark.req("BEN-1")
async def test_the_network_goes_and_comes() -> None:
    async with Rig(broker=lambda _: LoopbackBroker()) as rig:
        await asyncio.sleep(1)
        assert rig.pump.state.broker_connected
        assert (await do(rig, "broker down")).data["broker"] == "down"
        await asyncio.sleep(1)
        assert not rig.pump.state.broker_connected
        await do(rig, "broker up")
        await asyncio.sleep(1)
        assert rig.pump.state.broker_connected
    async with Rig() as rig:
        with pytest.raises(DeskError, match="no broker"):
            await do(rig, "broker down")


@pytest.mark.req("BEN-1", "TEL-7")
async def test_satellites_are_lost_for_a_while() -> None:
    async with Rig() as rig:
        fault = (await do(rig, "fault gnss lost --for 30s")).data
        assert fault["ends_at_ms"] == rig.clock.rtc().utc_ms + 30_000
        assert (await do(rig, "state")).data["faults"] == ["gnss lost"]
        assert rig.vehicle.snapshot().has_fix is False
        assert (await do(rig, "fault")).lines == ("gnss lost, 30 s left",)
        await asyncio.sleep(31)
        assert rig.vehicle.snapshot().has_fix is True
        await do(rig, "gnss lost")
        await do(rig, "gnss back")
        assert rig.vehicle.snapshot().has_fix is True
        assert (await do(rig, "fault list")).lines == ("No fault.",)


@pytest.mark.req("BEN-1")
async def test_faults_of_the_car_begin_and_are_cleared() -> None:
    async with Rig() as rig:
        await do(rig, "fault bus silent")
        await do(rig, "fault boot ajar")
        await do(rig, "fault actuator unlock dead")
        await do(rig, "fault actuator release-immobiliser mute")
        await do(rig, "fault signal locked hidden")
        assert rig.vehicle.sample().boot_open is True
        assert rig.vehicle.sample().locked is None
        assert not await rig.vehicle.actuate(Action.UNLOCK)
        assert rig.vehicle.snapshot().locked
        assert not await rig.vehicle.actuate(Action.RELEASE_IMMOBILISER)
        assert not rig.vehicle.snapshot().immobilised
        assert (await do(rig, "fault clear actuator unlock")).data == {"cleared": ["actuator unlock dead"]}
        assert await rig.vehicle.actuate(Action.UNLOCK)
        with pytest.raises(DeskError, match="no such fault lasts"):
            await do(rig, "fault clear disk")
        await do(rig, "fault clear")
        assert (await do(rig, "fault clear")).lines == ("No fault.",)
        sample = rig.vehicle.sample()
        assert (sample.boot_open, sample.locked) == (False, False)
        assert await rig.vehicle.actuate(Action.RELEASE_IMMOBILISER)


@pytest.mark.req("BEN-1", "PWR-2")
async def test_a_full_disk_refuses_a_booking_and_one_with_room_takes_it() -> None:
    async with Rig() as rig:
        anna = rig.holder("Anna")
        await do(rig, "fault disk hanging")
        await do(rig, "fault disk full")
        assert [fault.name for fault in rig.desk().room.faults.lasting] == ["disk full"]
        async with rig.phone(anna, rig.book(anna, lasts_s=3600)[1]) as phone:
            assert not (await phone.status()).access.granted
            told = await rig.desk().do("why", Level.OBSERVE)
            assert "STORAGE_FAILED" in " ".join(told.lines)
            await do(rig, "fault clear disk")
            await phone.unlock()


async def test_a_module_that_could_not_start_again_is_not_switched_off() -> None:
    async with Rig() as rig:
        module = rig.pump
        await do(rig, "fault disk hanging")
        with pytest.raises(DeskError, match="fault clear disk"):
            await do(rig, "reboot")
        assert rig.rack.pump is module
        await do(rig, "fault clear disk")
        await do(rig, "reboot")
        assert rig.rack.pump is not module


@pytest.mark.parametrize("command", ["reboot", "state load used"])
async def test_control_c_leaves_no_module_without_power(command: str) -> None:
    async with Rig() as rig:
        work = Work(Session(rig.desk(), Level.SERVICE))
        await work.do("state save used")
        restarting = asyncio.create_task(work.do(command))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        work.interrupt()
        with pytest.raises(DeskError, match="Ctrl-C"):
            await restarting
        await asyncio.sleep(10)
        assert rig.pump.state.durable.counters.boot == 2


async def test_there_are_only_so_many_faults() -> None:
    async with Rig() as rig:
        for number in range(32):
            rig.desk().room.faults.begin(f"test {number}", lambda: None, lambda: None)
        with pytest.raises(DeskError, match="last already") as caught:
            await do(rig, "fault bus silent")
        assert caught.value.code is DeskCode.FAILED


@pytest.mark.req("BEN-1", "PWR-1")
async def test_power_is_cut_and_comes_back_with_what_the_rtc_says() -> None:
    async with Rig() as rig:
        rig.vehicle.lose_fix()
        await asyncio.sleep(10)
        assert (await do(rig, "power cut")).data["power"] is False
        assert (await do(rig, "state")).lines[0] == "The module is off."
        assert (await do(rig, "power on --rtc lost")).data["power"] is True
        assert "(floor" in " ".join((await do(rig, "time")).lines)
        await do(rig, "reboot --rtc +1h")
        module = (await do(rig, "time")).data["module"]
        assert isinstance(module, dict)
        assert abs(module["utc_ms"] - rig.clock.rtc().utc_ms - 3_600_000) < 1000
        await do(rig, "power off")
        assert rig.rack.pump is None
