"""What may be told to whom, and when."""

import json
import zlib

import msgspec
import pytest

from firmware.core import reporting, usage
from firmware.core.clock import Clock
from firmware.core.effects import Log
from firmware.core.events import Fix
from firmware.core.reporting import Message, Pace
from firmware.core.reports import Point, Record
from firmware.core.state import Counters, Ownership, Slot, State, Told
from firmware.core.usage import Use
from protocol import telemetry
from protocol.errors import Role
from protocol.messages import Phase
from protocol.telemetry import LATITUDE, Channel, EventKind
from tests.support.core import (
    BEGINS_MS,
    DRIVING,
    GUEST_KEY,
    NOW,
    PROFILE,
    STANDING,
    a_state,
    draft,
    durably,
    linked,
    only,
    records,
    running,
    seen,
)
from tests.support.credentials import BOOKING, SERVICES

replace = msgspec.structs.replace

POINT = Point(481_371_540, 115_761_240, BEGINS_MS)
ELSEWHERE = Point(482_000_000, 116_500_000, BEGINS_MS)
OWNERS = replace(BOOKING, role=Role.OWNER)
STEADY = (
    ("Vehicle.LowVoltageSystemState", "OFF"),
    ("Vehicle.Cabin.Door.Row1.DriverSide.IsLocked", True),
    ("Vehicle.Private.Sharebox.AnyDoorIsOpen", False),
    ("Vehicle.Body.Trunk.Rear.IsOpen", False),
    ("Vehicle.Private.Sharebox.DriveIsEnabled", False),
    ("Vehicle.Private.Sharebox.BookingPhase", "none"),
    ("Vehicle.Powertrain.FuelSystem.RelativeLevel", 60),
    ("Vehicle.TraveledDistance", 12_345.6),
    ("Vehicle.LowVoltageBattery.CurrentVoltage", 12.6),
)


def of_event(number: str, kind: str, time: str) -> tuple[tuple[str, str], ...]:
    """The attributes that CloudEvents wants."""
    source = ("source", f"/sharebox/{PROFILE.module_id.hex()}")
    return (("specversion", "1.0"), ("id", number), source, ("type", f"sharebox.{kind}"), ("time", time))


# ---------------------------------------------------------------- the gate
@pytest.mark.req("PRV-1", "PRV-4")
@pytest.mark.parametrize(
    ("role", "hidden"), [(Role.OWNER, False), (Role.VIP, True), (Role.DRIVER, True), (Role.GUEST, True)]
)
def test_a_position_stays_while_anybody_but_the_owner_has_the_car(role: Role, hidden: bool) -> None:
    state = running(replace(BOOKING, role=role))
    assert reporting.position_hidden(state) is hidden
    assert reporting.may_leave(state, reveals_position=True) is not hidden
    assert reporting.may_leave(state, reveals_position=False)


@pytest.mark.req("PRV-1", "PRV-2")
def test_a_position_may_leave_before_and_after_a_booking() -> None:
    assert reporting.may_leave(a_state(), reveals_position=True)
    assert reporting.may_leave(running(phase=Phase.ENDED), reveals_position=True)


# ---------------------------------------------------------------- recording
@pytest.mark.req("TEL-3")
def test_records_are_numbered_and_stamped_as_they_are_made() -> None:
    step = draft(a_state(counters=Counters(record=40, event=8, boot=6)))
    reporting.event(step, EventKind.BOOTED)
    reporting.event(step, EventKind.BOOKING_ENDED, BOOKING, "driver", (("overdue_ms", 5),))
    first, second = records(step.effects)
    assert first == Record(40, Channel.EVENT, 8, BEGINS_MS, "synced", EventKind.BOOTED, boot=6)
    assert second == Record(
        41,
        Channel.EVENT,
        9,
        BEGINS_MS,
        "synced",
        EventKind.BOOKING_ENDED,
        "101112131415161718191a1b1c1d1e1f",
        "driver",
        "driver",
        (("overdue_ms", 5),),
        boot=6,
    )
    assert step.durable.counters == Counters(record=42, event=10, boot=6)


def test_each_channel_counts_for_itself() -> None:
    step = draft(a_state(counters=Counters(1, 20, 30, 40, 50, 60)))
    reporting.order_result(step, b"\x0a" * 16, 33, "ORDER_LATE", pending=False)
    reporting.event(step, EventKind.LEFT_OPEN)
    reporting.vehicle_state(step)
    step.state = replace(step.state, vehicle=seen(DRIVING))
    reporting.track(step)
    channels = (Channel.ORDER_RESULT, Channel.ALERT, Channel.STATE, Channel.TRACK)
    assert [records(step.effects, channel)[0].seq for channel in channels] == [50, 60, 30, 40]
    assert step.durable.counters == Counters(5, 20, 31, 41, 51, 61)


@pytest.mark.req("TEL-1", "TEL-2")
def test_the_vehicle_is_reported_in_vss_names_and_units() -> None:
    step = draft(a_state())
    reporting.vehicle_state(step)
    (record,) = records(step.effects, Channel.STATE)
    assert record.signals == STEADY


@pytest.mark.req("PRV-6")
def test_what_is_not_known_is_left_out_and_no_track_can_be_rebuilt() -> None:
    unknown = {"ignition_on": None, "locked": None, "fuel_pct": None, "odometer_m": None, "battery_mv": None}
    step = draft(a_state(vehicle=seen(replace(STANDING, **unknown))))
    reporting.vehicle_state(step)
    (record,) = records(step.effects, Channel.STATE)
    assert [name for name, _ in record.signals] == [
        "Vehicle.Private.Sharebox.AnyDoorIsOpen",
        "Vehicle.Body.Trunk.Rear.IsOpen",
        "Vehicle.Private.Sharebox.DriveIsEnabled",
        "Vehicle.Private.Sharebox.BookingPhase",
    ]
    driving = draft(a_state(vehicle=seen(DRIVING)))
    reporting.vehicle_state(driving)
    assert ("Vehicle.LowVoltageSystemState", "ON") in records(driving.effects, Channel.STATE)[0].signals


LESS_FUEL = {"fuel_pct": 59.0}
SIX_HOURS_MS = 21_600_000


def told_after(state: State, after_ms: int, **change: object) -> bool:
    """Whether this change is told so long after the last report; the car stands or drives as before."""
    view = replace(state.vehicle, sample=replace(state.vehicle.sample, **change), at_ms=NOW + after_ms)
    signals = told_signals(state)
    step = draft(replace(state, vehicle=view, told=Told(signals, NOW)), NOW + after_ms)
    reporting.vehicle_state(step)
    return bool(records(step.effects, Channel.STATE))


def told_signals(state: State) -> tuple[tuple[str, bool | int | float | str], ...]:
    """What is reported of it now."""
    step = draft(state)
    reporting.vehicle_state(step, force=True)
    return records(step.effects, Channel.STATE)[0].signals


@pytest.mark.parametrize(
    "change",
    [{"locked": False}, {"doors_open": True}, {"boot_open": True}, {"ignition_on": True}, LESS_FUEL | {"locked": None}],
)
def test_fast_signals_are_told_at_once(change: dict[str, object]) -> None:
    assert told_after(a_state(), 0, **change)


@pytest.mark.req("TEL-1")
@pytest.mark.parametrize(
    "change", [LESS_FUEL, {"range_m": 400_000}, {"odometer_m": 12_345_700}, {"battery_mv": 12_000}]
)
@pytest.mark.parametrize(
    ("state", "every_ms"),
    [
        (a_state(vehicle=seen(DRIVING)), 60_000),
        (a_state(vehicle=seen(replace(STANDING, speed_kmh=None))), 60_000),
        (a_state(vehicle=seen(still_for_ms=0)), 900_000),
        (a_state(vehicle=seen(still_for_ms=7_200_000)), SIX_HOURS_MS),
        (linked(a_state(vehicle=seen(still_for_ms=7_200_000)), None), 900_000),
        (running(vehicle=seen(still_for_ms=7_200_000)), 900_000),
        (running(phase=Phase.ENDED, vehicle=seen(still_for_ms=7_200_000)), SIX_HOURS_MS),
    ],
)
def test_slow_signals_are_told_less_often_the_quieter_the_car(
    state: State, every_ms: int, change: dict[str, object]
) -> None:
    assert not told_after(state, every_ms - 1, **change)
    assert told_after(state, every_ms, **change)
    assert not told_after(state, 10 * SIX_HOURS_MS), "and not at all when nothing changes"


@pytest.mark.parametrize(
    ("still_for_ms", "age_ms", "expected"),
    [
        (4_999, 0, Pace.DRIVING),
        (5_000, 0, Pace.PARKED),
        (1_800_000, 0, Pace.PARKED),
        (1_800_001, 0, Pace.ASLEEP),
        (1_800_001, 2_500, Pace.ASLEEP),
        (1_800_001, 2_501, Pace.DRIVING),
    ],
)
def test_a_car_falls_asleep_half_an_hour_after_it_was_parked(still_for_ms: int, age_ms: int, expected: Pace) -> None:
    state = a_state(vehicle=seen(still_for_ms=still_for_ms, age_ms=age_ms))
    assert reporting.pace(state, NOW) is expected


@pytest.mark.req("TEL-1")
def test_on_request_the_whole_state_is_told_and_what_is_retained_goes_out_again() -> None:
    state = replace(a_state(slot=Slot(1, POINT)), told=Told(STEADY, NOW))
    step = draft(state)
    reporting.full_state(step)
    assert [record.signals for record in records(step.effects, Channel.STATE)] == [STEADY]
    assert step.durable.slot == Slot(1, POINT, acknowledged=False)
    before = step.durable.slot
    reporting.full_state(step)
    assert step.durable.slot is before
    new = draft(a_state())
    reporting.full_state(new)
    assert new.durable.slot == Slot()


@pytest.mark.req("TEL-1", "PRV-6")
@pytest.mark.parametrize(
    ("fuel_pct", "range_m", "level", "range_told_m"),
    [
        (59.6, 412_999, 60, 412_000),
        (0.0, 999, 0, 0),
        (100.6, 800_000, 100, 800_000),
        (-3.0, -1, 0, 0),
        (50.0, None, 50, None),
        (None, 412_000, None, None),
    ],
)
def test_fuel_and_range_are_told_in_vss_units_and_not_finer_than_they_are_known(
    fuel_pct: float | None, range_m: int | None, level: int | None, range_told_m: int | None
) -> None:
    signals = dict(told_signals(a_state(vehicle=seen(fuel_pct=fuel_pct, range_m=range_m))))
    assert signals.get("Vehicle.Powertrain.FuelSystem.RelativeLevel") == level
    assert signals.get("Vehicle.Powertrain.Range") == range_told_m


@pytest.mark.req("TEL-1", "PRV-4")
def test_a_moving_car_is_tracked_every_half_minute() -> None:
    step = draft(running(OWNERS, vehicle=seen(DRIVING)))
    reporting.track(step)
    assert [record.point for record in records(step.effects, Channel.TRACK)] == [POINT]
    assert step.durable.slot == Slot(1, POINT, False, acknowledged=False)
    elsewhere = Fix(482_000_000, 115_761_240, BEGINS_MS + 29_000, NOW)
    step.now = NOW + 29_999
    step.state = replace(step.state, vehicle=replace(seen(DRIVING, fix=elsewhere), at_ms=NOW + 29_999))
    reporting.track(step)
    assert len(records(step.effects, Channel.TRACK)) == 1
    step.now = NOW + 30_000
    reporting.track(step)
    assert len(records(step.effects, Channel.TRACK)) == 2


@pytest.mark.req("PRV-1", "TEL-7")
def test_no_position_is_recorded_that_is_hidden_unknown_parked_or_known() -> None:
    for state in (
        running(vehicle=seen(DRIVING)),
        running(OWNERS, vehicle=seen(DRIVING, fix=None)),
        running(OWNERS, vehicle=seen(DRIVING, fix=Fix(0, 0, BEGINS_MS, NOW))),
        durably(running(OWNERS, vehicle=seen()), slot=Slot(5, ELSEWHERE)),
        durably(running(OWNERS, vehicle=seen(DRIVING, age_ms=2_501)), slot=Slot(5, ELSEWHERE)),
        durably(running(OWNERS, vehicle=seen(DRIVING)), slot=Slot(5, POINT)),
    ):
        step = draft(state)
        reporting.track(step)
        assert step.finish() == (state, ())


@pytest.mark.req("PRV-2", "TEL-7")
@pytest.mark.parametrize("parking", [True, False])
def test_a_standing_car_whose_place_nobody_knows_is_reported_as_soon_as_there_is_a_fix(parking: bool) -> None:
    step = draft(replace(a_state(slot=Slot(5, None, parking)), told=Told(point_at_ms=NOW - 1)))
    reporting.track(step)
    assert step.durable.slot == Slot(6, POINT, parking, acknowledged=False)


@pytest.mark.req("TEL-4")
def test_what_was_given_up_is_told_for_each_channel() -> None:
    step = draft(a_state())
    reporting.records_dropped(step, 9, ((Channel.TRACK, 7), (Channel.ORDER_RESULT, 2)))
    (record,) = records(step.effects)
    assert (record.kind, record.numbers) == (
        EventKind.RECORDS_DROPPED,
        (("track", 7), ("order_result", 2), ("total", 9)),
    )


# ---------------------------------------------------------------- the retained position
@pytest.mark.req("PRV-2", "PRV-3")
def test_the_slot_holds_the_newest_wish_until_it_is_acknowledged() -> None:
    step = draft(a_state())
    reporting.retain_position(step, POINT, parking=True)
    reporting.retain_position(step, None, parking=False)
    assert step.durable.slot == Slot(2, None, False, acknowledged=False)
    reporting.slot_acknowledged(step, 1)
    assert not step.durable.slot.acknowledged
    reporting.slot_acknowledged(step, 2)
    assert step.durable.slot.acknowledged
    settled = step.durable
    reporting.slot_acknowledged(step, 2)
    assert step.durable is settled


@pytest.mark.req("PRV-2", "PRV-3", "TEL-7")
def test_the_slot_is_sent_when_it_may_leave() -> None:
    slot = Slot(4, POINT, True, acknowledged=False)
    parked = a_state(BEGINS_MS + 90_000, slot=slot, counters=Counters(boot=6))
    message = reporting.slot_message(parked, NOW)
    assert message is not None
    assert (message.channel, message.retain) == (Channel.POSITION, True)
    assert json.loads(message.payload) == {
        "stamp": {"seq": 4, "boot": 6, "time": "2026-09-21T14:14:50.000Z", "time_quality": "synced", "age_s": 0.0},
        "Vehicle.CurrentLocation.Latitude": 48.137154,
        "Vehicle.CurrentLocation.Longitude": 11.576124,
        "Vehicle.CurrentLocation.Timestamp": "2026-09-21T14:13:20.000Z",
        "fix_age_s": 90.0,
        "parking": True,
    }
    assert message.attributes == of_event("6-position-4", "vehicle.position", "2026-09-21T14:14:50.000Z")
    assert (message.content_type, message.expiry_s, message.correlation) == ("application/json", None, b"")
    assert reporting.slot_message(a_state(slot=Slot(4, POINT)), NOW) is None
    assert reporting.slot_message(durably(running(), slot=Slot(4, POINT, acknowledged=False)), NOW) is None


@pytest.mark.req("PRV-3")
def test_a_withdrawal_is_an_empty_retained_message_and_may_always_leave() -> None:
    withdrawn = durably(running(), slot=Slot(5, acknowledged=False))
    assert reporting.slot_message(withdrawn, NOW) == Message(Channel.POSITION, b"", True, content_type="")


# ---------------------------------------------------------------- sending
@pytest.mark.req("TEL-3")
def test_a_record_carries_its_own_time_and_its_age_when_sent() -> None:
    started = EventKind.BOOKING_STARTED
    record = Record(1, Channel.EVENT, 9, BEGINS_MS, "floor", started, "aa", "driver", "why", (("left_ms", 1),), boot=3)
    message = reporting.record_message(a_state(BEGINS_MS + 2_500), record, NOW)
    assert (message.channel, message.retain) == (Channel.EVENT, False)
    assert json.loads(message.payload) == {
        "stamp": {"seq": 9, "boot": 3, "time": "2026-09-21T14:13:20.000Z", "time_quality": "floor", "age_s": 2.5},
        "kind": "booking.started",
        "booking": "aa",
        "role": "driver",
        "reason": "why",
        "numbers": {"left_ms": 1},
    }
    assert message.attributes == of_event("3-event-9", "booking.started", "2026-09-21T14:13:20.000Z")
    assert (message.content_type, message.expiry_s, message.correlation) == ("application/json", None, b"")


def test_states_are_retained_and_tracks_are_not() -> None:
    state = reporting.record_message(a_state(), Record(1, Channel.STATE, 2, BEGINS_MS, "synced", signals=STEADY), NOW)
    assert state.retain
    assert state.attributes[1:4:2] == (("id", "0-state-2"), ("type", "sharebox.vehicle.state"))
    assert json.loads(state.payload)["signals"]["Vehicle.TraveledDistance"] == 12_345.6
    track = reporting.record_message(a_state(), Record(1, Channel.TRACK, 2, BEGINS_MS, "synced", point=POINT), NOW)
    assert not track.retain
    assert track.attributes[1:4:2] == (("id", "0-track-2"), ("type", "sharebox.vehicle.position"))
    assert json.loads(track.payload)[LATITUDE] == 48.137154
    assert json.loads(track.payload)["parking"] is False


def test_the_outcome_of_an_order_goes_out_under_its_identifier() -> None:
    step = draft(a_state())
    reporting.order_result(step, bytes.fromhex("0a0b"), 0, "OK", pending=True, correlation=b"\0asked")
    (record,) = records(step.effects, Channel.ORDER_RESULT)
    message = reporting.record_message(a_state(), record, NOW)
    assert message.channel is Channel.ORDER_RESULT
    answer = json.loads(message.payload)
    assert answer.pop("stamp")["seq"] == 1
    assert answer == {"order": "0a0b", "code": 0, "name": "OK", "pending": True, "numbers": {}}
    assert (message.correlation, message.expiry_s, message.retain) == (b"\0asked", None, False)
    assert message.attributes[1:4:2] == (("id", "0-order/result-1"), ("type", "sharebox.order.result"))


def test_an_answer_that_is_no_record_is_not_counted_and_is_soon_worth_nothing() -> None:
    numbers = (("code", 6), ("pending", 0))
    said = Record(0, Channel.ORDER_RESULT, 12, BEGINS_MS, reason="SIGNATURE_INVALID", numbers=numbers, boot=5)
    message = reporting.record_message(a_state(), said, NOW)
    answer = json.loads(message.payload)
    assert answer == {"order": "", "code": 6, "name": "SIGNATURE_INVALID", "pending": False, "numbers": {}}
    assert (message.expiry_s, message.attributes[1]) == (300, ("id", "5-order/result-said-12"))


@pytest.mark.req("TEL-3")
def test_records_that_waited_go_out_together_as_they_would_have_alone() -> None:
    waited = (
        Record(70, Channel.TRACK, 2, BEGINS_MS, "synced", point=POINT, boot=4),
        Record(71, Channel.STATE, 3, BEGINS_MS, "synced", signals=STEADY, boot=5),
        Record(75, Channel.EVENT, 9, BEGINS_MS, "synced", EventKind.BOOTED, boot=5),
    )
    state = a_state(BEGINS_MS + 60_000)
    message = reporting.backlog_message(state, waited, NOW)
    assert telemetry.decode_backlog(message.payload) == [
        (record.channel, reporting.record_message(state, record, NOW).payload) for record in waited
    ]
    assert (message.channel, message.retain, message.expiry_s) == (Channel.BACKLOG, False, None)
    assert message.attributes == (
        ("content-encoding", "deflate"),
        *of_event("4-backlog-70-75", "telemetry.backlog", "2026-09-21T14:14:20.000Z"),
    )


def test_the_health_says_nothing_of_the_car() -> None:
    state = replace(a_state(BEGINS_MS, counters=Counters(boot=6)), booted_at_ms=NOW - 3_600_999)
    full = telemetry.StoreCondition.FULL
    message = reporting.health_message(state, NOW, queued=3, dropped=2, store=full, version="1.2")
    assert json.loads(message.payload) == {
        "time": "2026-09-21T14:13:20.000Z",
        "uptime_s": 3_600,
        "boot": 6,
        "queued": 3,
        "dropped": 2,
        "store": "full",
        "version": "1.2",
    }
    assert (message.channel, message.retain, message.expiry_s) == (Channel.HEALTH, True, 900)
    assert message.attributes == of_event("6-health-3600", "module.health", "2026-09-21T14:13:20.000Z")


def test_a_health_that_did_not_come_three_times_is_no_news_any_more() -> None:
    assert (reporting.HEALTH_EVERY_MS, reporting.HEALTH_LASTS_S) == (300_000, 900)


def test_an_age_is_never_negative() -> None:
    early = replace(a_state(), clock=Clock(BEGINS_MS - 10_000, NOW))
    message = reporting.record_message(early, Record(1, Channel.TRACK, 2, BEGINS_MS, "synced", point=POINT), NOW)
    assert json.loads(message.payload)["fix_age_s"] == 0
    assert json.loads(message.payload)["stamp"]["age_s"] == 0


def test_times_are_utc_with_milliseconds() -> None:
    assert reporting.iso_time(1_790_000_000_007) == "2026-09-21T14:13:20.007Z"


# ---------------------------------------------------------------- the usage log
@pytest.mark.req("BKG-7")
def test_an_entry_says_who_when_and_how_well_the_time_is_known() -> None:
    step = draft(a_state())
    reporting.use(step, Use.STARTED, BOOKING)
    reporting.use(step, Use.RECOVERED, reason="rebuilt")
    first, second = (each.entry for each in only(Log, step.effects))
    (entry, other), faults = usage.verify(step.state.profile.module_id, [first, second], step.durable.log)
    assert faults == []
    assert (entry.at_ms, entry.quality, entry.use) == (BEGINS_MS, "synced", Use.STARTED)
    assert (entry.user, entry.role, entry.booking) == (BOOKING.user.hex(), "driver", BOOKING.booking_id.hex())
    assert (other.use, other.reason, other.user) == (Use.RECOVERED, "rebuilt", "")


# ---------------------------------------------------------------- what only a small mistake would show
@pytest.mark.req("TEL-7")
def test_a_fix_that_is_lost_while_driving_withdraws_nothing() -> None:
    slot = Slot(3, ELSEWHERE)
    step = draft(a_state(vehicle=seen(DRIVING, fix=None), slot=slot))
    reporting.track(step)
    assert (step.durable.slot, step.effects) == (slot, [])


@pytest.mark.req("PRV-2", "PRV-4")
def test_driving_on_replaces_the_parking_position_by_one_that_is_none() -> None:
    step = draft(a_state(vehicle=seen(DRIVING), slot=Slot(3, ELSEWHERE, parking=True)))
    reporting.track(step)
    assert step.durable.slot == Slot(4, POINT, parking=False, acknowledged=False)


@pytest.mark.req("PRV-2", "PRV-4")
@pytest.mark.parametrize("parking", [False, True])
def test_a_parking_position_that_is_replaced_before_the_broker_has_it_is_told_in_the_track(parking: bool) -> None:
    step = draft(a_state(slot=Slot(3, ELSEWHERE, parking=True, acknowledged=False)))
    reporting.retain_position(step, POINT, parking=parking)
    (told,) = records(step.effects, Channel.TRACK)
    assert (told.point, told.parking) == (ELSEWHERE, True)
    assert step.durable.slot == Slot(4, POINT, parking, acknowledged=False)
    message = reporting.record_message(step.state, told, NOW)
    assert msgspec.json.decode(message.payload, type=telemetry.PositionReport).parking


@pytest.mark.req("PRV-2", "PRV-3")
@pytest.mark.parametrize(
    ("slot", "point"),
    [
        (Slot(3, ELSEWHERE, parking=True, acknowledged=True), POINT),
        (Slot(3, ELSEWHERE, parking=False, acknowledged=False), POINT),
        (Slot(3, None, parking=True, acknowledged=False), POINT),
        (Slot(3, POINT, parking=True, acknowledged=False), POINT),
        (Slot(3, ELSEWHERE, parking=True, acknowledged=False), None),
    ],
)
def test_nothing_is_told_in_the_track_of_what_the_broker_has_or_may_not_know(slot: Slot, point: Point | None) -> None:
    step = draft(a_state(slot=slot))
    reporting.retain_position(step, point, parking=False)
    assert step.effects == []


def test_volts_are_rounded_from_millivolts() -> None:
    step = draft(a_state(vehicle=seen(battery_mv=12_651)))
    reporting.vehicle_state(step, force=True)
    (record,) = records(step.effects, Channel.STATE)
    assert dict(record.signals)["Vehicle.LowVoltageBattery.CurrentVoltage"] == 12.7


@pytest.mark.req("KEY-5", "KEY-7")
def test_what_a_key_does_goes_by_its_token() -> None:
    step = draft(a_state())
    reporting.event(step, EventKind.KEY_ACCEPTED, GUEST_KEY, "Zoe")
    reporting.use(step, Use.STARTED, GUEST_KEY, "Zoe")
    (told,) = records(step.effects)
    assert (told.booking, told.role) == (GUEST_KEY.token_id.hex(), "guest")
    (logged,) = only(Log, step.effects)
    entry = json.loads(logged.entry.body)
    assert (entry["user"], entry["role"], entry["booking"]) == (GUEST_KEY.user.hex(), "guest", GUEST_KEY.token_id.hex())


@pytest.mark.req("OWN-4")
def test_a_position_from_before_the_car_changed_hands_never_leaves() -> None:
    state = a_state(erased_before=5)
    assert reporting.erased(state, Record(4, Channel.TRACK, point=POINT))
    assert not reporting.erased(state, Record(5, Channel.TRACK, point=POINT))
    assert not reporting.erased(state, Record(4, kind=EventKind.BOOTED)), "what reveals no position may"


@pytest.mark.req("OWN-4", "PRV-1")
def test_an_event_from_before_the_car_changed_hands_leaves_without_names() -> None:
    state = a_state(erased_before=5)
    told = Record(4, Channel.EVENT, 7, kind=EventKind.KEY_ACCEPTED, booking="ab" * 16, role="guest", reason="Zoe")
    told = replace(told, numbers=(("key_number", 2),))
    alone = msgspec.json.decode(reporting.record_message(state, told, NOW).payload, type=telemetry.EventReport)
    assert (alone.booking, alone.role, alone.reason) == ("", "", "")
    assert (alone.stamp.seq, alone.kind, alone.numbers) == (7, EventKind.KEY_ACCEPTED, {"key_number": 2})
    batch = reporting.backlog_message(state, (told, replace(told, number=5)), NOW)
    assert [b"Zoe" in entry for entry in zlib.decompress(batch.payload).split(b'"kind"')[1:]] == [False, True]


@pytest.mark.req("OWN-4")
def test_what_names_nobody_and_what_was_ordered_stay_as_they_are() -> None:
    state = a_state(erased_before=5)
    sick = Record(4, Channel.EVENT, kind=EventKind.STORE_TROUBLE, reason="rebuilt")
    assert b'"rebuilt"' in reporting.record_message(state, sick, NOW).payload
    outcome = Record(4, Channel.ORDER_RESULT, booking="cd" * 16, reason="OK", numbers=(("code", 0), ("pending", 0)))
    assert b'"OK"' in reporting.record_message(state, outcome, NOW).payload
    said = Record(0, Channel.EVENT, kind=EventKind.KEY_ACCEPTED, booking="ab" * 16, reason="Zoe")
    assert b'"Zoe"' in reporting.record_message(state, said, NOW).payload


@pytest.mark.req("OWN-1", "PRV-1")
def test_of_a_car_without_an_owner_no_position_is_told() -> None:
    state = a_state(ownership=Ownership(coupled=False), vehicle=seen(DRIVING))
    assert not reporting.may_leave(state, reveals_position=True)
    assert reporting.may_leave(state, reveals_position=False)
    step = draft(state)
    reporting.track(step)
    assert step.effects == []
    assert step.durable.slot == state.durable.slot


@pytest.mark.req("SVC-4")
def test_a_sim_that_is_blocked_tells_no_way_and_afterwards_where_the_car_is_then() -> None:
    left = Slot(3, Point(481_000_000, 115_000_000, BEGINS_MS), parking=True, acknowledged=True)
    step = draft(a_state(vehicle=seen(DRIVING), services=replace(SERVICES, base_active=False), slot=left))
    reporting.track(step)
    reporting.track(step)
    assert (step.durable.slot, step.effects) == (Slot(4, None, parking=False, acknowledged=False), [])
    back = draft(durably(replace(step.state, vehicle=seen(STANDING)), services=SERVICES))
    reporting.track(back)
    (record,) = records(back.effects, Channel.TRACK)
    assert record.point == back.durable.slot.point == reporting.fixed_point(back.state)


@pytest.mark.req("SVC-4")
def test_a_sim_that_is_blocked_tells_no_state() -> None:
    step = draft(a_state(services=replace(SERVICES, base_active=False)))
    reporting.vehicle_state(step, force=True)
    assert step.effects == []
