"""A car made of parts: pins, bus and receiver, each of which may be lost and come back.

Decides which part tells what, when the module gets a sample, and how a part that is lost is tried again. What no part
tells now is unknown, and nothing is made up for it: a car of which the ignition or the speed is not known is never
parked (the requirements, "The 30-minute cutoff").
Refuses to know what the parts are made of.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from firmware.core.events import Action, VehicleSampled
from firmware.ports import PartLost, VehicleFact, VehiclePart, VehiclePort

SAMPLE_PERIOD_S: Final = 0.5
LEAST_GAP_S: Final = 0.05
"""Between samples, however much changes: a contact that is broken does not flood the core."""
AGAIN_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
"""Pauses before a part that is lost is tried again; the last one repeats."""
STABLE_S: Final = 10.0
"""A part that worked for so long begins with the shortest pause again."""
STANDS_IN_MS: Final = 1_000
"""A sample of a vehicle that stands in for a part lasts two of its periods."""

IGNITION: Final = "ignition_on"
_PARKED: Final = frozenset({IGNITION, "speed_kmh"})

log = structlog.get_logger("sharebox")


class HardwareVehicle:
    """`VehiclePort`. `parts` by name: what several of them tell or can do is the business of the first of them alone,
    also while it is lost. The ignition is off when each of them says so."""

    def __init__(self, parts: Mapping[str, VehiclePart]) -> None:
        self._parts = dict(parts)
        self._tells: dict[str, str] = {}
        self._does: dict[Action, VehiclePart] = {}
        for name, part in parts.items():
            for field in part.gives:
                self._tells.setdefault(field, name)
            for action in part.actions:
                self._does.setdefault(action, part)
        self._changed = asyncio.Event()
        self._refused: set[Action] = set()

    async def run(self, told: Callable[[VehicleFact], None]) -> None:
        """As VehiclePort."""
        missing = sorted(_PARKED - {*self._tells})
        if missing:
            log.warning("nothing tells whether the car is parked, so no cutoff ever takes effect", missing=missing)
        async with asyncio.TaskGroup() as group:
            for name, part in self._parts.items():
                group.create_task(self._keep(name, part, told))
            group.create_task(self._sampling(told))

    async def actuate(self, action: Action) -> bool:
        """As VehiclePort."""
        part = self._does.get(action)
        if part is not None:
            return await part.actuate(action)
        if action not in self._refused:
            self._refused.add(action)
            log.warning("there is nothing that does this to the car", action=action.value)
        return False

    def part(self, name: str) -> VehiclePart:
        """One of them."""
        return self._parts[name]

    def sample(self) -> VehicleSampled:
        """What is known at this instant."""
        looks = {name: part.look() for name, part in self._parts.items()}
        known = {field: getattr(looks[name], field) for field, name in self._tells.items()}
        ignitions = [looks[name].ignition_on for name, part in self._parts.items() if IGNITION in part.gives]
        return VehicleSampled(**{**known, IGNITION: _agreed(ignitions)})

    async def _sampling(self, told: Callable[[VehicleFact], None]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + SAMPLE_PERIOD_S
        while True:
            self._changed.clear()
            told(self.sample())
            await asyncio.sleep(LEAST_GAP_S)
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                # Not asked of the clock again: a timer may fire a rounding error before its time.
                due = max(due + SAMPLE_PERIOD_S, loop.time())

    async def _keep(self, name: str, part: VehiclePart, told: Callable[[VehicleFact], None]) -> None:
        """At work, again and again."""
        loop, pauses, said = asyncio.get_running_loop(), iter(AGAIN_S), ""
        while True:
            began_s = loop.time()
            try:
                await part.run(told, self._changed.set)
            except PartLost as lost:
                self._changed.set()
                worked = loop.time() - began_s >= STABLE_S
                if worked or str(lost) != said:
                    said = str(lost)
                    log.warning("a part of the car is out of reach, it is tried again", part=name, why=said)
                if worked:
                    pauses = iter(AGAIN_S)
            await asyncio.sleep(next(pauses, AGAIN_S[-1]))


class StandIn:
    """`VehiclePart`: a whole vehicle, such as the simulated one, in place of parts that are not there. `events`: also
    what happens to it. `mono_ms`: the module's monotonic clock."""

    def __init__(
        self,
        vehicle: VehiclePort,
        mono_ms: Callable[[], int],
        *,
        gives: frozenset[str],
        actions: frozenset[Action],
        events: bool,
    ) -> None:
        self.gives = gives
        self.actions = actions
        self._vehicle = vehicle
        self._mono_ms = mono_ms
        self._events = events
        self._sample = VehicleSampled()
        self._sampled_at_ms = 0

    async def run(self, told: Callable[[VehicleFact], None], changed: Callable[[], None]) -> None:
        """As VehiclePart."""

        def heard(fact: VehicleFact) -> None:
            if isinstance(fact, VehicleSampled):
                news = _without_numbers(fact) != _without_numbers(self._sample)
                self._sample, self._sampled_at_ms = fact, self._mono_ms()
                if news:
                    changed()
            elif self._events:
                told(fact)

        await self._vehicle.run(heard)

    def look(self) -> VehicleSampled:
        """As VehiclePart."""
        if self._mono_ms() - self._sampled_at_ms > STANDS_IN_MS:
            return VehicleSampled(fix=self._sample.fix)
        return self._sample

    async def actuate(self, action: Action) -> bool:
        """As VehiclePart."""
        return await self._vehicle.actuate(action)


def _without_numbers(sample: VehicleSampled) -> tuple[bool | None, ...]:
    return (sample.ignition_on, sample.locked, sample.doors_open, sample.boot_open, sample.immobilised)


def _agreed(states: list[bool | None]) -> bool | None:
    """On when one says so, off when all do. None: nobody knows."""
    if True in states:
        return True
    return False if states and None not in states else None
