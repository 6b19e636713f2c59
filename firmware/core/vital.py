"""What must never be forgotten, small enough to be kept a second time beside the store (ACC-5, CLK-1, PWR-1).

Decides what belongs to it, and what becomes of a state that was lost or is older than it: what is dead stays dead,
numbers and the floor only rise, and a booking that was to end does not run on. Nothing is ever permitted here.
"""

from typing import TypeVar

import msgspec

from firmware.core import ledger, marks, ownership
from firmware.core.incidents import Call
from firmware.core.marks import Marks
from firmware.core.state import USERS_KEPT, Counters, DeadBooking, Durable, EndReason, Ownership, Profile, Slot, Trip
from firmware.core.usage import Head
from protocol.orders import ServicePlan, Subscription
from protocol.tokens import Booking

replace = msgspec.structs.replace

_Numbered = TypeVar("_Numbered", Subscription, ServicePlan)


class Vital(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """As in `Durable`. `dead`: (booking, why, expiry, issue); `counters` in the order of `Counters`."""

    floor_ms: int
    key_epoch: int
    dead: tuple[tuple[bytes, EndReason, int, int], ...]
    dead_before_s: int
    revoked: tuple[tuple[bytes, int], ...]
    list_number: int
    devices: tuple[tuple[bytes, int], ...]
    counters: tuple[int, ...]
    slot_version: int
    log_length: int
    log_digest: bytes
    forgetful: bool = False
    module_id: bytes = b""
    subscription: Subscription | None = None
    ownership: Ownership = Ownership()
    erased_before: int = 0
    services: ServicePlan | None = None
    calls: int = 0
    call: Call | None = None
    keys: Marks | None = None
    """None in a record of an older module."""


def of(durable: Durable) -> Vital:
    """The part of `durable` that must never be forgotten. A booking with an end already ordered counts as dead:
    the order that would end it may be lost with the rest."""
    dead = [(each.booking_id, each.reason, each.expires_s, each.issued_s) for each in durable.dead]
    trip = durable.trip
    if trip.running and trip.booking is not None and trip.end_requested is not None:
        doomed = trip.booking
        dead.append((doomed.booking_id, trip.end_requested, doomed.expires_s, doomed.issued_s))
    return Vital(
        durable.floor_ms,
        durable.key_epoch,
        tuple(dead),
        durable.dead_before_s,
        durable.revoked,
        durable.list_number,
        durable.devices,
        msgspec.structs.astuple(durable.counters),
        durable.slot.version,
        durable.log.length,
        durable.log.digest,
        durable.forgetful,
        durable.module_id,
        durable.subscription,
        durable.ownership,
        durable.erased_before,
        durable.services,
        durable.calls,
        durable.call,
        marks.of(durable),
    )


def restored(older: Durable | None, vital: Vital | None, profile: Profile) -> Durable:
    """The state to boot with when what is stored is lost (`older` None) or older than `vital`.

    With neither, everything signed before the first clock speaks is refused from then on (`Durable.forgetful`).
    """
    fresh = Durable(profile.floor_ms, profile.key_epoch)
    if vital is None:
        return older or replace(fresh, forgetful=True)
    known = _owned(older or replace(fresh, slot=Slot(version=vital.slot_version + 1)), vital)
    floor_ms = max(known.floor_ms, vital.floor_ms)
    known = replace(known, floor_ms=floor_ms, dead_before_s=max(known.dead_before_s, vital.dead_before_s))
    for booking_id, reason, expires_s, issued_s in vital.dead:
        known = ledger.bury(known, DeadBooking(booking_id, reason, expires_s, issued_s), floor_ms)
    if vital.keys is not None:
        known = marks.recalled(known, vital.keys)
    lists = (vital.revoked, known.revoked) if vital.list_number > known.list_number else (known.revoked, vital.revoked)
    known = replace(
        known,
        revoked=ledger.named(*lists, floor_ms),
        list_number=max(known.list_number, vital.list_number),
    )
    # An order that is not remembered may have been carried out: only what is signed from now on counts.
    orders_before_s = max(known.orders_before_s, floor_ms // 1000 + 1)
    log = known.log if known.log.length >= vital.log_length else Head(vital.log_length, vital.log_digest)
    booking = known.trip.booking
    if known.trip.running and booking is not None and _is_dead(known, booking, vital.key_epoch):
        known = replace(known, trip=Trip(), drive_enabled=False)
    return replace(
        known,
        key_epoch=max(known.key_epoch, vital.key_epoch),
        devices=_newest(known.devices, vital.devices),
        counters=_highest(known.counters, vital.counters),
        slot=replace(known.slot, version=max(known.slot.version, vital.slot_version)),
        log=log,
        forgetful=known.forgetful or vital.forgetful,
        orders_before_s=orders_before_s,
        subscription=_later(known.subscription, vital.subscription),
        services=_later(known.services, vital.services),
        calls=max(known.calls, vital.calls),
        call=vital.call,
    )


def _owned(known: Durable, vital: Vital) -> Durable:
    """A state from before the car changed hands is that of the old owner: nothing of it comes back (OWN-4)."""
    mine, noted = known.ownership, vital.ownership
    erased_before = max(known.erased_before, vital.erased_before)
    if noted.number > mine.number:
        known = replace(ownership.wiped(known), key_epoch=known.key_epoch)
    newest = max(mine, noted, key=lambda each: (each.number, each.home_set_s))
    return replace(known, ownership=newest, erased_before=erased_before)


def _later(known: _Numbered | None, noted: _Numbered | None) -> _Numbered | None:
    return noted if known is None or (noted is not None and noted.number > known.number) else known


def _is_dead(durable: Durable, booking: Booking, key_epoch: int) -> bool:
    buried = any(each.booking_id == booking.booking_id for each in durable.dead)
    revoked = any(token_id == booking.token_id for token_id, _ in durable.revoked)
    return buried or revoked or booking.key_epoch < key_epoch


def _newest(
    known: tuple[tuple[bytes, int], ...], noted: tuple[tuple[bytes, int], ...]
) -> tuple[tuple[bytes, int], ...]:
    newest = dict(known)
    for user, generation in noted:
        newest[user] = max(generation, newest.pop(user, 0))
    return tuple(newest.items())[-USERS_KEPT:]


def _highest(counters: Counters, noted: tuple[int, ...]) -> Counters:
    """A record of an older module knows fewer of them, one of a newer module more."""
    known: tuple[int, ...] = msgspec.structs.astuple(counters)
    return Counters(*map(max, known, noted), *known[len(noted) :])
