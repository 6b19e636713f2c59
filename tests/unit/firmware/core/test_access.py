"""The access state of a link: what turns an app's slider blue or grey, and why."""

import msgspec
import pytest

from firmware.core import access, geo
from firmware.core.effects import Tell
from firmware.core.events import Fix
from firmware.core.state import Link, State
from protocol.errors import Code, refuse
from protocol.messages import Access, Notice, NoticeKind, Phase, Push, PushKind, VehicleState
from tests.support.core import (
    BEGINS_MS,
    CODED_KEY,
    DEALER_KEY,
    ENDS_MS,
    GUEST_KEY,
    NOW,
    OTHER,
    OWNER_KEY,
    PROFILE,
    a_state,
    draft,
    knowing,
    linked,
    running,
    seen,
)
from tests.support.credentials import BOOKING

replace = msgspec.structs.replace


def first(state: State) -> Link:
    return state.links[0]


@pytest.mark.req("ACC-10", "CUT-1")
def test_granted_comes_with_the_deadlines_in_utc() -> None:
    state = linked(running(overdue_ms=-60_000), BOOKING)
    assert access.access(state, first(state), NOW) == Access(
        True, Phase.ACTIVE, 15, ENDS_MS, ENDS_MS + 1_800_000, ENDS_MS - 60_000
    )


@pytest.mark.req("ACC-10", "ACC-3")
def test_a_stranger_learns_that_it_is_denied_and_nothing_of_the_booking() -> None:
    state = linked(running(), OTHER, None)
    denied = access.access(state, first(state), NOW)
    assert (denied.granted, denied.phase, denied.ends_at_ms, denied.permissions) == (False, Phase.NONE, 0, 0)
    assert denied.refusal is not None
    assert denied.refusal.code is Code.VEHICLE_IN_USE
    unknown = access.access(state, state.links[1], NOW)
    assert unknown.refusal is not None
    assert unknown.refusal.code is Code.NOT_ADMITTED


@pytest.mark.req("ACC-10")
def test_the_holder_of_a_past_booking_sees_its_phase() -> None:
    state = linked(running(phase=Phase.CUT_OFF, overdue_ms=2_000_000), BOOKING)
    denied = access.access(state, first(state), NOW)
    assert (denied.granted, denied.phase) == (False, Phase.CUT_OFF)
    free = linked(a_state(), BOOKING)
    assert access.access(free, first(free), NOW).phase is Phase.NONE


@pytest.mark.req("ACC-3")
def test_only_the_admitted_see_the_car() -> None:
    state = linked(running(), BOOKING, OTHER)
    assert access.status(state, state.links[0], NOW).vehicle == VehicleState(
        True, False, False, False, False, True, 60, 12_345_678, 0
    )
    assert access.status(state, state.links[1], NOW).vehicle is None


def test_what_the_car_does_not_say_is_unknown_and_what_it_says_wrong_is_bounded() -> None:
    nothing = running(vehicle=seen(fuel_pct=None, odometer_m=None, fix=None, locked=None))
    assert access.vehicle_state(nothing, NOW) == VehicleState(None, False, False, False, False, True)
    below = access.vehicle_state(running(vehicle=seen(fuel_pct=-0.6, odometer_m=-1)), NOW)
    assert (below.fuel_pct, below.odometer_m) == (0, 0)


@pytest.mark.req("BKG-5")
def test_the_distance_from_home_is_rounded_down() -> None:
    # 300.9 m north on the sphere
    away = running(vehicle=seen(fix=Fix(481_371_540 + 27_060, 115_761_240, BEGINS_MS, NOW)))
    assert 300.8 < geo.distance_m((481_371_540 + 27_060, 115_761_240), (481_371_540, 115_761_240)) < 301
    assert access.home_distance_m(away) == 300
    assert access.home_distance_m(running(vehicle=seen(fix=None))) is None
    assert access.home_distance_m(replace(running(), profile=replace(PROFILE, home=None))) is None


def test_phones_whose_access_changed_are_told() -> None:
    before = linked(running(), BOOKING, OTHER, None)
    step = draft(linked(running(phase=Phase.OVERDUE), BOOKING, OTHER, None))
    access.push_changes(step, before)
    (told,) = step.effects
    assert isinstance(told, Tell)
    assert (told.link, told.push.kind) == (1, PushKind.ACCESS)
    assert isinstance(told.push.body, Access)
    assert told.push.body.phase is Phase.OVERDUE


@pytest.mark.req("ACC-10")
def test_a_denied_phone_is_told_when_the_reason_changes() -> None:
    before = linked(running(), OTHER)
    step = draft(linked(running(phase=Phase.ENDED), OTHER))
    access.push_changes(step, before)
    (told,) = step.effects
    assert isinstance(told, Tell)
    assert isinstance(told.push.body, Access)
    assert told.push.body.refusal is not None
    assert told.push.body.refusal.code is Code.NOT_ADMITTED


def test_a_phone_that_has_just_come_asks_for_itself() -> None:
    step = draft(linked(running(), BOOKING, BOOKING, OTHER))
    access.push_changes(step, linked(running(), None, OTHER))
    assert step.effects == []


@pytest.mark.req("ACC-10")
def test_a_phone_is_told_once_and_also_when_only_time_has_passed() -> None:
    before = linked(running(overdue_ms=-1_000), OTHER)
    step = draft(before)
    access.push_changes(step, before)
    access.push_changes(step, before)
    assert step.effects == []
    later = draft(step.state, NOW + 8_000_000)
    access.push_changes(later, step.state)
    (told,) = later.effects
    assert isinstance(told, Tell)
    assert isinstance(told.push.body, Access)
    assert told.push.body.refusal is not None
    assert told.push.body.refusal.code is Code.BOOKING_OVER


@pytest.mark.req("CUT-7")
def test_notices_go_to_the_phones_that_hold_the_booking() -> None:
    step = draft(linked(running(), OTHER, BOOKING, BOOKING))
    access.notify_driver(step, NoticeKind.CUTOFF_SOON, -5)
    push = Push(PushKind.NOTICE, Notice(NoticeKind.CUTOFF_SOON, 0))
    assert step.effects == [Tell(2, push), Tell(3, push)]


def test_who_is_denied_learns_the_modules_time_too() -> None:
    state = linked(running(), OTHER)
    assert access.access(state, state.links[0], NOW).now_ms == ENDS_MS - 3_600_000


def test_a_link_without_a_session_keeps_nobody_from_being_told() -> None:
    before = linked(running(), None, BOOKING)
    step = draft(linked(running(phase=Phase.OVERDUE), None, BOOKING))
    access.push_changes(step, before)
    assert [told.link for told in step.effects if isinstance(told, Tell)] == [2]


# ---------------------------------------------------------------- digital keys
@pytest.mark.req("ACC-10", "KEY-2")
def test_a_key_that_is_good_has_no_phase_and_no_half_hour_after_its_end() -> None:
    ends_at_ms = GUEST_KEY.expires_s * 1000
    state = linked(knowing(a_state(), GUEST_KEY), GUEST_KEY)
    assert access.access(state, state.links[0], NOW) == Access(
        True, Phase.NONE, 31, ends_at_ms, ends_at_ms, now_ms=BEGINS_MS
    )
    assert access.granted(state, state.links[0], NOW)
    assert access.permissions(state, state.links[0]) == 31


@pytest.mark.req("ACC-10", "KEY-3")
def test_a_key_that_is_not_says_why() -> None:
    state = linked(knowing(a_state(), CODED_KEY, activated=False), CODED_KEY)
    told = access.access(state, state.links[0], NOW)
    assert told.refusal == access.refusal(state, state.links[0], NOW)
    assert told.refusal is not None
    assert (told.granted, told.phase, told.refusal.code) == (False, Phase.NONE, Code.ACTIVATION_REQUIRED)
    assert not access.granted(state, state.links[0], NOW)
    denied = replace(state.links[0], denied=refuse(Code.STORAGE_FAILED))
    assert access.refusal(state, denied, NOW) == refuse(Code.STORAGE_FAILED)


@pytest.mark.req("ACC-3")
def test_of_a_booking_the_permissions_are_those_that_it_began_with() -> None:
    state = linked(running(replace(BOOKING, permissions=5)), BOOKING)
    assert access.permissions(state, state.links[0]) == 5
    assert access.refusal(state, state.links[0], NOW) is None
    assert access.permissions(a_state(), state.links[0]) == 0
    stranger = linked(running(), OTHER)
    refused = access.refusal(stranger, stranger.links[0], NOW)
    assert refused is not None
    assert refused.code is Code.VEHICLE_IN_USE


@pytest.mark.req("OWN-1", "PRV-1", "KEY-2")
def test_who_holds_a_key_sees_the_car_and_a_dealer_does_not() -> None:
    state = linked(knowing(a_state(), GUEST_KEY), GUEST_KEY, DEALER_KEY, OWNER_KEY)
    guest, dealer, owner = (access.status(state, link, NOW) for link in state.links)
    assert guest.vehicle == owner.vehicle == access.vehicle_state(state, NOW)
    assert dealer.access.granted
    assert (dealer.access.permissions, dealer.vehicle) == (0, None)


@pytest.mark.req("ACC-10")
def test_whoever_is_told_that_access_is_gone_has_a_minute_to_read_it() -> None:
    before = linked(knowing(a_state(), GUEST_KEY), GUEST_KEY)
    step = draft(linked(running(), GUEST_KEY), NOW + 5_000)
    access.push_changes(step, before)
    (told,) = step.effects
    assert isinstance(told, Tell)
    assert step.state.links[0].active_at_ms == NOW + 5_000
