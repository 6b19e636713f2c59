"""The driver ends the booking: what stands against it, what follows, and the answer (BKG-3 to BKG-5).

Decides whether the car may be left like this. Who may ask is `requests`, what becomes of the booking `bookings`.
"""

from firmware.core import geo, ownership
from firmware.core.bookings import end
from firmware.core.draft import Draft
from firmware.core.effects import Actuate, AnswerEnded
from firmware.core.events import Action, VehicleSampled
from firmware.core.geo import HOME_RADIUS_M
from firmware.core.state import EndReason, Link, Trip
from protocol.errors import Code, Refusal, refuse
from protocol.messages import Ended, Phase
from protocol.tokens import EndReceipt


def obstacle(sample: VehicleSampled, *, parked: bool) -> Refusal | None:
    """BKG-3: everything that is missing, at once. What is unknown is missing too."""
    missing = (
        ("not_parked", not parked, "park with the ignition off for five seconds"),
        ("doors_open", sample.doors_open is not False, "close all doors"),
        ("boot_open", sample.boot_open is not False, "close the boot"),
    )
    todo = [remedy for _, open_, remedy in missing if open_]
    if not todo:
        return None
    numbers = tuple((name, 1) for name, open_, _ in missing if open_)
    remedy = f"{', '.join(todo)}; then end again."
    return refuse(Code.END_NOT_POSSIBLE, numbers=numbers, remedy=remedy[0].upper() + remedy[1:])


def by_driver(draft: Draft, link_id: int, request_id: int) -> None:
    """BKG-3: everything was checked; lock, re-arm, and the booking is over."""
    end(draft, EndReason.DRIVER)
    draft.order(Actuate(Action.LOCK))
    answer(draft, link_id, request_id)


def ended_by(trip: Trip, link: Link) -> bool:
    """Whether the booking of this link is the one that its driver ended last."""
    mine = link.booking is not None and trip.booking is not None and link.booking.booking_id == trip.booking.booking_id
    return mine and trip.phase is Phase.ENDED and trip.end_requested is None


def answer(draft: Draft, link_id: int, request_id: int) -> None:
    """BKG-4, BKG-5: the distance from home and how old the position is; a receipt that the backend will take."""
    trip = draft.durable.trip
    assert trip.booking is not None
    point = trip.end_point
    age_ms = None if point is None else max(0, trip.ended_ms - point.utc_ms)
    body = Ended(trip.ended_ms, trip.end_distance_m, age_ms)
    home = ownership.home(draft.state)
    outside = (
        point is not None
        and home is not None
        and geo.distance_m((point.latitude_e7, point.longitude_e7), home) > HOME_RADIUS_M
    )
    receipt = EndReceipt(
        draft.state.profile.module_id,
        trip.booking.booking_id,
        trip.ended_ms // 1000,
        point is not None,
        not draft.state.broker_connected,
    )
    code = Code.OUTSIDE_HOME_AREA if outside else Code.OK
    draft.order(AnswerEnded(link_id, request_id, code, body, receipt))
