"""Taking a car over: what it needs from beginning to end, its progress, and its one commit."""

import msgspec
import pytest

from firmware.core import takeover
from firmware.core.clock import Clock
from firmware.core.draft import Draft
from firmware.core.reports import Point
from firmware.core.state import Ordered, Ownership, Slot, State, Takeover, VehicleView
from firmware.core.takeover import TAKES_MS
from protocol.errors import Code
from protocol.orders import Order, OrderKind
from protocol.telemetry import Channel, EventKind
from tests.support.core import (
    BEGINS_MS,
    DRIVING,
    EPOCH,
    FLOOR_MS,
    NOW,
    a_state,
    draft,
    durably,
    events,
    linked,
    records,
    seen,
    sure_clock,
)
from tests.support.credentials import BOOKING, COUPLING, MODULE_ID

replace = msgspec.structs.replace

BEGINS_S = 1_790_000_000
ANN = Ownership(True, COUPLING.owner, COUPLING.person, BEGINS_MS, 1)
BEN = replace(COUPLING, number=2, owner=b"another1", person=b"somebody", subscription=2)
ID = b"the order number"
ORDER = Order(ID, OrderKind.TAKE_OVER, MODULE_ID, BEGINS_S, BEGINS_S + 600, BEN)
HEARD = Clock(BEGINS_MS, NOW, BEGINS_MS, NOW, 0, trusted=True)
"""The order's signature has raised the floor already."""
BOTH = seen(keys_present=2)
STILL_BOTH = replace(BOTH, at_ms=NOW + TAKES_MS)
"""The car is seen once more at the end; it has stood still since before NOW."""


def ready(vehicle: VehicleView = BOTH, **durable: object) -> State:
    """Parked, connected, both keys in it, and Ann's."""
    state = durably(a_state(vehicle=vehicle, ownership=ANN), **durable)
    return replace(state, broker_connected=True, clock=HEARD)


def begun(state: State | None = None) -> State:
    """The same while it is prepared."""
    step = draft(state or ready())
    takeover.received(step, ORDER, BEN, b"ours")
    takeover.settle(step)
    return step.state


def results(step: Draft) -> list[tuple[str, bytes]]:
    return [(record.reason, record.correlation) for record in records(step.effects, Channel.ORDER_RESULT)]


def settled(state: State, now: int) -> Draft:
    step = draft(state, now)
    takeover.settle(step)
    return step


# ---------------------------------------------------------------- the beginning
@pytest.mark.req("OWN-4", "PWR-2")
def test_it_begins_without_an_answer_and_waits_for_the_disk() -> None:
    step = draft(replace(ready(), takeover_at_ms=1, takeover_told=7))
    takeover.received(step, ORDER, BEN, b"ours")
    assert (step.state.takeover_at_ms, step.state.takeover_told) == (NOW, 0)
    assert step.durable.takeover == Takeover(ID, BEN, b"ours")
    assert step.durable.orders == (Ordered(ID, BEGINS_S, None),)
    assert step.required
    assert step.effects == []
    takeover.settle(step)
    (told,) = records(step.effects)
    assert (told.kind, told.numbers) == (EventKind.TAKEOVER_PROGRESS, (("progress_pct", 0),))
    takeover.settle(step)
    assert len(records(step.effects)) == 1


@pytest.mark.req("OWN-4")
@pytest.mark.parametrize(
    ("state", "order", "code"),
    [
        (replace(ready(), clock=sure_clock(BEGINS_MS + 600_001)), ORDER, Code.ORDER_LATE),
        (replace(ready(), clock=Clock(FLOOR_MS, NOW)), ORDER, Code.CLOCK_UNCERTAIN),
        (ready(), replace(ORDER, details=replace(BEN, vin="")), Code.VIN_INVALID),
        (ready(ownership=Ownership(coupled=False, number=1)), ORDER, Code.NOT_COUPLED),
        (ready(ownership=replace(ANN, number=2)), ORDER, Code.ORDER_OUTDATED),
        (ready(ownership=replace(ANN, owner=BEN.owner)), ORDER, Code.ALREADY_OWNED),
        (ready(seen(DRIVING, keys_present=2)), ORDER, Code.NOT_PARKED),
        (ready(seen(still_for_ms=4_999, keys_present=2)), ORDER, Code.NOT_PARKED),
        (ready(seen(age_ms=2_501, keys_present=2)), ORDER, Code.NOT_PARKED),
        (replace(ready(), broker_connected=False), ORDER, Code.NOT_CONNECTED),
        (ready(seen(keys_present=1)), ORDER, Code.KEYS_MISSING),
        (ready(seen(keys_present=None)), ORDER, Code.KEYS_MISSING),
        (ready(takeover=Takeover(b"another order no", BEN)), ORDER, Code.BUSY),
        (ready(seen(keys_present=1), takeover=Takeover(b"another order no", BEN)), ORDER, Code.KEYS_MISSING),
    ],
)
def test_it_does_not_begin_with_anything_missing(state: State, order: Order, code: Code) -> None:
    step = draft(state)
    assert isinstance(order.details, type(BEN))
    takeover.received(step, order, order.details, b"ours")
    assert results(step) == [(code.name, b"ours")]
    assert step.durable.orders == (Ordered(ID, BEGINS_S, code),)
    assert step.durable.takeover == state.durable.takeover
    assert step.durable.ownership == state.durable.ownership
    assert not step.required


@pytest.mark.req("OWN-4")
def test_the_same_person_may_take_over_with_another_account() -> None:
    step = draft(ready(ownership=replace(ANN, person=BEN.person)))
    takeover.received(step, ORDER, BEN, b"")
    assert step.durable.takeover is not None


@pytest.mark.req("OWN-4")
def test_who_is_told_that_a_key_is_missing_hears_how_many_there_are() -> None:
    for keys, numbers in ((1, 1), (None, 0)):
        step = draft(ready(seen(keys_present=keys)))
        takeover.received(step, ORDER, BEN, b"")
        told = dict(records(step.effects, Channel.ORDER_RESULT)[0].numbers)
        assert (told["keys_present"], told["keys_needed"]) == (numbers, 2)


# ---------------------------------------------------------------- on the way
@pytest.mark.req("OWN-4")
@pytest.mark.parametrize(("after_ms", "percent"), [(30_000, 16), (60_000, 33), (150_000, 83), (179_999, 99)])
def test_progress_is_told_every_thirty_seconds(after_ms: int, percent: int) -> None:
    late = replace(begun(), vehicle=replace(BOTH, at_ms=NOW + after_ms))
    step = settled(late, NOW + after_ms)
    (told,) = records(step.effects)
    assert told.numbers == (("progress_pct", percent),)
    assert takeover.progress_pct(step.state, NOW + after_ms) == percent
    again = settled(step.state, NOW + after_ms)
    assert records(again.effects) == []
    assert again.durable.ownership == ANN


@pytest.mark.req("OWN-4")
def test_when_something_is_due() -> None:
    assert takeover.next_at_ms(ready()) is None
    assert takeover.progress_pct(ready(), NOW) is None
    state = begun()
    assert takeover.next_at_ms(state) == NOW + 30_000
    assert takeover.progress_pct(state, NOW) == 0
    assert takeover.progress_pct(state, NOW + TAKES_MS + 9_000) == 99, "it is not over before it is durable"
    late = settled(replace(state, vehicle=replace(BOTH, at_ms=NOW + 95_000)), NOW + 95_000)
    assert takeover.next_at_ms(late.state) == NOW + 120_000, "what was missed is not told afterwards"
    assert takeover.next_at_ms(replace(state, takeover_told=6)) == NOW + TAKES_MS
    assert takeover.next_at_ms(replace(state, takeover_told=7)) == NOW + TAKES_MS


@pytest.mark.req("OWN-4", "PWR-2")
def test_at_the_end_the_disk_has_its_time() -> None:
    state = begun()
    assert not takeover.changes_hands(ready(), NOW + TAKES_MS)
    assert not takeover.changes_hands(state, NOW + TAKES_MS - 1)
    assert takeover.changes_hands(state, NOW + TAKES_MS)


def test_nothing_happens_when_nothing_is_prepared() -> None:
    step = settled(ready(), NOW)
    takeover.resumed(step)
    takeover.undone(step)
    assert step.effects == []
    assert step.durable is step.state.durable


@pytest.mark.req("OWN-4")
@pytest.mark.parametrize(
    ("change", "code", "numbers"),
    [
        ({"vehicle": seen(DRIVING, keys_present=2)}, Code.NOT_PARKED, (("parked_ms", 0),)),
        ({"vehicle": seen(still_for_ms=4_999, keys_present=2)}, Code.NOT_PARKED, (("parked_ms", 4_999),)),
        ({"vehicle": seen(age_ms=2_501, keys_present=2)}, Code.NOT_PARKED, (("parked_ms", 0),)),
        ({"broker_connected": False}, Code.NOT_CONNECTED, ()),
        ({"vehicle": seen(keys_present=1)}, Code.KEYS_MISSING, (("keys_present", 1), ("keys_needed", 2))),
    ],
)
def test_what_is_missing_for_a_moment_ends_it_and_nothing_has_changed(
    change: dict[str, object], code: Code, numbers: tuple[tuple[str, int], ...]
) -> None:
    step = settled(replace(begun(), **change), NOW)
    assert results(step) == [(code.name, b"ours")]
    (told,) = records(step.effects, Channel.ALERT)
    assert (told.kind, told.reason, told.numbers) == (EventKind.TAKEOVER_FAILED, code.name, numbers)
    assert (step.durable.takeover, step.durable.ownership, step.durable.key_epoch) == (None, ANN, EPOCH)
    assert step.durable.orders == (Ordered(ID, BEGINS_S, code),)
    assert not step.required


@pytest.mark.req("OWN-4", "OWN-5")
@pytest.mark.parametrize(
    ("owned", "code"),
    [
        (Ownership(coupled=False, number=1), Code.NOT_COUPLED),
        (Ownership(coupled=False, number=3), Code.NOT_COUPLED),
        (replace(ANN, number=3), Code.ORDER_OUTDATED),
    ],
)
def test_a_car_that_was_given_up_meanwhile_is_not_taken_over(owned: Ownership, code: Code) -> None:
    step = settled(durably(begun(), ownership=owned), NOW)
    assert results(step) == [(code.name, b"ours")]
    assert step.durable.ownership == owned


# ---------------------------------------------------------------- the end
@pytest.mark.req("OWN-4", "SUB-1")
def test_at_the_end_everything_changes_in_one_step_that_waits_for_the_disk() -> None:
    hers = ready(drivers=(BOOKING.user,), slot=Slot(4, Point(1, 2, 3)))
    state = replace(linked(begun(hers), BOOKING), vehicle=STILL_BOTH)
    step = settled(state, NOW + TAKES_MS)
    durable = step.durable
    owned = durable.ownership
    assert (owned.coupled, owned.owner, owned.person, owned.number) == (True, BEN.owner, BEN.person, 2)
    assert (owned.since_ms, owned.home) == (BEGINS_MS + TAKES_MS, None)
    assert (durable.key_epoch, durable.drivers, durable.takeover) == (EPOCH + 1, (), None)
    assert durable.subscription is not None
    assert durable.subscription.number == 2
    assert durable.slot == Slot(5, acknowledged=False)
    assert durable.orders == (Ordered(ID, BEGINS_S, Code.OK),)
    assert step.required
    (told,) = records(step.effects, Channel.ORDER_RESULT)
    assert dict(told.numbers) == {"code": 0, "pending": 0, "number": 2, "key_epoch": EPOCH + 1}
    (changed,) = records(step.effects, Channel.ALERT)
    assert (changed.kind, changed.numbers) == (EventKind.OWNER_CHANGED, (("number", 2), ("key_epoch", EPOCH + 1)))
    assert len(records(step.effects, Channel.STATE)) == 1
    assert step.hang_ups == [1]


@pytest.mark.req("OWN-4")
def test_a_moment_before_the_end_nothing_has_changed() -> None:
    state = replace(begun(), vehicle=replace(STILL_BOTH, at_ms=NOW + TAKES_MS - 1))
    assert settled(state, NOW + TAKES_MS - 1).durable.ownership == ANN


@pytest.mark.req("OWN-4", "PWR-2")
def test_a_disk_that_refuses_the_end_leaves_the_old_owner_and_nobody_tries_again() -> None:
    state = replace(begun(), vehicle=STILL_BOTH)
    early = draft(state, NOW + TAKES_MS - 1)
    takeover.undone(early)
    assert early.durable.takeover is not None, "another step was undone"
    step = draft(state, NOW + TAKES_MS)
    takeover.undone(step)
    takeover.settle(step)
    assert results(step) == [("STORAGE_FAILED", b"ours")]
    assert (step.durable.takeover, step.durable.ownership) == (None, ANN)


@pytest.mark.req("OWN-4", "PWR-1")
def test_a_power_cut_on_the_way_leaves_the_old_owner() -> None:
    step = draft(begun())
    takeover.resumed(step)
    assert results(step) == [("TAKEOVER_INTERRUPTED", b"ours")]
    assert (step.durable.takeover, step.durable.ownership) == (None, ANN)
    assert events(step.effects) == [EventKind.TAKEOVER_FAILED]


@pytest.mark.req("OWN-4", "PWR-1")
def test_one_that_was_completed_before_the_state_was_lost_is_complete() -> None:
    now = Ownership(True, BEN.owner, BEN.person, BEGINS_MS, 2)
    step = draft(durably(begun(), ownership=now, key_epoch=EPOCH + 1))
    takeover.resumed(step)
    assert results(step) == [("OK", b"ours")]
    assert events(step.effects) == []
    assert (step.durable.takeover, step.durable.ownership) == (None, now)


@pytest.mark.req("OWN-4", "PWR-1")
@pytest.mark.parametrize("owned", [Ownership(coupled=False, number=3), replace(ANN, number=2)])
def test_one_that_came_to_nothing_is_not_complete_because_of_a_later_order(owned: Ownership) -> None:
    step = draft(durably(begun(), ownership=owned))
    takeover.resumed(step)
    assert results(step) == [("TAKEOVER_INTERRUPTED", b"ours")]
    assert step.durable.ownership == owned


def test_an_order_that_is_remembered_no_more_is_answered_all_the_same() -> None:
    step = draft(durably(begun(), orders=()))
    takeover.resumed(step)
    assert results(step) == [("TAKEOVER_INTERRUPTED", b"ours")]
    assert step.durable.orders == ()
