"""What is ordered from afar: unlock, lock, flash, and say how the car is (SVC-3).

Nobody who gives such an order sees the car, so what is not known stands against it: the time, the entitlement, where
the doors are. While a driver has the car, nobody else moves it. Each order moves something once at most.
"""

from typing import Final

import msgspec

from firmware.core import clock, ledger, ownership, reporting, results, services, subscription, vehicle
from firmware.core.draft import Draft
from firmware.core.effects import Actuate
from firmware.core.events import Action, ActuationFinished
from firmware.core.state import Ordered, Remote
from protocol.errors import Code, Refusal, refuse
from protocol.orders import Order, OrderKind
from protocol.packs import Service

replace = msgspec.structs.replace

HIDDEN_EVERY_MS: Final = 60_000
"""While a driver has the car, its state is not told more often for being asked."""

ACTION_OF: Final = {
    OrderKind.UNLOCK: Action.UNLOCK,
    OrderKind.LOCK: Action.LOCK,
    OrderKind.FLASH: Action.FLASH,
}


def received(draft: Draft, order: Order, correlation: bytes) -> None:
    """Carry an order out that has not been seen before, or say why not. What moves waits for the disk."""
    action = ACTION_OF.get(order.kind)
    untimely = late(draft, order) or ownership.former(draft.state, order)
    refusal = untimely or (None if action is None else uncertain(draft, order) or _obstacle(draft, action))
    if refusal is not None:
        _conclude(draft, order, refusal, correlation)
    elif action is None:
        _tell_state(draft)
        _conclude(draft, order, None, correlation)
    elif _already(draft, action):
        _conclude(draft, order, None, correlation)
    else:
        begun = Ordered(order.order_id, order.issued_s, None, correlation=correlation)
        draft.keep(ledger.note_order(draft.durable, begun))
        draft.state = replace(draft.state, remote=Remote(order.order_id, correlation))
        draft.required = True
        draft.order(Actuate(action, order.order_id))


def finished(draft: Draft, event: ActuationFinished) -> bool:
    """The car answered. True when it was an order from afar: its outcome is remembered and told."""
    remote = draft.state.remote
    if remote is None or remote.order_id != event.command_id:
        return False
    seen = vehicle.acted(draft.state.vehicle, event.action, confirmed=event.confirmed)
    draft.state = replace(draft.state, vehicle=seen, remote=None)
    refusal = None if event.confirmed else refuse(Code.VEHICLE_NO_RESPONSE)
    _outcome(draft, remote.order_id, refusal, remote.correlation)
    return True


def resumed(draft: Draft) -> None:
    """After power-up: nobody knows what became of an order that was being carried out. It is not tried again."""
    for entry in draft.durable.orders:
        if entry.code is None:
            _outcome(draft, entry.order_id, refuse(Code.VEHICLE_NO_RESPONSE), entry.correlation)


def late(draft: Draft, order: Order) -> Refusal | None:
    """Whether it is certain that the order's time to live is over."""
    earliest, _ = clock.interval(draft.state.clock, draft.now)
    late_by_ms = earliest - order.expires_s * 1000
    return refuse(Code.ORDER_LATE, numbers=(("late_by_ms", late_by_ms),)) if late_by_ms > 0 else None


def uncertain(draft: Draft, order: Order) -> Refusal | None:
    """What moves the car, or makes it somebody's, needs the certainty that the order is not late, and not signed in a
    time to come."""
    earliest, latest = clock.interval(draft.state.clock, draft.now)
    early = clock.floor(draft.state.clock, draft.now) < order.issued_s * 1000
    if latest is None or early:
        return refuse(Code.CLOCK_UNCERTAIN)
    if latest > order.expires_s * 1000:
        return refuse(Code.CLOCK_UNCERTAIN, numbers=(("uncertainty_ms", latest - earliest),))
    return None


def _obstacle(draft: Draft, action: Action) -> Refusal | None:
    """Whose car it is, and what the car has to do with it."""
    state, now = draft.state, draft.now
    sample = vehicle.current(state.vehicle, now)
    unowned = ownership.refusal(state)
    if unowned is not None:
        return unowned
    inactive = subscription.remote_inactive(state, now) or services.refusal(state, Service.REMOTE, now)
    if inactive is not None:
        return inactive
    if reporting.position_hidden(state):
        return refuse(Code.VEHICLE_IN_USE)
    if state.busy:
        return refuse(Code.BUSY)
    if not vehicle.parked(state.vehicle, now):
        return refuse(Code.NOT_PARKED, numbers=(("parked_ms", vehicle.parked_for_ms(state.vehicle, now)),))
    if action is Action.LOCK and (sample.doors_open is not False or sample.boot_open is not False):
        return refuse(Code.DOORS_OPEN)
    return None


def _already(draft: Draft, action: Action) -> bool:
    """Whether the car is known to be as ordered."""
    locked = vehicle.current(draft.state.vehicle, draft.now).locked
    match action:
        case Action.UNLOCK:
            return locked is False
        case Action.LOCK:
            return locked is True
        case _:
            return False


def _tell_state(draft: Draft) -> None:
    """The state as it is; while a driver has the car no more often than without being asked, or the odometer would
    tell how fast it is driven (PRV-6)."""
    told_at_ms = draft.state.told.state_at_ms
    lately = told_at_ms is not None and draft.now - told_at_ms < HIDDEN_EVERY_MS
    if not (lately and reporting.position_hidden(draft.state)):
        reporting.full_state(draft)


def _conclude(draft: Draft, order: Order, refusal: Refusal | None, correlation: bytes) -> None:
    draft.keep(ledger.note_order(draft.durable, Ordered(order.order_id, order.issued_s, _code(refusal))))
    results.report(draft, order.order_id, refusal, correlation)


def _outcome(draft: Draft, order_id: bytes, refusal: Refusal | None, correlation: bytes) -> None:
    """How an order ended that had begun."""
    entry = ledger.ordered(draft.durable, order_id)
    if entry is not None:
        draft.keep(ledger.note_order(draft.durable, replace(entry, code=_code(refusal), correlation=b"")))
    results.report(draft, order_id, refusal, correlation)


def _code(refusal: Refusal | None) -> Code:
    return Code.OK if refusal is None else refusal.code
