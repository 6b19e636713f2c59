"""Those who share the car: ten at a time (SUB-3).

A driver or VIP takes a place with the first booking that gets the car, and keeps it until the owner removes them. The
owner needs none, and shared keys have a list of their own.
"""

from typing import Final

import msgspec

from firmware.core.draft import Draft
from firmware.core.state import DRIVERS_KEPT, Durable, State
from protocol.errors import Code, Refusal, Role, refuse
from protocol.messages import Accepted
from protocol.orders import DriverRemoval
from protocol.tokens import Booking

LISTED: Final = frozenset({Role.VIP, Role.DRIVER})


def refusal(state: State, booking: Booking) -> Refusal | None:
    """DRIVER_LIST_FULL for one driver too many."""
    drivers = state.durable.drivers
    if booking.role not in LISTED or booking.user in drivers or len(drivers) < DRIVERS_KEPT:
        return None
    return refuse(Code.DRIVER_LIST_FULL, role=booking.role, numbers=(("drivers", len(drivers)),))


def note(durable: Durable, booking: Booking) -> Durable:
    """A booking gets the car: its user is one of those who share it. The caller has asked `refusal`."""
    if booking.role not in LISTED or booking.user in durable.drivers:
        return durable
    return msgspec.structs.replace(durable, drivers=(*durable.drivers, booking.user))


def remove(draft: Draft, told: DriverRemoval) -> Accepted:
    """The place is free. Bookings that the driver still has are ended or revoked by orders of their own."""
    drivers = tuple(user for user in draft.durable.drivers if user != told.user)
    if drivers != draft.durable.drivers:
        draft.keep(msgspec.structs.replace(draft.durable, drivers=drivers))
    return Accepted()
