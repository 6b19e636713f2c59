"""How eagerly the module shows itself, and for whom."""

import msgspec
import pytest

from firmware.core import module
from firmware.core.airtime import BRISK_FOR_MS, Airtime, Pace, airtime, slows_at_ms, stirs
from firmware.core.events import (
    BrokerConnected,
    CrashDetected,
    Event,
    KeyButton,
    LinkActive,
    LinkLost,
    LinkOpened,
    Ticked,
    VehicleKeyUsed,
    VehicleSampled,
)
from firmware.core.state import State, VehicleView
from tests.support.core import DRIVING, EPOCH, NOW, OWNER_KEY, PROFILE, a_state, durably, running, seen

replace = msgspec.structs.replace

PARKED = seen()
MOVING = seen(DRIVING)


def at_pace(state: State, now: int = NOW) -> Pace:
    return airtime(state, now).pace


@pytest.mark.req("BLE-2")
@pytest.mark.parametrize("event", [LinkOpened(1), LinkLost(1), VehicleKeyUsed(KeyButton.LOCK), CrashDetected()])
def test_for_half_a_minute_after_what_may_bring_a_phone_it_is_brisk(event: Event) -> None:
    assert stirs(event)
    state, _ = module.step(a_state(vehicle=PARKED), event, NOW)
    assert state.stirred_at_ms == NOW
    assert at_pace(state, NOW + BRISK_FOR_MS - 1) is Pace.BRISK
    assert at_pace(state, NOW + BRISK_FOR_MS) is not Pace.BRISK
    assert slows_at_ms(state, NOW) == NOW + BRISK_FOR_MS
    assert module.next_deadline(state, NOW + 1) <= NOW + BRISK_FOR_MS


@pytest.mark.parametrize("event", [LinkActive(1), Ticked(), BrokerConnected(), VehicleSampled()])
def test_what_happens_all_the_time_stirs_nothing(event: Event) -> None:
    assert not stirs(event)
    state, _ = module.step(a_state(vehicle=PARKED), event, NOW)
    assert state.stirred_at_ms == 0


def test_a_module_that_has_just_got_power_is_brisk() -> None:
    state, _ = module.boot(None, PROFILE, NOW)
    assert at_pace(state) is Pace.BRISK
    assert slows_at_ms(state, NOW) == NOW + BRISK_FOR_MS
    assert slows_at_ms(state, NOW + BRISK_FOR_MS) is None


@pytest.mark.req("BLE-2")
def test_whoever_comes_back_to_the_car_of_his_booking_finds_it_at_once() -> None:
    booked = running(vehicle=PARKED)
    assert at_pace(booked) is Pace.BRISK
    assert slows_at_ms(replace(booked, stirred_at_ms=NOW), NOW) is None
    keyed = a_state(vehicle=PARKED, driver_key=OWNER_KEY)
    assert at_pace(keyed) is Pace.BRISK


def test_a_car_that_moves_is_calm_and_one_that_nobody_uses_is_slow() -> None:
    assert at_pace(running(vehicle=MOVING)) is Pace.CALM
    assert at_pace(a_state(vehicle=MOVING)) is Pace.CALM
    assert at_pace(a_state(vehicle=PARKED)) is Pace.SLOW


def test_a_car_of_which_nobody_knows_whether_it_is_parked_is_not_slow() -> None:
    assert at_pace(a_state(vehicle=PARKED), NOW + 10_000) is Pace.CALM
    assert at_pace(a_state(vehicle=VehicleView())) is Pace.CALM


@pytest.mark.req("PRV-7", "OWN-4")
def test_it_is_recognised_by_the_phones_of_the_epoch_that_counts() -> None:
    state = a_state(vehicle=PARKED)
    assert airtime(state, NOW) == Airtime(Pace.SLOW, EPOCH)
    assert airtime(durably(state, key_epoch=EPOCH + 1), NOW).key_epoch == EPOCH + 1
