"""What can go wrong around the car at the press of a button, and how each comes to its end.

Decides which desk commands begin and end a fault. Refuses to know what they do.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from firmware.bench.kinds import duration_s
from firmware.bench.results import Happening
from firmware.bench.stand import Stand
from firmware.dashboard.acts import ActRefused
from protocol.explain import duration


class Fault(msgspec.Struct, frozen=True):
    """`well` and `ill`: how it is without and with it. `begin` and `end` are lines for the desk. `desks`: the name by
    which the desk ends it in time; empty: it does not. `is_on`: whether the stand suffers from it; None: only the desk
    can tell."""

    id: str
    name: str
    well: str
    ill: str
    begin: str
    end: str
    desks: str = ""
    is_on: Callable[[Stand], bool | None] = lambda _: None
    key: str = ""


def _no_fix(stand: Stand) -> bool | None:
    return None if stand.vehicle is None else not stand.vehicle.snapshot().has_fix


def _no_disk(stand: Stand) -> bool | None:
    return stand.store.fault is not None


def _no_network(stand: Stand) -> bool | None:
    return None if stand.broker is None else not stand.broker.is_up


FAULTS: Final = (
    Fault("gnss", "Satellites", "in view", "lost", "fault gnss lost", "fault clear gnss", "gnss lost", _no_fix),
    Fault("network", "Network", "there", "gone", "broker down", "broker up", "", _no_network, "W"),
    Fault("bus", "Bus", "talks", "silent", "fault bus silent", "fault clear bus", "bus silent"),
    Fault("radio", "Bluetooth", "on the air", "off", "ble off", "ble on", "", lambda stand: not stand.ble.is_on),
    Fault("disk", "Disk", "works", "full", "fault disk full", "fault clear disk", "disk full", _no_disk),
    Fault("power", "Power", "there", "cut", "power cut", "power on", "", lambda stand: stand.pump is None),
)


class Faults:
    """`do` gives a line to the desk, whose news have to be heard. `utc_ms`: the bench's. Must be closed."""

    def __init__(self, stand: Stand, do: Callable[[str], Awaitable[object]], utc_ms: Callable[[], int]) -> None:
        self._stand = stand
        self._do = do
        self._utc_ms = utc_ms
        self._desks: dict[str, int | None] = {}
        """When the desk ends which fault, by its own names."""
        self._endings: dict[str, tuple[int, asyncio.Task[None]]] = {}

    def hear(self, happening: Happening) -> None:
        """What the desk tells of the faults that it ends."""
        if happening.kind != "fault":
            return
        name, ends_at_ms = str(happening.data["fault"]), happening.data["ends_at_ms"]
        if happening.data["lasts"]:
            self._desks[name] = ends_at_ms if isinstance(ends_at_ms, int) else None
        else:
            self._desks.pop(name, None)

    async def press(self, name: str, on: bool, lasts: str) -> None:
        """Begin or end it. `lasts`: a duration, after which it ends by itself. Raises ActRefused."""
        fault = next((fault for fault in FAULTS if fault.id == name), None)
        if fault is None:
            raise ActRefused(f"there is no fault called {name}")
        try:
            seconds = duration_s(lasts) if lasts and on else None
        except ValueError as error:
            raise ActRefused(f"{lasts}: {error}") from None
        self._forget(name)
        if not on:
            await self._do(fault.end)
        elif seconds is None or fault.desks:
            await self._do(fault.begin if seconds is None else f"{fault.begin} --for {lasts}")
        else:
            await self._do(fault.begin)
            ending = asyncio.create_task(self._end_after(fault, seconds), name=f"fault {name}")
            self._endings[name] = (self._utc_ms() + round(seconds * 1000), ending)

    async def _end_after(self, fault: Fault, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._endings.pop(fault.id, None)
        await self._do(fault.end)

    def _forget(self, name: str) -> None:
        _, ending = self._endings.pop(name, (0, None))
        if ending is not None:
            ending.cancel()

    def view(self) -> list[dict[str, Any]]:
        """For the page."""
        shown: list[dict[str, Any]] = []
        for fault in FAULTS:
            seen = fault.is_on(self._stand)
            on = fault.desks in self._desks if seen is None else seen
            ends_at_ms = self._desks.get(fault.desks) or self._endings.get(fault.id, (0,))[0]
            words = fault.ill if on else fault.well
            if on and ends_at_ms:
                left_ms = max(0, ends_at_ms - self._utc_ms())
                words = f"{words}, {duration(-(-left_ms // 1000) * 1000)} more"
            shown.append({"id": fault.id, "name": fault.name, "key": fault.key, "on": on, "words": words})
        return shown

    async def close(self) -> None:
        """No fault ends any more."""
        endings = [ending for _, ending in self._endings.values()]
        self._endings.clear()
        for ending in endings:
            ending.cancel()
        if endings:
            await asyncio.wait(endings)
