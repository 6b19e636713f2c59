"""What the car asks service for, once each time."""

import msgspec
import pytest

from firmware.core import teleservice
from firmware.core.events import VehicleSampled
from firmware.core.incidents import Asked
from firmware.core.state import State
from protocol.orders import ServicePlan
from tests.support.core import STANDING, a_state, draft, seen

replace = msgspec.structs.replace

BOUGHT = ServicePlan(1, "BE", "2021-05-10", (2021, 5, 10), ("6FP",))


def asked(state: State, *samples: VehicleSampled) -> list[str]:
    """What for, over these samples."""
    said: list[str] = []
    for sample in samples:
        made = draft(replace(state, vehicle=seen(sample)))
        teleservice.settle(made)
        said += [effect.record.reason for effect in made.effects if hasattr(effect, "record")]
        state = made.state
    return said


def driven(*odometers_m: int | None) -> list[VehicleSampled]:
    return [replace(STANDING, odometer_m=odometer_m) for odometer_m in odometers_m]


def charged(*millivolts: int | None) -> list[VehicleSampled]:
    return [replace(STANDING, battery_mv=each) for each in millivolts]


@pytest.mark.req("SVC-1")
def test_an_inspection_is_asked_for_once_in_thirty_thousand_kilometres() -> None:
    state = a_state(services=BOUGHT)
    assert asked(state, *driven(29_999_999)) == []
    assert asked(state, *driven(29_999_999, None, 30_000_000, 30_000_500, 59_999_999)) == ["inspection"]
    assert asked(state, *driven(29_999_999, 30_000_000, 60_000_000)) == ["inspection"] * 2
    assert asked(state, *driven(75_000_000, 80_000_000, 90_000_000)) == ["inspection"], "the past is not asked for"


@pytest.mark.req("SVC-1")
def test_a_weak_battery_is_asked_for_once_until_it_is_well_again() -> None:
    state = a_state(services=BOUGHT)
    assert asked(state, *charged(12_600, 11_800, None, 11_799, 11_500, 12_000, 11_700)) == ["battery"]
    assert asked(state, *charged(11_700, 12_300, 11_700)) == ["battery"] * 2


def test_an_engine_that_runs_or_may_run_says_nothing_of_the_battery() -> None:
    weak = replace(STANDING, battery_mv=11_000)
    for ignition_on in (True, None):
        assert asked(a_state(services=BOUGHT), replace(weak, ignition_on=ignition_on)) == []


def test_nobody_is_asked_who_has_not_bought_it() -> None:
    weak = replace(STANDING, battery_mv=11_000)
    for plan in (None, replace(BOUGHT, packs=("6AP",)), replace(BOUGHT, base_active=False)):
        assert asked(a_state(services=plan), weak) == []
    assert asked(a_state(services=BOUGHT, asked=Asked(battery=True)), weak) == []
