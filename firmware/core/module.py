"""The module as a function: step(state, event, now) -> (state, effects), and when to call it next.

It composes the rooms of this house and decides nothing itself. `now` is the monotonic clock in ms; the shell
waits until `next_deadline` and then says `Ticked`. Total and deterministic: no event raises.
"""

from typing import Final

import msgspec

from firmware.core import (
    access,
    activation,
    airtime,
    bookings,
    clock,
    deletion,
    drive,
    ecall,
    geo,
    hours,
    links,
    orders,
    ownership,
    remote,
    reporting,
    requests,
    selftest,
    takeover,
    teleservice,
    trip,
    vehicle,
)
from firmware.core.clock import Clock
from firmware.core.draft import Draft
from firmware.core.effects import Actuate, Effect, Persist
from firmware.core.events import (
    Action,
    ActuationFinished,
    BrokerConnected,
    BrokerLost,
    CodeEntered,
    CodeTried,
    CrashDetected,
    EmergencyAcknowledged,
    EmergencyCancelled,
    EmergencyPressed,
    Event,
    HandshakeBegun,
    HandshakeFailed,
    KeyDeactivated,
    KeyPresented,
    LinkActive,
    LinkLost,
    LinkOpened,
    NetworkServing,
    OrderReceived,
    OrderUnreadable,
    PositionSlotAcknowledged,
    RecordsDropped,
    RequestReceived,
    StorageFailed,
    Ticked,
    TimeOffered,
    TimeSource,
    TokenPresented,
    Trouble,
    VehicleKeyUsed,
    VehicleSampled,
)
from firmware.core.incidents import Asked
from firmware.core.state import Durable, Profile, Slot, State, Trip
from firmware.core.usage import Use
from protocol.errors import Code, refuse
from protocol.telemetry import EventKind

SAVE_EVERY_MS: Final = 60_000
"""How much of the elapsed time a power cut may make the floor forget."""
REARM_EVERY_MS: Final = 10_000
PATIENCE_MS: Final = 1_200
"""For the disk. A card may take half a second for a write, and a commit has two; and samples that come once a second
may wait so long without leaving a hole that makes a parked car unknown."""
HASTE_MS: Final = 400
"""The same where a second counts (CUT-4): hanging up may take the other half of it."""

replace = msgspec.structs.replace


def boot(
    durable: Durable | None, profile: Profile, now: int, trouble: Trouble | None = None
) -> tuple[State, tuple[Effect, ...]]:
    """The module after power-up, from what the store holds (None: nothing yet). Re-sends the whole posture."""
    known = _counted(_own(durable or Durable(profile.floor_ms, profile.key_epoch), profile))
    floor_ms = max(known.floor_ms, profile.floor_ms)
    slot = replace(known.slot, acknowledged=known.slot.version == 0)
    state = State(profile, replace(known, floor_ms=floor_ms, slot=slot), Clock(floor_ms, now))
    state = replace(state, saved_at_ms=now, booted_at_ms=now, stirred_at_ms=now)
    booking = known.trip.booking
    if booking is not None:
        end_at_ms = now + booking.ends_at_s * 1000 - floor_ms
        state = replace(state, end_at_ms=end_at_ms, anchored_on_floor=known.trip.running)
    state = activation.resumed(state, now)
    draft = Draft(state, now)
    draft.order(Actuate(posture(known)))
    reporting.event(draft, EventKind.BOOTED)
    takeover.resumed(draft)
    remote.resumed(draft)
    ecall.resumed(draft)
    if trouble is not None:
        reporting.event(draft, EventKind.STORE_TROUBLE, reason=trouble.value)
    if trouble in (Trouble.REBUILT, Trouble.ROLLED_BACK):
        reporting.use(draft, Use.RECOVERED, reason=trouble.value)
    return _finish(draft, state)


def _own(durable: Durable, profile: Profile) -> Durable:
    """From now on this module's. A card that was moved brings no booking, no release and no position of another car
    along. A module that was provisioned for newer keys does not go back to older ones."""
    key_epoch = max(durable.key_epoch, profile.key_epoch)
    durable = replace(ownership.own(durable, profile), key_epoch=key_epoch, module_id=profile.module_id)
    held = (durable.trip.booking, durable.driver_key, *(known.key for known in durable.keys))
    if all(each is None or each.module_id == profile.module_id for each in held):
        return durable
    return replace(
        durable,
        trip=Trip(),
        drive_enabled=False,
        driver_key=None,
        keys=(),
        slot=Slot(durable.slot.version + 1),
        subscription=None,
        services=None,
        call=None,
        asked=Asked(),
        destination=None,
    )


def _counted(durable: Durable) -> Durable:
    """One boot more."""
    return replace(durable, counters=replace(durable.counters, boot=durable.counters.boot + 1))


def posture(durable: Durable) -> Action:
    """What the immobiliser should be: see `drive.posture`."""
    return drive.posture(durable)


def step(state: State, event: Event, now: int) -> tuple[State, tuple[Effect, ...]]:
    """What the module becomes and what the shell has to do, after `event` at `now`."""
    draft = Draft(state, now)
    if airtime.stirs(event):
        draft.state = replace(state, stirred_at_ms=now)
    _happened(draft, event)
    return _finish(draft, state)


def next_deadline(state: State, now: int) -> int:
    """The monotonic time at which `Ticked` changes something even if nothing else happens; it may be past."""
    due = [state.saved_at_ms + SAVE_EVERY_MS, *(links.expires_at_ms(state, link, now) for link in state.links)]
    held = (state.durable.driver_key, *(link.key for link in state.links))
    changes = [hours.changes_at_ms(state.clock, key, now) for key in held if key is not None]
    rooms = (
        deletion.due_at_ms(state, now),
        takeover.next_at_ms(state),
        ecall.next_ms(state),
        airtime.slows_at_ms(state, now),
    )
    due.extend(at for at in (*changes, *rooms) if at is not None)
    overdue_ms = trip.next_overdue_ms(state.durable.trip)
    if overdue_ms is not None:
        due.append(state.end_at_ms + overdue_ms)
    if _waits_for_parking(state, now):
        parked_at_ms = vehicle.parked_at_ms(state.vehicle, now)
        if parked_at_ms is not None:
            due.append(parked_at_ms)
    return min(due)


def patience_ms(state: State, now: int) -> int:
    """How long the shell may wait for its disk and hear nothing: little where the next sample may end a booking."""
    if _waits_for_parking(state, now):
        return HASTE_MS
    if takeover.changes_hands(state, now):
        return PATIENCE_MS
    return min(PATIENCE_MS, max(0, next_deadline(state, now) - now) + HASTE_MS)


def _waits_for_parking(state: State, now: int) -> bool:
    return trip.waits_for_parking(state.durable.trip) or drive.waits_for_parking(state, now)


def _happened(draft: Draft, event: Event) -> None:
    match event:
        case VehicleSampled():
            draft.state = replace(draft.state, vehicle=vehicle.sampled(draft.state.vehicle, event, draft.now))
            _satellites(draft)
            _rearm(draft)
        case Ticked():
            pass
        case CrashDetected() | EmergencyPressed() | EmergencyCancelled() | EmergencyAcknowledged():
            ecall.happened(draft, event)
        case LinkOpened(link):
            links.opened(draft, link)
        case LinkLost(link):
            links.lost(draft, link)
        case LinkActive(link):
            links.active(draft, link)
        case HandshakeBegun(link):
            links.handshake_begun(draft, link)
        case HandshakeFailed(link):
            links.handshake_failed(draft, link)
        case TokenPresented() | KeyPresented():
            bookings.settle(draft)
            _presented(draft, event)
        case VehicleKeyUsed() | KeyDeactivated() | CodeEntered() | CodeTried() | NetworkServing():
            _at_the_car(draft, event)
        case RequestReceived():
            bookings.settle(draft)
            requests.received(draft, event)
        case ActuationFinished():
            if not remote.finished(draft, event) and not selftest.finished(draft, event):
                requests.actuation_finished(draft, event)
        case OrderReceived(signed, correlation):
            bookings.settle(draft)
            orders.received(draft, signed, correlation)
        case OrderUnreadable(code, correlation):
            orders.unreadable(draft, code, correlation)
        case TimeOffered(source, utc_ms):
            _time(draft, source, utc_ms)
        case BrokerConnected() | BrokerLost():
            draft.state = replace(draft.state, broker_connected=isinstance(event, BrokerConnected))
            if draft.state.broker_connected:
                reporting.full_state(draft)
        case PositionSlotAcknowledged(version):
            reporting.slot_acknowledged(draft, version)
        case RecordsDropped(total, channels):
            reporting.records_dropped(draft, total, channels)
        case StorageFailed(undone):
            bookings.settle(draft)
            _undone(draft, undone)
        case _:
            raise AssertionError(f"no room for {event}")


def _time(draft: Draft, source: TimeSource, utc_ms: int) -> None:
    draft.state = replace(draft.state, clock=clock.offered(draft.state.clock, source, utc_ms, draft.now))
    orders.anchor(draft)


def _rearm(draft: Draft) -> None:
    """An immobiliser that did not arm when it was told is told again, while the car is parked (CUT-2)."""
    state = draft.state
    due = draft.now - state.rearmed_at_ms >= REARM_EVERY_MS
    wrong = state.vehicle.sample.immobilised is False and posture(state.durable) is Action.ARM_IMMOBILISER
    if due and wrong and vehicle.parked(state.vehicle, draft.now):
        draft.state = replace(state, rearmed_at_ms=draft.now)
        draft.order(Actuate(Action.ARM_IMMOBILISER))


def _satellites(draft: Draft) -> None:
    """A fix that has just come carries the satellites' time."""
    fix = geo.usable(draft.state.vehicle.sample.fix)
    if fix is None or fix.taken_at_ms > draft.now or draft.now - fix.taken_at_ms > vehicle.SAMPLE_LASTS_MS:
        return
    if clock.stale(draft.state.clock, draft.now):
        _time(draft, TimeSource.GNSS, fix.utc_ms + draft.now - fix.taken_at_ms)


def _at_the_car(
    draft: Draft, event: VehicleKeyUsed | KeyDeactivated | CodeEntered | CodeTried | NetworkServing
) -> None:
    """What somebody does with a vehicle key, or at the vehicle's menu; and where the car is served."""
    match event:
        case NetworkServing(mcc):
            draft.state = replace(draft.state, serving_mcc=mcc)
        case VehicleKeyUsed(button):
            deletion.vehicle_key_used(draft, button)
        case KeyDeactivated():
            deletion.deactivated(draft, event)
        case CodeEntered():
            activation.entered(draft, event)
        case _:
            activation.tried(draft, event)


def _presented(draft: Draft, event: TokenPresented | KeyPresented) -> None:
    """A phone authenticated itself. An issuer's signature also says that time has come this far (CLK-1); a share is
    signed by the main user's phone, and nobody sets the clock with it."""
    if isinstance(event, TokenPresented):
        orders.issued(draft, event.booking.issued_s)
    elif not event.key.parent:
        orders.issued(draft, event.key.issued_s)
    if links.authenticated(draft, event):
        requests.try_boarding(draft, event.link)


def _undone(draft: Draft, undone: Event) -> None:
    """A permission could not be made durable, so it was not given (PWR-2)."""
    match undone:
        case RequestReceived():
            requests.undone(draft, undone)
        case OrderReceived(signed, correlation):
            orders.undone(draft, signed, correlation)
        case TokenPresented() | KeyPresented():
            links.authenticated(draft, undone, denied=refuse(Code.STORAGE_FAILED))
        case CodeEntered() | CodeTried():
            activation.undone(draft, undone)
        case _:
            pass
    takeover.undone(draft)


def _finish(draft: Draft, before: State) -> tuple[State, tuple[Effect, ...]]:
    """State-triggered rules, reports of what changed, and the order to write it down."""
    ecall.settle(draft)
    activation.settle(draft)
    deletion.settle(draft)
    bookings.settle(draft)
    takeover.settle(draft)
    if draft.state.vehicle is not before.vehicle:
        reporting.track(draft)
        teleservice.settle(draft)
    if draft.state.vehicle is not before.vehicle or draft.durable.trip.phase is not before.durable.trip.phase:
        reporting.vehicle_state(draft)
    access.push_changes(draft, before)
    links.settle(draft)
    raised = clock.floor(draft.state.clock, draft.now) > clock.floor(before.clock, draft.now)
    due = raised or draft.now - before.saved_at_ms >= SAVE_EVERY_MS
    if draft.durable is not before.durable or due:
        floor_ms = clock.floor(draft.state.clock, draft.now)
        draft.keep(replace(draft.durable, floor_ms=floor_ms))
        draft.state = replace(draft.state, saved_at_ms=draft.now)
        draft.order(Persist(draft.required))
    return draft.finish()
