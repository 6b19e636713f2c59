"""What is known of the car, and whether it is parked."""

import math

import pytest

from firmware.core import vehicle
from firmware.core.events import Action, Fix, VehicleSampled
from firmware.core.state import VehicleView

STILL = VehicleSampled(ignition_on=False, speed_kmh=0.0)
FIX = Fix(481_371_540, 115_761_240, 1_790_000_000_000, 0)


def watched(*samples: tuple[int, VehicleSampled]) -> VehicleView:
    view = VehicleView()
    for now, sample in samples:
        view = vehicle.sampled(view, sample, now)
    return view


def standing_from(first: int, last: int, step: int = 1_000) -> VehicleView:
    return watched(*((now, STILL) for now in range(first, last + 1, step)))


@pytest.mark.req("CUT-2")
def test_the_car_is_parked_after_standing_for_five_seconds() -> None:
    view = standing_from(10_000, 15_000)
    assert vehicle.parked_for_ms(view, 14_999) == 4_999
    assert not vehicle.parked(view, 14_999)
    assert vehicle.parked(view, 15_000)


def test_nothing_known_is_not_parked() -> None:
    assert vehicle.parked_for_ms(VehicleView(), 60_000) == 0
    assert not vehicle.parked(VehicleView(), 60_000)
    assert not vehicle.fresh(VehicleView(), 0)
    assert vehicle.parked_at_ms(VehicleView(), 0) is None


@pytest.mark.req("CUT-3")
@pytest.mark.parametrize(
    ("ignition_on", "speed_kmh"),
    [(None, 0.0), (True, 0.0), (False, None), (False, 0.1), (False, -1.0), (False, math.nan), (False, math.inf)],
)
def test_what_is_unknown_or_moves_is_not_still(ignition_on: bool | None, speed_kmh: float | None) -> None:
    sample = VehicleSampled(ignition_on=ignition_on, speed_kmh=speed_kmh)
    assert not vehicle.is_still(sample)
    view = vehicle.sampled(standing_from(0, 10_000), sample, 11_000)
    assert view == VehicleView(sample, 11_000, None)
    assert vehicle.parked_for_ms(view, 11_000) == 0


def test_standing_begins_anew_after_a_movement() -> None:
    view = watched((0, STILL), (1_000, VehicleSampled(ignition_on=True, speed_kmh=0.0)), (2_000, STILL))
    assert view.still_since_ms == 2_000


@pytest.mark.req("CUT-3")
def test_a_hole_of_more_than_two_and_a_half_seconds_breaks_the_run() -> None:
    assert watched((0, STILL), (2_500, STILL)).still_since_ms == 0
    assert watched((0, STILL), (2_501, STILL)).still_since_ms == 2_501


@pytest.mark.req("CUT-3")
def test_a_stale_sample_is_never_parked() -> None:
    view = standing_from(0, 10_000)
    assert vehicle.parked(view, 12_500)
    assert not vehicle.parked(view, 12_501)
    assert not vehicle.fresh(view, 12_501)


def test_the_moment_of_being_parked_is_foreseen_while_the_samples_last() -> None:
    assert vehicle.parked_at_ms(standing_from(0, 3_000), 3_000) == 5_000
    assert vehicle.parked_at_ms(standing_from(0, 2_000), 2_000) is None
    assert vehicle.parked_at_ms(standing_from(0, 5_000), 5_000) is None
    moving = watched((0, VehicleSampled(ignition_on=True, speed_kmh=9.0)))
    assert vehicle.parked_at_ms(moving, 0) is None


def test_a_stale_sample_keeps_only_what_does_not_change_by_itself() -> None:
    sample = VehicleSampled(False, 0.0, True, False, False, True, 55.0, 1_000, 12_600, FIX, 300_000)
    view = vehicle.sampled(VehicleView(), sample, 1_000)
    assert vehicle.current(view, 3_500) == sample
    assert vehicle.current(view, 3_501) == VehicleSampled(fuel_pct=55.0, odometer_m=1_000, fix=FIX, range_m=300_000)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_fuel_level_that_is_no_number_is_unknown(broken: float) -> None:
    assert vehicle.sampled(VehicleView(), VehicleSampled(fuel_pct=broken), 0).sample.fuel_pct is None


@pytest.mark.parametrize(
    ("action", "confirmed", "locked", "immobilised"),
    [
        (Action.UNLOCK, True, False, False),
        (Action.LOCK, True, True, False),
        (Action.LOCK, False, None, False),
        (Action.RELEASE_IMMOBILISER, True, True, False),
        (Action.ARM_IMMOBILISER, True, True, True),
        (Action.ARM_IMMOBILISER, False, True, None),
        (Action.FLASH, True, True, False),
        (Action.FLASH, False, True, False),
    ],
)
def test_what_the_module_did_itself_is_known_at_once_and_what_nobody_saw_is_not(
    action: Action, confirmed: bool, locked: bool | None, immobilised: bool | None
) -> None:
    before = VehicleView(VehicleSampled(locked=True, immobilised=False), 1_000, None)
    after = vehicle.acted(before, action, confirmed=confirmed)
    assert (after.sample.locked, after.sample.immobilised) == (locked, immobilised)
    assert (after.at_ms, after.still_since_ms) == (1_000, None)


@pytest.mark.parametrize(("confirmed", "boot_open"), [(True, True), (False, None)])
def test_opening_the_boot_says_nothing_about_the_immobiliser(confirmed: bool, boot_open: bool | None) -> None:
    before = VehicleView(VehicleSampled(locked=True, boot_open=False, immobilised=True), 1_000, None)
    after = vehicle.acted(before, Action.OPEN_BOOT, confirmed=confirmed)
    assert (after.sample.boot_open, after.sample.immobilised, after.sample.locked) == (boot_open, True, True)


def test_the_deadline_of_parking_may_fall_on_the_last_moment_of_a_sample() -> None:
    view = VehicleView(STILL, 12_500, 10_000)
    assert vehicle.parked_at_ms(view, 12_600) == 15_000
    assert vehicle.parked_at_ms(VehicleView(STILL, 12_499, 10_000), 12_600) is None
