"""Relays and wires on a chip of the kernel's own, through libgpiod."""

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from firmware.adapters.gpio.lines import requester
from firmware.adapters.gpio.pins import Pins
from firmware.adapters.gpio.settings import Input, Relay, Wiring
from firmware.core.events import Action, VehicleSampled
from firmware.ports import PartLost
from tests.support.command import ROOT
from tests.support.gpio_sim import SimulatedChip, simulated_chip
from tests.support.serial_ends import until

pytestmark = [
    pytest.mark.guest,
    pytest.mark.req("HW-1"),
    pytest.mark.asyncio(loop_factories=["real"]),
]

UNLOCK, LOCK, IMMOBILISER, IGNITION, DOOR, LOCKED = 5, 6, 13, 17, 27, 22


@pytest.fixture
def chip() -> Iterator[SimulatedChip]:
    with simulated_chip(names={DOOR: "DOOR"}) as made:
        yield made


def pins(chip: SimulatedChip, *, pulse_ms: int = 100, feedback: bool = False, active_low: bool = False) -> Pins:
    loop = asyncio.get_running_loop()
    inputs = {
        "ignition_on": (Input(IGNITION, pull="up", debounce_ms=20),),
        "doors_open": (Input("DOOR", active_low=True, pull="up", debounce_ms=20),),
        **({"locked": (Input(LOCKED, pull="down"),)} if feedback else {}),
    }
    pulses = {
        Action.UNLOCK: Relay(UNLOCK, active_low, pulse_ms),
        Action.LOCK: Relay(LOCK, active_low, pulse_ms),
    }
    wiring = Wiring(chip.device, pulses, Relay(IMMOBILISER, active_low), inputs)
    return Pins(wiring, requester(chip.device), lambda: round(loop.time() * 1000))


@asynccontextmanager
async def running(part: Pins, changed: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
    task = asyncio.create_task(part.run(lambda _: None, changed))
    await asyncio.sleep(0.1)
    yield
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.parametrize("active_low", [False, True])
async def test_relays_begin_and_end_in_the_safe_posture(chip: SimulatedChip, active_low: bool) -> None:
    part = pins(chip, active_low=active_low)
    async with running(part):
        assert [chip.level(line) for line in (UNLOCK, LOCK, IMMOBILISER)] == [active_low] * 3
        assert await part.actuate(Action.RELEASE_IMMOBILISER)
        assert chip.level(IMMOBILISER) is not active_low
        assert part.look().immobilised is False
        pulsing = asyncio.create_task(part.actuate(Action.UNLOCK))
        await until(lambda: chip.level(UNLOCK) is not active_low)
        assert chip.level(LOCK) is active_low
        assert await pulsing
        assert chip.level(UNLOCK) is active_low
        assert await part.actuate(Action.ARM_IMMOBILISER)
        assert chip.level(IMMOBILISER) is active_low


async def test_wires_are_felt_with_their_pulls_and_a_name(chip: SimulatedChip) -> None:
    changes: list[None] = []
    part = pins(chip)
    async with running(part, lambda: changes.append(None)):
        assert part.look() == VehicleSampled(ignition_on=True, doors_open=False, immobilised=True)
        chip.pull(IGNITION, False)
        await until(lambda: part.look().ignition_on is False)
        chip.pull(DOOR, False)
        await until(lambda: part.look().doors_open is True)
        assert len(changes) >= 2


async def test_the_kernel_waits_until_a_contact_rests(chip: SimulatedChip) -> None:
    part = pins(chip)
    async with running(part):
        for _ in range(5):
            chip.pull(IGNITION, False)
            await asyncio.sleep(0.001)
            chip.pull(IGNITION, True)
            await asyncio.sleep(0.001)
            assert part.look().ignition_on is True
        await asyncio.sleep(0.1)
        assert part.look().ignition_on is True


async def test_a_lock_that_tells_confirms(chip: SimulatedChip) -> None:
    part = pins(chip, feedback=True)
    async with running(part):
        assert part.look().locked is False
        assert await part.actuate(Action.LOCK) is False
        asyncio.get_running_loop().call_later(0.3, chip.pull, LOCKED, True)
        assert await part.actuate(Action.LOCK) is True
        assert part.look().locked is True


async def test_lines_belong_to_one_program_and_must_exist(chip: SimulatedChip) -> None:
    async with running(pins(chip)):
        with pytest.raises(PartLost, match="Device or resource busy"):
            pins(chip).open()
    loop = asyncio.get_running_loop()
    for line in (99, "NOWHERE"):
        wiring = Wiring(chip.device, immobiliser=Relay(line))
        with pytest.raises(PartLost) as why:
            Pins(wiring, requester(chip.device), lambda: round(loop.time() * 1000)).open()
        assert str(why.value).startswith(f"{chip.device}: ")
        assert "\n" not in str(why.value)


KILLED_IN_A_PULSE = """
    import asyncio, sys
    from firmware.adapters.gpio.lines import requester
    from firmware.adapters.gpio.pins import Pins
    from firmware.adapters.gpio.settings import Relay, Wiring
    from firmware.core.events import Action

    async def main() -> None:
        chip = sys.argv[1]
        part = Pins(Wiring(chip, {Action.UNLOCK: Relay(5, pulse_ms=1000)}, Relay(13)), requester(chip), lambda: 0)
        await part.actuate(Action.RELEASE_IMMOBILISER)
        while True:
            await part.actuate(Action.UNLOCK)

    asyncio.run(main())
"""


async def test_when_the_process_is_killed_the_kernel_takes_the_lines_back(chip: SimulatedChip) -> None:
    program = (sys.executable, "-c", textwrap.dedent(KILLED_IN_A_PULSE), chip.device)
    process = await asyncio.create_subprocess_exec(*program, cwd=ROOT)
    await until(lambda: chip.level(UNLOCK) and chip.level(IMMOBILISER))
    process.kill()
    await process.wait()
    await until(lambda: not chip.level(UNLOCK) and not chip.level(IMMOBILISER))


async def test_a_chip_that_is_unplugged_is_lost() -> None:
    with simulated_chip(names={DOOR: "DOOR"}) as chip:
        part = pins(chip)
        task = asyncio.create_task(part.run(lambda _: None, lambda: None))
        await asyncio.sleep(0.1)
        assert part.look().ignition_on is True
    assert part.look() == VehicleSampled()
    with pytest.raises(PartLost, match="No such device"):
        await task
