"""Starting and ending bookings, with everything that follows from it (BKG-1 to BKG-5, CUT-2, CUT-7, PRV-2, PRV-3).

When a booking may start is `admit`, when it is overdue or cut off is `trip`; here is what such a change means for
the ledger, the immobiliser, the links, the reports and the retained position.
"""

from typing import Final

import msgspec

from firmware.core import access, admit, clock, deletion, drive, drivers, ledger, reporting, trip, vehicle
from firmware.core.admit import Admission
from firmware.core.draft import Draft
from firmware.core.effects import Actuate
from firmware.core.events import Action
from firmware.core.state import DeadBooking, EndReason, Trip
from firmware.core.trip import GRACE_MS, Facts, TripEvent
from firmware.core.usage import Use
from protocol.errors import Role
from protocol.messages import NoticeKind, Phase
from protocol.orders import Ending
from protocol.telemetry import EventKind
from protocol.tokens import Booking, RevocationList

replace = msgspec.structs.replace

_EVENT_OF: Final = {
    Phase.OVERDUE: EventKind.BOOKING_OVERDUE,
    Phase.CUTOFF_PENDING: EventKind.CUTOFF_PENDING,
    Phase.CUT_OFF: EventKind.BOOKING_CUT_OFF,
    Phase.ENDED: EventKind.BOOKING_ENDED,
}

_USE_OF: Final = {EndReason.SUPERSEDED: Use.SUPERSEDED, EndReason.CUT_OFF: Use.CUT_OFF}


def board(draft: Draft, admission: Admission, booking: Booking) -> None:
    """Give the car to an admitted booking. Nothing changes when it has it already."""
    match admission:
        case Admission.RUNNING:
            return
        case Admission.REBIND:
            _rebind(draft, booking)
        case Admission.TAKEOVER:
            end(draft, EndReason.SUPERSEDED)
            _start(draft, booking)
        case _:
            _start(draft, booking)
    draft.required = True


def _start(draft: Draft, booking: Booking) -> None:
    """BKG-1. The deadline goes onto the monotonic clock here and stays there (CLK-3)."""
    now, durable = draft.now, draft.durable
    started_ms = clock.utc(draft.state.clock, now)
    if durable.driver_key is not None:
        # It is parked: `admit` lets no booking in while a key drives.
        drive.over(draft, "a booking begins")
        draft.order(Actuate(Action.ARM_IMMOBILISER))
        durable = draft.durable
    begun = Trip(trip.happened(durable.trip, TripEvent.ADMITTED).phase, booking, started_ms)
    durable = drivers.note(ledger.bind(durable, booking), booking)
    draft.keep(replace(durable, trip=begun, drive_enabled=False, arm_when_parked=False))
    end_at_ms = now + booking.ends_at_s * 1000 - started_ms
    draft.state = replace(draft.state, end_at_ms=end_at_ms, anchored_on_floor=False)
    if booking.role is not Role.OWNER:
        reporting.retain_position(draft, None, parking=False)
    reporting.event(draft, EventKind.BOOKING_STARTED, booking)
    reporting.use(draft, Use.STARTED, booking)


def _rebind(draft: Draft, booking: Booking) -> None:
    """ACC-11: the same booking on the user's newer device; the window stays as it was first accepted."""
    running = draft.durable.trip.booking
    assert running is not None
    # The later expiry: as long as either token lives, the ended booking must be remembered (ACC-5).
    expires_s = max(running.expires_s, booking.expires_s)
    bound = replace(booking, ends_at_s=running.ends_at_s, expires_s=expires_s, permissions=running.permissions)
    durable = ledger.bind(draft.durable, booking)
    draft.keep(replace(durable, trip=replace(durable.trip, booking=bound)))


def end(draft: Draft, reason: EndReason) -> None:
    """End the running booking now, because of something that happened."""
    draft.keep(replace(draft.durable, trip=trip.happened(draft.durable.trip, TripEvent.ENDED)))
    _closed(draft, reason)


def request_end(draft: Draft, reason: EndReason) -> None:
    """End the running booking as soon as the car is parked: nothing is taken away from a moving car."""
    draft.keep(replace(draft.durable, trip=trip.requested(draft.durable.trip, reason)))


def settle(draft: Draft) -> None:
    """Apply the trip's rules, and let each change have its consequences."""
    current = draft.durable.trip
    if not current.running:
        drive.settle(draft)
        return
    if current.booking is not None and ledger.withdrawn(draft.durable, current.booking.token_id):
        request_end(draft, EndReason.REVOKED)
        current = draft.durable.trip
    facts = Facts(admit.overdue_ms(draft.state, draft.now), vehicle.parked(draft.state.vehicle, draft.now))
    left_ms = GRACE_MS - facts.overdue_ms
    settled, passed = trip.settle(current, facts)
    for phase in passed:
        if phase is Phase.CUT_OFF:
            _cut_off(draft, facts)
        elif phase is Phase.ENDED:
            access.notify_driver(draft, NoticeKind.ENDED_BY_ORDER)
            _end_by_rule(draft, settled)
        else:
            draft.keep(replace(draft.durable, trip=replace(draft.durable.trip, phase=phase)))
            reporting.event(draft, _EVENT_OF[phase], current.booking, numbers=(("overdue_ms", facts.overdue_ms),))
            if phase is Phase.OVERDUE:
                access.notify_driver(draft, NoticeKind.OVERDUE, left_ms)
    drive.settle(draft)
    if trip.warn_due(draft.durable.trip, facts):
        draft.keep(replace(draft.durable, trip=replace(draft.durable.trip, warned=True)))
        access.notify_driver(draft, NoticeKind.CUTOFF_SOON, left_ms)
        reporting.event(draft, EventKind.CUTOFF_SOON, current.booking, numbers=(("left_ms", left_ms),))


def _cut_off(draft: Draft, facts: Facts) -> None:
    """CUT-2: tell, hang up, re-arm; the booking is dead. The module never locks by itself, it alerts (CUT-7)."""
    access.notify_driver(draft, NoticeKind.CUT_OFF)
    for link in draft.state.links:
        if admit.admitted(draft.state, link):
            draft.hang_up(link.id)
    draft.keep(replace(draft.durable, trip=replace(draft.durable.trip, phase=Phase.CUT_OFF)))
    parked_ms = vehicle.parked_for_ms(draft.state.vehicle, draft.now)
    _closed(draft, EndReason.CUT_OFF, (("overdue_ms", facts.overdue_ms), ("parked_ms", parked_ms)))
    _alert_left_open(draft)


def _end_by_rule(draft: Draft, settled: Trip) -> None:
    """An ordered end has found the car parked."""
    draft.keep(replace(draft.durable, trip=replace(draft.durable.trip, phase=Phase.ENDED)))
    _closed(draft, settled.end_requested or EndReason.ORDER)
    _alert_left_open(draft)


def _closed(draft: Draft, reason: EndReason, numbers: tuple[tuple[str, int], ...] = ()) -> None:
    """The booking no longer has the car: dead for ever, immobiliser armed, parking position reported (PRV-2)."""
    durable, now = draft.durable, draft.now
    booking = durable.trip.booking
    assert booking is not None
    utc_ms = clock.utc(draft.state.clock, now)
    point = reporting.fixed_point(draft.state)
    dead = DeadBooking(booking.booking_id, reason, booking.expires_s, booking.issued_s, numbers)
    closed = replace(durable.trip, ended_ms=utc_ms, end_point=point, end_distance_m=access.home_distance_m(draft.state))
    buried = ledger.bury(durable, dead, clock.floor(draft.state.clock, now))
    draft.keep(replace(buried, trip=closed, drive_enabled=False, arm_when_parked=False))
    draft.order(Actuate(Action.ARM_IMMOBILISER))
    reporting.retain_position(draft, point, parking=True)
    kind = _EVENT_OF[closed.phase]
    reporting.event(draft, kind, booking, reason=reason.value, numbers=numbers)
    reporting.use(draft, _USE_OF.get(reason, Use.ENDED), booking, reason.value)


def _alert_left_open(draft: Draft) -> None:
    """CUT-7: unlocked or open, and nobody with access is left to mend it."""
    sample = vehicle.current(draft.state.vehicle, draft.now)
    booking = draft.durable.trip.booking
    if sample.locked is False:
        reporting.event(draft, EventKind.LEFT_UNLOCKED, booking)
    if sample.doors_open or sample.boot_open:
        reporting.event(draft, EventKind.LEFT_OPEN, booking)


def end_by_order(draft: Draft, ending: Ending, issued_s: int) -> bool:
    """BKG-2: carry out an end order issued at `issued_s`. True when it waits for the car to park. Idempotent; an order
    for a booking that never began cancels it."""
    current = draft.durable.trip
    if current.running and current.booking is not None and current.booking.booking_id == ending.booking_id:
        request_end(draft, EndReason.ORDER)
        return not vehicle.parked(draft.state.vehicle, draft.now)
    cancelled = DeadBooking(ending.booking_id, EndReason.CANCELLED, ending.expires_s, issued_s)
    draft.keep(ledger.bury(draft.durable, cancelled, clock.floor(draft.state.clock, draft.now)))
    return False


def apply_list(draft: Draft, listed: RevocationList) -> bool:
    """ACC-5, KEY-6: take over a revocation list. True when an end waits for the car to park."""
    draft.keep(ledger.revoke(draft.durable, listed))
    deletion.take(draft, listed)
    waits = drive.spent(draft.state, draft.now) is not None
    booking = draft.durable.trip.booking
    if draft.durable.trip.running and booking is not None:
        hit = ledger.withdrawn(draft.durable, booking.token_id)
        if hit or booking.key_epoch < draft.durable.key_epoch:
            request_end(draft, EndReason.REVOKED)
            waits = True
    return waits and not vehicle.parked(draft.state.vehicle, draft.now)
