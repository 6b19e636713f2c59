"""How often a car tells how it is, over a day: the more it does, the more often."""

import msgspec
import pytest

from firmware.core import module
from firmware.core.events import LinkOpened, VehicleSampled
from firmware.core.state import State
from protocol.telemetry import Channel
from tests.support.core import DRIVING, NOW, STANDING, a_state, records, seen

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def told(state: State, sample: VehicleSampled, from_ms: int, until_ms: int) -> tuple[State, list[int]]:
    """The car does this for so long, and its battery is never at rest. When its state was told, in minutes."""
    times = []
    for at_ms in range(from_ms, until_ms, 2_000):
        flickering = msgspec.structs.replace(sample, battery_mv=12_600 + 100 * (at_ms // 2_000 % 2))
        state, effects = module.step(state, flickering, NOW + at_ms)
        times += [at_ms // MINUTE_MS for _ in records(effects, Channel.STATE)]
    return state, times


@pytest.mark.req("TEL-1")
def test_a_day_of_a_car_that_drives_for_half_an_hour_and_sleeps() -> None:
    state, driving = told(a_state(vehicle=seen(DRIVING)), DRIVING, 0, 30 * MINUTE_MS)
    assert driving == list(range(30)), "every minute while it drives"
    state, parked = told(state, STANDING, 30 * MINUTE_MS, 24 * HOUR_MS)
    assert parked == [30, 45, 6 * 60 + 45, 12 * 60 + 45, 18 * 60 + 45], "at once, once more, and then four times a day"


@pytest.mark.req("TEL-1")
def test_a_phone_that_comes_wakes_a_sleeping_car() -> None:
    state, asleep = told(a_state(vehicle=seen(still_for_ms=2 * HOUR_MS)), STANDING, 0, HOUR_MS)
    assert asleep == [0]
    state, _ = module.step(state, LinkOpened(1), NOW + HOUR_MS)
    state, awake = told(state, STANDING, HOUR_MS, HOUR_MS + 5_000)
    assert awake == [60]
    state, effects = module.step(state, msgspec.structs.replace(STANDING, locked=False), NOW + HOUR_MS + 6_000)
    assert records(effects, Channel.STATE), "and what anybody does to it is told at once"
