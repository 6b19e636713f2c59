"""Whose car it is: who may become its owner, and what stays when another one does."""

import msgspec
import pytest

from firmware.core import ownership
from firmware.core.effects import Actuate, Log
from firmware.core.events import Action, Ticked
from firmware.core.incidents import Asked
from firmware.core.reports import Point
from firmware.core.state import (
    Counters,
    DeadBooking,
    DeadKey,
    Durable,
    EndReason,
    Executed,
    Fading,
    Ordered,
    Ownership,
    Profile,
    Slot,
    State,
    Takeover,
    Trip,
    Vehicle,
)
from firmware.core.usage import Entry, Head, Use
from protocol.errors import Code, Refusal
from protocol.messages import Accepted, Operation
from protocol.orders import Order, OrderKind, Place, Removal, Subscription
from protocol.sharing import Deletion
from protocol.telemetry import EventKind
from tests.support.core import (
    BEGINS_MS,
    DRIVING,
    EPOCH,
    FLOOR_MS,
    HOME,
    OWNER_KEY,
    a_state,
    after,
    draft,
    durably,
    events,
    hung_up,
    linked,
    only,
    records,
    running,
    seen,
)
from tests.support.credentials import BOOKING, BRANDENBURG_GATE, COUPLING, MODULE_ID, SERVICES

replace = msgspec.structs.replace

ANN = Ownership(True, COUPLING.owner, COUPLING.person, BEGINS_MS, 1)
FREE = Ownership(coupled=False, number=2)
BEN = replace(COUPLING, number=3, owner=b"another1", person=b"somebody", subscription=3)
HOME_ORDER = Order(b"the order number", OrderKind.HOME, MODULE_ID, 1_790_000_000, 1_790_000_600, BRANDENBURG_GATE)


def fitted(state: State, **vehicle: object) -> State:
    car = replace(Vehicle(), **vehicle)
    return replace(state, profile=replace(state.profile, vehicle=car))


def refused(body: object) -> Refusal:
    assert isinstance(body, Refusal)
    return body


# ---------------------------------------------------------------- questions
@pytest.mark.req("OWN-1")
def test_before_any_order_the_profile_says_whether_there_is_an_owner() -> None:
    closed = Profile(MODULE_ID, coupled=False)
    fresh = Durable(FLOOR_MS, EPOCH)
    assert not ownership.own(fresh, closed).ownership.coupled
    assert ownership.own(fresh, Profile(MODULE_ID)).ownership.coupled
    assert ownership.own(replace(fresh, ownership=ANN), closed).ownership == ANN
    assert ownership.own(replace(fresh, ownership=FREE), Profile(MODULE_ID)).ownership == FREE


@pytest.mark.req("OWN-1")
def test_nobody_moves_a_car_without_an_owner() -> None:
    assert ownership.refusal(a_state(ownership=ANN)) is None
    no = refused(ownership.refusal(a_state(ownership=FREE)))
    assert (no.code, no.temporary) == (Code.NOT_COUPLED, False)


@pytest.mark.parametrize(
    ("owned", "home"),
    [
        (Ownership(), HOME),
        (Ownership(home=(1, 2), home_set_s=5), (1, 2)),
        (ANN, None),
        (replace(ANN, home=(1, 2), home_set_s=5), (1, 2)),
        (FREE, None),
    ],
)
def test_the_home_of_the_profile_is_that_of_the_first_owner(owned: Ownership, home: tuple[int, int] | None) -> None:
    assert ownership.home(a_state(ownership=owned)) == home


@pytest.mark.req("OWN-2", "OWN-6")
@pytest.mark.parametrize(
    ("vehicle", "vin", "code", "position"),
    [
        ({}, "WMWXU71090TU1234I", Code.VIN_INVALID, 17),
        ({}, "WMW", Code.VIN_INVALID, 0),
        ({"market": "US"}, COUPLING.vin, Code.VIN_INVALID, 9),
        ({"vin": "WMWXU71090TU12346"}, COUPLING.vin, Code.VIN_INVALID, 17),
        ({"vin": "XMWXU71090TU12345"}, COUPLING.vin, Code.VIN_INVALID, 1),
        ({"vin": COUPLING.vin + "x"}, COUPLING.vin, Code.VIN_INVALID, 0),
        ({"vin": COUPLING.vin, "prepared": False}, COUPLING.vin, Code.NOT_PREPARED, None),
        ({"vin": COUPLING.vin}, COUPLING.vin, None, None),
        ({"market": "DE"}, COUPLING.vin, None, None),
    ],
)
def test_a_car_fits_its_order_or_the_wrong_character_is_named(
    vehicle: dict[str, object], vin: str, code: Code | None, position: int | None
) -> None:
    no = ownership.unfit(fitted(a_state(), **vehicle), replace(COUPLING, vin=vin))
    assert (None if no is None else no.code) is code
    assert no is None or no.number("position") == position


@pytest.mark.req("OWN-6")
def test_the_vin_of_another_car_is_told_by_the_first_character_that_differs() -> None:
    no = refused(ownership.unfit(fitted(a_state(), vin="WMWXU71090TU99999"), COUPLING))
    assert no.number("position") == 13
    assert "of this car: character 13 is another one" in no.remedy


@pytest.mark.req("OWN-3")
def test_numbers_of_orders_about_ownership_only_rise() -> None:
    assert ownership.outdated(a_state(ownership=FREE), 3) is None
    for number in (1, 2):
        no = refused(ownership.outdated(a_state(ownership=FREE), number))
        assert (no.code, no.numbers) == (Code.ORDER_OUTDATED, (("number", number), ("known_number", 2)))


@pytest.mark.req("OWN-3")
def test_a_second_owner_hears_whether_it_is_another_account_of_the_same_person() -> None:
    state = a_state(ownership=ANN)
    stranger = refused(ownership.owned_already(state, BEN))
    assert (stranger.code, stranger.numbers) == (Code.ALREADY_OWNED, (("same_person", 0),))
    assert "both vehicle keys" in stranger.remedy
    twice = refused(ownership.owned_already(state, replace(BEN, person=ANN.person)))
    assert twice.numbers == (("same_person", 1),)
    assert "another account of yours" in twice.remedy
    again = refused(ownership.owned_already(state, replace(COUPLING, number=5)))
    assert "this account already" in again.remedy
    assert ownership.owned_already(a_state(ownership=FREE), BEN) is None
    bench = refused(ownership.owned_already(a_state(), replace(BEN, person=b"")))
    assert bench.numbers == (("same_person", 0),), "nobody knows who has it"


# ---------------------------------------------------------------- orders
@pytest.mark.req("OWN-3", "SUB-1", "PWR-2")
def test_coupling_makes_an_owner_with_a_year_and_waits_for_the_disk() -> None:
    step = draft(a_state(ownership=FREE))
    assert ownership.couple(step, BEN) == Accepted()
    assert step.durable.ownership == Ownership(True, BEN.owner, BEN.person, BEGINS_MS, 3)
    # 1 790 000 000 is 21 September 2026: the year is over with 21 September 2027.
    assert step.durable.subscription == Subscription(3, 1_821_571_200, 1_821_571_200)
    assert step.durable.key_epoch == EPOCH
    assert step.required
    (told,) = records(step.effects)
    assert (told.kind, told.numbers) == (EventKind.OWNER_COUPLED, (("number", 3), ("key_epoch", EPOCH)))


@pytest.mark.req("OWN-3")
@pytest.mark.parametrize(
    ("owned", "told", "code"),
    [
        (ANN, BEN, Code.ALREADY_OWNED),
        (FREE, replace(BEN, number=2), Code.ORDER_OUTDATED),
        (FREE, replace(BEN, vin=""), Code.VIN_INVALID),
    ],
)
def test_a_coupling_that_is_refused_changes_nothing(owned: Ownership, told: object, code: Code) -> None:
    step = draft(a_state(ownership=owned))
    assert isinstance(told, type(BEN))
    assert refused(ownership.couple(step, told)).code is code
    assert step.durable == a_state(ownership=owned).durable
    assert not step.required


@pytest.mark.req("OWN-5", "PWR-2")
def test_the_owner_gives_the_car_up_and_nothing_is_left() -> None:
    step = draft(linked(a_state(ownership=ANN, drivers=(BOOKING.user,)), BOOKING))
    assert ownership.remove(step, Removal(2, ANN.owner)) == Accepted()
    assert step.durable.ownership == replace(FREE, orders_from_s=BEGINS_MS // 1000 + 1)
    assert (step.durable.key_epoch, step.durable.drivers) == (EPOCH + 1, ())
    assert step.required
    (told,) = records(step.effects)
    assert (told.kind, told.numbers) == (EventKind.OWNER_REMOVED, (("number", 2), ("key_epoch", EPOCH + 1)))
    assert hung_up(step.finish()[1]) == [1]


@pytest.mark.req("OWN-5")
@pytest.mark.parametrize(
    ("state", "told", "code", "remedy"),
    [
        (a_state(ownership=FREE), Removal(3, ANN.owner), Code.NOT_COUPLED, "add the car"),
        (a_state(ownership=ANN), Removal(1, ANN.owner), Code.ORDER_OUTDATED, "newest"),
        (a_state(ownership=ANN), Removal(2, BEN.owner), Code.ROLE_REQUIRED, "Only the owner"),
        (durably(running(), ownership=ANN), Removal(2, ANN.owner), Code.VEHICLE_IN_USE, "whoever drives"),
        (a_state(ownership=ANN, driver_key=OWNER_KEY), Removal(2, ANN.owner), Code.VEHICLE_IN_USE, "whoever drives"),
    ],
)
def test_a_removal_that_is_refused_changes_nothing(state: State, told: Removal, code: Code, remedy: str) -> None:
    step = draft(state)
    no = refused(ownership.remove(step, told))
    assert no.code is code
    assert remedy in no.remedy
    assert step.durable is state.durable
    assert not step.required


@pytest.mark.req("OWN-5", "CUT-3")
def test_a_removal_arms_no_car_that_moves_but_once_it_is_parked() -> None:
    step = draft(a_state(vehicle=seen(DRIVING), ownership=ANN))
    assert ownership.remove(step, Removal(2, ANN.owner)) == Accepted()
    assert only(Actuate, step.effects) == []
    assert step.durable.arm_when_parked
    state, effects = after(replace(step.state, vehicle=seen(immobilised=False)), Ticked())
    assert Actuate(Action.ARM_IMMOBILISER) in effects
    assert not state.durable.arm_when_parked


@pytest.mark.req("OWN-4", "OWN-5", "SEC-2")
@pytest.mark.parametrize("kind", list(OrderKind))
def test_what_was_signed_for_the_owner_before_is_not_for_the_next_one(kind: OrderKind) -> None:
    step = draft(a_state(ownership=ANN))
    assert ownership.remove(step, Removal(2, ANN.owner)) == Accepted()
    assert ownership.couple(step, BEN) == Accepted()
    older = Order(b"the order number", kind, MODULE_ID, BEGINS_MS // 1000, BEGINS_MS // 1000 + 600)
    no = ownership.former(step.state, older)
    if kind in {
        OrderKind.END_BOOKING,
        OrderKind.COUPLE,
        OrderKind.REMOVE_OWNER,
        OrderKind.TAKE_OVER,
        OrderKind.SERVICES,
    }:
        assert no is None
    else:
        assert refused(no).code is Code.ORDER_OUTDATED
        assert refused(no).numbers == (("before_owner_s", 1),)
    assert ownership.former(step.state, replace(older, issued_s=BEGINS_MS // 1000 + 1)) is None


@pytest.mark.req("OWN-5")
def test_an_owner_who_was_never_named_may_be_anybody() -> None:
    step = draft(a_state())
    assert ownership.remove(step, Removal(1, ANN.owner)) == Accepted()
    assert not step.durable.ownership.coupled


@pytest.mark.req("BKG-5")
def test_a_home_is_told_by_the_newest_order() -> None:
    step = draft(a_state(ownership=ANN))
    assert ownership.set_home(step, Place(1, 2), HOME_ORDER) == Accepted()
    assert step.durable.ownership == replace(ANN, home=(1, 2), home_set_s=HOME_ORDER.issued_s)
    older = replace(HOME_ORDER, issued_s=HOME_ORDER.issued_s - 1)
    assert refused(ownership.set_home(step, Place(3, 4), older)).code is Code.ORDER_OUTDATED
    assert ownership.set_home(step, Place(3, 4), HOME_ORDER) == Accepted()
    assert ownership.home(step.state) == (3, 4)
    nobodys = draft(a_state(ownership=FREE))
    assert refused(ownership.set_home(nobodys, Place(1, 2), HOME_ORDER)).code is Code.NOT_COUPLED


# ---------------------------------------------------------------- what stays
FULL = Durable(
    FLOOR_MS,
    EPOCH,
    trip=Trip(booking=BOOKING),
    drive_enabled=True,
    arm_when_parked=True,
    dead=(DeadBooking(BOOKING.booking_id, EndReason.DRIVER, 2, 1),),
    dead_before_s=3,
    revoked=((bytes(16), 4),),
    list_number=5,
    devices=((b"somebody", 6),),
    executed=(Executed(b"command1", b"somebody", Operation.LOCK, Code.OK),),
    slot=Slot(7, Point(1, 2, 3), parking=True),
    counters=Counters(8, 7, 6, 5, 4, 3, 2),
    log=Head(9, b"d" * 32),
    forgetful=True,
    module_id=MODULE_ID,
    orders=(Ordered(b"the order number", 10, Code.OK),),
    orders_before_s=11,
    subscription=Subscription(12, 13, 14),
    dead_keys=(DeadKey(bytes(16), Code.KEY_DELETED, 15, 16),),
    keys_before_s=17,
    deletions=(Fading(bytes(16), Deletion.UNTIL_KEY_CYCLE, 18, 19),),
    code_step=5,
    driver_key=OWNER_KEY,
    ownership=ANN,
    drivers=(b"somebody",),
    erased_before=6,
    services=SERVICES,
    calls=20,
    asked=Asked(21),
    destination=BRANDENBURG_GATE,
    takeover=Takeover(b"the order number", BEN),
)


@pytest.mark.req("OWN-4", "OWN-5")
def test_what_is_wiped_and_what_stays() -> None:
    left = ownership.wiped(FULL)
    nothing = Durable(FLOOR_MS, EPOCH)
    stays = {name for name in Durable.__struct_fields__ if getattr(left, name) != getattr(nothing, name)}
    changed = {"key_epoch", "slot", "ownership", "erased_before"}
    assert stays - changed == set(ownership.KEPT) - {"floor_ms", "call"}
    assert all(getattr(left, name) == getattr(FULL, name) for name in ownership.KEPT)
    assert left.ownership == ANN, "the caller says who comes next"
    assert left.key_epoch == EPOCH + 1
    assert left.slot == Slot(8, None, acknowledged=False), "the broker is told to forget"
    assert left.erased_before == 8


@pytest.mark.req("OWN-4", "BKG-7")
@pytest.mark.parametrize("state", [running(), durably(a_state(), drive_enabled=True, driver_key=OWNER_KEY)])
def test_whoever_has_the_car_has_it_no_more_and_the_log_says_so(state: State) -> None:
    step = draft(linked(state, BOOKING, None))
    ownership.wipe(step)
    (logged,) = only(Log, step.effects)
    entry = msgspec.json.decode(logged.entry.body, type=Entry)
    assert (entry.use, entry.reason) == (Use.ENDED, "owner changed")
    ended = [(record.kind, record.booking, record.reason) for record in records(step.effects)]
    booked = [(EventKind.BOOKING_ENDED, BOOKING.booking_id.hex(), "owner changed")]
    assert ended == (booked if state.durable.trip.running else [])
    assert only(Actuate, step.effects) == [Actuate(Action.ARM_IMMOBILISER)]
    assert hung_up(step.finish()[1]) == [1, 2]
    assert (step.durable.trip, step.durable.driver_key, step.durable.drive_enabled) == (Trip(), None, False)
    assert step.durable.log == replace(step.durable.log, length=1)


def test_a_booking_that_ended_before_is_not_ended_again() -> None:
    step = draft(durably(a_state(), trip=Trip(booking=BOOKING)))
    ownership.wipe(step)
    assert events(step.effects) == []
    assert only(Log, step.effects) == []
