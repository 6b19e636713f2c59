"""For whom driving is possible, and how it ends."""

import msgspec
import pytest

from firmware.core import drive
from firmware.core.draft import Draft
from firmware.core.effects import Actuate, Log
from firmware.core.events import Action
from firmware.core.state import DeadKey, State
from firmware.core.usage import Entry, Use
from protocol.errors import Code
from tests.support.core import (
    BEGINS_MS,
    DRIVING,
    GUEST_KEY,
    NOW,
    OWNER_KEY,
    a_state,
    draft,
    durably,
    knowing,
    only,
    running,
    seen,
)

replace = msgspec.structs.replace

GUEST_DRIVES = durably(knowing(a_state(), GUEST_KEY), drive_enabled=True, driver_key=GUEST_KEY)
DEAD = DeadKey(GUEST_KEY.token_id, Code.KEY_DELETED, GUEST_KEY.expires_s, GUEST_KEY.issued_s)
GUEST_IS_DEAD = durably(GUEST_DRIVES, dead_keys=(DEAD,))


def logged(step: Draft) -> list[tuple[Use, str, str]]:
    entries = [msgspec.json.decode(effect.entry.body, type=Entry) for effect in only(Log, step.effects)]
    return [(entry.use, bytes.fromhex(entry.booking).decode(), entry.reason) for entry in entries]


def moved(step: Draft) -> list[Action]:
    return [effect.action for effect in only(Actuate, step.effects)]


def settled(state: State, now: int = NOW) -> Draft:
    step = draft(state, now)
    drive.settle(step)
    return step


@pytest.mark.req("CUT-4", "KEY-1")
def test_the_immobiliser_is_released_for_a_booking_or_a_key_and_never_by_their_absence() -> None:
    for state, released in (
        (a_state(), False),
        (a_state(drive_enabled=True), False),
        (running(), False),
        (durably(running(), drive_enabled=True), True),
        (GUEST_DRIVES, True),
        (durably(GUEST_DRIVES, drive_enabled=False), False),
    ):
        assert (drive.posture(state.durable) is Action.RELEASE_IMMOBILISER) is released


@pytest.mark.req("KEY-7", "BKG-7")
def test_a_drive_with_a_key_is_logged_from_its_beginning_to_its_end() -> None:
    step = draft(knowing(a_state(arm_when_parked=True), GUEST_KEY))
    drive.begin(step, GUEST_KEY)
    assert step.durable.driver_key == GUEST_KEY
    assert (step.durable.drive_enabled, step.durable.arm_when_parked) == (True, False)
    drive.begin(step, GUEST_KEY)
    drive.begin(step, OWNER_KEY)
    drive.over(step, "why")
    assert step.durable == replace(step.durable, drive_enabled=False, driver_key=None)
    drive.over(step)
    assert logged(step) == [
        (Use.STARTED, "the guest's key.", "Zoe"),
        (Use.ENDED, "the guest's key.", "another key"),
        (Use.STARTED, "the owner's key.", ""),
        (Use.ENDED, "the owner's key.", "why"),
    ]
    assert moved(step) == []


@pytest.mark.req("KEY-1", "ACC-4")
def test_while_a_booking_runs_it_is_with_that_that_driving_is_possible() -> None:
    step = draft(running())
    drive.begin(step, OWNER_KEY)
    assert (step.durable.drive_enabled, step.durable.driver_key) == (True, None)
    assert logged(step) == []
    taken = draft(durably(running(), driver_key=GUEST_KEY))
    drive.begin(taken, None)
    assert logged(taken) == [(Use.ENDED, "the guest's key.", "another key")]
    assert drive.is_of(step.durable, OWNER_KEY)
    assert drive.is_of(step.durable, None)
    assert drive.is_of(GUEST_DRIVES.durable, GUEST_KEY)
    assert not drive.is_of(GUEST_DRIVES.durable, OWNER_KEY)


@pytest.mark.req("KEY-6", "CUT-3")
def test_a_key_that_died_on_the_way_loses_the_car_when_that_is_parked() -> None:
    moving = replace(GUEST_IS_DEAD, vehicle=seen(DRIVING))
    assert settled(moving).state == moving
    assert drive.waits_for_parking(moving, NOW)
    step = settled(GUEST_IS_DEAD)
    assert moved(step) == [Action.ARM_IMMOBILISER]
    assert (step.durable.drive_enabled, step.durable.driver_key) == (False, None)
    assert logged(step) == [(Use.ENDED, "the guest's key.", "key_deleted")]


@pytest.mark.req("CUT-3", "CLK-2")
def test_a_key_that_lives_or_of_which_nothing_is_certain_keeps_it() -> None:
    assert not drive.waits_for_parking(a_state(), NOW)
    for state in (GUEST_DRIVES, replace(GUEST_DRIVES, clock=replace(GUEST_DRIVES.clock, reading_ms=None))):
        assert not drive.waits_for_parking(state, NOW)
        assert settled(state).state == state
    over = replace(GUEST_DRIVES.clock, reading_ms=GUEST_KEY.expires_s * 1000)
    assert drive.waits_for_parking(replace(GUEST_DRIVES, clock=over), NOW)


@pytest.mark.req("CUT-4")
def test_a_car_that_was_locked_while_it_stood_is_armed_once_parked_and_driving_on_calls_that_off() -> None:
    locked = durably(GUEST_DRIVES, arm_when_parked=True)
    assert drive.waits_for_parking(locked, NOW)
    step = settled(locked)
    assert moved(step) == [Action.ARM_IMMOBILISER]
    assert (step.durable.arm_when_parked, step.durable.driver_key) == (False, None)
    assert logged(step) == [(Use.ENDED, "the guest's key.", "Zoe")]
    waits = settled(replace(locked, vehicle=seen(still_for_ms=1_000)))
    assert (moved(waits), waits.durable.arm_when_parked) == ([], True)
    driven_on = settled(replace(locked, vehicle=seen(DRIVING)))
    assert (moved(driven_on), driven_on.durable.arm_when_parked) == ([], False)
    assert driven_on.durable.driver_key == GUEST_KEY


def test_the_time_of_these_tests_lies_in_the_windows_of_the_keys() -> None:
    assert OWNER_KEY.not_before_s * 1000 < BEGINS_MS < GUEST_KEY.expires_s * 1000
