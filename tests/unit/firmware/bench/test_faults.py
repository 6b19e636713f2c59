"""Faults last until the bench's clock, or somebody, ends them."""

import asyncio

import pytest

from firmware.bench.faults import MOST, Faults
from firmware.bench.results import Happening
from firmware.demo.rig import Rig


class Bench:
    """A rig's faults, and what was done and told."""

    def __init__(self, rig: Rig) -> None:
        room = rig.desk().room
        self.faults: Faults = room.faults
        self.done: list[str] = []
        self.news: list[Happening] = []
        room.news.taps.add(self.news.append)

    def begin(self, name: str, for_s: float | None = None) -> None:
        self.faults.begin(
            name, lambda: self.done.append(f"{name} begins"), lambda: self.done.append(f"{name} ends"), for_s
        )


@pytest.mark.req("BEN-1")
async def test_a_fault_ends_by_the_benchs_clock_and_says_so() -> None:
    async with Rig() as rig:
        bench = Bench(rig)
        bench.begin("gnss lost", 30)
        assert [fault.name for fault in bench.faults.lasting] == ["gnss lost"]
        await asyncio.sleep(29.9)
        assert bench.done == ["gnss lost begins"]
        await asyncio.sleep(0.2)
        assert bench.done == ["gnss lost begins", "gnss lost ends"]
        assert bench.faults.lasting == ()
        told = [(each.data["fault"], each.data["lasts"]) for each in bench.news if each.kind == "fault"]
        assert told == [("gnss lost", True), ("gnss lost", False)]


async def test_one_that_begins_again_begins_anew() -> None:
    async with Rig() as rig:
        bench = Bench(rig)
        bench.begin("bus silent", 10)
        await asyncio.sleep(9)
        bench.begin("bus silent", 10)
        await asyncio.sleep(9)
        assert bench.done == ["bus silent begins"] * 2
        await asyncio.sleep(2)
        assert bench.done.count("bus silent ends") == 1


async def test_faults_are_cleared_by_how_their_names_begin() -> None:
    async with Rig() as rig:
        bench = Bench(rig)
        for name in ("disk full", "gnss lost", "disk hanging"):
            bench.begin(name)
        assert bench.faults.clear("disk") == ("disk full", "disk hanging")
        assert bench.faults.clear("dis") == ()
        assert bench.faults.clear() == ("gnss lost",)
        assert bench.faults.lasting == ()


async def test_there_are_only_so_many() -> None:
    async with Rig() as rig:
        bench = Bench(rig)
        for number in range(MOST):
            bench.begin(f"fault {number}", 60)
        with pytest.raises(ValueError, match="last already"):
            bench.begin("one more")
        bench.faults.close()
        await asyncio.sleep(61)
        assert not any("ends" in done for done in bench.done)
