"""Crash sensors, the emergency button, and the network that serves the car, from the desk."""

import asyncio

import pytest

from firmware.bench.calling import country
from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Result
from firmware.core.events import CrashDetected, EmergencyCancelled, EmergencyPressed, Event, NetworkServing
from firmware.demo.rig import Rig

FACTS = CrashDetected | EmergencyPressed | EmergencyCancelled | NetworkServing


class Desk:
    """A rig with the facts of these commands that its module has taken."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.facts: list[Event] = []
        rig.rack.steps.add(
            lambda event, _state, _effects: self.facts.extend([event] if isinstance(event, FACTS) else [])
        )

    async def do(self, line: str) -> Result:
        result = await self.rig.desk().do(line, Level.OPERATE)
        await asyncio.sleep(1)
        return result


@pytest.mark.req("BEN-1", "SVC-8")
async def test_the_module_hears_of_a_crash_and_of_the_button() -> None:
    async with Rig() as rig:
        desk = Desk(rig)
        for line in ("crash", "emergency press", "emergency cancel"):
            assert (await desk.do(line)).data == {"told": True}
        assert desk.facts == [CrashDetected(), EmergencyPressed(), EmergencyCancelled()]
        assert rig.vehicle.snapshot().locked is False


@pytest.mark.req("SVC-7")
async def test_the_network_that_serves_the_car_is_told_again_after_a_reboot() -> None:
    async with Rig() as rig:
        desk = Desk(rig)
        assert (await desk.do("network 206")).data == {"mcc": 206}
        await desk.do("reboot")
        assert (await desk.do("network none")).data == {"mcc": None}
        assert desk.facts == [NetworkServing(206), NetworkServing(206), NetworkServing(None)]


async def test_a_module_without_power_hears_nothing_and_the_desk_says_so() -> None:
    async with Rig() as rig:
        desk = Desk(rig)
        await desk.do("power off")
        for line in ("crash", "emergency press", "emergency cancel"):
            result = await desk.do(line)
            assert result.data == {"told": False}
            assert "nobody has heard it" in result.lines[-1]
        assert desk.facts == []


@pytest.mark.parametrize("word", ["199", "800", "be", "2060", ""])
async def test_what_is_no_country_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="no whole number"):
        country(word)
    async with Rig() as rig:
        with pytest.raises(DeskError) as caught:
            await rig.desk().do(f"network {word or 'nowhere'}", Level.OPERATE)
        assert caught.value.code is DeskCode.USAGE
