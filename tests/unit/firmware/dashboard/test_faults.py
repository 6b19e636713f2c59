"""Faults at the press of a button, each with an end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from firmware.bench.disk import DiskFault
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.results import Happening
from firmware.dashboard.acts import ActRefused
from firmware.dashboard.faults import FAULTS, Faults
from firmware.demo.rig import Rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with Rig("faults", broker=lambda _: LoopbackBroker()) as rig:
        yield rig


class Surroundings:
    """A stand, its faults, and what the desk was told."""

    def __init__(self, rig: Rig) -> None:
        self.told: list[str] = []
        self.faults = Faults(rig.rack, self._do, rig.rack.time.utc_ms)

    async def _do(self, line: str) -> None:
        self.told.append(line)

    def news(self, fault: str, *, lasts: bool, ends_at_ms: int | None = None) -> None:
        """As the desk tells it."""
        self.faults.hear(Happening(0, "fault", {"fault": fault, "lasts": lasts, "ends_at_ms": ends_at_ms}, ""))

    @property
    def shown(self) -> dict[object, tuple[object, object]]:
        return {fault["id"]: (fault["on"], fault["words"]) for fault in self.faults.view()}


async def test_at_first_all_is_well(rig: Rig) -> None:
    assert Surroundings(rig).shown == {fault.id: (False, fault.well) for fault in FAULTS}


async def test_a_fault_begins_and_ends_with_lines_for_the_desk(rig: Rig) -> None:
    around = Surroundings(rig)
    for fault in FAULTS:
        await around.faults.press(fault.id, True, "")
        await around.faults.press(fault.id, False, "")
    assert around.told == [line for fault in FAULTS for line in (fault.begin, fault.end)]


async def test_what_the_desk_can_end_in_time_it_ends(rig: Rig) -> None:
    around = Surroundings(rig)
    await around.faults.press("bus", True, "30s")
    around.news("bus silent", lasts=True, ends_at_ms=rig.rack.time.utc_ms() + 30_000)
    assert around.told == ["fault bus silent --for 30s"]
    assert around.shown["bus"] == (True, "silent, 30 s more")
    await asyncio.sleep(9.5)
    assert around.shown["bus"] == (True, "silent, 21 s more")
    around.news("bus silent", lasts=False)
    assert around.shown["bus"] == (False, "talks")
    around.news("bus silent", lasts=True)
    assert around.shown["bus"] == (True, "silent")
    around.faults.hear(Happening(0, "phase", {}, ""))


async def test_everything_else_is_ended_from_here(rig: Rig) -> None:
    around = Surroundings(rig)
    assert rig.rack.broker is not None
    rig.rack.broker.switch(False)
    await around.faults.press("network", True, "30s")
    assert around.shown["network"] == (True, "gone, 30 s more")
    await asyncio.sleep(29)
    assert around.told == ["broker down"]
    await asyncio.sleep(2)
    assert around.told == ["broker down", "broker up"]


async def test_ending_it_early_forgets_the_end(rig: Rig) -> None:
    around = Surroundings(rig)
    await around.faults.press("network", True, "30s")
    await around.faults.press("network", False, "")
    await asyncio.sleep(60)
    assert around.told == ["broker down", "broker up"]
    await around.faults.press("network", True, "1m")
    await around.faults.close()
    await asyncio.sleep(90)
    assert len(around.told) == 3


async def test_what_the_stand_can_tell_counts(rig: Rig) -> None:
    around = Surroundings(rig)
    rig.vehicle.lose_fix()
    assert rig.rack.broker is not None
    rig.rack.broker.switch(False)
    rig.rack.store.suffer(DiskFault.FULL)
    await rig.rack.ble.switch(False)
    await rig.shut_down()
    on = {name for name, (is_on, _) in around.shown.items() if is_on}
    assert on == {"gnss", "network", "radio", "disk", "power"}


async def test_what_is_not_known_is_refused(rig: Rig) -> None:
    around = Surroundings(rig)
    with pytest.raises(ActRefused, match="no fault called weather"):
        await around.faults.press("weather", True, "")
    with pytest.raises(ActRefused, match="soon: it is no duration"):
        await around.faults.press("bus", True, "soon")
    assert around.told == []
