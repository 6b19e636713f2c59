"""The dashboard's page without a browser, on virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from firmware.bench.virtual import VirtualTime
from firmware.dashboard.acts import Act, DriverAct
from firmware.dashboard.feed import Line
from firmware.dashboard.world import World, open_world

View = dict[str, Any]


class Page:
    """A page without a browser."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.world: World

    async def press(self, *acts: Act) -> None:
        for act in acts:
            await self.world.perform(act)

    async def driver(self, *presses: str) -> None:
        await self.press(*map(DriverAct, presses))

    @property
    def view(self) -> View:
        return self.world.view()

    async def until(self, holds: Callable[[View], bool]) -> View:
        """Virtual time passes until the page shows it."""
        async with asyncio.timeout(60):
            while not holds(self.view):
                await asyncio.sleep(0.1)
        return self.view

    def said(self, who: str) -> list[str]:
        return [line.text for line in self.lines if line.who == who]


@asynccontextmanager
async def page() -> AsyncIterator[Page]:
    shown = Page()
    async with open_world(shown.lines.append, VirtualTime) as world:
        shown.world = world
        yield shown
