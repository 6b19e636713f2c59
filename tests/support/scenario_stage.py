"""A scenario's world at the bench in this process, for tests that play deed by deed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from firmware.inprocess.bench import InProcessBench, open_bench
from host_tools.bench.scenario_claims import check
from host_tools.bench.scenario_deeds import carry_out
from host_tools.bench.scenario_file import parse
from host_tools.bench.scenario_owner import OwnerView
from host_tools.bench.scenario_words import desk_command, is_desk_command, phrasebooks
from host_tools.bench.scenario_world import World

TEXT = """
format = 1
title = "Stage"
rules = ["BEN-3"]
[given.people.anna]
booked = "10:00 - 12:00"
[given.people.ben]
role = "owner"
[[step]]
at = "10:01"
do = ["anna leaves", "ben leaves"]
expect = ["anna is granted"]
"""
KEYS = """
format = 1
title = "Stage with keys"
rules = ["BEN-3"]
[given.people.olga]
role = "owner"
key = true
[given.people.cleo]
role = "owner"
[given.people.dora]
role = "service"
key = true
[given.people.ben]
role = "guest"
[[step]]
at = "10:01"
do = ["olga leaves", "cleo leaves", "dora leaves", "ben leaves"]
expect = ["olga is granted"]
"""


class Stage:
    """`do` carries out one phrase of `do` and gives its words for the transcript; `check` looks at one of `expect`."""

    def __init__(self, world: World, bench: InProcessBench) -> None:
        self.world = world
        self.bench = bench
        self._deeds, self._claims = phrasebooks(world.people)

    async def do(self, text: str) -> str:
        """One deed."""
        return await carry_out(self.world, desk_command(text) if is_desk_command(text) else self._deeds.read(text))

    async def check(self, text: str) -> str:
        """Nothing when it holds; else what is instead."""
        return await check(self.world, self._claims.read(text), OwnerView())

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await self.bench.until(await self.bench.utc_ms() + int(seconds * 1000))
        self.world.reached(self.world.now_s + int(seconds))

    async def car(self, field: str) -> object:
        """What the desk shows of the car."""
        return (await self.bench.control("vehicle")).data[field]


@asynccontextmanager
async def staged(text: str = TEXT) -> AsyncIterator[Stage]:
    """A minute after the module was put on the stand, with the people of `text`."""
    async with open_bench() as bench:
        base_ms = (await bench.utc_ms() // 1000 + 1) * 1000
        world = World(parse(text, "stage"), bench, base_ms)
        stage = Stage(world, bench)
        await stage.wait(60)
        try:
            yield stage
        finally:
            await world.close()
