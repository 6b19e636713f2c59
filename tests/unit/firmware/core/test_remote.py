"""Orders from afar: what stands against them, in which order, and that each moves something once."""

import msgspec
import pytest

from firmware.core import orders, remote
from firmware.core.clock import Clock
from firmware.core.draft import Draft
from firmware.core.effects import Actuate, Say
from firmware.core.events import Action, ActuationFinished
from firmware.core.state import Ordered, Ownership, Pending, Remote, State, VehicleView
from protocol.errors import Code, Role
from protocol.messages import Operation
from protocol.orders import Order, OrderKind, Subscription
from protocol.telemetry import Channel
from tests.support.core import (
    BEGINS_MS,
    DRIVING,
    FLOOR_MS,
    NOW,
    a_state,
    draft,
    durably,
    only,
    records,
    running,
    seen,
    sure_clock,
)
from tests.support.credentials import BOOKING, MODULE_ID, SERVICES

replace = msgspec.structs.replace

BEGINS_S = 1_790_000_000
PAID = Subscription(1, BEGINS_S + 1_000_000, BEGINS_S + 1_000_000)
ID = b"the order number"
UNLOCK = Order(ID, OrderKind.UNLOCK, MODULE_ID, BEGINS_S, BEGINS_S + 120)
LOCK = replace(UNLOCK, kind=OrderKind.LOCK)
FLASH = replace(UNLOCK, kind=OrderKind.FLASH)
ASK = replace(UNLOCK, kind=OrderKind.REQUEST_STATE)
ALL = (UNLOCK, LOCK, FLASH)
OWNER = replace(BOOKING, role=Role.OWNER)


def paid(state: State) -> State:
    return durably(state, subscription=PAID)


def standing(**changes: object) -> State:
    """Parked, unlocked, and paid for."""
    view = seen()
    return paid(a_state(vehicle=replace(view, sample=replace(view.sample, **({"locked": None} | changes)))))


def order(state: State, what: Order, now: int = NOW, correlation: bytes = b"ours") -> Draft:
    step = draft(state, now)
    orders.received(step, what, correlation)
    return step


def outcome(step: Draft) -> tuple[str, str, bytes]:
    """Order, name and correlation of the only result."""
    (record,) = records(step.effects, Channel.ORDER_RESULT)
    return record.booking, record.reason, record.correlation


def refused(step: Draft) -> str:
    assert only(Actuate, step.effects) == []
    assert not step.required
    assert step.state.remote is None
    order_id, name, correlation = outcome(step)
    assert (order_id, correlation) == (ID.hex(), b"ours")
    assert step.durable.orders == (Ordered(ID, BEGINS_S, Code[name]),)
    return name


@pytest.mark.req("SVC-3", "PWR-1")
@pytest.mark.parametrize(("what", "action"), [(UNLOCK, Action.UNLOCK), (LOCK, Action.LOCK), (FLASH, Action.FLASH)])
def test_an_order_is_remembered_then_moves_and_its_outcome_is_told(what: Order, action: Action) -> None:
    step = order(standing(), what)
    assert only(Actuate, step.effects) == [Actuate(action, ID)]
    assert step.required, "it waits for the disk"
    assert step.durable.orders == (Ordered(ID, BEGINS_S, None, correlation=b"ours"),)
    assert step.state.remote == Remote(ID, b"ours")
    assert step.state.busy
    assert records(step.effects, Channel.ORDER_RESULT) == []
    then = draft(step.state)
    assert remote.finished(then, ActuationFinished(action, True, ID))
    assert outcome(then) == (ID.hex(), "OK", b"ours")
    assert then.durable.orders == (Ordered(ID, BEGINS_S, Code.OK),)
    assert then.state.remote is None


@pytest.mark.req("OWN-1", "SVC-2", "SVC-3")
def test_a_car_without_an_owner_or_without_the_service_is_not_moved_from_afar() -> None:
    for kind in (UNLOCK, LOCK, FLASH):
        assert refused(order(durably(standing(), ownership=Ownership(coupled=False)), kind)) == "NOT_COUPLED"
        never = replace(SERVICES, packs=(), renewals=())
        assert refused(order(durably(standing(), services=never), kind)) == "SERVICE_INACTIVE"
    asked = order(durably(standing(), ownership=Ownership(coupled=False)), ASK)
    assert outcome(asked)[1] == "OK", "how the car is may be told: no position is in it"


@pytest.mark.req("SVC-3", "ACC-7")
def test_a_car_that_does_not_answer_may_have_done_it() -> None:
    step = order(standing(), UNLOCK)
    then = draft(step.state)
    assert remote.finished(then, ActuationFinished(Action.UNLOCK, False, ID))
    assert outcome(then) == (ID.hex(), "VEHICLE_NO_RESPONSE", b"ours")
    assert then.durable.orders == (Ordered(ID, BEGINS_S, Code.VEHICLE_NO_RESPONSE),)
    assert then.state.vehicle.sample.locked is None


def test_what_the_car_did_is_known_ahead_of_the_next_sample() -> None:
    step = order(standing(), UNLOCK)
    then = draft(step.state)
    remote.finished(then, ActuationFinished(Action.UNLOCK, True, ID))
    assert then.state.vehicle.sample.locked is False


def test_an_action_of_somebody_else_is_none_of_it() -> None:
    step = order(standing(), UNLOCK)
    for command_id in (b"", b"command1"):
        then = draft(step.state)
        assert not remote.finished(then, ActuationFinished(Action.LOCK, True, command_id))
        assert then.state == step.state
    free = draft(standing())
    assert not remote.finished(free, ActuationFinished(Action.LOCK, True, b""))


@pytest.mark.req("SVC-3")
def test_an_outcome_is_told_even_if_the_order_is_not_remembered_any_more() -> None:
    forgotten = durably(order(standing(), UNLOCK).state, orders=())
    step = draft(forgotten)
    assert remote.finished(step, ActuationFinished(Action.UNLOCK, True, ID))
    assert outcome(step) == (ID.hex(), "OK", b"ours")
    assert step.durable.orders == ()


# ---------------------------------------------------------------- what stands against it
@pytest.mark.req("SVC-3")
@pytest.mark.parametrize("what", ALL)
@pytest.mark.parametrize(("late_ms", "code"), [(0, ""), (1, "ORDER_LATE")])
def test_a_late_order_moves_nothing(what: Order, late_ms: int, code: str) -> None:
    step = order(replace(standing(), clock=sure_clock(BEGINS_MS + 120_000 + late_ms)), what)
    if code:
        assert refused(step) == code
        (record,) = records(step.effects, Channel.ORDER_RESULT)
        assert dict(record.numbers)["late_by_ms"] == late_ms
    else:
        assert len(only(Actuate, step.effects)) == 1


@pytest.mark.req("SVC-3", "CLK-2")
@pytest.mark.parametrize("what", ALL)
def test_it_has_to_be_certain_that_an_order_is_in_time(what: Order) -> None:
    assert refused(order(replace(standing(), clock=Clock(BEGINS_MS, NOW)), what)) == "CLOCK_UNCERTAIN"
    unsure = Clock(BEGINS_MS, NOW, BEGINS_MS + 119_000, NOW, 1_001)
    step = order(replace(standing(), clock=unsure), what)
    assert refused(step) == "CLOCK_UNCERTAIN"
    (record,) = records(step.effects, Channel.ORDER_RESULT)
    assert dict(record.numbers)["uncertainty_ms"] == 2_002
    just = order(replace(standing(), clock=replace(unsure, uncertainty_ms=1_000)), what)
    assert len(only(Actuate, just.effects)) == 1


@pytest.mark.req("SVC-3", "CLK-4")
def test_an_order_from_a_time_to_come_moves_nothing() -> None:
    years = 2 * 366 * 86_400
    step = order(standing(), replace(UNLOCK, issued_s=BEGINS_S + years, expires_s=BEGINS_S + years + 120))
    assert only(Actuate, step.effects) == []
    assert outcome(step)[1] == "CLOCK_UNCERTAIN"
    for floor_ms, moved in ((BEGINS_MS, 1), (BEGINS_MS - 1, 0)):
        step = draft(replace(standing(), clock=Clock(floor_ms, NOW, BEGINS_MS, NOW, 0)))
        remote.received(step, UNLOCK, b"ours")
        assert len(only(Actuate, step.effects)) == moved


@pytest.mark.req("SVC-3")
@pytest.mark.parametrize("what", ALL)
def test_without_remote_services_nothing_moves(what: Order) -> None:
    assert refused(order(durably(standing(), subscription=None), what)) == "REMOTE_INACTIVE"
    over = durably(standing(), subscription=replace(PAID, remote_until_s=BEGINS_S))
    assert refused(order(over, what)) == "REMOTE_INACTIVE"


@pytest.mark.req("SVC-3", "ACC-3")
@pytest.mark.parametrize("what", ALL)
@pytest.mark.parametrize("role", [Role.DRIVER, Role.VIP, Role.GUEST])
def test_while_a_driver_has_the_car_nobody_else_moves_it(what: Order, role: Role) -> None:
    lent = paid(running(replace(BOOKING, role=role), vehicle=seen(locked=None)))
    step = order(replace(lent, clock=sure_clock()), what)
    assert refused(step) == "VEHICLE_IN_USE"
    driven = paid(running(replace(BOOKING, role=role), vehicle=seen(DRIVING)))
    step = order(replace(driven, clock=sure_clock()), what)
    assert refused(step) == "VEHICLE_IN_USE", "and whether it drives is not said"


@pytest.mark.req("SVC-3")
@pytest.mark.parametrize("what", ALL)
def test_the_owner_s_own_booking_is_no_hindrance(what: Order) -> None:
    state = replace(paid(running(OWNER, vehicle=seen(locked=None))), clock=sure_clock())
    assert len(only(Actuate, order(state, what).effects)) == 1


@pytest.mark.parametrize("what", ALL)
def test_one_command_at_a_time(what: Order) -> None:
    phone_s = replace(standing(), pending=Pending(1, 7, b"command1", Operation.LOCK))
    assert refused(order(phone_s, what)) == "BUSY"
    other = order(standing(), replace(FLASH, order_id=b"another order no"))
    step = order(other.state, what)
    assert outcome(step) == (ID.hex(), "BUSY", b"ours")
    assert only(Actuate, step.effects) == []
    assert step.state.remote == Remote(b"another order no", b"ours")


@pytest.mark.req("SVC-3", "CUT-3")
@pytest.mark.parametrize("what", ALL)
@pytest.mark.parametrize(
    ("view", "parked_ms"),
    [(seen(DRIVING), 0), (seen(still_for_ms=4_999), 4_999), (seen(age_ms=2_501), 0), (VehicleView(), 0)],
)
def test_a_car_that_is_not_known_to_be_parked_is_left_alone(what: Order, view: VehicleView, parked_ms: int) -> None:
    step = order(paid(a_state(vehicle=view)), what)
    assert refused(step) == "NOT_PARKED"
    (record,) = records(step.effects, Channel.ORDER_RESULT)
    assert dict(record.numbers)["parked_ms"] == parked_ms
    assert len(only(Actuate, order(paid(a_state(vehicle=seen(locked=None, still_for_ms=5_000))), what).effects)) == 1


@pytest.mark.req("SVC-3")
@pytest.mark.parametrize(
    "changes", [{"doors_open": True}, {"doors_open": None}, {"boot_open": True}, {"boot_open": None}]
)
def test_only_a_car_that_is_known_to_be_closed_is_locked_from_afar(changes: dict[str, object]) -> None:
    assert refused(order(standing(**changes), LOCK)) == "DOORS_OPEN"
    assert len(only(Actuate, order(standing(**changes), UNLOCK).effects)) == 1
    assert len(only(Actuate, order(standing(**changes), FLASH).effects)) == 1


@pytest.mark.req("ACC-7", "SVC-3")
@pytest.mark.parametrize(("what", "locked"), [(UNLOCK, False), (LOCK, True)])
def test_a_car_that_is_as_ordered_is_left_alone(what: Order, locked: bool) -> None:
    step = order(standing(locked=locked), what)
    assert refused(step) == "OK"
    assert len(only(Actuate, order(standing(locked=not locked), what).effects)) == 1
    assert len(only(Actuate, order(standing(locked=locked), FLASH).effects)) == 1


@pytest.mark.req("SVC-3")
def test_the_reasons_are_looked_at_in_the_order_of_the_specification() -> None:
    """All at once; then one after the other is mended."""
    lent = running(vehicle=seen(DRIVING))
    everything = replace(lent, clock=sure_clock(BEGINS_MS + 120_001), pending=Pending(1, 7, b"c", Operation.LOCK))
    assert refused(order(everything, LOCK)) == "ORDER_LATE"
    unsure = replace(everything, clock=Clock(FLOOR_MS, NOW, BEGINS_MS, NOW, 500_000))
    assert refused(order(unsure, LOCK)) == "CLOCK_UNCERTAIN"
    sure = replace(everything, clock=replace(sure_clock(), floor_ms=BEGINS_MS))
    assert refused(order(sure, LOCK)) == "REMOTE_INACTIVE"
    assert refused(order(paid(sure), LOCK)) == "VEHICLE_IN_USE"
    free = replace(paid(a_state(vehicle=seen(DRIVING, doors_open=True))), pending=everything.pending)
    assert refused(order(free, LOCK)) == "BUSY"
    assert refused(order(replace(free, pending=None), LOCK)) == "NOT_PARKED"
    assert refused(order(standing(doors_open=True, locked=True), LOCK)) == "DOORS_OPEN"


# ---------------------------------------------------------------- the state
@pytest.mark.req("TEL-1")
def test_the_state_is_told_when_it_is_asked_for_whoever_has_paid_for_what() -> None:
    step = order(a_state(), ASK)
    assert len(records(step.effects, Channel.STATE)) == 1
    assert outcome(step) == (ID.hex(), "OK", b"ours")
    assert step.durable.orders == (Ordered(ID, BEGINS_S, Code.OK),)
    assert not step.required
    again = order(step.state, replace(ASK, order_id=b"another order no"))
    assert len(records(again.effects, Channel.STATE)) == 1, "though nothing has changed"
    late = order(replace(a_state(), clock=sure_clock(BEGINS_MS + 120_001)), ASK)
    assert records(late.effects, Channel.STATE) == []
    assert outcome(late)[1] == "ORDER_LATE"
    nobody_knows = order(replace(a_state(), clock=Clock(FLOOR_MS, NOW)), ASK)
    assert outcome(nobody_knows)[1] == "OK"


@pytest.mark.req("PRV-6")
def test_while_a_driver_has_the_car_the_odometer_is_not_told_more_often_for_being_asked() -> None:
    lent = replace(running(vehicle=seen(DRIVING)), clock=sure_clock())
    step = order(lent, ASK)
    assert len(records(step.effects, Channel.STATE)) == 1, "nobody was told before"
    other = replace(ASK, order_id=b"another order no")
    for passed_ms, told in ((0, 0), (59_999, 0), (60_000, 1)):
        looked = replace(step.state, vehicle=VehicleView(DRIVING, NOW + passed_ms))
        again = order(looked, other, NOW + passed_ms)
        assert len(records(again.effects, Channel.STATE)) == told
        assert outcome(again)[1] == "OK"
    mine = replace(running(OWNER, vehicle=seen(DRIVING)), clock=sure_clock())
    first = order(mine, ASK)
    assert len(records(order(first.state, other).effects, Channel.STATE)) == 1


# ---------------------------------------------------------------- power
@pytest.mark.req("PWR-1", "SVC-3")
def test_after_a_power_cut_what_was_being_carried_out_is_not_tried_again() -> None:
    begun = Ordered(ID, BEGINS_S, None, correlation=b"ours")
    done = Ordered(b"another order no", BEGINS_S, Code.OK)
    step = draft(standing())
    step.keep(replace(step.durable, orders=(done, begun)))
    remote.resumed(step)
    assert outcome(step) == (ID.hex(), "VEHICLE_NO_RESPONSE", b"ours")
    assert step.durable.orders == (done, Ordered(ID, BEGINS_S, Code.VEHICLE_NO_RESPONSE))
    assert only(Actuate, step.effects) == []
    quiet = draft(durably(standing(), orders=(done,)))
    remote.resumed(quiet)
    assert quiet.effects == []


@pytest.mark.req("SVC-3", "ACC-7")
def test_the_same_order_again_is_answered_and_moves_nothing() -> None:
    first = order(standing(), UNLOCK)
    underway = draft(first.state)
    orders.received(underway, UNLOCK, b"theirs")
    (told,) = only(Say, underway.effects)
    assert (told.record.reason, told.record.correlation, told.record.booking) == ("BUSY", b"theirs", ID.hex())
    then = draft(first.state)
    remote.finished(then, ActuationFinished(Action.UNLOCK, True, ID))
    again = draft(then.state)
    orders.received(again, UNLOCK, b"theirs")
    assert only(Actuate, again.effects) == []
    (told,) = only(Say, again.effects)
    assert (told.record.reason, told.record.correlation) == ("OK", b"theirs")
    assert again.durable == then.durable
