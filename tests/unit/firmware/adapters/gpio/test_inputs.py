"""Wires that tell of the car: by edges, or by looking."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from firmware.adapters.gpio.inputs import Inputs
from firmware.adapters.gpio.settings import Input
from tests.support.pins import Chip

pytestmark = pytest.mark.req("HW-1")

WIRES = {"ignition_on": (Input(17),), "doors_open": (Input(27), Input("rear"))}


class Watched:
    def __init__(self, chip: Chip) -> None:
        loop = asyncio.get_running_loop()
        self.inputs = Inputs(chip, WIRES, lambda: round(loop.time() * 1000))
        self.moves = 0

    def moved(self) -> None:
        self.moves += 1


@asynccontextmanager
async def watching(chip: Chip) -> AsyncIterator[Watched]:
    watched = Watched(chip)
    task = asyncio.create_task(watched.inputs.watch(watched.moved))
    await asyncio.sleep(0.1)
    yield watched
    task.cancel()
    await asyncio.wait({task})
    watched.inputs.close()
    assert chip.settings == {}


async def test_where_the_chip_tells_of_edges_nobody_looks() -> None:
    chip = Chip()
    async with watching(chip) as watched:
        assert watched.inputs.look() == {"ignition_on": False, "doors_open": False}
        chip.feel("rear", True)
        await asyncio.sleep(0.001)
        assert watched.moves == 1
        assert watched.inputs.look() == {"ignition_on": False, "doors_open": True}
        chip.feel(17, True)
        chip.feel("rear", False)
        await asyncio.sleep(0.001)
        assert watched.moves == 2
        assert watched.inputs.look() == {"ignition_on": True, "doors_open": False}
        assert all(each.debounce_period.total_seconds() == 0.03 for each in chip.settings.values())


async def test_where_it_does_not_inputs_are_looked_at_until_they_rest() -> None:
    chip = Chip(tells_edges=False)
    async with watching(chip) as watched:
        assert watched.inputs.look() == {"ignition_on": False, "doors_open": False}
        before = watched.moves
        assert before == 2
        chip.felt[17] = True
        await asyncio.sleep(0.02)
        assert watched.moves == before
        await asyncio.sleep(0.1)
        assert watched.moves == before + 1
        assert watched.inputs.look() == {"ignition_on": True, "doors_open": False}


@pytest.mark.req("CUT-3")
async def test_before_they_have_rested_nothing_is_known() -> None:
    inputs = Watched(Chip(tells_edges=False)).inputs
    assert inputs.look() == {"ignition_on": None, "doors_open": None}
    inputs.close()


@pytest.mark.parametrize("tells_edges", [True, False])
async def test_a_chip_that_is_gone_ends_the_watch(tells_edges: bool) -> None:
    chip = Chip(tells_edges=tells_edges)
    watched = Watched(chip)
    task = asyncio.create_task(watched.inputs.watch(watched.moved))
    await asyncio.sleep(0.1)
    chip.unplug()
    assert await task == "No such device"
    with pytest.raises(OSError, match="No such device"):
        watched.inputs.look()
    watched.inputs.close()
