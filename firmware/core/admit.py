"""Credentials -> admission, or a refusal with its numbers (ACC-3 to ACC-6, ACC-11, CLK-2, CUT-6).

The signature was verified before; here it is decided whether this booking opens this car now. Pure questions:
nothing is changed. Which booking is dead is kept by `ledger`.
"""

from enum import Enum, unique

import msgspec

from firmware.core import clock, drivers, ledger, vehicle
from firmware.core.state import Link, State
from firmware.core.trip import GRACE_MS
from protocol.errors import Code, Refusal, Role, refuse
from protocol.tokens import Booking


@unique
class Admission(Enum):
    """How a booking gets the car."""

    RUNNING = "it has the car already"
    REBIND = "it has the car, and its user fetched it anew, on this device or a newer one"
    NEW = "the car is free"
    TAKEOVER = "the car's booking is past its end, and the car is parked"


def overdue_ms(state: State, now: int) -> int:
    """Time since the running booking's end on the monotonic clock (CLK-3), negative before it."""
    return now - state.end_at_ms


def admit(state: State, booking: Booking, now: int) -> Admission | Refusal:
    """Whether `booking` opens the car now. The running booking is judged by the trip, not by its window:
    it stays good while overdue and while the cutoff waits for the car to park (CUT-1, CUT-3)."""
    refusal = _wrong_credential(state, booking)
    if refusal is not None:
        return refusal
    trip = state.durable.trip
    if trip.running and trip.booking is not None and trip.booking.booking_id == booking.booking_id:
        if trip.booking.token_id == booking.token_id:
            return Admission.RUNNING
        if _same_user_anew(trip.booking, booking):
            return _dead(state, booking) or Admission.REBIND
        return in_use(state, booking.role, now)
    refusal = _dead(state, booking) or _outside_window(state, booking, now) or _sharing_over(state, booking, now)
    refusal = refusal or drivers.refusal(state, booking)
    if refusal is not None:
        return refusal
    if not trip.running:
        return _driven_by_key(state, booking, now) or Admission.NEW
    if overdue_ms(state, now) >= 0 and vehicle.parked(state.vehicle, now):
        return Admission.TAKEOVER
    return in_use(state, booking.role, now)


def admitted(state: State, link: Link) -> bool:
    """Whether this link's session holds the running booking at this moment. Never stored, always asked."""
    trip = state.durable.trip
    return (
        link.booking is not None
        and trip.running
        and trip.booking is not None
        and link.booking.token_id == trip.booking.token_id
        and link.booking.booking_id == trip.booking.booking_id
        and link.denied is None
    )


def denial(state: State, link: Link, now: int) -> Refusal:
    """Why a link that is not admitted is not."""
    if link.booking is None:
        return refuse(Code.NOT_ADMITTED)
    if link.denied is not None:
        return link.denied
    verdict = admit(state, link.booking, now)
    if isinstance(verdict, Refusal):
        return verdict
    # It waited until the car was free: the next request brings it in.
    return msgspec.structs.replace(refuse(Code.NOT_ADMITTED, remedy="The car is free now: ask again."), temporary=True)


def _wrong_credential(state: State, booking: Booking) -> Refusal | None:
    """What no time and no free car can mend."""
    if booking.module_id != state.profile.module_id:
        return refuse(Code.WRONG_VEHICLE, role=booking.role)
    if not state.durable.ownership.coupled:
        return refuse(Code.NOT_COUPLED, role=booking.role)
    newest = dict(state.durable.devices).get(booking.user, 0)
    if booking.device_generation < newest:
        numbers = (("device_generation", booking.device_generation), ("newest_generation", newest))
        return refuse(Code.DEVICE_REPLACED, role=booking.role, numbers=numbers)
    return None


def _same_user_anew(running: Booking, booking: Booking) -> bool:
    """The running booking on its user's newer device (ACC-11), or fetched anew on the same one. The window stays that
    of the first acceptance, so nothing else may differ."""
    newer = booking.device_generation > running.device_generation
    again = booking.device_generation == running.device_generation and booking.holder == running.holder
    return running.user == booking.user and running.role == booking.role and (newer or again)


def _dead(state: State, booking: Booking) -> Refusal | None:
    """ACC-5: what once ended, was cut off, cancelled, superseded or revoked, or was made for older keys."""
    durable = state.durable
    for dead in durable.dead:
        if dead.booking_id == booking.booking_id:
            return refuse(dead.reason.code, role=booking.role, numbers=dead.numbers)
    if ledger.withdrawn(durable, booking.token_id):
        return refuse(Code.TOKEN_REVOKED, role=booking.role)
    if booking.key_epoch != durable.key_epoch:
        numbers = (("booking_epoch", booking.key_epoch), ("vehicle_epoch", durable.key_epoch))
        return refuse(Code.WRONG_KEY_EPOCH, role=booking.role, numbers=numbers)
    if booking.issued_s < durable.dead_before_s:
        return refuse(Code.BOOKING_ENDED, role=booking.role)
    return None


def _outside_window(state: State, booking: Booking, now: int) -> Refusal | None:
    """CLK-2: the whole interval must lie inside [not before, end)."""
    earliest, latest = clock.interval(state.clock, now)
    opens_ms, ends_ms = booking.not_before_s * 1000, booking.ends_at_s * 1000
    if latest is not None and latest < opens_ms:
        numbers = (("starts_in_ms", opens_ms - clock.utc(state.clock, now)),)
        return refuse(Code.NOT_YET_VALID, role=booking.role, numbers=numbers)
    if earliest >= ends_ms:
        numbers = (("over_for_ms", clock.utc(state.clock, now) - ends_ms),)
        return refuse(Code.BOOKING_OVER, role=booking.role, numbers=numbers)
    if latest is None:
        return refuse(Code.CLOCK_UNCERTAIN, role=booking.role)
    if earliest < opens_ms or latest >= ends_ms:
        return refuse(Code.CLOCK_UNCERTAIN, role=booking.role, numbers=(("uncertainty_ms", latest - earliest),))
    return None


def _sharing_over(state: State, booking: Booking, now: int) -> Refusal | None:
    """SUB-2: no new booking once it is certain that the subscription is over, or while it is paused. A module that was
    never told of one knows no end."""
    subscription = state.durable.subscription
    if subscription is None:
        return None
    if subscription.paused:
        return refuse(Code.SUBSCRIPTION_EXPIRED, role=booking.role, numbers=(("paused", 1),))
    earliest, _ = clock.interval(state.clock, now)
    over_for_ms = earliest - subscription.sharing_until_s * 1000
    if over_for_ms < 0:
        return None
    return refuse(Code.SUBSCRIPTION_EXPIRED, role=booking.role, numbers=(("over_for_ms", over_for_ms),))


def _driven_by_key(state: State, booking: Booking, now: int) -> Refusal | None:
    """ACC-4: somebody drives with a digital key. Nothing is taken from a moving car; a parked one goes to the
    booking."""
    if state.durable.driver_key is None or vehicle.parked(state.vehicle, now):
        return None
    numbers = (("parked_ms", vehicle.parked_for_ms(state.vehicle, now)),)
    remedy = "Somebody drives with a digital key: wait until the car is parked."
    return refuse(Code.VEHICLE_IN_USE, role=booking.role, numbers=numbers, remedy=remedy)


def in_use(state: State, role: Role, now: int) -> Refusal:
    """ACC-4: somebody else's booking runs, and what would end it."""
    late = overdue_ms(state, now)
    numbers: tuple[tuple[str, int], ...] = (("ends_in_ms", -late),)
    if late >= 0:
        parked = vehicle.parked_for_ms(state.vehicle, now)
        numbers = (("overdue_ms", late), ("parked_ms", parked), ("cutoff_in_ms", max(0, GRACE_MS - late)))
    return refuse(Code.VEHICLE_IN_USE, role=role, numbers=numbers)
