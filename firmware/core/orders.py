"""Signed material from the backend: orders, revocation lists, time attestations (BKG-2, SUB-1, ACC-5, CLK-2).

They were verified before; they come over the broker or are carried by any phone, and mean the same either way. An
order is carried out once: its identifier and outcome are remembered. What moves the car from afar: `remote`; whose car
it is: `ownership` and `takeover`.
"""

from typing import Final

import msgspec

from firmware.core import (
    clock,
    drivers,
    ledger,
    ownership,
    remote,
    reporting,
    results,
    services,
    subscription,
    takeover,
)
from firmware.core.bookings import apply_list, end_by_order
from firmware.core.clock import AGREE_MS, NONCE_LASTS_MS, Quality
from firmware.core.draft import Draft
from firmware.core.state import Ordered, State
from protocol.errors import Code, Refusal, refuse
from protocol.messages import Accepted, Request
from protocol.orders import (
    Coupling,
    DriverRemoval,
    Ending,
    Order,
    OrderKind,
    Place,
    Removal,
    ServicePlan,
    Subscription,
)
from protocol.telemetry import EventKind
from protocol.tokens import RevocationList, TimeAttestation

CARRIED: Final = frozenset(
    {
        OrderKind.END_BOOKING,
        OrderKind.SUBSCRIPTION,
        OrderKind.COUPLE,
        OrderKind.REMOVE_OWNER,
        OrderKind.SERVICES,
        OrderKind.REMOVE_DRIVER,
        OrderKind.HOME,
    }
)
"""What any phone may carry. The rest is for the broker: it is about a car that one does not stand beside, or one that
has to be connected."""
AT_ONCE: Final = CARRIED | {OrderKind.SEND_TO_CAR}
"""What is answered in the same moment. The rest is for `remote` and `takeover`."""
OWNING: Final = frozenset({OrderKind.COUPLE, OrderKind.REMOVE_OWNER})
"""What has to be durable before it holds (PWR-2)."""
REPEATABLE: Final = frozenset({OrderKind.END_BOOKING, OrderKind.SUBSCRIPTION, OrderKind.SERVICES})
"""What a module that has forgotten takes all the same: an end must not be lost, and a number says what is newest."""

replace = msgspec.structs.replace


def put(draft: Draft, link_id: int, request: Request, signed: Order | RevocationList | TimeAttestation | None) -> None:
    """A phone handed over what it carried."""
    body: Accepted | Refusal
    match signed:
        case Order() if signed.kind in CARRIED:
            known = ledger.ordered(draft.durable, signed.order_id)
            body = _order(draft, signed, known)
            _note(draft, signed, body)
        case RevocationList():
            body = _list(draft, signed)
        case TimeAttestation():
            body = _time(draft, signed)
        case _:
            body = refuse(Code.ORDER_UNSUPPORTED)
    draft.answer(link_id, request.id, body)


def received(draft: Draft, signed: Order | RevocationList, correlation: bytes) -> None:
    """The broker delivered what the backend signed; the outcome goes back there. What is new is reported for certain,
    what has been answered before is answered again, and moves nothing."""
    if isinstance(signed, RevocationList):
        newer = signed.number > draft.durable.list_number
        body = _list(draft, signed)
        _answer(draft, b"", body, correlation, (), for_certain=newer)
        return
    known = ledger.ordered(draft.durable, signed.order_id)
    new = known is None and signed.issued_s >= draft.durable.orders_before_s
    if signed.kind in AT_ONCE:
        body = _order(draft, signed, known)
        _note(draft, signed, body)
        told = ownership.numbers(draft.durable) if signed.kind in OWNING and isinstance(body, Accepted) else ()
        _answer(draft, signed.order_id, body, correlation, told, for_certain=new)
        return
    issued(draft, signed.issued_s)
    if new and isinstance(signed.details, Coupling):
        takeover.received(draft, signed, signed.details, correlation)
    elif new:
        remote.received(draft, signed, correlation)
    elif known is None:
        results.say(draft, signed.order_id, Code.ORDER_LATE, correlation)
    else:
        results.say(draft, signed.order_id, Code.BUSY if known.code is None else known.code, correlation)


def unreadable(draft: Draft, code: Code, correlation: bytes) -> None:
    """Something that the broker delivered did not verify: nothing of it is kept."""
    results.say(draft, b"", code, correlation)


def undone(draft: Draft, signed: Order | RevocationList, correlation: bytes) -> None:
    """What an order wanted to move could not be made durable, so nothing moved (PWR-2)."""
    order_id = signed.order_id if isinstance(signed, Order) else b""
    results.say(draft, order_id, Code.STORAGE_FAILED, correlation)


def waits_for_disk(signed: Order | RevocationList | TimeAttestation | None) -> bool:
    """Whether what a phone carried must not be done while it can not be made durable."""
    return isinstance(signed, Order) and signed.kind in OWNING


def _answer(
    draft: Draft,
    order_id: bytes,
    body: Accepted | Refusal,
    correlation: bytes,
    numbers: tuple[tuple[str, int], ...],
    *,
    for_certain: bool,
) -> None:
    refusal = body if isinstance(body, Refusal) else None
    pending = isinstance(body, Accepted) and body.pending
    if for_certain:
        results.report(draft, order_id, refusal, correlation, numbers, pending=pending)
    else:
        code = Code.OK if refusal is None else refusal.code
        results.say(draft, order_id, code, correlation, pending=pending)


def alert(draft: Draft, kind: EventKind) -> None:
    """Tell owner and backend about something that nobody asked for."""
    reporting.event(draft, kind, draft.durable.trip.booking)


def anchor(draft: Draft) -> None:
    """The deadline of a booking that ran through a reboot rests on the floor and the RTC, until a trusted clock has
    spoken. A clock brings it nearer; only one that two sources or a signature stand for can tell that the RTC was
    fast and give the time back, never beyond what the floor says (CLK-3, CUT-5)."""
    _remember_from_now(draft)
    state = draft.state
    booking = state.durable.trip.booking
    if not state.anchored_on_floor or booking is None:
        return
    end_at_ms = draft.now + booking.ends_at_s * 1000 - clock.utc(state.clock, draft.now)
    if end_at_ms <= state.end_at_ms + AGREE_MS:
        end_at_ms = min(end_at_ms, state.end_at_ms)
    draft.state = replace(state, end_at_ms=end_at_ms, anchored_on_floor=not state.clock.trusted)


def _remember_from_now(draft: Draft) -> None:
    """A module that has forgotten who is dead refuses all that was signed before its first clock spoke (ACC-5)."""
    if draft.durable.forgetful and clock.quality(draft.state.clock, draft.now) is not Quality.FLOOR:
        utc_s = clock.utc(draft.state.clock, draft.now) // 1000
        durable = draft.durable
        dead, ordered, keys = (
            max(at_s, utc_s + 1) for at_s in (durable.dead_before_s, durable.orders_before_s, durable.keys_before_s)
        )
        remembering = replace(durable, forgetful=False, dead_before_s=dead, orders_before_s=ordered, keys_before_s=keys)
        draft.keep(remembering)


def issued(draft: Draft, issued_s: int) -> None:
    """Verified material raises the floor (CLK-1)."""
    draft.state = replace(draft.state, clock=clock.raised(draft.state.clock, issued_s * 1000, draft.now))
    anchor(draft)


def _order(draft: Draft, order: Order, known: Ordered | None) -> Accepted | Refusal:
    """BKG-2, SUB-1. Late orders are refused only when it is certain that they are late. What was taken stays taken;
    what was refused is looked at again: nothing moves by these, and an end must not be lost."""
    issued(draft, order.issued_s)
    if known is not None and known.code is Code.OK:
        return Accepted(known.pending)
    forgotten = known is None and order.issued_s < draft.durable.orders_before_s
    if forgotten and order.kind not in REPEATABLE:
        return refuse(Code.ORDER_LATE)
    return remote.late(draft, order) or ownership.former(draft.state, order) or _carry_out(draft, order)


def _carry_out(draft: Draft, order: Order) -> Accepted | Refusal:
    match order.details:
        case Ending():
            return Accepted(end_by_order(draft, order.details, order.issued_s))
        case Subscription():
            return ownership.refusal(draft.state) or subscription.take(draft, order.details)
        case Coupling():
            return remote.uncertain(draft, order) or ownership.couple(draft, order.details)
        case Removal():
            return ownership.remove(draft, order.details)
        case DriverRemoval():
            return drivers.remove(draft, order.details)
        case ServicePlan():
            return services.take(draft, order.details)
        case Place() if order.kind is OrderKind.HOME:
            return ownership.set_home(draft, order.details, order)
        case Place():
            return ownership.refusal(draft.state) or services.send_to_car(draft, order.details)
        case _:
            return refuse(Code.ORDER_UNSUPPORTED)


def _note(draft: Draft, order: Order, body: Accepted | Refusal) -> None:
    code = body.code if isinstance(body, Refusal) else Code.OK
    pending = isinstance(body, Accepted) and body.pending
    entry = Ordered(order.order_id, order.issued_s, code, pending)
    if ledger.ordered(draft.durable, order.order_id) != entry:
        draft.keep(ledger.note_order(draft.durable, entry))


def _list(draft: Draft, listed: RevocationList) -> Accepted | Refusal:
    """Numbers only rise; the same number again is the same list."""
    issued(draft, listed.issued_s)
    known = draft.durable.list_number
    if listed.number < known:
        return refuse(Code.LIST_OUTDATED, numbers=(("number", listed.number), ("known_number", known)))
    if listed.number == known:
        return Accepted()
    return Accepted(apply_list(draft, listed))


def _time(draft: Draft, attestation: TimeAttestation) -> Accepted | Refusal:
    """CLK-2: bound to the nonce that this module gave out last, once."""
    state: State = draft.state
    age_ms = draft.now - state.nonce_at_ms
    if not state.nonce or attestation.nonce != state.nonce or age_ms > NONCE_LASTS_MS:
        return refuse(Code.NONCE_UNKNOWN)
    believed = clock.attested(state.clock, attestation.now_s * 1000, age_ms, draft.now)
    draft.state = replace(state, clock=believed, nonce=b"")
    anchor(draft)
    if not believed.trusted or believed.reading_at_ms != draft.now:
        return refuse(Code.CLOCK_UNCERTAIN)
    return Accepted()
