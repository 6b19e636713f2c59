"""Signed material from the backend, whoever carried it."""

import msgspec
import pytest

from firmware.core import orders
from firmware.core.clock import Claim, Clock
from firmware.core.draft import Draft
from firmware.core.effects import Actuate, Answer, Say
from firmware.core.state import DeadBooking, EndReason, Ordered, Ownership, State
from protocol.errors import Code, Refusal
from protocol.messages import Accepted, Operation, Request
from protocol.orders import Ending, Order, OrderKind, Subscription
from protocol.telemetry import Channel, EventKind
from protocol.tokens import RevocationList, TimeAttestation
from tests.support.core import (
    BEGINS_MS,
    DRIVING,
    ENDS_MS,
    EPOCH,
    FLOOR_MS,
    NOW,
    a_state,
    draft,
    durably,
    events,
    linked,
    only,
    records,
    running,
    seen,
    sure_clock,
)
from tests.support.credentials import ABOUT_THE_CAR, BOOKING, BRANDENBURG_GATE, COUPLING, MODULE_ID, SERVICES

replace = msgspec.structs.replace

BEGINS_S = 1_790_000_000
PUT = Request(7, Operation.PUT, body=b"signed")
END = Order(
    b"the order number",
    OrderKind.END_BOOKING,
    MODULE_ID,
    BEGINS_S,
    BEGINS_S + 7_200,
    Ending(BOOKING.booking_id, 1_790_009_000),
)
LIST = RevocationList(MODULE_ID, 7, BEGINS_S, 0, ((BOOKING.token_id, 1_790_009_000),))
NONCE = b"sixteen of chaos"


def put(state: State, signed: Order | RevocationList | TimeAttestation | None, now: int = NOW) -> tuple[Draft, object]:
    step = draft(linked(state, BOOKING), now)
    orders.put(step, 1, PUT, signed)
    (sent,) = only(Answer, step.effects)
    assert (sent.link, sent.reply.id) == (1, 7)
    return step, sent.reply.body


def refused(body: object) -> Refusal:
    assert isinstance(body, Refusal)
    return body


def result(step: Draft) -> dict[str, object]:
    """What is told for certain."""
    assert only(Say, step.effects) == []
    (record,) = records(step.effects, Channel.ORDER_RESULT)
    return {"order": record.booking, "name": record.reason, **dict(record.numbers)}


# ---------------------------------------------------------------- end orders
@pytest.mark.req("BKG-2")
def test_an_end_order_is_taken_and_waits_for_a_moving_car() -> None:
    step, body = put(running(), END)
    assert body == Accepted(pending=False)
    assert step.durable.trip.end_requested is EndReason.ORDER
    _, body = put(running(vehicle=seen(DRIVING)), END)
    assert body == Accepted(pending=True)


@pytest.mark.req("ACC-5", "BKG-2")
def test_an_order_for_a_booking_that_never_began_cancels_it() -> None:
    step, body = put(a_state(), END)
    assert body == Accepted()
    assert step.durable.dead == (DeadBooking(BOOKING.booking_id, EndReason.CANCELLED, 1_790_009_000, BEGINS_S),)


@pytest.mark.req("BKG-2")
def test_a_late_order_is_refused_only_when_it_is_certain_that_it_is_late() -> None:
    _, in_time = put(a_state(BEGINS_MS + 7_200_000), END)
    assert in_time == Accepted()
    step, late = put(a_state(BEGINS_MS + 7_200_001), END)
    assert (refused(late).code, refused(late).number("late_by_ms")) == (Code.ORDER_LATE, 1)
    assert step.durable.dead == ()
    _, nobody_knows = put(replace(a_state(), clock=Clock(BEGINS_MS, NOW)), END)
    assert nobody_knows == Accepted()


@pytest.mark.req("CLK-1")
def test_an_order_raises_the_floor() -> None:
    step, _ = put(replace(a_state(), clock=Clock(FLOOR_MS, NOW)), END)
    assert step.state.clock.floor_ms == BEGINS_MS


# ---------------------------------------------------------------- lists
@pytest.mark.req("ACC-5")
def test_list_numbers_only_rise() -> None:
    step, body = put(a_state(list_number=6), LIST)
    assert body == Accepted()
    assert (step.durable.list_number, step.durable.revoked) == (7, LIST.revoked)
    again, body = put(a_state(list_number=7), LIST)
    assert (body, again.durable.revoked) == (Accepted(), ())
    older, body = put(a_state(list_number=8), LIST)
    assert refused(body).code is Code.LIST_OUTDATED
    assert refused(body).numbers == (("number", 7), ("known_number", 8))
    assert older.durable.revoked == ()


@pytest.mark.req("ACC-5", "CUT-3")
def test_a_list_that_names_the_running_booking_ends_it_once_parked() -> None:
    step, body = put(running(vehicle=seen(DRIVING)), LIST)
    assert body == Accepted(pending=True)
    assert step.durable.trip.end_requested is EndReason.REVOKED


def test_nothing_that_can_be_read_is_an_unsupported_order() -> None:
    _, body = put(a_state(), None)
    assert refused(body).code is Code.ORDER_UNSUPPORTED


# ---------------------------------------------------------------- over the broker
def answer(step: Draft) -> dict[str, object]:
    """What is told now or never."""
    assert records(step.effects, Channel.ORDER_RESULT) == []
    (said,) = only(Say, step.effects)
    return {"order": said.record.booking, "name": said.record.reason, **dict(said.record.numbers)}


@pytest.mark.req("BKG-2")
def test_the_outcome_of_what_came_over_the_broker_goes_back_there() -> None:
    step = draft(running(vehicle=seen(DRIVING)))
    orders.received(step, END, b"")
    assert result(step) == {"order": "746865206f72646572206e756d626572", "name": "OK", "code": 0, "pending": 1}
    late = draft(a_state(BEGINS_MS + 7_300_000))
    orders.received(late, END, b"")
    expected = {"order": END.order_id.hex(), "name": "ORDER_LATE", "code": 33, "pending": 0, "late_by_ms": 100_000}
    assert result(late) == expected
    listed = draft(a_state())
    orders.received(listed, LIST, b"")
    assert result(listed) == {"order": "", "name": "OK", "code": 0, "pending": 0}
    outdated = draft(a_state(list_number=8))
    orders.received(outdated, LIST, b"")
    assert answer(outdated) == {"order": "", "name": "LIST_OUTDATED", "code": 35, "pending": 0}
    again = draft(a_state(list_number=7))
    orders.received(again, LIST, b"")
    assert answer(again) == {"order": "", "name": "OK", "code": 0, "pending": 0}


def test_what_did_not_verify_is_answered_with_its_code() -> None:
    step = draft(a_state())
    orders.unreadable(step, Code.UNKNOWN_ISSUER, b"")
    assert answer(step) == {"order": "", "name": "UNKNOWN_ISSUER", "code": 5, "pending": 0}


def test_an_alert_names_the_booking() -> None:
    step = draft(running())
    orders.alert(step, EventKind.LOCK_FAILED)
    assert events(step.effects) == [EventKind.LOCK_FAILED]
    assert records(step.effects, Channel.ALERT)[0].booking == BOOKING.booking_id.hex()


# ---------------------------------------------------------------- time
def asked(state: State) -> State:
    """The module has given out a nonce."""
    return replace(state, nonce=NONCE, nonce_at_ms=NOW)


@pytest.mark.req("CLK-2")
def test_an_attestation_over_the_nonce_sets_the_clock_once() -> None:
    attestation = TimeAttestation(MODULE_ID, NONCE, BEGINS_S + 60)
    step, body = put(asked(replace(a_state(), clock=Clock(FLOOR_MS, NOW))), attestation, NOW + 3_000)
    assert body == Accepted()
    assert (step.state.clock.reading_ms, step.state.clock.uncertainty_ms) == (BEGINS_MS + 62_000, 2_000)
    _, again = put(step.state, attestation, NOW + 3_000)
    assert refused(again).code is Code.NONCE_UNKNOWN


@pytest.mark.req("CLK-2", "SEC-2")
@pytest.mark.parametrize(
    ("state", "nonce", "age_ms"),
    [
        (a_state(), b"", 0),
        (a_state(), NONCE, 0),
        (asked(a_state()), b"another of chaos", 0),
        (asked(a_state()), NONCE, 300_001),
    ],
)
def test_an_attestation_over_anything_else_is_refused(state: State, nonce: bytes, age_ms: int) -> None:
    _, body = put(state, TimeAttestation(MODULE_ID, nonce, BEGINS_S), NOW + age_ms)
    assert refused(body).code is Code.NONCE_UNKNOWN


@pytest.mark.req("CLK-4")
def test_an_attestation_that_is_not_believed_is_refused() -> None:
    far = TimeAttestation(MODULE_ID, NONCE, BEGINS_S + 2 * 366 * 86_400)
    step, body = put(asked(replace(a_state(), clock=Clock(FLOOR_MS, NOW))), far)
    assert refused(body).code is Code.CLOCK_UNCERTAIN
    assert step.state.clock.claim == Claim(None, far.now_s * 1000, NOW)


# ---------------------------------------------------------------- the deadline of a booking that ran through a reboot
def rebooted(end_in_ms: int, reading_ms: int | None, *, trusted: bool) -> State:
    """Running since before a reboot; its end is so far away as the floor tells."""
    at = None if reading_ms is None else reading_ms
    clock = Clock(FLOOR_MS, NOW, at, NOW, 0, trusted=trusted)
    return replace(running(), clock=clock, end_at_ms=NOW + end_in_ms, anchored_on_floor=True)


@pytest.mark.req("CUT-5", "CLK-3")
@pytest.mark.parametrize(
    ("end_in_ms", "reading_ms", "trusted", "expected_ms", "still_open"),
    [
        (5_000_000, ENDS_MS - 60_000, False, 60_000, True),
        (5_000_000, ENDS_MS - 60_000, True, 60_000, False),
        (60_000, ENDS_MS - 61_000, True, 60_000, False),
        (60_000, ENDS_MS - 180_000, True, 60_000, False),
        (60_000, ENDS_MS - 180_001, True, 180_001, False),
    ],
)
def test_a_better_clock_corrects_the_deadline(
    end_in_ms: int, reading_ms: int, trusted: bool, expected_ms: int, still_open: bool
) -> None:
    step = draft(rebooted(end_in_ms, reading_ms, trusted=trusted))
    orders.anchor(step)
    assert step.state.end_at_ms == NOW + expected_ms
    assert step.state.anchored_on_floor is still_open


@pytest.mark.req("CLK-3")
def test_a_deadline_that_was_set_by_a_good_clock_stays() -> None:
    step = draft(replace(running(), clock=sure_clock(BEGINS_MS)))
    orders.anchor(step)
    assert step.state.end_at_ms == NOW + 3_600_000
    free = draft(replace(a_state(), anchored_on_floor=True))
    orders.anchor(free)
    assert free.state.anchored_on_floor


@pytest.mark.req("CLK-1", "CUT-5")
def test_signed_material_brings_the_deadline_nearer_too() -> None:
    step = draft(durably(rebooted(90_000_000, None, trusted=False), devices=()))
    orders.issued(step, 1_790_003_600)
    assert step.state.end_at_ms == NOW + 3_600_000


# ---------------------------------------------------------------- a module that has forgotten
@pytest.mark.req("ACC-5", "PWR-1")
def test_what_was_signed_before_the_first_clock_spoke_is_refused_by_a_module_that_forgot() -> None:
    blank = replace(durably(a_state(), forgetful=True), clock=Clock(FLOOR_MS, NOW))
    step = draft(blank)
    orders.anchor(step)
    assert step.durable.forgetful, "the floor alone is no clock"
    step = draft(replace(blank, clock=sure_clock()))
    orders.anchor(step)
    assert not step.durable.forgetful
    assert step.durable.dead_before_s == BEGINS_S + 1
    step = draft(durably(a_state(), forgetful=True, dead_before_s=BEGINS_S + 9))
    orders.anchor(step)
    assert step.durable.dead_before_s == BEGINS_S + 9


# ---------------------------------------------------------------- what only a small mistake would show
@pytest.mark.req("CLK-1")
def test_a_list_raises_the_floor_too() -> None:
    fresh = replace(a_state(), clock=Clock(FLOOR_MS, NOW))
    step, _ = put(fresh, LIST)
    assert step.state.clock.floor_ms == BEGINS_MS


@pytest.mark.req("CLK-2")
def test_a_nonce_is_good_for_five_minutes_to_the_millisecond() -> None:
    step, body = put(
        asked(replace(a_state(), clock=Clock(FLOOR_MS, NOW))),
        TimeAttestation(MODULE_ID, NONCE, BEGINS_S),
        NOW + 300_000,
    )
    assert body == Accepted()
    assert step.state.clock.trusted


@pytest.mark.req("CUT-5", "CLK-3")
def test_a_signed_time_corrects_the_deadline_after_a_reboot() -> None:
    state = asked(rebooted(90_000_000, None, trusted=False))
    step, _ = put(state, TimeAttestation(MODULE_ID, NONCE, BEGINS_S))
    assert step.state.end_at_ms == NOW + 7_200_000 - 500
    assert not step.state.anchored_on_floor


@pytest.mark.req("CLK-4")
def test_an_attestation_against_a_clock_that_was_trusted_before_is_refused_when_it_is_not_believed() -> None:
    far = TimeAttestation(MODULE_ID, NONCE, BEGINS_S + 2 * 366 * 86_400)
    earlier = Clock(FLOOR_MS, 0, BEGINS_MS, NOW - 60_000, 0, trusted=True)
    assert refused(put(asked(replace(a_state(), clock=earlier)), far)[1]).code is Code.CLOCK_UNCERTAIN
    just_now = Clock(FLOOR_MS, 0, BEGINS_MS, NOW, 0)
    assert refused(put(asked(replace(a_state(), clock=just_now)), far)[1]).code is Code.CLOCK_UNCERTAIN


@pytest.mark.req("CLK-2", "SEC-2")
def test_a_module_that_has_given_no_nonce_takes_no_empty_one() -> None:
    state = replace(a_state(), nonce_at_ms=NOW)
    assert refused(put(state, TimeAttestation(MODULE_ID, b"", BEGINS_S))[1]).code is Code.NONCE_UNKNOWN


# ---------------------------------------------------------------- once
TOLD = Subscription(4, BEGINS_S + 1_000_000, BEGINS_S + 500)
SUBSCRIBE = replace(END, order_id=b"another order no", kind=OrderKind.SUBSCRIPTION, details=TOLD)
FLASH = replace(END, kind=OrderKind.FLASH, details=None, expires_s=BEGINS_S + 60)
TAKEN = Ordered(END.order_id, BEGINS_S, Code.OK)


def heard(state: State, signed: Order | RevocationList, now: int = NOW) -> Draft:
    step = draft(state, now)
    orders.received(step, signed, b"ours")
    return step


@pytest.mark.req("BKG-2")
def test_an_end_that_was_taken_is_answered_again_and_ends_nothing_anew() -> None:
    step = heard(running(vehicle=seen(DRIVING)), END)
    assert step.durable.orders == (replace(TAKEN, pending=True),)
    (record,) = records(step.effects, Channel.ORDER_RESULT)
    assert record.correlation == b"ours"
    undone = durably(running(vehicle=seen(DRIVING)), orders=step.durable.orders)
    again = heard(undone, END)
    assert answer(again) == {"order": END.order_id.hex(), "name": "OK", "code": 0, "pending": 1}
    assert again.durable == undone.durable
    _, body = put(undone, END)
    assert body == Accepted(pending=True)


@pytest.mark.req("BKG-2", "SEC-2")
def test_a_late_end_is_told_for_certain_once_and_looked_at_again() -> None:
    late = a_state(BEGINS_MS + 7_200_001)
    step = heard(late, END)
    assert result(step)["name"] == "ORDER_LATE"
    assert step.durable.orders == (replace(TAKEN, code=Code.ORDER_LATE),)
    again = heard(step.state, END)
    assert answer(again)["name"] == "ORDER_LATE"
    assert again.durable is step.durable
    in_time = heard(durably(a_state(), orders=step.durable.orders), END)
    assert answer(in_time)["name"] == "OK", "the clock had been wrong"
    assert in_time.durable.orders == (TAKEN,)
    assert [dead.booking_id for dead in in_time.durable.dead] == [BOOKING.booking_id]


@pytest.mark.req("SUB-1")
def test_a_subscription_is_taken_whoever_carries_it() -> None:
    step = heard(a_state(), SUBSCRIBE)
    assert step.durable.subscription == TOLD
    assert result(step)["name"] == "OK"
    assert step.durable.orders == (Ordered(SUBSCRIBE.order_id, BEGINS_S, Code.OK),)
    carried, body = put(a_state(), SUBSCRIBE)
    assert body == Accepted()
    assert carried.durable == replace(step.durable, counters=carried.durable.counters)
    newest = a_state(subscription=replace(TOLD, number=5))
    assert result(heard(newest, SUBSCRIBE))["name"] == "SUBSCRIPTION_OUTDATED"
    assert refused(put(newest, SUBSCRIBE)[1]).numbers == (("number", 4), ("known_number", 5))
    assert result(heard(a_state(BEGINS_MS + 7_200_001), SUBSCRIBE))["name"] == "ORDER_LATE"


@pytest.mark.req("SVC-3")
@pytest.mark.parametrize("kind", sorted(set(OrderKind) - orders.CARRIED))
def test_what_is_for_the_broker_no_phone_carries(kind: OrderKind) -> None:
    step, body = put(a_state(subscription=TOLD), replace(FLASH, kind=kind))
    assert refused(body).code is Code.ORDER_UNSUPPORTED
    assert step.durable.orders == ()
    assert step.durable == a_state(subscription=TOLD).durable


@pytest.mark.req("CLK-1", "SVC-3")
def test_every_order_raises_the_floor_also_one_that_comes_again() -> None:
    fresh = replace(a_state(subscription=TOLD), clock=Clock(FLOOR_MS, NOW))
    for signed in (END, SUBSCRIBE, FLASH):
        step = heard(fresh, signed)
        assert step.state.clock.floor_ms == BEGINS_MS
        again = heard(durably(fresh, orders=step.durable.orders), signed)
        assert again.state.clock.floor_ms == BEGINS_MS


@pytest.mark.req("SVC-3", "SEC-2")
def test_what_was_issued_before_all_that_is_remembered_moves_nothing_and_leaves_no_record() -> None:
    for before_s, moved in ((BEGINS_S, 1), (BEGINS_S + 1, 0)):
        state = a_state(subscription=TOLD, orders_before_s=before_s)
        step = heard(state, FLASH)
        assert len(only(Actuate, step.effects)) == moved
        if not moved:
            assert answer(step) == {"order": FLASH.order_id.hex(), "name": "ORDER_LATE", "code": 33, "pending": 0}
            assert step.durable == state.durable


@pytest.mark.req("BKG-2")
def test_an_end_counts_however_old_it_is_but_is_told_for_certain_only_when_it_is_new() -> None:
    for before_s, certain in ((BEGINS_S, True), (BEGINS_S + 1, False)):
        step = heard(a_state(orders_before_s=before_s), END)
        assert [dead.booking_id for dead in step.durable.dead] == [BOOKING.booking_id]
        assert (result if certain else answer)(step)["name"] == "OK"


@pytest.mark.req("SEC-2")
def test_what_does_not_verify_leaves_nothing_behind() -> None:
    state = a_state()
    step = draft(state)
    orders.unreadable(step, Code.SIGNATURE_INVALID, b"theirs")
    assert step.durable is state.durable
    (said,) = only(Say, step.effects)
    assert (said.record.reason, said.record.correlation) == ("SIGNATURE_INVALID", b"theirs")


@pytest.mark.req("PWR-2")
def test_what_could_not_be_remembered_is_said() -> None:
    step = draft(a_state())
    orders.undone(step, FLASH, b"ours")
    orders.undone(step, LIST, b"")
    said = [(each.record.booking, each.record.reason, each.record.correlation) for each in only(Say, step.effects)]
    assert said == [(FLASH.order_id.hex(), "STORAGE_FAILED", b"ours"), ("", "STORAGE_FAILED", b"")]


@pytest.mark.req("SVC-3", "PWR-1")
def test_a_module_that_forgot_carries_out_nothing_that_was_ordered_before_its_first_clock_spoke() -> None:
    blank = replace(durably(a_state(), forgetful=True), clock=sure_clock())
    step = draft(blank)
    orders.anchor(step)
    assert step.durable.orders_before_s == BEGINS_S + 1
    step = draft(durably(blank, orders_before_s=BEGINS_S + 9))
    orders.anchor(step)
    assert step.durable.orders_before_s == BEGINS_S + 9


# ---------------------------------------------------------------- whose car it is, and what belongs to it
BY_KIND = {order.kind: replace(order, issued_s=BEGINS_S, expires_s=BEGINS_S + 600) for order in ABOUT_THE_CAR}
NOBODYS = a_state(ownership=Ownership(coupled=False))
OWNED = a_state(ownership=Ownership(owner=COUPLING.owner, number=1))


def results_of(step: Draft) -> list[str]:
    return [record.reason for record in records(step.effects, Channel.ORDER_RESULT)]


@pytest.mark.req("OWN-3", "SUB-1")
def test_a_coupling_makes_an_owner_whoever_carries_it_and_waits_for_the_disk() -> None:
    couple = BY_KIND[OrderKind.COUPLE]
    carried, body = put(NOBODYS, couple)
    assert body == Accepted()
    for step in (carried, heard(NOBODYS, couple)):
        assert step.durable.ownership.owner == COUPLING.owner
        assert step.durable.subscription is not None
        assert step.required
        assert orders.waits_for_disk(couple)
    (told,) = records(heard(NOBODYS, couple).effects, Channel.ORDER_RESULT)
    assert dict(told.numbers) == {"code": 0, "pending": 0, "number": 1, "key_epoch": EPOCH}
    assert dict(records(heard(OWNED, couple).effects, Channel.ORDER_RESULT)[0].numbers)["same_person"] == 0


@pytest.mark.req("OWN-5")
def test_a_removal_is_told_with_the_keys_that_count_from_now_on() -> None:
    step = heard(OWNED, BY_KIND[OrderKind.REMOVE_OWNER])
    assert not step.durable.ownership.coupled
    (told,) = records(step.effects, Channel.ORDER_RESULT)
    assert dict(told.numbers)["key_epoch"] == EPOCH + 1
    assert orders.waits_for_disk(BY_KIND[OrderKind.REMOVE_OWNER])


@pytest.mark.req("SUB-3", "SVC-1", "SVC-5")
def test_drivers_homes_destinations_and_services_have_their_rooms() -> None:
    state = durably(OWNED, drivers=(BOOKING.user,))
    assert heard(state, BY_KIND[OrderKind.REMOVE_DRIVER]).durable.drivers == ()
    assert heard(state, BY_KIND[OrderKind.HOME]).durable.ownership.home == (525_162_746, 133_777_041)
    assert heard(state, BY_KIND[OrderKind.SEND_TO_CAR]).durable.destination == BRANDENBURG_GATE
    assert heard(state, BY_KIND[OrderKind.SERVICES]).durable.services == SERVICES
    for kind in (OrderKind.REMOVE_DRIVER, OrderKind.HOME, OrderKind.SEND_TO_CAR, OrderKind.SERVICES):
        assert results_of(heard(state, BY_KIND[kind])) == ["OK"]
        assert not heard(state, BY_KIND[kind]).required
        assert not orders.waits_for_disk(BY_KIND[kind])
    assert not orders.waits_for_disk(None)
    assert not orders.waits_for_disk(LIST)


@pytest.mark.req("OWN-1")
@pytest.mark.parametrize(
    "kind", [OrderKind.HOME, OrderKind.SEND_TO_CAR, OrderKind.SUBSCRIPTION, OrderKind.REMOVE_OWNER]
)
def test_a_car_that_nobody_owns_has_no_home_no_destination_and_no_subscription(kind: OrderKind) -> None:
    order = SUBSCRIBE if kind is OrderKind.SUBSCRIPTION else BY_KIND[kind]
    assert results_of(heard(NOBODYS, order)) == ["NOT_COUPLED"]


@pytest.mark.req("OWN-4")
def test_a_takeover_is_answered_when_it_is_over() -> None:
    order = replace(BY_KIND[OrderKind.TAKE_OVER], details=replace(COUPLING, number=3, owner=b"another1"))
    state = replace(OWNED, broker_connected=True, vehicle=seen(keys_present=2))
    step = heard(state, order)
    assert records(step.effects, Channel.ORDER_RESULT) == []
    assert step.durable.takeover is not None
    again = heard(step.state, order)
    (said,) = only(Say, again.effects)
    assert said.record.reason == "BUSY"
    late = heard(durably(state, orders_before_s=BEGINS_S + 1), order)
    (said,) = only(Say, late.effects)
    assert said.record.reason == "ORDER_LATE"


@pytest.mark.req("OWN-3", "SEC-2")
@pytest.mark.parametrize("kind", [OrderKind.COUPLE, OrderKind.REMOVE_OWNER, OrderKind.HOME, OrderKind.REMOVE_DRIVER])
def test_a_module_that_has_forgotten_takes_no_older_order_about_the_car(kind: OrderKind) -> None:
    state = durably(NOBODYS if kind is OrderKind.COUPLE else OWNED, orders_before_s=BEGINS_S + 1)
    step, body = put(state, BY_KIND[kind])
    assert refused(body).code is Code.ORDER_LATE
    assert step.durable.ownership == state.durable.ownership


def test_what_its_kind_does_not_say_is_not_carried_out() -> None:
    _, body = put(OWNED, replace(BY_KIND[OrderKind.HOME], details=None))
    assert refused(body).code is Code.ORDER_UNSUPPORTED
