"""The emergency call: raised by a crash or by hand, repeated until somebody has it (SVC-8).

Decides when a call is made, what it says, and when it is none any more. It is durable, for the crash may take the
power; it asks nobody but the services, neither bookings nor privacy: the position goes to the emergency centre alone,
over a line of its own, and into no record. Refuses to know how that line works.

A call by hand can be taken back for ten seconds; one by the crash sensors cannot. What has not been answered after
twenty minutes is not sent as if it had just happened: it is told as an event. Within one power-up the age is that of
the monotonic clock. After a power cut it is what the clock knows for certain; without a clock the call is sent, for a
call too many is better than one too few; but not one for ever: the time that it has stood with the power on is
written down with every message, and counts on.
"""

from typing import Final

import msgspec

from firmware.core import clock, geo, reporting, services
from firmware.core.clock import Quality
from firmware.core.draft import Draft
from firmware.core.effects import CallEmergency, EndEmergency
from firmware.core.events import CrashDetected, EmergencyAcknowledged, EmergencyCancelled, EmergencyPressed
from firmware.core.incidents import Call
from firmware.core.reports import Point
from firmware.core.state import State
from protocol import msd
from protocol.msd import Msd
from protocol.telemetry import EventKind
from protocol.tokens import Booking

CANCEL_WITHIN_MS: Final = 10_000
REPEAT_MS: Final = 5_000
STALE_AFTER_MS: Final = 20 * 60_000
CLOCK_SPEAKS_MS: Final = 2_000
"""After power-up a call waits so long for a clock that knows how old it is."""
FRESH_FIX_MS: Final = 5_000

replace = msgspec.structs.replace


# ---------------------------------------------------------------- facts
def happened(
    draft: Draft, event: CrashDetected | EmergencyPressed | EmergencyCancelled | EmergencyAcknowledged
) -> None:
    """What the car, somebody in it, or the emergency centre says."""
    match event:
        case CrashDetected():
            _crashed(draft)
        case EmergencyPressed():
            _pressed(draft)
        case EmergencyCancelled():
            _cancelled(draft)
        case _:
            _acknowledged(draft, event.call)


def _crashed(draft: Draft) -> None:
    """The crash sensors spoke. A call by hand that is under way becomes one by crash; of one by crash they say nothing
    new, for a car is hit more than once."""
    draft.state = replace(draft.state, pressed_at_ms=None)
    call = draft.durable.call
    if call is None:
        _raise(draft, automatic=True)
    elif not call.automatic:
        draft.keep(replace(draft.durable, call=replace(call, automatic=True)))
        draft.state = replace(draft.state, called_at_ms=None)


def _pressed(draft: Draft) -> None:
    """Somebody wants help, and has a while to think better of it."""
    if draft.durable.call is None and draft.state.pressed_at_ms is None:
        draft.state = replace(draft.state, pressed_at_ms=draft.now)


def _cancelled(draft: Draft) -> None:
    """Somebody does not need help after all. A call that was made is not taken back: the centre asks."""
    if draft.state.pressed_at_ms is not None:
        draft.state = replace(draft.state, pressed_at_ms=None)
        reporting.event(draft, EventKind.ECALL_CANCELLED, _booking(draft))


def _acknowledged(draft: Draft, number: int) -> None:
    """The centre has the call."""
    call = draft.durable.call
    if call is not None and call.number == number:
        _over(draft, call, EventKind.ECALL_ACKNOWLEDGED)


def resumed(draft: Draft) -> None:
    """After power-up: a call that nobody has answered goes on. The last message may have left before it was written
    down, so the next one skips a number."""
    call = draft.durable.call
    if call is not None:
        draft.keep(replace(draft.durable, call=replace(call, message=min(call.message + 1, msd.MOST_MESSAGES))))
        called_at_ms = draft.now - REPEAT_MS + CLOCK_SPEAKS_MS
        draft.state = replace(draft.state, called_at_ms=called_at_ms, call_before_ms=call.stood_ms)


# ---------------------------------------------------------------- what follows of the state
def settle(draft: Draft) -> None:
    """Make the call that was not taken back, repeat it, and give up one that is too old."""
    state = draft.state
    if state.pressed_at_ms is not None and draft.now - state.pressed_at_ms >= CANCEL_WITHIN_MS:
        draft.state = replace(state, pressed_at_ms=None)
        _raise(draft, automatic=False)
    call = draft.durable.call
    if call is None:
        return
    if services.emergency(draft.state, draft.now) is None:
        _over(draft, call, EventKind.ECALL_IMPOSSIBLE)
    elif _age_ms(draft.state, call, draft.now) >= STALE_AFTER_MS:
        _over(draft, call, EventKind.ECALL_STALE)
    elif _due_ms(draft.state) <= draft.now:
        _send(draft, call)


def next_ms(state: State) -> int | None:
    """When `settle` has something to do if nothing else happens; None: never."""
    due = []
    if state.pressed_at_ms is not None:
        due.append(state.pressed_at_ms + CANCEL_WITHIN_MS)
    if state.durable.call is not None:
        due.append(_due_ms(state))
    return min(due, default=None)


def _due_ms(state: State) -> int:
    return state.booted_at_ms if state.called_at_ms is None else state.called_at_ms + REPEAT_MS


def _age_ms(state: State, call: Call, now: int) -> int:
    """How old the call is for certain."""
    stood_ms = _stood_ms(state, now)
    if state.call_since_ms is not None or not call.dated:
        return stood_ms
    earliest, _ = clock.interval(state.clock, now)
    return max(stood_ms, earliest - call.raised_ms)


def _stood_ms(state: State, now: int) -> int:
    """For how long it has stood with the power on. The floor would tell no more, and would make a young call old when
    something signed raises it."""
    if state.call_since_ms is not None:
        return now - state.call_since_ms
    return state.call_before_ms + now - state.booted_at_ms


# ---------------------------------------------------------------- the call
def _raise(draft: Draft, *, automatic: bool) -> None:
    service, booking = services.emergency(draft.state, draft.now), _booking(draft)
    if service is None:
        reporting.event(draft, EventKind.ECALL_IMPOSSIBLE, booking, numbers=(("automatic", int(automatic)),))
        return
    number = draft.durable.calls + 1
    call = Call(number, automatic, clock.utc(draft.state.clock, draft.now), _dated(draft))
    draft.keep(replace(draft.durable, call=call, calls=number))
    draft.state = replace(draft.state, call_since_ms=draft.now)
    numbers = (("call", number), ("automatic", int(automatic)))
    reporting.event(draft, EventKind.ECALL_RAISED, booking, service.value, numbers)


def _send(draft: Draft, call: Call) -> None:
    lasts_s = (STALE_AFTER_MS - _age_ms(draft.state, call, draft.now) + 999) // 1000
    stood_ms = _stood_ms(draft.state, draft.now)
    call = _located(draft, replace(call, message=min(call.message + 1, msd.MOST_MESSAGES), stood_ms=stood_ms))
    since_ms = draft.state.call_since_ms
    if not call.dated and since_ms is not None and _dated(draft):
        raised_ms = clock.utc(draft.state.clock, draft.now) - (draft.now - since_ms)
        call = replace(call, raised_ms=raised_ms, dated=True)
    draft.keep(replace(draft.durable, call=call))
    draft.state = replace(draft.state, called_at_ms=draft.now)
    vin, point = draft.state.profile.vehicle.vin, call.point
    told = Msd(
        call.message,
        call.automatic,
        call.trusted,
        vin if msd.is_vin(vin) else msd.NO_VIN,
        call.raised_ms // 1000 if call.dated else 0,
        None if point is None else point.latitude_e7,
        None if point is None else point.longitude_e7,
    )
    draft.order(CallEmergency(call.number, told, lasts_s))


def _located(draft: Draft, call: Call) -> Call:
    """With the last position that is known; after a power cut that is the one that the call had before."""
    fix = geo.usable(draft.state.vehicle.sample.fix)
    if fix is None:
        return replace(call, trusted=False)
    point = Point(fix.latitude_e7, fix.longitude_e7, fix.utc_ms)
    return replace(call, point=point, trusted=draft.now - fix.taken_at_ms <= FRESH_FIX_MS)


def _over(draft: Draft, call: Call, how: EventKind) -> None:
    draft.keep(replace(draft.durable, call=None))
    draft.state = replace(draft.state, call_since_ms=None, called_at_ms=None)
    draft.order(EndEmergency())
    numbers = (("call", call.number), ("messages", call.message))
    reporting.event(draft, how, _booking(draft), numbers=numbers)


def _booking(draft: Draft) -> Booking | None:
    """Who has the car, if somebody has."""
    trip = draft.durable.trip
    return trip.booking if trip.running else None


def _dated(draft: Draft) -> bool:
    return clock.quality(draft.state.clock, draft.now) is not Quality.FLOOR
