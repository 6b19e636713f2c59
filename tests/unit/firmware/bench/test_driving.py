"""The hands at the simulated car."""

import asyncio

import pytest

from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Result
from firmware.demo.rig import Rig
from firmware.simulated.car import Car
from protocol import signals as vss


async def do(rig: Rig, line: str) -> Result:
    return await rig.desk().do(line, Level.OPERATE)


async def refused(rig: Rig, line: str) -> str:
    with pytest.raises(DeskError) as caught:
        await do(rig, line)
    assert caught.value.code in (DeskCode.FAILED, DeskCode.USAGE)
    return caught.value.message


@pytest.mark.req("BEN-1")
async def test_doors_and_boot_open_when_the_car_is_unlocked() -> None:
    async with Rig() as rig:
        assert "it is locked" in await refused(rig, "door open")
        assert "it is locked" in await refused(rig, "boot open")
        assert (await do(rig, "key unlock")).data["locked"] is False
        assert (await do(rig, "door open rear-left")).data["open_doors"] == ["rear left"]
        assert (await do(rig, "boot open")).data["boot_open"] is True
        assert (await do(rig, "door close rear-left")).data["open_doors"] == []
        assert (await do(rig, "boot close")).data["boot_open"] is False
        assert (await do(rig, "key lock")).data["locked"] is True
        assert (await do(rig, "door open --inside")).data["open_doors"] == ["front left"]
        await do(rig, "fault boot ajar")
        assert "ajar" in await refused(rig, "boot close")


@pytest.mark.req("BEN-1", "OWN-4")
async def test_vehicle_keys_are_put_into_the_car_and_taken_out() -> None:
    async with Rig() as rig:
        assert (await do(rig, "keys 2")).data["keys"] == 2
        assert (await do(rig, "keys 1")).lines[0] == "A vehicle key is in the car."
        assert "Vehicle keys in the car: 0" in (await do(rig, "keys 0")).lines
        assert "no whole number between 0 and 2" in await refused(rig, "keys 3")


@pytest.mark.req("BEN-1", "ACC-9")
async def test_the_car_is_started_driven_and_parked() -> None:
    async with Rig() as rig:
        assert "immobiliser is armed" in await refused(rig, "ignition on")
        assert "engine does not run" in await refused(rig, "drive")
        await do(rig, "ignition on --with-key")
        await do(rig, "drive 30")
        await asyncio.sleep(20)
        assert (await do(rig, "vehicle")).data["speed_kmh"] == 30
        await do(rig, "stop")
        await asyncio.sleep(10)
        seen = (await do(rig, "vehicle")).data
        assert (seen["speed_kmh"], seen["ignition_on"]) == (0, True)
        await do(rig, "drive 30 --to 48.15 11.57")
        await do(rig, "park")
        await asyncio.sleep(10)
        assert (await do(rig, "vehicle")).data["ignition_on"] is False
        await do(rig, "ignition on --with-key")
        here = rig.vehicle.snapshot()
        assert "there already" in await refused(rig, f"drive --to {here.latitude!r} {here.longitude!r}")


async def test_a_car_with_an_empty_tank_says_so_and_drives_when_it_was_filled() -> None:
    async with Rig("refuel", car=Car(fuel_l=0.0)) as rig:
        await do(rig, "ignition on --with-key")
        assert "the tank is empty" in await refused(rig, "drive 30")
        assert (await do(rig, "refuel")).data["fuel_pct"] == 100
        assert (await do(rig, "drive 30")).lines[0] == "The car drives at 30 km/h."
        assert (await do(rig, "ignition off")).data["ignition_on"] is False


@pytest.mark.req("BEN-1")
async def test_the_bus_tells_what_it_is_made_to_tell_until_it_is_released() -> None:
    async with Rig() as rig:
        seen = (await do(rig, "vehicle set speed_kmh 87.5")).data
        assert seen["set"] == {"speed_kmh": 87.5}
        assert seen["speed_kmh"] == 0
        await do(rig, f"vehicle set {vss.FUEL} 12")
        await do(rig, "vehicle hide odometer_m fix")
        await do(rig, "fault signal battery_mv hidden")
        told = rig.vehicle.sample()
        assert (told.speed_kmh, told.fuel_pct, told.odometer_m, told.fix) == (87.5, 12.0, None, None)
        assert told.battery_mv is None
        await do(rig, "vehicle release speed_kmh fuel_pct odometer_m fix battery_mv")
        told = rig.vehicle.sample()
        assert (told.speed_kmh, told.fuel_pct) == (0.0, 80.0)
        assert None not in (told.odometer_m, told.fix, told.battery_mv)
        assert "neither on nor off" in await refused(rig, "vehicle set locked perhaps")
        assert "Did you mean `speed_kmh`?" in await refused(rig, "vehicle set speed_kph 1")
