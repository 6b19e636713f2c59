"""What is dead, revoked or replaced, and how each command ended."""

import msgspec
import pytest

from firmware.core import ledger
from firmware.core.state import (
    DEAD_KEYS_KEPT,
    DeadBooking,
    DeadKey,
    Durable,
    EndReason,
    Executed,
    Fading,
    KnownKey,
    Ordered,
)
from protocol.errors import Code
from protocol.messages import Operation
from protocol.sharing import Deletion
from protocol.tokens import RevocationList
from tests.support.core import GUEST_KEY, OWNER_KEY
from tests.support.credentials import BOOKING, MODULE_ID

replace = msgspec.structs.replace

NOTHING = Durable(1_790_000_000_000, 3)
FLOOR = 1_790_000_000_000


def dead(number: int, *, expires_s: int = 1_790_009_000, issued_s: int = 1_789_000_000) -> DeadBooking:
    return DeadBooking(number.to_bytes(16, "big"), EndReason.DRIVER, expires_s, issued_s)


@pytest.mark.req("ACC-5")
def test_the_first_reason_of_a_dead_booking_stays() -> None:
    once = ledger.bury(NOTHING, dead(1), FLOOR)
    again = replace(dead(1), reason=EndReason.CANCELLED)
    assert ledger.bury(once, again, FLOOR) == once
    assert once.dead == (dead(1),)


@pytest.mark.req("ACC-5")
def test_a_dead_booking_is_forgotten_only_when_its_token_has_expired_for_certain_and_64_are_remembered() -> None:
    durable = ledger.bury(NOTHING, dead(0, expires_s=1_790_001_000), FLOOR)
    for number in range(1, 64):
        durable = ledger.bury(durable, dead(number), 1_790_001_000_000)
    assert len(durable.dead) == 64
    assert len(ledger.bury(durable, dead(64), 1_790_000_999_999).dead) == 65
    assert ledger.bury(durable, dead(64), 1_790_001_000_000).dead == (*durable.dead[1:], dead(64))


@pytest.mark.req("ACC-5")
def test_of_the_expired_those_go_first_that_died_first() -> None:
    durable = NOTHING
    for number in range(70):
        durable = ledger.bury(durable, dead(number, expires_s=1_790_000_000 + number), FLOOR)
    assert len(durable.dead) == 69
    kept = ledger.bury(durable, dead(70), 1_790_001_000_000).dead
    assert [int.from_bytes(known.booking_id, "big") for known in kept] == list(range(7, 71))


def test_what_is_buried_now_is_remembered_even_when_expired() -> None:
    late = dead(1, expires_s=1)
    assert ledger.bury(NOTHING, late, FLOOR).dead == (late,)


@pytest.mark.req("ACC-5")
def test_beyond_256_the_first_issued_are_covered_by_a_date() -> None:
    durable = NOTHING
    for number in range(256):
        durable = ledger.bury(durable, dead(number, issued_s=1_789_000_000 + number), FLOOR)
    assert (len(durable.dead), durable.dead_before_s) == (256, 0)
    durable = ledger.bury(durable, dead(1_000, issued_s=1_789_500_000), FLOOR)
    assert (len(durable.dead), durable.dead_before_s) == (256, 1_789_000_001)
    assert dead(0) not in durable.dead
    older = ledger.bury(durable, dead(1_001, issued_s=1_700_000_000), FLOOR)
    assert older.dead_before_s == 1_789_000_001
    assert older.dead == durable.dead


@pytest.mark.req("ACC-5")
def test_what_a_list_has_named_stays_named_and_the_key_epoch_only_rises() -> None:
    first = RevocationList(MODULE_ID, 7, 1, 5, ((b"t" * 16, 1_790_000_009),))
    second = RevocationList(MODULE_ID, 8, 2, 4, ((b"u" * 16, 1_790_000_008),))
    after_first = ledger.revoke(NOTHING, first)
    assert (after_first.list_number, after_first.revoked, after_first.key_epoch) == (
        7,
        ((b"t" * 16, 1_790_000_009),),
        5,
    )
    after_second = ledger.revoke(after_first, second)
    both = ((b"u" * 16, 1_790_000_008), (b"t" * 16, 1_790_000_009))
    assert (after_second.list_number, after_second.revoked, after_second.key_epoch) == (8, both, 5)


@pytest.mark.req("ACC-5")
def test_of_what_older_lists_have_named_the_expired_go_and_then_those_that_expire_first() -> None:
    older = tuple((bytes([number]) * 16, 1_000 + number) for number in range(4))
    assert ledger.named((), older, 1_001_000) == ((b"\3" * 16, 1_003), (b"\2" * 16, 1_002))
    newer = tuple((number.to_bytes(16, "big"), 2_000) for number in range(1_000, 1_255))
    assert len(newer) == 255
    assert ledger.named(newer, older, 0) == (*newer, (b"\3" * 16, 1_003))
    assert ledger.named((*newer, *older), older, 2_000_000) == (*newer, *older)


@pytest.mark.req("ACC-11")
def test_the_newest_device_of_a_user_is_remembered() -> None:
    newer = replace(BOOKING, device_generation=4)
    older = replace(BOOKING, device_generation=2)
    durable = ledger.bind(ledger.bind(NOTHING, newer), older)
    assert durable.devices == ((b"a driver", 4),)


def test_beyond_64_users_the_one_seen_longest_ago_is_forgotten() -> None:
    durable = NOTHING
    for number in range(64):
        durable = ledger.bind(durable, replace(BOOKING, user=number.to_bytes(8, "big")))
    durable = ledger.bind(durable, replace(BOOKING, user=bytes(8)))
    durable = ledger.bind(durable, BOOKING)
    assert len(durable.devices) == 64
    assert (1).to_bytes(8, "big") not in dict(durable.devices)
    assert bytes(8) in dict(durable.devices)


@pytest.mark.req("ACC-7")
def test_a_command_is_found_by_its_user_and_identifier() -> None:
    durable = ledger.begin(NOTHING, b"a driver", b"command1", Operation.UNLOCK)
    assert ledger.executed(durable, b"a driver", b"command1") == Executed(
        b"command1", b"a driver", Operation.UNLOCK, None
    )
    assert ledger.executed(durable, b"somebody", b"command1") is None
    assert ledger.executed(durable, b"a driver", b"command2") is None
    durable = ledger.finish(durable, b"a driver", b"command1", Operation.UNLOCK, Code.OK)
    assert durable.executed == (Executed(b"command1", b"a driver", Operation.UNLOCK, Code.OK),)


@pytest.mark.req("ACC-7")
def test_the_last_64_commands_are_remembered() -> None:
    durable = NOTHING
    for number in range(65):
        durable = ledger.finish(durable, b"a driver", number.to_bytes(8, "big"), Operation.LOCK, Code.OK)
    assert len(durable.executed) == 64
    assert ledger.executed(durable, b"a driver", bytes(8)) is None
    assert ledger.executed(durable, b"a driver", (1).to_bytes(8, "big")) is not None


def test_a_users_first_device_may_have_the_number_nought() -> None:
    booking = replace(BOOKING, device_generation=0)
    assert ledger.bind(NOTHING, booking).devices == ((booking.user, 0),)


@pytest.mark.req("ACC-5")
def test_while_there_is_room_no_expired_booking_is_forgotten() -> None:
    durable = NOTHING
    for number in range(3):
        durable = ledger.bury(durable, dead(number, expires_s=1), FLOOR)
    assert durable.dead == tuple(dead(number, expires_s=1) for number in range(3))


# ---------------------------------------------------------------- orders
def ordered(number: int, issued_s: int, code: Code | None = Code.OK) -> Ordered:
    return Ordered(number.to_bytes(16, "big"), issued_s, code)


@pytest.mark.req("BKG-2", "SVC-3")
def test_an_order_is_found_by_its_identifier_and_has_one_outcome() -> None:
    durable = ledger.note_order(NOTHING, ordered(1, 50, None))
    durable = ledger.note_order(durable, ordered(2, 50))
    assert ledger.ordered(durable, (1).to_bytes(16, "big")) == ordered(1, 50, None)
    assert ledger.ordered(durable, (3).to_bytes(16, "big")) is None
    durable = ledger.note_order(durable, ordered(1, 50))
    assert durable.orders == (ordered(2, 50), ordered(1, 50))
    assert durable.orders_before_s == 0


@pytest.mark.req("SVC-3", "SEC-2")
def test_the_last_64_orders_are_remembered_and_older_ones_are_covered_by_one_date() -> None:
    durable = NOTHING
    for number in range(64):
        durable = ledger.note_order(durable, ordered(number, 1_000 + number))
    assert (len(durable.orders), durable.orders_before_s) == (64, 0)
    again = ledger.note_order(durable, ordered(7, 1_007))
    assert (len(again.orders), again.orders_before_s) == (64, 0)
    newer = ledger.note_order(durable, ordered(64, 2_000))
    assert (len(newer.orders), newer.orders_before_s) == (64, 1_001)
    assert ledger.ordered(newer, bytes(16)) is None
    assert ledger.ordered(newer, (1).to_bytes(16, "big")) is not None
    oldest = ledger.note_order(newer, ordered(65, 999))
    assert oldest.orders == newer.orders, "issued before all of them: not remembered, but covered"
    assert oldest.orders_before_s == 1_001


# ---------------------------------------------------------------- digital keys
def dead_key(number: int, *, issued_s: int = 1_000, expires_s: int = 9_000) -> DeadKey:
    return DeadKey(number.to_bytes(16, "big"), Code.KEY_DELETED, expires_s, issued_s)


@pytest.mark.req("KEY-6", "ACC-5")
def test_a_key_is_dead_by_its_own_death_by_that_of_its_parent_or_by_its_age() -> None:
    gone = DeadKey(GUEST_KEY.token_id, Code.CODE_DEAD, GUEST_KEY.expires_s, GUEST_KEY.issued_s)
    parent = DeadKey(OWNER_KEY.token_id, Code.KEY_DEACTIVATED, OWNER_KEY.expires_s, OWNER_KEY.issued_s)
    named, parent_named = ((GUEST_KEY.token_id, 1),), ((OWNER_KEY.token_id, 1),)
    for durable, expected in (
        (NOTHING, None),
        (replace(NOTHING, dead_keys=(parent, gone)), Code.CODE_DEAD),
        (replace(NOTHING, dead_keys=(parent,)), Code.TOKEN_REVOKED),
        (replace(NOTHING, dead_keys=(dead_key(1),)), None),
        (replace(NOTHING, revoked=named), Code.KEY_DELETED),
        (replace(NOTHING, revoked=parent_named), Code.TOKEN_REVOKED),
        (replace(NOTHING, keys_before_s=GUEST_KEY.issued_s), None),
        (replace(NOTHING, keys_before_s=GUEST_KEY.issued_s + 1), Code.TOKEN_REVOKED),
    ):
        assert ledger.dead_key(durable, GUEST_KEY) is expected
    assert ledger.dead_key(replace(NOTHING, revoked=parent_named), OWNER_KEY) is Code.TOKEN_REVOKED


@pytest.mark.req("KEY-6")
def test_a_dead_key_is_nothing_else_any_more_and_the_first_reason_stays() -> None:
    fading = Fading(GUEST_KEY.token_id, Deletion.UNTIL_KEY_CYCLE, 9_000, 1)
    other = replace(fading, token_id=b"another")
    known = replace(NOTHING, keys=(KnownKey(1, GUEST_KEY, 1), KnownKey(2, OWNER_KEY, 1)), deletions=(fading, other))
    first = DeadKey(GUEST_KEY.token_id, Code.KEY_DEACTIVATED, 9_000, 1)
    buried = ledger.bury_key(known, first, 0)
    assert (buried.keys, buried.deletions) == ((KnownKey(2, OWNER_KEY, 1),), (other,))
    assert ledger.bury_key(buried, replace(first, code=Code.CODE_DEAD), 0).dead_keys == (first,)


@pytest.mark.req("KEY-6", "ACC-5")
def test_so_many_dead_keys_are_kept_and_older_ones_covered_by_a_date() -> None:
    durable = replace(NOTHING, dead_keys=tuple(dead_key(number, issued_s=number) for number in range(DEAD_KEYS_KEPT)))
    durable = ledger.bury_key(durable, dead_key(500, issued_s=500), 0)
    assert len(durable.dead_keys) == DEAD_KEYS_KEPT
    assert durable.keys_before_s == 1
    assert dead_key(0, issued_s=0) not in durable.dead_keys
    later = ledger.bury_key(replace(durable, keys_before_s=300), dead_key(501, issued_s=501), 0)
    assert later.keys_before_s == 300


@pytest.mark.req("KEY-6")
def test_a_dead_key_that_has_expired_for_certain_is_forgotten() -> None:
    durable = replace(NOTHING, dead_keys=(dead_key(1, expires_s=10), dead_key(2, expires_s=11)))
    assert ledger.bury_key(durable, dead_key(3), 10_000).dead_keys == (dead_key(2, expires_s=11), dead_key(3))
