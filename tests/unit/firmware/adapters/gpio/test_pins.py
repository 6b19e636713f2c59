"""The pins as a part of the car: what confirms an action, what is known, and what remains when the chip is gone."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from firmware.adapters.gpio.pins import Pins
from firmware.adapters.gpio.settings import Input, Relay, Wiring
from firmware.core.events import Action, VehicleSampled
from firmware.ports import PartLost
from tests.support.pins import Chip

pytestmark = pytest.mark.req("HW-1")

UNLOCK, LOCK, BOOT, FLASH, IMMOBILISER = 5, 6, 7, 8, 13
HELD = Relay(IMMOBILISER)
PULSES = {
    action: Relay(line, pulse_ms=20)
    for action, line in (
        (Action.UNLOCK, UNLOCK),
        (Action.LOCK, LOCK),
        (Action.OPEN_BOOT, BOOT),
        (Action.FLASH, FLASH),
    )
}
LOCKED, BOOT_OPEN, ARMED = Input(20), Input(21), Input(22)
FEEDBACK: Mapping[str, tuple[Input, ...]] = {"locked": (LOCKED,), "boot_open": (BOOT_OPEN,), "immobilised": (ARMED,)}
NO_INPUTS: Mapping[str, tuple[Input, ...]] = {}


def pins(chip: Chip, inputs: Mapping[str, tuple[Input, ...]] = NO_INPUTS, immobiliser: Relay | None = HELD) -> Pins:
    loop = asyncio.get_running_loop()
    return Pins(Wiring("/dev/gpiochip0", PULSES, immobiliser, inputs), chip, lambda: round(loop.time() * 1000))


@asynccontextmanager
async def running(part: Pins, changes: list[None] | None = None) -> AsyncIterator[None]:
    noted: list[None] = [] if changes is None else changes
    task = asyncio.create_task(part.run(lambda _: None, lambda: noted.append(None)))
    await asyncio.sleep(0.01)
    yield
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_taking_the_lines_is_the_safe_posture() -> None:
    chip = Chip()
    part = pins(chip, FEEDBACK)
    part.open()
    assert chip.driven == dict.fromkeys((UNLOCK, LOCK, BOOT, FLASH, IMMOBILISER), False)
    part.open()
    part.close()
    assert chip.settings == {}
    part.close()


async def test_without_a_wire_that_tells_a_pulse_confirms_and_nobody_knows_afterwards() -> None:
    chip = Chip()
    part = pins(chip)
    assert part.gives == {"immobilised"}
    assert part.actions == {*Action}
    async with running(part):
        for action in (Action.UNLOCK, Action.OPEN_BOOT, Action.FLASH, Action.LOCK):
            assert await part.actuate(action)
            assert part.look() == VehicleSampled(immobilised=True)
        assert [line for line, active in chip.history if active] == [UNLOCK, BOOT, FLASH, LOCK]


async def test_the_immobilisers_own_line_says_how_it_stands() -> None:
    chip = Chip()
    part = pins(chip)
    async with running(part):
        assert await part.actuate(Action.RELEASE_IMMOBILISER)
        assert chip.driven[IMMOBILISER] is True
        assert part.look() == VehicleSampled(immobilised=False)
        assert await part.actuate(Action.LOCK)
        assert part.look().immobilised is False
        assert await part.actuate(Action.ARM_IMMOBILISER)
        assert part.look().immobilised is True
    assert part.look() == VehicleSampled()


@pytest.mark.parametrize(
    ("action", "wire", "said"),
    [
        (Action.UNLOCK, LOCKED, False),
        (Action.LOCK, LOCKED, True),
        (Action.OPEN_BOOT, BOOT_OPEN, True),
        (Action.RELEASE_IMMOBILISER, ARMED, False),
        (Action.ARM_IMMOBILISER, ARMED, True),
    ],
)
async def test_where_a_wire_tells_it_has_to_say_so_in_time(action: Action, wire: Input, said: bool) -> None:
    chip = Chip()
    chip.felt[wire.line] = not said
    part = pins(chip, FEEDBACK)
    loop = asyncio.get_running_loop()
    async with running(part):
        began_s = loop.time()
        assert await part.actuate(action) is False
        assert 1.7 <= loop.time() - began_s < 2.0
        loop.call_later(1.0, chip.feel, wire.line, said)
        assert await part.actuate(action) is True
        assert await part.actuate(action) is True


async def test_a_car_whose_lights_flash_need_not_say_so() -> None:
    part = pins(Chip(), FEEDBACK)
    async with running(part):
        assert await part.actuate(Action.FLASH)


async def test_what_wires_tell_is_known_and_a_change_is_told() -> None:
    chip, changes = Chip(), list[None]()
    wires = {"ignition_on": (Input(17),), "doors_open": (Input(1), Input(2)), **FEEDBACK}
    part = pins(chip, wires)
    assert part.gives == {*wires}
    async with running(part, changes):
        assert part.look() == VehicleSampled(
            ignition_on=False, doors_open=False, locked=False, boot_open=False, immobilised=False
        )
        chip.feel(2, True)
        chip.feel(ARMED.line, True)
        await asyncio.sleep(0.01)
        assert changes
        assert part.look().doors_open is True
        assert part.look().immobilised is True


async def test_an_action_before_it_runs_takes_the_lines_first() -> None:
    chip = Chip()
    part = pins(chip)
    assert await part.actuate(Action.RELEASE_IMMOBILISER)
    async with running(part):
        assert part.look() == VehicleSampled(immobilised=False)
    assert chip.settings == {}


@pytest.mark.req("CUT-3")
@pytest.mark.parametrize("tells_edges", [True, False])
async def test_when_the_chip_is_gone_nothing_is_known_or_moved_until_it_is_back(tells_edges: bool) -> None:
    chip = Chip(tells_edges=tells_edges)
    part = pins(chip, {"ignition_on": (Input(17),)})
    task = asyncio.create_task(part.run(lambda _: None, lambda: None))
    await asyncio.sleep(0.1)
    assert part.look() == VehicleSampled(ignition_on=False, immobilised=True)
    chip.unplug()
    with pytest.raises(PartLost, match=r"^/dev/gpiochip0: No such device$"):
        await task
    assert part.look() == VehicleSampled()
    assert await part.actuate(Action.UNLOCK) is False
    with pytest.raises(PartLost):
        await part.run(lambda _: None, lambda: None)
    chip.unplugged = False
    async with running(part):
        await asyncio.sleep(0.1)
        assert part.look() == VehicleSampled(ignition_on=False, immobilised=True)


async def test_an_input_that_fails_at_a_look_ends_the_part() -> None:
    chip = Chip()
    part = pins(chip, {"immobilised": (ARMED,)})
    task = asyncio.create_task(part.run(lambda _: None, lambda: None))
    await asyncio.sleep(0.01)
    chip.unplugged = True
    assert part.look() == VehicleSampled()
    assert part.look() == VehicleSampled()
    with pytest.raises(PartLost, match="No such device"):
        await task


async def test_a_relay_that_fails_ends_the_part_also_where_there_are_no_inputs() -> None:
    chip = Chip()
    chip.stuck.add(UNLOCK)
    part = pins(chip, immobiliser=None)
    task = asyncio.create_task(part.run(lambda _: None, lambda: None))
    await asyncio.sleep(0.01)
    assert part.look() == VehicleSampled()
    with capture_logs():
        assert await part.actuate(Action.UNLOCK) is False
    with pytest.raises(PartLost, match="a relay could not be moved"):
        await task


async def test_lines_that_somebody_else_has_are_one_line() -> None:
    chip = Chip()
    first, second = pins(chip), pins(chip)
    first.open()
    with pytest.raises(PartLost, match=r"^/dev/gpiochip0: Device or resource busy$"):
        second.open()
    first.close()
    inputs_taken, other = pins(chip, {"locked": (LOCKED,)}, None), Pins(Wiring("x", inputs={"a": (LOCKED,)}), chip, int)
    other.open()
    with pytest.raises(PartLost, match="busy"):
        inputs_taken.open()
    assert {*chip.settings} == {LOCKED.line}
    other.close()
