"""Whose car it is: coupling, giving it up, and where it lives (OWN-2, OWN-3, OWN-5, SUB-1).

Decides who becomes the owner, and what stays when another one does: everything is wiped save what must never be
forgotten. Refuses to know how a car is taken over without its owner: that is `takeover`. A car without an owner moves
for nobody: `refusal` is asked wherever something could.
"""

from typing import Final

import msgspec

from firmware.core import clock, drive, reporting, subscription, vehicle
from firmware.core.draft import Draft
from firmware.core.effects import Actuate
from firmware.core.events import Action
from firmware.core.state import Durable, Ownership, Profile, Slot, State
from firmware.core.usage import Use
from protocol import vin
from protocol.errors import Code, Refusal, refuse
from protocol.messages import Accepted
from protocol.orders import Coupling, Order, OrderKind, Place, Removal
from protocol.telemetry import EventKind

replace = msgspec.structs.replace

KEPT: Final = (
    "floor_ms",
    "module_id",
    "forgetful",
    "dead",
    "dead_before_s",
    "revoked",
    "list_number",
    "dead_keys",
    "keys_before_s",
    "orders",
    "orders_before_s",
    "takeover",
    "services",
    "call",
    "calls",
    "counters",
    "log",
)
"""What of the durable state another owner's module goes on with: time and numbers, what is dead, what was ordered, a
call for help, what the SIM is for, and the usage log. All else is the old owner's; what is added to the state later is
wiped unless it is named here."""
TIMELESS: Final = frozenset(
    {OrderKind.END_BOOKING, OrderKind.COUPLE, OrderKind.REMOVE_OWNER, OrderKind.TAKE_OVER, OrderKind.SERVICES}
)
"""Orders that count whoever was the owner when they were signed."""
ENDED_BY: Final = "owner changed"
"""Why the usage log says that a booking has ended."""


# ---------------------------------------------------------------- questions
def own(durable: Durable, profile: Profile) -> Durable:
    """Before any order about ownership the profile tells whether there is an owner."""
    if durable.ownership.number:
        return durable
    return replace(durable, ownership=replace(durable.ownership, coupled=profile.coupled))


def refusal(state: State) -> Refusal | None:
    """Why nobody may move this car: it has no owner (OWN-1)."""
    return None if state.durable.ownership.coupled else refuse(Code.NOT_COUPLED)


def home(state: State) -> tuple[int, int] | None:
    """Where the car lives, degrees times 10^7. What the profile says is that of the first owner, who came without an
    order."""
    owned = state.durable.ownership
    return owned.home if owned.number or owned.home_set_s else state.profile.home


def unfit(state: State, told: Coupling) -> Refusal | None:
    """What stands against this car with this order, whoever owns it: VIN_INVALID, NOT_PREPARED."""
    car = state.profile.vehicle
    fault = vin.check(told.vin, car.market)
    if fault is not None:
        return vin.refusal(fault)
    if car.vin and told.vin != car.vin:
        differing = (at for at, character in enumerate(told.vin, 1) if car.vin[at - 1 : at] != character)
        differs = next(differing, 0)
        remedy = f"Copy the VIN from the registration document of this car: character {differs} is another one."
        return refuse(Code.VIN_INVALID, numbers=(("position", differs),), remedy=remedy)
    return None if car.prepared else refuse(Code.NOT_PREPARED)


def outdated(state: State, number: int) -> Refusal | None:
    """Whether an order about ownership comes after a newer one."""
    known = state.durable.ownership.number
    if number > known:
        return None
    return refuse(Code.ORDER_OUTDATED, numbers=(("number", number), ("known_number", known)))


def owned_already(state: State, told: Coupling) -> Refusal | None:
    """OWN-3: there is an owner. The one who asks is told when it is the same person, with another account."""
    owned = state.durable.ownership
    if not owned.coupled:
        return None
    same = bool(owned.person) and owned.person == told.person
    remedy = "It is in another account of yours: remove it there, or sign in with that account." if same else ""
    if owned.owner == told.owner:
        remedy = "It is in this account already."
    return refuse(Code.ALREADY_OWNED, numbers=(("same_person", int(same)),), remedy=remedy)


def former(state: State, order: Order) -> Refusal | None:
    """Whether the order was signed for an owner who is none any more. What ends a booking takes nothing from anybody,
    and orders about ownership have numbers of their own."""
    from_s = state.durable.ownership.orders_from_s
    if order.kind in TIMELESS or order.issued_s >= from_s:
        return None
    return refuse(Code.ORDER_OUTDATED, numbers=(("before_owner_s", from_s - order.issued_s),))


# ---------------------------------------------------------------- orders
def couple(draft: Draft, told: Coupling) -> Accepted | Refusal:
    """OWN-3: the first owner, or the first after one who gave the car up. The subscription begins (SUB-1). The caller
    has made sure that the time is certain, and the order not late."""
    refused = unfit(draft.state, told) or owned_already(draft.state, told) or outdated(draft.state, told.number)
    if refused is not None:
        return refused
    begin(draft, told)
    reporting.event(draft, EventKind.OWNER_COUPLED, numbers=numbers(draft.durable))
    return Accepted()


def remove(draft: Draft, told: Removal) -> Accepted | Refusal:
    """OWN-5: the owner gives the car up, while nobody drives it. Nobody owns it from then on. Where an owner was taken
    for granted and never named, the backend's word is enough."""
    owned = draft.durable.ownership
    refused = refusal(draft.state) or outdated(draft.state, told.number)
    if refused is not None:
        return refused
    if owned.owner and owned.owner != told.owner:
        return refuse(
            Code.ROLE_REQUIRED, remedy="Only the owner can give the car up: ask for an order of that account."
        )
    if draft.durable.trip.running or draft.durable.driver_key is not None:
        return refuse(Code.VEHICLE_IN_USE, remedy="Let whoever drives the car end, then remove it.")
    wipe(draft)
    left = Ownership(coupled=False, number=told.number, orders_from_s=draft.durable.ownership.orders_from_s)
    draft.keep(replace(draft.durable, ownership=left))
    draft.required = True
    reporting.event(draft, EventKind.OWNER_REMOVED, numbers=numbers(draft.durable))
    return Accepted()


def set_home(draft: Draft, place: Place, order: Order) -> Accepted | Refusal:
    """The owner tells where the car lives. An older order than the last one says nothing new."""
    refused = refusal(draft.state)
    if refused is not None:
        return refused
    owned = draft.durable.ownership
    if order.issued_s < owned.home_set_s:
        return refuse(Code.ORDER_OUTDATED)
    moved = replace(owned, home=(place.latitude_e7, place.longitude_e7), home_set_s=order.issued_s)
    draft.keep(replace(draft.durable, ownership=moved))
    return Accepted()


# ---------------------------------------------------------------- what follows
def begin(draft: Draft, told: Coupling) -> None:
    """From this step on it is their car, with a subscription of one year. Nothing of it holds before it is durable."""
    now_ms = clock.utc(draft.state.clock, draft.now)
    orders_from_s = draft.durable.ownership.orders_from_s
    owned = Ownership(True, told.owner, told.person, now_ms, told.number, orders_from_s=orders_from_s)
    first = subscription.first(told.subscription, now_ms // 1000)
    draft.keep(replace(draft.durable, ownership=owned, subscription=first))
    draft.required = True


def wipe(draft: Draft) -> None:
    """OWN-4, OWN-5: nothing of the old owner's stays. Keys and bookings are of an older epoch, positions that wait
    never leave, the retained one is withdrawn, whoever is connected is hung up, and the immobiliser is armed, once the
    car is parked."""
    trip = draft.durable.trip
    if trip.running:
        reporting.event(draft, EventKind.BOOKING_ENDED, trip.booking, reason=ENDED_BY)
        reporting.use(draft, Use.ENDED, trip.booking, ENDED_BY)
    drive.over(draft, ENDED_BY)
    earliest, _ = clock.interval(draft.state.clock, draft.now)
    outdating = replace(draft.durable.ownership, orders_from_s=earliest // 1000 + 1)
    draft.keep(replace(wiped(draft.durable), ownership=outdating))
    if vehicle.parked(draft.state.vehicle, draft.now):
        draft.order(Actuate(Action.ARM_IMMOBILISER))
    else:
        # Somebody may drive it with a vehicle key: nothing is taken from a moving car.
        draft.keep(replace(draft.durable, arm_when_parked=True))
    for link in draft.state.links:
        draft.hang_up(link.id)


def wiped(durable: Durable) -> Durable:
    """The durable state without anything of its owner's, for newer keys."""
    kept = {name: getattr(durable, name) for name in KEPT}
    return Durable(
        **kept,
        key_epoch=durable.key_epoch + 1,
        slot=Slot(durable.slot.version + 1, acknowledged=False),
        ownership=durable.ownership,
        erased_before=durable.counters.record,
    )


def numbers(durable: Durable) -> tuple[tuple[str, int], ...]:
    """What the backend has to know after a change: whose order it was, and which keys count from now on."""
    return (("number", durable.ownership.number), ("key_epoch", durable.key_epoch))
