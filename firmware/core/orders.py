"""Signed material from the backend: end orders, revocation lists, time attestations (BKG-2, ACC-5, CLK-2).

They were verified before; they come over the broker or are carried by any phone, and mean the same either way.
"""

import msgspec

from firmware.core import clock, reporting
from firmware.core.bookings import apply_list, end_by_order
from firmware.core.clock import AGREE_MS, NONCE_LASTS_MS, Quality
from firmware.core.draft import Draft
from firmware.core.state import State
from protocol.errors import Code, Refusal, refuse
from protocol.messages import Accepted, Request
from protocol.telemetry import EventKind
from protocol.tokens import Order, RevocationList, TimeAttestation

replace = msgspec.structs.replace


def put(draft: Draft, link_id: int, request: Request, signed: Order | RevocationList | TimeAttestation | None) -> None:
    """A phone handed over what it carried."""
    body: Accepted | Refusal
    match signed:
        case Order():
            body = _order(draft, signed)
        case RevocationList():
            body = _list(draft, signed)
        case TimeAttestation():
            body = _time(draft, signed)
        case _:
            body = refuse(Code.ORDER_UNSUPPORTED)
    draft.answer(link_id, request.id, body)


def received(draft: Draft, signed: Order | RevocationList) -> None:
    """The broker delivered what the backend signed: the same, and the outcome goes back there."""
    body = _order(draft, signed) if isinstance(signed, Order) else _list(draft, signed)
    order_id = signed.order_id if isinstance(signed, Order) else b""
    if isinstance(body, Refusal):
        reporting.order_result(draft, order_id, int(body.code), body.code.name, pending=False)
    else:
        reporting.order_result(draft, order_id, int(Code.OK), Code.OK.name, pending=body.pending)


def unreadable(draft: Draft, code: Code) -> None:
    """Something on the order topic did not verify."""
    reporting.order_result(draft, b"", int(code), code.name, pending=False)


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
        draft.keep(replace(draft.durable, forgetful=False, dead_before_s=max(draft.durable.dead_before_s, utc_s + 1)))


def issued(draft: Draft, issued_s: int) -> None:
    """Verified material raises the floor (CLK-1)."""
    draft.state = replace(draft.state, clock=clock.raised(draft.state.clock, issued_s * 1000, draft.now))
    anchor(draft)


def _order(draft: Draft, order: Order) -> Accepted | Refusal:
    """BKG-2. Late orders are refused only when it is certain that they are late."""
    issued(draft, order.issued_s)
    earliest, _ = clock.interval(draft.state.clock, draft.now)
    if earliest > order.expires_s * 1000:
        return refuse(Code.ORDER_LATE, numbers=(("late_by_ms", earliest - order.expires_s * 1000),))
    return Accepted(end_by_order(draft, order))


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
