"""What must never be forgotten, and what becomes of a state that was lost."""

import msgspec
import pytest

from firmware.core import marks, vital
from firmware.core.deletion import DELETIONS_KEPT
from firmware.core.incidents import Call
from firmware.core.reports import Point
from firmware.core.state import (
    DEAD_KEYS_KEPT,
    KEYS_KEPT,
    Counters,
    DeadBooking,
    DeadKey,
    Durable,
    EndReason,
    Fading,
    KnownKey,
    Ordered,
    Ownership,
    Slot,
    Trip,
)
from firmware.core.usage import Head
from firmware.core.vital import Vital
from protocol.errors import Code
from protocol.messages import Phase
from protocol.orders import ServicePlan, Subscription
from protocol.sharing import Deletion
from tests.support.core import BEGINS_MS, EPOCH, FLOOR_MS, GUEST_KEY, NIGHT, PROFILE
from tests.support.credentials import BOOKING

replace = msgspec.structs.replace

DEAD = DeadBooking(b"an ended booking", EndReason.CUT_OFF, 1_790_009_000, 1_789_999_000, (("overdue_ms", 1),))
POINT = Point(481_371_540, 115_761_240, BEGINS_MS)
FULL = Durable(
    BEGINS_MS,
    EPOCH + 1,
    Trip(Phase.ACTIVE, replace(BOOKING, key_epoch=EPOCH + 1), BEGINS_MS),
    drive_enabled=True,
    dead=(DEAD,),
    dead_before_s=1_700_000_000,
    revoked=((b"a revoked token!", 1_790_009_000),),
    list_number=7,
    devices=((b"a driver", 2), (b"somebody", 5)),
    slot=Slot(4, POINT, parking=True),
    counters=Counters(50, 40, 30, 20, 10, 9, 4),
    log=Head(9, b"d" * 32),
    orders=(Ordered(b"the order number", 1_790_000_000, Code.OK),),
    orders_before_s=1_780_000_000,
    subscription=Subscription(4, 1_820_000_000, 1_800_000_000),
)
NOTED = vital.of(FULL)


def test_it_is_written_and_read_as_bytes_and_stays_small() -> None:
    encoded = msgspec.msgpack.encode(NOTED)
    assert msgspec.msgpack.decode(encoded, type=Vital) == NOTED
    many = [replace(DEAD, booking_id=number.to_bytes(16, "big")) for number in range(256)]
    revoked = tuple((bytes(16), 1_790_009_000) for _ in range(256))
    most = replace(FULL, dead=tuple(many), revoked=revoked, devices=((b"somebody", 5),) * 64)
    key = replace(GUEST_KEY, name="n" * 32, hours=NIGHT)
    dead = DeadKey(GUEST_KEY.token_id, Code.CODE_DEAD, GUEST_KEY.expires_s, GUEST_KEY.issued_s)
    deleted = Fading(GUEST_KEY.token_id, Deletion.UNTIL_KEY_CYCLE, GUEST_KEY.expires_s, BEGINS_MS)
    keys = tuple(KnownKey(number, key, BEGINS_MS, b"sixteen of print") for number in range(KEYS_KEPT))
    most = replace(most, keys=keys, dead_keys=(dead,) * DEAD_KEYS_KEPT, deletions=(deleted,) * DELETIONS_KEPT)
    assert len(msgspec.msgpack.encode(vital.of(most))) < 28 * 1024


@pytest.mark.req("ACC-5", "CLK-1", "PWR-1")
def test_a_lost_state_is_rebuilt_without_a_booking_and_with_everything_dead() -> None:
    rebuilt = vital.restored(None, NOTED, PROFILE)
    assert rebuilt == replace(
        FULL,
        trip=Trip(),
        drive_enabled=False,
        dead=(replace(DEAD, numbers=()),),
        slot=Slot(5, None, acknowledged=True),
        orders=(),
        orders_before_s=1_790_000_001,
    )


@pytest.mark.req("ACC-5", "CLK-1", "PWR-1")
def test_an_older_state_learns_what_is_dead_and_its_numbers_rise() -> None:
    older = replace(
        FULL,
        floor_ms=BEGINS_MS - 1,
        key_epoch=EPOCH + 1,
        dead=(replace(DEAD, booking_id=b"long since ended"),),
        dead_before_s=0,
        revoked=(),
        list_number=6,
        devices=((b"a driver", 3),),
        slot=Slot(3),
        counters=Counters(60, 1, 1, 1, 1, 12, 1),
        log=Head(8, b"c" * 32),
    )
    known = vital.restored(older, NOTED, PROFILE)
    assert known.trip == older.trip, "it is not dead, so it runs on"
    assert known.drive_enabled
    assert (known.floor_ms, known.dead_before_s) == (BEGINS_MS, 1_700_000_000)
    assert {dead.booking_id for dead in known.dead} == {b"an ended booking", b"long since ended"}
    assert (known.list_number, known.revoked) == (7, FULL.revoked)
    both = vital.restored(older, replace(NOTED, list_number=5, revoked=((b"b" * 16, 1_790_009_000),)), PROFILE)
    assert (both.list_number, both.revoked[-1]) == (6, (b"b" * 16, 1_790_009_000))
    assert dict(known.devices) == {b"a driver": 3, b"somebody": 5}
    assert known.counters == Counters(60, 40, 30, 20, 10, 12, 4)
    assert (known.slot.version, known.log) == (4, FULL.log)


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize(
    "noted",
    [
        replace(NOTED, dead=((BOOKING.booking_id, EndReason.DRIVER, BOOKING.expires_s, BOOKING.issued_s),)),
        replace(NOTED, revoked=((BOOKING.token_id, BOOKING.expires_s),), list_number=8),
        replace(NOTED, key_epoch=EPOCH + 2),
    ],
)
def test_a_booking_that_runs_in_an_older_state_and_is_dead_does_not_run_on(noted: Vital) -> None:
    known = vital.restored(FULL, noted, PROFILE)
    assert known.trip == Trip()
    assert not known.drive_enabled


@pytest.mark.req("ACC-5", "BKG-2")
def test_a_booking_whose_end_is_ordered_counts_as_dead() -> None:
    doomed = replace(FULL, trip=replace(FULL.trip, end_requested=EndReason.ORDER))
    known = vital.restored(FULL, vital.of(doomed), PROFILE)
    assert known.trip == Trip()
    assert known.dead[-1] == DeadBooking(BOOKING.booking_id, EndReason.ORDER, BOOKING.expires_s, BOOKING.issued_s)


def test_what_is_newer_in_the_state_than_in_the_record_stays() -> None:
    ended = replace(FULL, trip=Trip(Phase.ENDED, BOOKING))
    older = vital.of(replace(FULL, list_number=6, log=Head(3, b"a" * 32), slot=Slot(2), floor_ms=FLOOR_MS))
    assert vital.restored(ended, older, PROFILE) == replace(ended, orders_before_s=1_790_000_001)


@pytest.mark.req("SVC-3", "PWR-1")
def test_what_was_ordered_before_the_state_was_lost_is_not_carried_out_again() -> None:
    """Each order that was carried out has raised the floor to its issue, and the floor is never forgotten."""
    before_s = vital.restored(None, replace(NOTED, floor_ms=BEGINS_MS + 999), PROFILE).orders_before_s
    assert before_s == 1_790_000_001
    assert vital.restored(None, replace(NOTED, floor_ms=BEGINS_MS + 1_000), PROFILE).orders_before_s == 1_790_000_002
    later = vital.restored(replace(FULL, orders_before_s=1_790_000_009), NOTED, PROFILE)
    assert later.orders_before_s == 1_790_000_009
    assert later.orders == FULL.orders


@pytest.mark.req("SUB-1", "SVC-3", "PWR-1")
@pytest.mark.req("SVC-8")
def test_an_emergency_call_outlives_the_card_and_one_that_is_over_does_not_come_back() -> None:
    call = Call(3, True, 1_790_000_000_000, dated=True, message=4)
    calling, over = replace(FULL, call=call, calls=3), replace(FULL, calls=3)
    assert vital.restored(None, vital.of(calling), PROFILE).call == call
    assert vital.restored(FULL, vital.of(calling), PROFILE).call == call
    assert vital.restored(calling, vital.of(over), PROFILE).call is None


@pytest.mark.req("SVC-4")
def test_a_lost_or_older_card_does_not_bring_deactivated_services_back() -> None:
    bought = ServicePlan(3, "BE", "2021-05-10", (2021, 5, 10), ("6AP",))
    deactivated = replace(bought, number=4, base_active=False)
    noted = vital.of(replace(FULL, services=deactivated, calls=2))
    for older in (None, FULL, replace(FULL, services=bought, calls=1)):
        found = vital.restored(older, noted, PROFILE)
        assert (found.services, found.calls) == (deactivated, 2)
    newer = replace(FULL, services=replace(bought, number=5), calls=3)
    found = vital.restored(newer, noted, PROFILE)
    assert (found.services, found.calls) == (newer.services, 3)


def test_an_older_card_brings_no_older_subscription_along() -> None:
    paused = Subscription(5, 1_820_000_000, 0, paused=True)
    noted = vital.of(replace(FULL, subscription=paused))
    assert vital.restored(FULL, noted, PROFILE).subscription == paused
    assert vital.restored(None, noted, PROFILE).subscription == paused
    newer = replace(FULL, subscription=replace(paused, number=6))
    assert vital.restored(newer, noted, PROFILE).subscription == newer.subscription
    same = replace(FULL, subscription=replace(paused, remote_until_s=9))
    assert vital.restored(same, noted, PROFILE).subscription == same.subscription
    untold = replace(NOTED, subscription=None)
    assert vital.restored(FULL, untold, PROFILE).subscription == FULL.subscription
    assert vital.restored(None, untold, PROFILE).subscription is None


@pytest.mark.req("ACC-5")
def test_with_nothing_left_the_module_knows_that_it_has_forgotten() -> None:
    assert vital.restored(None, None, PROFILE) == Durable(FLOOR_MS, EPOCH, forgetful=True)
    assert vital.restored(FULL, None, PROFILE) == FULL
    forgetful = vital.of(replace(FULL, forgetful=True))
    assert vital.restored(None, forgetful, PROFILE).forgetful


@pytest.mark.parametrize(
    ("noted", "kept"),
    [
        ((60, 50, 40, 30, 20), Counters(60, 50, 40, 30, 20, 9, 4)),
        ((60, 50, 40, 30, 20, 10, 5, 77), Counters(60, 50, 40, 30, 20, 10, 5)),
    ],
)
def test_a_record_of_another_version_counts_as_far_as_both_know(noted: tuple[int, ...], kept: Counters) -> None:
    assert vital.restored(FULL, replace(NOTED, counters=noted), PROFILE).counters == kept


def test_a_record_forgets_nothing_unless_it_says_so() -> None:
    assert not vital.of(Durable(FLOOR_MS, EPOCH)).forgetful
    assert not msgspec.convert([1, 2, [], 0, [], 0, [], [1, 1, 1, 1, 1], 0, 0, b""], Vital).forgetful


@pytest.mark.req("ACC-5")
def test_a_booking_that_an_order_has_ended_is_dead_once() -> None:
    ended = replace(FULL, trip=replace(FULL.trip, phase=Phase.ENDED, end_requested=EndReason.ORDER))
    assert [entry[0] for entry in vital.of(ended).dead] == [DEAD.booking_id]


@pytest.mark.req("ACC-5", "PWR-1")
def test_a_module_that_has_forgotten_goes_on_saying_so() -> None:
    older = replace(FULL, forgetful=True)
    assert vital.restored(older, vital.of(FULL), PROFILE).forgetful


def test_a_noted_device_may_have_the_number_nought() -> None:
    noted = vital.of(replace(FULL, devices=((b"somebody new", 0),)))
    assert (b"somebody new", 0) in vital.restored(FULL, noted, PROFILE).devices


def test_what_is_noted_says_whose_it_is() -> None:
    assert vital.of(replace(FULL, module_id=b"a module")).module_id == b"a module"


# ---------------------------------------------------------------- whose car it is
NEW_OWNER = Ownership(True, b"another1", b"a person", BEGINS_MS, 3)
CHANGED = vital.of(replace(FULL, ownership=NEW_OWNER, key_epoch=EPOCH + 2, erased_before=45, subscription=None))


@pytest.mark.req("OWN-4", "PWR-1")
def test_a_lost_state_does_not_bring_the_old_owner_back() -> None:
    rebuilt = vital.restored(None, CHANGED, PROFILE)
    assert rebuilt.ownership == NEW_OWNER
    assert (rebuilt.key_epoch, rebuilt.erased_before) == (EPOCH + 2, 45)


@pytest.mark.req("OWN-4", "PWR-1")
def test_a_state_from_before_the_car_changed_hands_keeps_nothing_of_its_owner() -> None:
    older = replace(
        FULL,
        ownership=Ownership(True, b"an owner", b"somebody", 1, 2, (1, 2), 3),
        drivers=(b"a driver",),
        counters=Counters(40, 40, 30, 20, 10, 9, 4),
    )
    known = vital.restored(older, CHANGED, PROFILE)
    assert known.ownership == NEW_OWNER
    assert (known.trip, known.drive_enabled, known.drivers, known.subscription) == (Trip(), False, (), None)
    assert (known.slot.point, known.slot.acknowledged) == (None, False)
    assert known.key_epoch == EPOCH + 2, "not one more: the new owner's keys are good"
    assert known.erased_before == 45
    assert known.dead == FULL.dead


@pytest.mark.req("OWN-5", "PWR-1")
def test_an_older_critical_record_takes_nothing_from_the_owner() -> None:
    newer = replace(FULL, ownership=NEW_OWNER, erased_before=46)
    known = vital.restored(newer, NOTED, PROFILE)
    assert (known.ownership, known.erased_before, known.trip) == (NEW_OWNER, 46, FULL.trip)
    given_up = Ownership(coupled=False, number=4)
    gone = vital.restored(newer, vital.of(replace(newer, ownership=given_up)), PROFILE)
    assert gone.ownership == given_up
    assert gone.trip == Trip()


def test_where_the_car_lives_is_known_after_a_loss() -> None:
    moved = Ownership(home=(1, 2), home_set_s=1_790_000_000)
    assert vital.restored(None, vital.of(replace(FULL, ownership=moved)), PROFILE).ownership == moved
    assert vital.restored(replace(FULL, ownership=moved), NOTED, PROFILE).ownership == moved


@pytest.mark.req("KEY-4", "KEY-6", "PWR-1")
def test_keys_and_their_deaths_are_kept_too_and_an_older_module_knew_none() -> None:
    known = replace(FULL, keys=(KnownKey(1, GUEST_KEY, BEGINS_MS, b"", 4),), code_step=4)
    noted = vital.of(known)
    assert noted.keys == marks.of(known)
    assert vital.restored(None, noted, PROFILE).keys == known.keys
    assert vital.restored(FULL, noted, PROFILE).code_step == 4
    assert vital.restored(known, replace(noted, keys=None), PROFILE).keys == known.keys
