"""What may be told to whom, and when (PRV-1 to PRV-6, TEL-1, TEL-3, CUT-7).

A position is gated when it is sent, not when it is recorded: `may_leave` and `slot_message` are asked at the
moment of sending. A position from inside a driver's booking is never even recorded, save the parking position.
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from firmware.core import clock, geo, usage, vehicle
from firmware.core.draft import Draft
from firmware.core.effects import Log, Report
from firmware.core.reports import Point, Record
from firmware.core.state import Slot, State, Told
from firmware.core.usage import Entry, Use
from protocol import telemetry
from protocol.errors import Role
from protocol.telemetry import Channel, EventKind
from protocol.tokens import Booking

TRACK_EVERY_MS: Final = 30_000
STATE_EVERY_MS: Final = 60_000
"""Slow signals (fuel, odometer, voltage) are reported at most this often; doors, locks and ignition at once."""

_SLOW: Final = frozenset(
    {
        "Vehicle.Powertrain.FuelSystem.RelativeLevel",
        "Vehicle.TraveledDistance",
        "Vehicle.LowVoltageBattery.CurrentVoltage",
    }
)

replace = msgspec.structs.replace


class Message(NamedTuple):
    """What goes to the broker: payload of `sharebox/<module id>/<channel>`."""

    channel: Channel
    payload: bytes
    retain: bool


# ---------------------------------------------------------------- the gate
def position_hidden(state: State) -> bool:
    """Whether somebody other than the owner has the car (PRV-1, PRV-4)."""
    trip = state.durable.trip
    return trip.running and trip.booking is not None and trip.booking.role is not Role.OWNER


def may_leave(state: State, *, reveals_position: bool) -> bool:
    """Whether a record may be sent now."""
    return not (reveals_position and position_hidden(state))


# ---------------------------------------------------------------- recording
def event(
    draft: Draft,
    kind: EventKind,
    booking: Booking | None = None,
    reason: str = "",
    numbers: tuple[tuple[str, int], ...] = (),
) -> None:
    """Tell owner and backend. Numbers must not reveal a position: this may leave at any time."""
    booking_id, role = ("", "") if booking is None else (booking.booking_id.hex(), booking.role.name.lower())
    _report(draft, Channel.EVENT, Record(kind=kind, booking=booking_id, role=role, reason=reason, numbers=numbers))


def use(draft: Draft, what: Use, booking: Booking | None = None, reason: str = "") -> None:
    """Add an entry to the usage log (BKG-7)."""
    durable, now = draft.durable, draft.now
    utc_ms, quality = clock.utc(draft.state.clock, now), clock.quality(draft.state.clock, now).value
    entry = Entry(0, "", utc_ms, quality, what, reason=reason)
    if booking is not None:
        entry = replace(
            entry, user=booking.user.hex(), role=booking.role.name.lower(), booking=booking.booking_id.hex()
        )
    head, chained = usage.chain(draft.state.profile.module_id, durable.log, entry)
    draft.keep(replace(durable, log=head))
    draft.order(Log(chained))


def order_result(draft: Draft, order_id: bytes, code: int, name: str, *, pending: bool) -> None:
    """Tell the backend what became of its order."""
    numbers = (("code", code), ("pending", int(pending)))
    _report(draft, Channel.ORDER_RESULT, Record(booking=order_id.hex(), reason=name, numbers=numbers))


def vehicle_state(draft: Draft, *, force: bool = False) -> None:
    """Report the vehicle's state when a fast signal changed, or a slow one and its time has come."""
    signals = _signals(draft.state, draft.now)
    told = draft.state.told
    if not force and not _worth_telling(told, signals, draft.now):
        return
    draft.state = replace(draft.state, told=replace(told, signals=signals, state_at_ms=draft.now))
    _report(draft, Channel.STATE, Record(signals=signals))


def track(draft: Draft) -> None:
    """Record and retain the position while the ignition is on, or while none is known at the broker; and only
    when nobody has a right to hide it."""
    state, now = draft.state, draft.now
    sample = vehicle.current(state.vehicle, now)
    slot, last = state.durable.slot, state.told.point_at_ms
    due = last is None or now - last >= TRACK_EVERY_MS or slot.point is None
    wanted = sample.ignition_on or slot.point is None
    if position_hidden(state) or not due or not wanted:
        return
    point = fixed_point(state)
    if point is None or point == slot.point:
        return
    draft.state = replace(state, told=replace(state.told, point_at_ms=now))
    # A parking position that nobody knew when the booking ended is still owed (PRV-2).
    retain_position(draft, point, parking=slot.parking and slot.point is None)
    _report(draft, Channel.TRACK, Record(point=point))


def fixed_point(state: State) -> Point | None:
    """The last position that is known, with its own time, however old."""
    fix = geo.usable(state.vehicle.sample.fix)
    return None if fix is None else Point(fix.latitude_e7, fix.longitude_e7, fix.utc_ms)


def retain_position(draft: Draft, point: Point | None, *, parking: bool) -> None:
    """Let the broker hold `point`, or nothing (PRV-2, PRV-3); it is sent at once, or first thing on reconnection."""
    slot = Slot(draft.durable.slot.version + 1, point, parking, acknowledged=False)
    draft.keep(replace(draft.durable, slot=slot))


def slot_acknowledged(draft: Draft, version: int) -> None:
    """The broker holds what the slot said in that version."""
    slot = draft.durable.slot
    if slot.version == version and not slot.acknowledged:
        draft.keep(replace(draft.durable, slot=replace(slot, acknowledged=True)))


def _report(draft: Draft, channel: Channel, body: Record) -> None:
    """Append `body` with its numbers and time."""
    counters = draft.durable.counters
    name = channel.name.lower()
    seq: int = getattr(counters, name)
    draft.keep(replace(draft.durable, counters=replace(counters, record=counters.record + 1, **{name: seq + 1})))
    utc_ms = clock.utc(draft.state.clock, draft.now)
    quality = clock.quality(draft.state.clock, draft.now).value
    stamped = replace(body, number=counters.record, channel=channel, seq=seq, utc_ms=utc_ms, quality=quality)
    draft.order(Report(stamped))


def _signals(state: State, now: int) -> tuple[tuple[str, bool | int | float | str], ...]:
    """VSS names and units. Nothing from which a track can be rebuilt: no speed, no heading (PRV-6)."""
    sample = vehicle.current(state.vehicle, now)
    ignition = None if sample.ignition_on is None else "ON" if sample.ignition_on else "OFF"
    known: dict[str, bool | int | float | str | None] = {
        "Vehicle.LowVoltageSystemState": ignition,
        "Vehicle.Cabin.Door.Row1.DriverSide.IsLocked": sample.locked,
        "Vehicle.Private.Sharebox.AnyDoorIsOpen": sample.doors_open,
        "Vehicle.Body.Trunk.Rear.IsOpen": sample.boot_open,
        "Vehicle.Private.Sharebox.DriveIsEnabled": state.durable.drive_enabled,
        "Vehicle.Private.Sharebox.BookingPhase": state.durable.trip.phase.name.lower(),
        "Vehicle.Powertrain.FuelSystem.RelativeLevel": None if sample.fuel_pct is None else round(sample.fuel_pct),
        "Vehicle.TraveledDistance": None if sample.odometer_m is None else sample.odometer_m // 100 / 10,
        "Vehicle.LowVoltageBattery.CurrentVoltage": None
        if sample.battery_mv is None
        else round(sample.battery_mv / 1000, 1),
    }
    return tuple((name, value) for name, value in known.items() if value is not None)


def _worth_telling(told: Told, signals: tuple[tuple[str, bool | int | float | str], ...], now: int) -> bool:
    if told.state_at_ms is None:
        return True
    changed = {name for name, _ in set(signals) ^ set(told.signals)}
    return bool(changed - _SLOW) or (bool(changed) and now - told.state_at_ms >= STATE_EVERY_MS)


# ---------------------------------------------------------------- sending
def slot_message(state: State, now: int) -> Message | None:
    """What the broker's retained position should become now, or None when it is as it should be."""
    slot = state.durable.slot
    if slot.acknowledged or not may_leave(state, reveals_position=slot.point is not None):
        return None
    if slot.point is None:
        return Message(Channel.POSITION, b"", retain=True)
    stamp = _stamp(state, now, slot.version, clock.utc(state.clock, now))
    return Message(Channel.POSITION, _position(state, now, stamp, slot.point, parking=slot.parking), retain=True)


def record_message(state: State, record: Record, now: int) -> Message:
    """A record as it goes to the broker, with its age at this moment. Ask `may_leave` first."""
    stamp = _stamp(state, now, record.seq, record.utc_ms, record.quality)
    if record.point is not None:
        payload = _position(state, now, stamp, record.point, parking=False)
    elif record.channel is Channel.STATE:
        payload = telemetry.encode(telemetry.StateReport(stamp, dict(record.signals)))
    elif record.kind is not None:
        payload = telemetry.encode(
            telemetry.EventReport(stamp, record.kind, record.booking, record.role, record.reason, dict(record.numbers))
        )
    else:
        numbers = dict(record.numbers)
        result = telemetry.OrderResult(record.booking, numbers["code"], record.reason, bool(numbers["pending"]))
        payload = telemetry.encode(result)
    return Message(record.channel, payload, retain=record.channel is Channel.STATE)


def iso_time(utc_ms: int) -> str:
    """RFC 3339 with milliseconds, UTC."""
    return datetime.fromtimestamp(utc_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _position(state: State, now: int, stamp: telemetry.Stamp, point: Point, *, parking: bool) -> bytes:
    age_s = max(0, clock.utc(state.clock, now) - point.utc_ms) / 1000
    return telemetry.encode(
        telemetry.PositionReport(
            stamp, point.latitude_e7 / 1e7, point.longitude_e7 / 1e7, iso_time(point.utc_ms), age_s, parking
        )
    )


def _stamp(state: State, now: int, seq: int, utc_ms: int, quality: str = "") -> telemetry.Stamp:
    quality = quality or clock.quality(state.clock, now).value
    age_s = max(0, clock.utc(state.clock, now) - utc_ms) / 1000
    return telemetry.Stamp(seq, iso_time(utc_ms), quality, age_s)
