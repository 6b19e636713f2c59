"""What may be told to whom, and when (PRV-1 to PRV-6, TEL-1, TEL-3, CUT-7).

While the SIM is not for telemetry, neither states nor positions are made that could leave later (SVC-4).

A position is gated when it is sent, not when it is recorded: `may_leave` and `slot_message` are asked at the
moment of sending. A position from inside a driver's booking is never even recorded, save the parking position.
"""

from datetime import UTC, datetime
from enum import Enum, unique
from typing import Final, NamedTuple

import msgspec

from firmware.core import clock, geo, sim, usage, vehicle
from firmware.core.draft import Draft
from firmware.core.effects import Log, Report
from firmware.core.reports import Point, Record
from firmware.core.state import Slot, State
from firmware.core.usage import Entry, Use
from protocol import signals, telemetry
from protocol.errors import Role
from protocol.sharing import Key
from protocol.telemetry import Channel, EventKind, StoreCondition
from protocol.tokens import Booking

TRACK_EVERY_MS: Final = 30_000
SLEEPS_AFTER_MS: Final = 1_800_000
"""A car that has been parked for longer than this, with no phone and no booking, has nothing to tell."""

TRANSIENT_LASTS_S: Final = 300
"""An answer that nobody fetched by then says nothing any more."""
HEALTH_EVERY_MS: Final = 300_000
HEALTH_LASTS_S: Final = 900
"""Three that did not come: what is retained is no news any more."""

_KINDS: Final = {Channel.STATE: "vehicle.state", Channel.TRACK: "vehicle.position"}
replace = msgspec.structs.replace


@unique
class Pace(Enum):
    """How lively the car is: the slow signals (fuel, range, odometer, voltage) are told at most once in so many ms,
    the others (doors, locks, ignition, booking) at once."""

    DRIVING = 60_000
    PARKED = 900_000
    ASLEEP = 21_600_000


class Message(NamedTuple):
    """What goes to the broker: payload of `sharebox/<module id>/<channel>`, with its MQTT 5 properties. `expiry_s`
    None: it does not expire; `attributes` are user properties; `correlation` is empty when there is none."""

    channel: Channel
    payload: bytes
    retain: bool = False
    expiry_s: int | None = None
    content_type: str = telemetry.CONTENT_TYPE
    attributes: tuple[tuple[str, str], ...] = ()
    correlation: bytes = b""


# ---------------------------------------------------------------- the gate
def position_hidden(state: State) -> bool:
    """Whether somebody other than the owner has the car (PRV-1, PRV-4), or nobody owns it."""
    trip = state.durable.trip
    driven = trip.running and trip.booking is not None and trip.booking.role is not Role.OWNER
    return driven or not state.durable.ownership.coupled


def may_leave(state: State, *, reveals_position: bool) -> bool:
    """Whether a record may be sent now."""
    return not (reveals_position and position_hidden(state))


def erased(state: State, record: Record) -> bool:
    """Whether a record is a position of somebody who does not own the car any more: it never leaves (OWN-4)."""
    return record.reveals_position and record.number < state.durable.erased_before


# ---------------------------------------------------------------- recording
def event(
    draft: Draft,
    kind: EventKind,
    of: Booking | Key | None = None,
    reason: str = "",
    numbers: tuple[tuple[str, int], ...] = (),
) -> None:
    """Tell owner and backend. Numbers must not reveal a position: this may leave at any time."""
    role = "" if of is None else of.role.name.lower()
    body = Record(kind=kind, booking=_called(of), role=role, reason=reason, numbers=numbers)
    _report(draft, telemetry.channel_of(kind), body)


def records_dropped(draft: Draft, total: int, channels: tuple[tuple[Channel, int], ...]) -> None:
    """The gap report: so many numbers of each channel will never come, so many of all (TEL-4)."""
    each = tuple((channel.name.lower(), count) for channel, count in channels)
    event(draft, EventKind.RECORDS_DROPPED, numbers=(*each, ("total", total)))


def use(draft: Draft, what: Use, by: Booking | Key | None = None, reason: str = "") -> None:
    """Add an entry to the usage log (BKG-7, KEY-7)."""
    durable, now = draft.durable, draft.now
    utc_ms, quality = clock.utc(draft.state.clock, now), clock.quality(draft.state.clock, now).value
    entry = Entry(0, "", utc_ms, quality, what, reason=reason)
    if by is not None:
        entry = replace(entry, user=by.user.hex(), role=by.role.name.lower(), booking=_called(by))
    head, chained = usage.chain(draft.state.profile.module_id, durable.log, entry)
    draft.keep(replace(durable, log=head))
    draft.order(Log(chained))


def _called(of: Booking | Key | None) -> str:
    """A booking by its number, a key by its token."""
    match of:
        case None:
            return ""
        case Key():
            return of.token_id.hex()
        case _:
            return of.booking_id.hex()


def order_result(
    draft: Draft,
    order_id: bytes,
    code: int,
    name: str,
    *,
    pending: bool,
    correlation: bytes = b"",
    numbers: tuple[tuple[str, int], ...] = (),
) -> None:
    """Tell the backend what became of its order, which came with `correlation`; `numbers` decided it."""
    numbers = (("code", code), ("pending", int(pending)), *numbers)
    _report(
        draft,
        Channel.ORDER_RESULT,
        Record(booking=order_id.hex(), reason=name, numbers=numbers, correlation=correlation),
    )


def full_state(draft: Draft) -> None:
    """Report all that is known, changed or not: on every connection, and when the backend asks. The broker may have
    lost what it retained, so the position goes there again, as it should be now."""
    vehicle_state(draft, force=True)
    slot = draft.durable.slot
    if slot.version > 0 and slot.acknowledged:
        draft.keep(replace(draft.durable, slot=replace(slot, acknowledged=False)))


def vehicle_state(draft: Draft, *, force: bool = False) -> None:
    """Report the vehicle's state, whole, when a fast signal changed, or a slow one and its time has come."""
    if not sim.uplink(draft.state):
        return
    values = _signals(draft.state, draft.now)
    told = draft.state.told
    if not force and not _worth_telling(draft.state, values, draft.now):
        return
    draft.state = replace(draft.state, told=replace(told, signals=values, state_at_ms=draft.now))
    _report(draft, Channel.STATE, Record(signals=values))


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
    if not sim.uplink(state):
        # Where it was is no longer where it is, and nobody is to be told where it went meanwhile.
        if slot.point is not None:
            retain_position(draft, None, parking=False)
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
    """Let the broker hold `point`, or nothing (PRV-2, PRV-3); it is sent at once, or first thing on reconnection. A
    parking position that the owner's next drive replaces before the broker has it is told in the track."""
    left = draft.durable.slot
    if point is not None and left.parking and left.point not in (None, point) and not left.acknowledged:
        _report(draft, Channel.TRACK, Record(point=left.point, parking=True))
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
    numbered = replace(body, number=counters.record, channel=channel, seq=seq, boot=counters.boot)
    draft.order(Report(replace(numbered, utc_ms=utc_ms, quality=quality)))


def _signals(state: State, now: int) -> tuple[tuple[str, bool | int | float | str], ...]:
    """VSS names and units. Nothing from which a track can be rebuilt: no speed, no heading (PRV-6)."""
    sample = vehicle.current(state.vehicle, now)
    ignition = None if sample.ignition_on is None else "ON" if sample.ignition_on else "OFF"
    fuel_pct = None if sample.fuel_pct is None else min(100, max(0, round(sample.fuel_pct)))
    range_m = sample.range_m
    known: dict[str, bool | int | float | str | None] = {
        signals.IGNITION: ignition,
        signals.LOCKED: sample.locked,
        signals.DOORS_OPEN: sample.doors_open,
        signals.BOOT_OPEN: sample.boot_open,
        signals.DRIVE_ENABLED: state.durable.drive_enabled,
        signals.BOOKING_PHASE: state.durable.trip.phase.name.lower(),
        signals.FUEL: fuel_pct,
        # The car reckons it from the fuel; in whole km, or it would tell more of the way than the odometer does.
        signals.RANGE: None if fuel_pct is None or range_m is None else max(0, range_m // 1000 * 1000),
        signals.ODOMETER: None if sample.odometer_m is None else sample.odometer_m // 100 / 10,
        signals.VOLTAGE: None if sample.battery_mv is None else round(sample.battery_mv / 1000, 1),
    }
    return tuple((name, value) for name, value in known.items() if value is not None)


def _worth_telling(state: State, values: tuple[tuple[str, bool | int | float | str], ...], now: int) -> bool:
    told_at_ms = state.told.state_at_ms
    if told_at_ms is None:
        return True
    changed = {name for name, _ in set(values) ^ set(state.told.signals)}
    return bool(changed - signals.SLOW) or (bool(changed) and now - told_at_ms >= pace(state, now).value)


def pace(state: State, now: int) -> Pace:
    """How lively the car is. One of which nobody knows that it is parked counts as driving."""
    if not vehicle.parked(state.vehicle, now):
        return Pace.DRIVING
    alone = not state.links and not state.durable.trip.running
    return Pace.ASLEEP if alone and vehicle.parked_for_ms(state.vehicle, now) > SLEEPS_AFTER_MS else Pace.PARKED


# ---------------------------------------------------------------- sending
def slot_message(state: State, now: int) -> Message | None:
    """What the broker's retained position should become now, or None when it is as it should be."""
    slot = state.durable.slot
    if slot.acknowledged or not may_leave(state, reveals_position=slot.point is not None):
        return None
    if slot.point is None:
        return Message(Channel.POSITION, b"", retain=True, content_type="")
    utc_ms, quality = clock.utc(state.clock, now), clock.quality(state.clock, now).value
    made = Record(seq=slot.version, boot=state.durable.counters.boot, utc_ms=utc_ms, quality=quality)
    payload = _position(state, now, made, slot.point, parking=slot.parking)
    attributes = _attributes(state, Channel.POSITION, str(slot.version), made.boot, "vehicle.position", utc_ms)
    return Message(Channel.POSITION, payload, retain=True, attributes=attributes)


def record_message(state: State, record: Record, now: int) -> Message:
    """A record as it goes to the broker, with its age at this moment; of a former owner's time without names. Ask
    `may_leave` first. An answer that is no
    record (its `number` is 0) is worth nothing after TRANSIENT_LASTS_S."""
    kept = record.number > 0
    kind = _KINDS.get(record.channel, "order.result") if record.kind is None else record.kind.value
    number = str(record.seq) if kept else f"said-{record.seq}"
    return Message(
        record.channel,
        _report_of(state, record, now),
        retain=record.channel is Channel.STATE,
        expiry_s=None if kept else TRANSIENT_LASTS_S,
        attributes=_attributes(state, record.channel, number, record.boot, kind, record.utc_ms),
        correlation=record.correlation,
    )


def backlog_message(state: State, records: tuple[Record, ...], now: int) -> Message:
    """Records that waited, in one message: at most `telemetry.MAX_BACKLOG_RECORDS`, at least one, in order. Ask
    `may_leave` for each of them first.

    Nothing in it is retained: a state that is the newest of all has to be sent on its own too.
    """
    entries = [telemetry.Entry(record.channel, _report_of(state, record, now)) for record in records]
    number = f"{records[0].number}-{records[-1].number}"
    boot, utc_ms = records[0].boot, clock.utc(state.clock, now)
    attributes = _attributes(state, Channel.BACKLOG, number, boot, "telemetry.backlog", utc_ms)
    return Message(
        Channel.BACKLOG, telemetry.encode_backlog(entries), attributes=(telemetry.CONTENT_ENCODING, *attributes)
    )


def health_message(
    state: State, now: int, *, queued: int, dropped: int, store: StoreCondition, version: str
) -> Message:
    """How the module is. `queued` records wait, `dropped` were ever given up."""
    utc_ms, boot = clock.utc(state.clock, now), state.durable.counters.boot
    uptime_s = (now - state.booted_at_ms) // 1000
    health = telemetry.Health(iso_time(utc_ms), uptime_s, boot, queued, dropped, store, version)
    attributes = _attributes(state, Channel.HEALTH, str(uptime_s), boot, "module.health", utc_ms)
    return Message(
        Channel.HEALTH, telemetry.encode(health), retain=True, expiry_s=HEALTH_LASTS_S, attributes=attributes
    )


def iso_time(utc_ms: int) -> str:
    """RFC 3339 with milliseconds, UTC."""
    return datetime.fromtimestamp(utc_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _nameless(state: State, record: Record) -> Record:
    """The same event without whoever it tells of, when the car has another owner since (OWN-4): the new one learns that
    there was something, and not of whom."""
    theirs = 0 < record.number < state.durable.erased_before
    if not theirs or record.kind is None or not record.booking:
        return record
    return replace(record, booking="", role="", reason="")


def _report_of(state: State, record: Record, now: int) -> bytes:
    record = _nameless(state, record)
    stamp = _stamp(state, record, now)
    if record.point is not None:
        return _position(state, now, record, record.point, parking=record.parking)
    if record.channel is Channel.STATE:
        return telemetry.encode(telemetry.StateReport(stamp, dict(record.signals)))
    numbers = dict(record.numbers)
    if record.kind is not None:
        return telemetry.encode(
            telemetry.EventReport(stamp, record.kind, record.booking, record.role, record.reason, numbers)
        )
    code, pending = numbers.pop("code"), bool(numbers.pop("pending"))
    result = telemetry.OrderResult(record.booking, code, record.reason, pending, numbers)
    return telemetry.encode(replace(result, stamp=stamp) if record.number else result)


def _position(state: State, now: int, record: Record, point: Point, *, parking: bool) -> bytes:
    age_s = max(0, clock.utc(state.clock, now) - point.utc_ms) / 1000
    return telemetry.encode(
        telemetry.PositionReport(
            _stamp(state, record, now),
            point.latitude_e7 / 1e7,
            point.longitude_e7 / 1e7,
            iso_time(point.utc_ms),
            age_s,
            parking,
        )
    )


def _stamp(state: State, record: Record, now: int) -> telemetry.Stamp:
    age_s = max(0, clock.utc(state.clock, now) - record.utc_ms) / 1000
    return telemetry.Stamp(record.seq, record.boot, iso_time(record.utc_ms), record.quality, age_s)


def _attributes(
    state: State, channel: Channel, number: str, boot: int, kind: str, utc_ms: int
) -> tuple[tuple[str, str], ...]:
    return telemetry.attributes(state.profile.module_id, channel, number, boot, kind, iso_time(utc_ms))
