"""Pulses that end, and never two that exclude each other. Threads time them, in real time."""

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from firmware.adapters.gpio.lines import output
from firmware.adapters.gpio.relays import Relays
from firmware.adapters.gpio.settings import Relay
from firmware.core.events import Action
from tests.support.pins import Chip
from tests.support.serial_ends import until

pytestmark = [pytest.mark.req("HW-1"), pytest.mark.asyncio(loop_factories=["real"])]

UNLOCK, LOCK, BOOT, IMMOBILISER = 5, 6, 7, 8
LONG_MS = 60_000
"""Longer than any machine takes to look."""
PULSES = {
    Action.UNLOCK: Relay(UNLOCK, pulse_ms=20),
    Action.LOCK: Relay(LOCK, pulse_ms=20),
    Action.OPEN_BOOT: Relay(BOOT),
}
ENERGISED = Relay(IMMOBILISER)


@pytest.fixture
def chip() -> Chip:
    return Chip()


@pytest.fixture
def relays(chip: Chip) -> Iterator[Relays]:
    made = make(chip)
    yield made
    made.close()


def make(chip: Chip, unlock_ms: int = 20) -> Relays:
    pulses = {**PULSES, Action.UNLOCK: Relay(UNLOCK, pulse_ms=unlock_ms)}
    request = chip({relay.line: output(relay) for relay in (*pulses.values(), ENERGISED)})
    return Relays(request, pulses, ENERGISED)


async def test_a_pulse_begins_and_ends(chip: Chip, relays: Relays) -> None:
    assert relays.lines == (UNLOCK, LOCK, BOOT, IMMOBILISER)
    assert await relays.pulse(Action.UNLOCK)
    assert chip.history == [(UNLOCK, True), (UNLOCK, False)]
    assert chip.driven == dict.fromkeys(relays.lines, False)


async def test_locking_and_unlocking_are_never_energised_together(chip: Chip, relays: Relays) -> None:
    actions = [Action.UNLOCK, Action.LOCK, Action.OPEN_BOOT, Action.LOCK, Action.UNLOCK, Action.UNLOCK]
    assert await asyncio.gather(*map(relays.pulse, actions)) == [True] * 6
    energised = dict.fromkeys((UNLOCK, LOCK, BOOT), False)
    for line, active in chip.history:
        energised[int(line)] = active
        assert not (energised[UNLOCK] and energised[LOCK])
    assert len(chip.history) == 12


async def test_a_pulse_that_nobody_waits_for_any_more_ends_at_once(chip: Chip) -> None:
    relays = make(chip, unlock_ms=LONG_MS)
    pulsing = asyncio.create_task(relays.pulse(Action.UNLOCK))
    await until(lambda: chip.driven[UNLOCK])
    pulsing.cancel()
    await asyncio.wait({pulsing})
    assert chip.history == [(UNLOCK, True), (UNLOCK, False)]
    assert await relays.pulse(Action.LOCK)
    relays.close()


async def test_a_pulse_given_up_before_it_begins_never_does(chip: Chip, relays: Relays) -> None:
    for turns in range(12):
        pulsing = asyncio.create_task(relays.pulse(Action.UNLOCK))
        for _ in range(turns):
            await asyncio.sleep(0)
        pulsing.cancel()
        await asyncio.wait({pulsing})
        assert chip.driven[UNLOCK] is False
    assert await relays.pulse(Action.LOCK)
    begun, ended = chip.history[::2], chip.history[1::2]
    assert [(line, False) for line, _ in begun] == ended
    assert all(active for _, active in begun)


async def test_a_pulse_ends_though_the_event_loop_hangs(chip: Chip) -> None:
    relays = make(chip, unlock_ms=20)
    pulsing = asyncio.create_task(relays.pulse(Action.UNLOCK))
    await until(lambda: bool(chip.history))
    # Nothing is awaited here: the loop stands still until the thread has done its part.
    while chip.driven[UNLOCK]:
        pass
    assert await pulsing
    relays.close()


async def test_the_immobilisers_relay_is_held_and_its_line_is_read(chip: Chip, relays: Relays) -> None:
    assert relays.enabled() is False
    assert relays.enable(True)
    assert chip.driven[IMMOBILISER] is True
    assert await relays.pulse(Action.LOCK)
    assert relays.enabled() is True
    assert relays.enable(False)
    assert relays.enabled() is False


async def test_closing_lets_go_of_everything(chip: Chip) -> None:
    relays = make(chip, unlock_ms=LONG_MS)
    relays.enable(True)
    pulsing = asyncio.create_task(relays.pulse(Action.UNLOCK))
    waiting = asyncio.create_task(relays.pulse(Action.LOCK))
    await until(lambda: chip.driven[UNLOCK])
    relays.close()
    assert chip.settings == {}
    assert {*chip.history[-2:]} == {(UNLOCK, False), (IMMOBILISER, False)}
    pulsing.cancel()
    assert await waiting is False
    relays.close()
    assert relays.given_back
    assert await relays.pulse(Action.LOCK) is False
    assert relays.enable(True) is False
    assert relays.enabled() is None


async def test_a_relay_that_can_not_be_told_to_stop_is_given_back(chip: Chip, relays: Relays) -> None:
    chip.stuck.add(UNLOCK)
    with capture_logs() as logged:
        assert await relays.pulse(Action.UNLOCK) is False
    assert relays.given_back
    assert chip.settings == {}
    assert [line["event"] for line in logged] == ["a relay can not be moved"]


async def test_an_immobiliser_that_can_not_be_armed_is_given_back(chip: Chip, relays: Relays) -> None:
    relays.enable(True)
    chip.stuck.add(IMMOBILISER)
    assert relays.enable(False) is False
    assert relays.given_back


async def test_a_chip_that_is_gone_moves_nothing_and_raises_nothing(chip: Chip, relays: Relays) -> None:
    chip.unplug()
    with capture_logs() as logged:
        assert await relays.pulse(Action.UNLOCK) is False
        assert relays.enable(True) is False
        assert relays.enabled() is None
    assert {line["why"] for line in logged} == {"No such device"}
