"""A car made of parts: who tells what, parts that are lost, and that "parked" is never made up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from firmware.core import vehicle
from firmware.core.events import Action, Fix, KeyButton, VehicleKeyUsed, VehicleSampled
from firmware.core.state import VehicleView
from firmware.hardware import HardwareVehicle, StandIn
from firmware.ports import PartLost, VehicleFact
from firmware.simulated.car import Car
from firmware.simulated.vehicle import SimulatedVehicle
from host_tools.virtual_time import run

pytestmark = pytest.mark.req("HW-1")

AT_REST = VehicleSampled(
    ignition_on=False, speed_kmh=0.0, locked=True, doors_open=False, boot_open=False, immobilised=True, fuel_pct=50.0
)
ALL = frozenset(VehicleSampled.__struct_fields__)


class Part:
    """A part that knows `sample`, and can be lost."""

    def __init__(
        self,
        sample: VehicleSampled,
        gives: frozenset[str],
        actions: frozenset[Action] = frozenset(),
        *,
        does: bool = True,
    ) -> None:
        self.sample = sample
        self.gives = gives
        self.actions = actions
        self.done: list[Action] = []
        self.runs = 0
        self.changed: Callable[[], None] = lambda: None
        self.told: Callable[[VehicleFact], None] = lambda _: None
        self._does = does
        self._lost = asyncio.Event()
        self.out_of_reach = False

    async def run(self, told: Callable[[VehicleFact], None], changed: Callable[[], None]) -> None:
        self.runs += 1
        self.told, self.changed = told, changed
        self._lost.clear()
        if not self.out_of_reach:
            await self._lost.wait()
        raise PartLost("it fell off")

    def lose(self, for_good: bool = True) -> None:
        self.out_of_reach = for_good
        self.sample = VehicleSampled(fix=self.sample.fix)
        self._lost.set()

    def look(self) -> VehicleSampled:
        return self.sample

    async def actuate(self, action: Action) -> bool:
        self.done.append(action)
        return self._does


class Told:
    """What the module is told, and when."""

    def __init__(self) -> None:
        self.facts: list[tuple[float, VehicleFact]] = []

    def __call__(self, fact: VehicleFact) -> None:
        self.facts.append((round(asyncio.get_running_loop().time(), 3), fact))

    @property
    def samples(self) -> list[tuple[float, VehicleSampled]]:
        return [(at, fact) for at, fact in self.facts if isinstance(fact, VehicleSampled)]

    @property
    def last(self) -> VehicleSampled:
        return self.samples[-1][1]


@asynccontextmanager
async def driving(car: HardwareVehicle) -> AsyncIterator[Told]:
    told = Told()
    task = asyncio.create_task(car.run(told))
    await asyncio.sleep(0)
    yield told
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_a_sample_comes_twice_a_second_and_when_something_changes() -> None:
    part = Part(AT_REST, ALL)
    async with driving(HardwareVehicle({"can": part})) as told:
        await asyncio.sleep(1.2)
        part.sample = msgspec.structs.replace(AT_REST, doors_open=True)
        part.changed()
        await asyncio.sleep(0.4)
    assert [at for at, _ in told.samples] == [0.0, 0.5, 1.0, 1.2, 1.5]
    assert [sample.doors_open for _, sample in told.samples] == [False, False, False, True, True]


async def test_a_broken_contact_does_not_flood_the_module() -> None:
    part = Part(AT_REST, ALL)
    async with driving(HardwareVehicle({"gpio": part})) as told:
        for _ in range(1_000):
            part.changed()
            await asyncio.sleep(0.001)
    assert 15 <= len(told.samples) <= 22


async def test_the_first_part_that_knows_a_signal_is_the_only_one_also_while_it_is_lost() -> None:
    wire = Part(VehicleSampled(locked=False), frozenset({"locked"}))
    bus = Part(AT_REST, frozenset({"locked", "speed_kmh", "fix"}))
    async with driving(HardwareVehicle({"gpio": wire, "can": bus})) as told:
        await asyncio.sleep(0.6)
        assert told.last == VehicleSampled(locked=False, speed_kmh=0.0)
        wire.lose()
        await asyncio.sleep(0.1)
        assert told.last == VehicleSampled(speed_kmh=0.0)


@pytest.mark.req("CUT-2", "CUT-3")
@pytest.mark.parametrize(
    ("wire", "bus", "told"),
    [
        (False, False, False),
        (False, True, True),
        (True, False, True),
        (True, None, True),
        (False, None, None),
        (None, False, None),
        (None, None, None),
    ],
)
async def test_the_ignition_is_off_when_all_who_tell_of_it_say_so(
    wire: bool | None, bus: bool | None, told: bool | None
) -> None:
    some = frozenset({"ignition_on"})
    parts = {"gpio": Part(VehicleSampled(ignition_on=wire), some), "can": Part(VehicleSampled(ignition_on=bus), some)}
    assert HardwareVehicle({**parts, "gnss": Part(VehicleSampled(), frozenset())}).sample().ignition_on is told


async def test_a_part_that_is_lost_is_tried_again_with_longer_and_longer_pauses_and_said_once() -> None:
    part = Part(AT_REST, ALL)
    with capture_logs() as logged:
        async with driving(HardwareVehicle({"can": part})) as told:
            await asyncio.sleep(1)
            part.lose()
            await asyncio.sleep(0.45)
            assert part.runs == 1
            await asyncio.sleep(60)
            assert part.runs == 1 + 5 + 4
            part.out_of_reach = False
            part.sample = AT_REST
            await asyncio.sleep(30)
            assert told.last == AT_REST
            part.lose()
            part.sample = AT_REST
            await asyncio.sleep(0.6)
            assert part.runs == 12
    assert [(line["part"], line["why"]) for line in logged] == [("can", "it fell off")] * 2


async def test_events_of_parts_are_told_as_they_happen() -> None:
    part = Part(AT_REST, ALL)
    async with driving(HardwareVehicle({"can": part})) as told:
        await asyncio.sleep(0.1)
        part.told(VehicleKeyUsed(KeyButton.LOCK))
    assert told.facts[-1] == (0.1, VehicleKeyUsed(KeyButton.LOCK))


async def test_an_action_is_the_business_of_the_first_part_that_can_do_it() -> None:
    locks, all_of_it = Part(AT_REST, ALL, frozenset({Action.LOCK}), does=False), Part(AT_REST, ALL, frozenset(Action))
    car = HardwareVehicle({"gpio": locks, "simulated": all_of_it})
    assert await car.actuate(Action.LOCK) is False
    assert await car.actuate(Action.UNLOCK) is True
    assert (locks.done, all_of_it.done) == ([Action.LOCK], [Action.UNLOCK])


async def test_what_nothing_can_do_is_not_done_and_said_once() -> None:
    car = HardwareVehicle({"can": Part(AT_REST, ALL)})
    with capture_logs() as logged:
        assert await car.actuate(Action.FLASH) is False
        assert await car.actuate(Action.FLASH) is False
    assert len(logged) == 1


@pytest.mark.parametrize(("gives", "missing"), [(frozenset({"speed_kmh"}), ["ignition_on"]), (ALL, None)])
async def test_a_car_that_can_never_be_parked_is_told_of(gives: frozenset[str], missing: list[str] | None) -> None:
    with capture_logs() as logged:
        async with driving(HardwareVehicle({"can": Part(AT_REST, gives)})):
            pass
    assert [line["missing"] for line in logged] == ([] if missing is None else [missing])


# ---------------------------------------------------------------- what is lost is never parked
SPLITS = st.lists(st.sampled_from([0, 1, 2]), min_size=len(ALL), max_size=len(ALL))


@pytest.mark.req("CUT-2", "CUT-3")
@settings(max_examples=50)
@given(SPLITS, st.sets(st.sampled_from(sorted(ALL))), st.sets(st.sampled_from([0, 1, 2])), st.booleans())
def test_whichever_signals_or_parts_are_lost_parked_is_known_or_it_is_not(
    split: list[int], hidden: set[str], lost: set[int], late: bool
) -> None:
    """Three parts share the signals in any way. What is lost, before or after the car has come to rest, is unknown, and
    the core's own rule says parked only while ignition and speed are known."""
    fields = [frozenset(name for name, at in zip(sorted(ALL), split, strict=True) if at == part) for part in range(3)]
    known = {**{name: getattr(AT_REST, name) for name in ALL}, **dict.fromkeys(hidden)}

    async def scene() -> bool:
        parts = [Part(VehicleSampled(**{name: known[name] for name in some}), some) for some in fields]
        car = HardwareVehicle({str(at): part for at, part in enumerate(parts)})
        loop, view = asyncio.get_running_loop(), VehicleView()

        def told(fact: VehicleFact) -> None:
            nonlocal view
            assert isinstance(fact, VehicleSampled)
            view = vehicle.sampled(view, fact, round(loop.time() * 1000))

        task = asyncio.create_task(car.run(told))
        await asyncio.sleep(20 if late else 0)
        for at in lost:
            parts[at].lose()
        await asyncio.sleep(20)
        task.cancel()
        await asyncio.wait({task})
        return vehicle.parked(view, round(loop.time() * 1000))

    with capture_logs():
        parked = run(scene())
    needed = {"ignition_on", "speed_kmh"}
    gone = hidden.union(*(fields[at] for at in lost))
    assert parked is not bool(needed & gone)


# ---------------------------------------------------------------- the simulated car in place of a part
class Standing:
    def __init__(self, **options: bool) -> None:
        loop = asyncio.get_running_loop()

        def now() -> int:
            return round(loop.time() * 1000)

        self.car = SimulatedVehicle(now, now, car=Car())
        self.part = StandIn(
            self.car,
            now,
            gives=frozenset({"locked", "doors_open", "fix"}),
            actions=frozenset(Action),
            events=options.get("events", True),
        )


async def test_the_simulated_car_stands_in_for_what_is_not_there() -> None:
    standing = Standing()
    bus = Part(VehicleSampled(speed_kmh=7.0, ignition_on=True), frozenset({"speed_kmh", "ignition_on"}))
    car = HardwareVehicle({"can": bus, "simulated": standing.part})
    async with driving(car) as told:
        await asyncio.sleep(0.1)
        assert await car.actuate(Action.UNLOCK)
        assert standing.car.open_door()
        standing.car.use_key(KeyButton.LOCK)
        await asyncio.sleep(0.1)
        last = told.last
    assert isinstance(last.fix, Fix)
    assert last == VehicleSampled(speed_kmh=7.0, ignition_on=True, locked=True, doors_open=True, fix=last.fix)
    assert VehicleKeyUsed(KeyButton.LOCK) in [fact for _, fact in told.facts]


async def test_where_it_stands_in_for_no_bus_nothing_happens_to_it() -> None:
    standing = Standing(events=False)
    async with driving(HardwareVehicle({"simulated": standing.part})) as told:
        await asyncio.sleep(0.1)
        standing.car.crash()
        await asyncio.sleep(0.1)
    assert len(told.facts) == len(told.samples)


async def test_when_it_is_silent_nothing_but_the_fix_is_known() -> None:
    standing = Standing()
    async with driving(HardwareVehicle({"simulated": standing.part})) as told:
        await asyncio.sleep(1)
        standing.car.silence_bus()
        await asyncio.sleep(2)
        assert told.last == VehicleSampled(fix=told.last.fix)
        assert told.last.fix is not None
