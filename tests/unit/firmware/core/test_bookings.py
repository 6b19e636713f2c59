"""Starting and ending bookings, with everything that follows from it."""

import msgspec
import pytest

from firmware.core import bookings, usage
from firmware.core.admit import Admission
from firmware.core.draft import Draft
from firmware.core.effects import Actuate, Log, Report, Tell
from firmware.core.events import Action
from firmware.core.reports import Point
from firmware.core.state import DeadBooking, DeadKey, EndReason, Slot, State, VehicleView
from firmware.core.usage import Use
from protocol.errors import Code, Role
from protocol.messages import Notice, NoticeKind, Phase
from protocol.orders import Ending
from protocol.telemetry import EventKind
from protocol.tokens import RevocationList
from tests.support.core import (
    BEGINS_MS,
    DRIVING,
    ENDS_MS,
    GUEST_KEY,
    NOW,
    OTHER,
    STANDING,
    a_state,
    draft,
    durably,
    events,
    knowing,
    linked,
    only,
    records,
    running,
    seen,
)
from tests.support.credentials import BOOKING, MODULE_ID

replace = msgspec.structs.replace

POINT = Point(481_371_540, 115_761_240, BEGINS_MS)


def settled(state: State) -> Draft:
    step = draft(state)
    bookings.settle(step)
    return step


def notices(step: Draft) -> list[tuple[int, NoticeKind, int]]:
    bodies = [(told.link, told.push.body) for told in only(Tell, step.effects)]
    return [(link, body.kind, body.left_ms) for link, body in bodies if isinstance(body, Notice)]


def armed(step: Draft) -> bool:
    return Actuate(Action.ARM_IMMOBILISER) in step.effects


# ---------------------------------------------------------------- starting
@pytest.mark.req("BKG-1", "PRV-3", "CLK-3")
def test_a_new_booking_starts_with_its_deadline_on_the_monotonic_clock() -> None:
    step = draft(a_state(BEGINS_MS + 60_000, drive_enabled=True))
    bookings.board(step, Admission.NEW, BOOKING)
    trip = step.durable.trip
    assert (trip.phase, trip.booking, trip.started_ms) == (Phase.ACTIVE, BOOKING, BEGINS_MS + 60_000)
    assert step.state.end_at_ms == NOW + 7_140_000
    assert not step.durable.drive_enabled
    assert step.durable.slot == Slot(1, None, False, acknowledged=False)
    assert step.durable.devices == ((b"a driver", 1),)
    assert events(step.effects) == [EventKind.BOOKING_STARTED]
    assert step.required


@pytest.mark.req("PRV-4")
def test_the_owners_own_booking_leaves_the_position_where_it_is() -> None:
    step = draft(a_state(slot=Slot(4, POINT)))
    bookings.board(step, Admission.NEW, replace(BOOKING, role=Role.OWNER))
    assert step.durable.slot == Slot(4, POINT)


def test_a_booking_that_has_the_car_already_changes_nothing() -> None:
    step = draft(running())
    bookings.board(step, Admission.RUNNING, BOOKING)
    assert step.finish() == (running(), ())
    assert not step.required


@pytest.mark.req("ACC-4", "ACC-5")
def test_a_takeover_ends_the_old_booking_before_the_new_one_starts() -> None:
    step = draft(running(phase=Phase.OVERDUE, overdue_ms=60_000))
    bookings.board(step, Admission.TAKEOVER, OTHER)
    assert step.durable.trip.booking == OTHER
    assert [dead.reason for dead in step.durable.dead] == [EndReason.SUPERSEDED]
    assert events(step.effects) == [EventKind.BOOKING_ENDED, EventKind.BOOKING_STARTED]
    assert records(step.effects)[0].reason == "superseded"
    assert step.durable.slot == Slot(2, None, False, acknowledged=False)
    assert armed(step)


@pytest.mark.req("ACC-11")
def test_a_newer_device_gets_the_booking_as_it_was_first_accepted() -> None:
    newer = replace(
        BOOKING,
        token_id=b"the second token",
        device_generation=2,
        permissions=1,
        ends_at_s=BOOKING.ends_at_s + 3_600,
        expires_s=BOOKING.expires_s + 3_600,
    )
    step = draft(running())
    bookings.board(step, Admission.REBIND, newer)
    assert step.durable.trip.booking == replace(newer, permissions=15, ends_at_s=BOOKING.ends_at_s)
    assert step.durable.devices == ((b"a driver", 2),)
    assert step.required
    assert step.effects == []


# ---------------------------------------------------------------- ending
@pytest.mark.req("BKG-3", "BKG-5", "PRV-2", "ACC-5")
def test_an_end_arms_buries_and_reports_the_parking_position() -> None:
    step = draft(durably(running(overdue_ms=-60_000), drive_enabled=True))
    bookings.end(step, EndReason.DRIVER)
    trip = step.durable.trip
    assert (trip.phase, trip.ended_ms, trip.end_point, trip.end_distance_m) == (
        Phase.ENDED,
        ENDS_MS - 60_000,
        POINT,
        0,
    )
    assert step.durable.dead == (
        DeadBooking(BOOKING.booking_id, EndReason.DRIVER, BOOKING.expires_s, BOOKING.issued_s),
    )
    assert step.durable.slot == Slot(1, POINT, True, acknowledged=False)
    assert not step.durable.drive_enabled
    assert armed(step)
    (record,) = records(step.effects)
    assert (record.kind, record.reason, record.role) == (EventKind.BOOKING_ENDED, "driver", "driver")


@pytest.mark.req("PRV-2", "TEL-7")
def test_an_end_without_a_fix_withdraws_the_old_position() -> None:
    step = draft(durably(running(vehicle=seen(fix=None)), slot=Slot(3, POINT)))
    bookings.end(step, EndReason.DRIVER)
    assert step.durable.slot == Slot(4, None, True, acknowledged=False)
    assert step.durable.trip.end_distance_m is None


# ---------------------------------------------------------------- overdue and cutoff
def test_without_a_running_booking_there_is_nothing_to_settle() -> None:
    for state in (a_state(), running(phase=Phase.ENDED, overdue_ms=9_000_000)):
        assert settled(state).finish() == (state, ())


@pytest.mark.req("CUT-1", "CUT-7")
def test_at_its_end_a_booking_is_overdue_and_the_driver_told_how_much_is_left() -> None:
    step = settled(linked(running(overdue_ms=0), BOOKING, OTHER))
    assert step.durable.trip.phase is Phase.OVERDUE
    assert notices(step) == [(1, NoticeKind.OVERDUE, 1_800_000)]
    (record,) = records(step.effects)
    assert (record.kind, record.numbers) == (EventKind.BOOKING_OVERDUE, (("overdue_ms", 0),))


@pytest.mark.req("CUT-7")
def test_five_minutes_before_the_cutoff_the_driver_and_the_owner_are_warned_once() -> None:
    step = settled(linked(running(phase=Phase.OVERDUE, overdue_ms=1_500_000), BOOKING))
    assert step.durable.trip.warned
    assert notices(step) == [(1, NoticeKind.CUTOFF_SOON, 300_000)]
    (record,) = records(step.effects)
    assert (record.kind, record.numbers) == (EventKind.CUTOFF_SOON, (("left_ms", 300_000),))
    again = settled(step.state)
    assert again.effects == []


@pytest.mark.req("CUT-3")
def test_the_cutoff_waits_for_a_moving_car() -> None:
    moving = running(phase=Phase.OVERDUE, overdue_ms=1_800_001, warned=True, vehicle=seen(DRIVING))
    step = settled(linked(durably(moving, drive_enabled=True), BOOKING))
    assert step.durable.trip.phase is Phase.CUTOFF_PENDING
    assert events(step.effects) == [EventKind.CUTOFF_PENDING]
    assert (step.hang_ups, armed(step), step.durable.drive_enabled) == ([], False, True)


@pytest.mark.req("CUT-2", "CUT-7", "PRV-2")
def test_the_cutoff_tells_hangs_up_arms_and_buries() -> None:
    late = running(phase=Phase.CUTOFF_PENDING, overdue_ms=1_860_000, warned=True)
    step = settled(linked(durably(late, drive_enabled=True), BOOKING, OTHER, BOOKING))
    assert step.durable.trip.phase is Phase.CUT_OFF
    assert notices(step) == [(1, NoticeKind.CUT_OFF, 0), (3, NoticeKind.CUT_OFF, 0)]
    assert step.hang_ups == [1, 3]
    assert armed(step)
    assert not step.durable.drive_enabled
    (dead,) = step.durable.dead
    assert (dead.reason, dead.numbers) == (EndReason.CUT_OFF, (("overdue_ms", 1_860_000), ("parked_ms", 60_000)))
    (record,) = records(step.effects)
    assert (record.kind, record.reason, record.numbers) == (EventKind.BOOKING_CUT_OFF, "cut off", dead.numbers)
    assert step.durable.slot == Slot(1, POINT, True, acknowledged=False)


@pytest.mark.req("CUT-5")
def test_a_late_look_passes_through_every_phase_at_once() -> None:
    step = settled(running(overdue_ms=7_200_000))
    assert events(step.effects) == [
        EventKind.BOOKING_OVERDUE,
        EventKind.CUTOFF_PENDING,
        EventKind.BOOKING_CUT_OFF,
    ]


@pytest.mark.req("CUT-7")
@pytest.mark.parametrize(
    ("car", "alerts"),
    [
        ({}, []),
        ({"locked": False}, [EventKind.LEFT_UNLOCKED]),
        ({"doors_open": True}, [EventKind.LEFT_OPEN]),
        ({"boot_open": True, "locked": False}, [EventKind.LEFT_UNLOCKED, EventKind.LEFT_OPEN]),
        ({"locked": None, "doors_open": None, "boot_open": None}, []),
    ],
)
def test_what_was_left_open_raises_an_alert_and_is_never_locked(
    car: dict[str, object], alerts: list[EventKind]
) -> None:
    step = settled(
        running(phase=Phase.CUTOFF_PENDING, overdue_ms=1_860_000, warned=True, vehicle=seen(replace(STANDING, **car)))
    )
    assert events(step.effects)[1:] == alerts
    assert Actuate(Action.LOCK) not in step.effects


# ---------------------------------------------------------------- orders and lists
def ending(booking_id: bytes = BOOKING.booking_id) -> Ending:
    return Ending(booking_id, 1_790_009_000)


@pytest.mark.req("BKG-2", "CUT-3")
def test_an_end_order_takes_effect_at_once_when_parked_and_waits_otherwise() -> None:
    parked = draft(linked(running(), BOOKING))
    assert not bookings.end_by_order(parked, ending(), 1_790_000_000)
    bookings.settle(parked)
    assert parked.durable.trip.phase is Phase.ENDED
    assert [dead.reason for dead in parked.durable.dead] == [EndReason.ORDER]
    assert notices(parked) == [(1, NoticeKind.ENDED_BY_ORDER, 0)]
    assert events(parked.effects) == [EventKind.BOOKING_ENDED]
    moving = draft(running(vehicle=seen(DRIVING)))
    assert bookings.end_by_order(moving, ending(), 1_790_000_000)
    bookings.settle(moving)
    assert moving.durable.trip.phase is Phase.ACTIVE


@pytest.mark.req("CUT-7")
def test_an_ordered_end_leaves_an_alert_about_an_open_car_too() -> None:
    step = settled(running(end_requested=EndReason.REVOKED, vehicle=seen(locked=False)))
    assert events(step.effects) == [EventKind.BOOKING_ENDED, EventKind.LEFT_UNLOCKED]
    assert records(step.effects)[0].reason == "revoked"


@pytest.mark.req("BKG-2", "ACC-5")
def test_an_order_for_another_booking_cancels_that_one_and_leaves_the_running_one() -> None:
    for state in (running(), running(phase=Phase.ENDED), a_state()):
        step = draft(state)
        assert not bookings.end_by_order(step, ending(OTHER.booking_id), 1_790_000_000)
        assert step.durable.dead == (DeadBooking(OTHER.booking_id, EndReason.CANCELLED, 1_790_009_000, 1_790_000_000),)
        assert step.durable.trip == state.durable.trip


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize(
    ("listed", "hit"),
    [
        (RevocationList(MODULE_ID, 7, 1, 0, ((BOOKING.token_id, 2),)), True),
        (RevocationList(MODULE_ID, 7, 1, 4, ()), True),
        (RevocationList(MODULE_ID, 7, 1, 3, ((OTHER.token_id, 2),)), False),
    ],
)
def test_a_list_ends_the_running_booking_when_it_names_it_or_its_keys(listed: RevocationList, hit: bool) -> None:
    moving = draft(running(vehicle=seen(DRIVING)))
    assert bookings.apply_list(moving, listed) is hit
    assert moving.durable.trip.end_requested is (EndReason.REVOKED if hit else None)
    parked = draft(running())
    assert not bookings.apply_list(parked, listed)
    free = draft(a_state())
    assert not bookings.apply_list(free, listed)
    assert free.durable.list_number == 7


def test_reports_of_a_booking_never_carry_a_position() -> None:
    step = settled(running(overdue_ms=7_200_000))
    assert not any(effect.record.reveals_position for effect in only(Report, step.effects))


# ---------------------------------------------------------------- the usage log
@pytest.mark.req("BKG-7")
@pytest.mark.parametrize(
    ("reason", "use"),
    [
        (EndReason.DRIVER, Use.ENDED),
        (EndReason.ORDER, Use.ENDED),
        (EndReason.REVOKED, Use.ENDED),
        (EndReason.SUPERSEDED, Use.SUPERSEDED),
    ],
)
def test_the_log_says_when_a_booking_began_and_how_it_ended(reason: EndReason, use: Use) -> None:
    step = draft(a_state())
    bookings.board(step, Admission.NEW, BOOKING)
    bookings.end(step, reason)
    links = [each.entry for each in only(Log, step.effects)]
    entries, _ = usage.verify(MODULE_ID, links, step.durable.log)
    assert [(each.use, each.reason) for each in entries] == [(Use.STARTED, ""), (use, reason.value)]


@pytest.mark.req("BKG-7", "CUT-2")
def test_the_log_tells_a_cutoff_from_an_end() -> None:
    step = settled(running(phase=Phase.CUTOFF_PENDING, overdue_ms=1_800_001))
    entries, _ = usage.verify(MODULE_ID, [each.entry for each in only(Log, step.effects)], step.durable.log)
    assert [(each.use, each.reason) for each in entries] == [(Use.CUT_OFF, "cut off")]


def locked_while_standing(vehicle: VehicleView) -> State:
    return durably(running(vehicle=vehicle), drive_enabled=True, arm_when_parked=True)


@pytest.mark.req("ACC-1")
def test_a_car_locked_while_it_stood_is_armed_when_it_counts_as_parked() -> None:
    step = settled(locked_while_standing(seen(still_for_ms=5_000)))
    assert only(Actuate, step.effects) == [Actuate(Action.ARM_IMMOBILISER)]
    assert (step.durable.drive_enabled, step.durable.arm_when_parked) == (False, False)
    early = settled(locked_while_standing(seen(still_for_ms=4_999)))
    assert (early.durable.drive_enabled, early.durable.arm_when_parked) == (True, True)


@pytest.mark.req("CUT-3")
def test_driving_on_calls_the_arming_off() -> None:
    step = settled(locked_while_standing(seen(DRIVING)))
    assert (step.durable.drive_enabled, step.durable.arm_when_parked) == (True, False)
    assert only(Actuate, step.effects) == []


# ---------------------------------------------------------------- what only a small mistake would show
@pytest.mark.req("CLK-3")
def test_a_booking_that_starts_does_not_rest_on_the_floor_of_an_older_one() -> None:
    step = draft(replace(a_state(), anchored_on_floor=True))
    bookings.board(step, Admission.NEW, BOOKING)
    assert not step.state.anchored_on_floor


@pytest.mark.req("ACC-5", "ACC-11")
def test_as_long_as_either_token_lives_the_booking_is_remembered() -> None:
    shorter = replace(BOOKING, token_id=b"the second token", device_generation=2, expires_s=BOOKING.expires_s - 60)
    step = draft(running())
    bookings.board(step, Admission.REBIND, shorter)
    assert step.durable.trip.booking is not None
    assert step.durable.trip.booking.expires_s == BOOKING.expires_s


@pytest.mark.req("BKG-2")
def test_an_order_or_a_list_for_a_booking_that_has_ended_changes_nothing_of_its_end() -> None:
    listed = RevocationList(MODULE_ID, 7, 1, 0, ((BOOKING.token_id, 2),))
    for vehicle in (seen(), seen(DRIVING)):
        ordered = draft(running(phase=Phase.ENDED, vehicle=vehicle))
        assert not bookings.end_by_order(ordered, ending(), 1_790_000_000)
        revoked = draft(running(phase=Phase.ENDED, vehicle=vehicle))
        assert not bookings.apply_list(revoked, listed)
        assert ordered.durable.trip.end_requested is revoked.durable.trip.end_requested is None


@pytest.mark.req("BKG-2")
def test_nothing_waits_for_a_moving_car_when_another_booking_is_meant() -> None:
    moving = running(vehicle=seen(DRIVING))
    assert not bookings.end_by_order(draft(moving), ending(OTHER.booking_id), 1_790_000_000)
    assert not bookings.apply_list(draft(moving), RevocationList(MODULE_ID, 7, 1, 0, ((OTHER.token_id, 2),)))


@pytest.mark.req("CUT-3")
def test_an_arming_that_was_put_off_ends_with_its_booking() -> None:
    begun = draft(a_state(arm_when_parked=True))
    bookings.board(begun, Admission.NEW, BOOKING)
    over = draft(durably(running(), arm_when_parked=True))
    bookings.end(over, EndReason.DRIVER)
    assert begun.durable.arm_when_parked is over.durable.arm_when_parked is False


@pytest.mark.req("ACC-4", "KEY-7")
def test_a_booking_that_begins_arms_a_car_that_a_key_could_drive() -> None:
    step = draft(a_state(driver_key=GUEST_KEY, drive_enabled=True, arm_when_parked=True))
    bookings.board(step, Admission.NEW, BOOKING)
    assert step.durable.trip.running
    assert (step.durable.driver_key, step.durable.drive_enabled, step.durable.arm_when_parked) == (None, False, False)
    assert [effect.action for effect in only(Actuate, step.effects)] == [Action.ARM_IMMOBILISER]
    assert len(only(Log, step.effects)) == 2


@pytest.mark.req("KEY-6")
def test_a_list_deletes_keys_too() -> None:
    step = draft(knowing(a_state(), GUEST_KEY))
    listed = RevocationList(MODULE_ID, 5, 1, 1, ((GUEST_KEY.token_id, GUEST_KEY.expires_s),))
    assert not bookings.apply_list(step, listed)
    assert step.durable.keys == ()
    driven = draft(
        replace(knowing(a_state(driver_key=GUEST_KEY, drive_enabled=True), GUEST_KEY), vehicle=seen(DRIVING))
    )
    assert bookings.apply_list(driven, listed), "the drive is over when the car is parked"
    assert driven.durable.drive_enabled


@pytest.mark.req("KEY-6", "ACC-5")
def test_a_running_booking_whose_token_has_died_ends_when_the_car_is_parked() -> None:
    dead = DeadKey(BOOKING.token_id, Code.KEY_DELETED, BOOKING.expires_s, BOOKING.issued_s)
    parked, moving = draft(durably(running(), dead_keys=(dead,))), running(vehicle=seen(DRIVING))
    bookings.settle(parked)
    assert parked.durable.trip.phase is Phase.ENDED
    driven = draft(durably(moving, dead_keys=(dead,)))
    bookings.settle(driven)
    assert (driven.durable.trip.phase, driven.durable.trip.end_requested) == (Phase.ACTIVE, EndReason.REVOKED)
